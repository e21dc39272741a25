"""A cheap look at a data set: enough for a form, nothing that takes seconds.

No arrays of images are read and nothing is downloaded; neither torch nor
scikit-learn is imported.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from engine.data.arrays import inspect_npz
from engine.data.faults import FOLDER_LAYOUT, NPZ_LAYOUT, refused
from engine.data.folders import inspect_folder
from engine.data.images import DataSummary
from engine.data.table import DATA_SOURCES
from engine.domain.config import SearchConfig


def inspect_images(config: SearchConfig, roots: Sequence[Path] = ()) -> DataSummary:
    """What the data of a configuration are.

    Args:
        config: Its ``data`` and ``image_size`` are used.
        roots: Folders in which the data have to lie; none means anywhere.

    Raises:
        DataError: The data are missing, outside the roots or malformed.
    """
    if config.data in DATA_SOURCES:
        return DATA_SOURCES[config.data].summary(config.data)
    path = locate(config.data, roots)
    if path.is_dir():
        return inspect_folder(config.data, path, config.image_size)
    return inspect_npz(config.data, path)


def is_path(data: str) -> bool:
    """Whether text can be a path of this machine, whatever lies there."""
    return not ("\0" in data or "::" in data or "://" in data or data.startswith("\\\\"))


def absolute_path(data: str) -> Path:
    """The path without ``~``, links and dots, whether or not it exists."""
    return Path(os.path.realpath(os.path.expanduser(data)))


def locate(data: str, roots: Sequence[Path] = ()) -> Path:
    """The real path of data given as a path.

    Raises:
        DataError: It is no path, does not exist, lies outside the roots, or
            is neither a folder nor an .npz file.
    """
    if not is_path(data):
        raise refused(
            data,
            "text that is no path of this machine",
            "the path of a folder or an .npz file",
            "copy the data to this machine",
        )
    path = absolute_path(data)
    if roots and not any(path.is_relative_to(root.resolve()) for root in roots):
        raise refused(
            data,
            "a path outside the folders that may be read",
            f"a path below {' or '.join(str(root) for root in roots)}",
            "move the data there or start with another EGS_DATA_ROOTS",
        )
    if not os.path.exists(path):
        raise refused(
            data,
            "neither a data set of that name nor a file or folder",
            f"one of {', '.join(DATA_SOURCES)}, {NPZ_LAYOUT}, or {FOLDER_LAYOUT}",
            "correct the name or the path",
        )
    if not path.is_dir() and path.suffix.lower() != ".npz":
        raise refused(
            data,
            f"a file that ends in {path.suffix!r}",
            f"{NPZ_LAYOUT}, or {FOLDER_LAYOUT}",
            "convert the data to one of these",
        )
    return path
