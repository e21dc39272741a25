"""A cheap look at a data set: enough for a form, nothing that takes seconds.

Short texts are counted; no arrays of images are read and nothing is downloaded; neither torch nor
scikit-learn is imported.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from engine.data.arrays import inspect_npz
from engine.data.faults import FOLDER_LAYOUT, NPZ_LAYOUT, SCENE_LAYOUT, TEXT_LAYOUT, refused
from engine.data.folders import inspect_folder
from engine.data.scene_folders import inspect_scenes
from engine.data.summaries import DataSummary, Summary, TextSummary, Tokens
from engine.data.table import (
    CLASSIFICATION,
    DATA_SOURCES,
    IMAGE_SOURCES,
    LANGUAGE,
    SCENE_SOURCES,
    SEGMENTATION,
    TEXT_SOURCES,
    TaskName,
    check_task,
    sources_of,
)
from engine.data.text_files import has_training_text, inspect_text
from engine.data.topics import read_topics
from engine.domain.run_config import RunConfig


@dataclass(frozen=True)
class _Kind:
    """What a path of a task may lead to."""

    suffixes: tuple[str, ...]
    words: str
    layout: str


_KINDS: dict[str, _Kind] = {
    CLASSIFICATION: _Kind(
        (".npz",), "a folder or an .npz file", f"{NPZ_LAYOUT}, or {FOLDER_LAYOUT}"
    ),
    SEGMENTATION: _Kind((), "a folder", SCENE_LAYOUT),
    LANGUAGE: _Kind((".txt",), "a folder or a .txt file", TEXT_LAYOUT),
}


def inspect_data(config: RunConfig, roots: Sequence[Path] = ()) -> Summary:
    """What the data of a configuration are.

    Args:
        config: Its task, its data and what it says about reading them are used.
        roots: Folders in which the data have to lie; none means anywhere.

    Raises:
        DataError: The data are missing, outside the roots, malformed or for
            another task.
    """
    check_task(config)
    if config.task == LANGUAGE:
        return _inspect_text(config, roots)
    return inspect_images(config, roots)


def inspect_images(config: RunConfig, roots: Sequence[Path] = ()) -> DataSummary:
    """What the images of a configuration are, with labels or with masks.

    Args:
        config: Its task, data, ``image_size`` and ``ignore_index`` are used.
        roots: Folders in which the data have to lie; none means anywhere.

    Raises:
        DataError: The data are missing, outside the roots, malformed or for
            another task.
    """
    check_task(config)
    named = {**IMAGE_SOURCES, **SCENE_SOURCES}.get(config.data)
    if named is not None:
        return named.summary(
            config.data, image_size=config.image_size, ignore_index=config.ignore_index
        )
    path = locate(config.data, roots, task=config.task)
    if config.task == SEGMENTATION:
        return inspect_scenes(config.data, path, config.image_size, config.ignore_index)
    if path.is_dir():
        return inspect_folder(config.data, path, config.image_size)
    return inspect_npz(config.data, path)


def check_place(config: RunConfig, roots: Sequence[Path]) -> None:
    """Refuse data that are for another task or lie where nothing may be read.

    Raises:
        DataError: They do, or there are none of that name or path.
    """
    check_task(config)
    if config.data not in DATA_SOURCES:
        locate(config.data, roots, task=config.task)


def _inspect_text(config: RunConfig, roots: Sequence[Path]) -> TextSummary:
    if config.data in TEXT_SOURCES:
        return read_topics(config.data, **text_options(config)).summary
    path = locate(config.data, roots, task=config.task)
    return inspect_text(config.data, path, **text_options(config))


class TextOptions(TypedDict):
    """How a text is read, as the functions for it take it."""

    tokens: Tokens
    vocabulary_limit: int
    train_limit: int
    validation_fraction: float
    test_fraction: float


def text_options(config: RunConfig) -> TextOptions:
    """What a configuration says about reading a text."""
    return {
        "tokens": config.tokens,
        "vocabulary_limit": config.vocabulary_limit,
        "train_limit": config.train_limit,
        "validation_fraction": config.validation_fraction,
        "test_fraction": config.test_fraction,
    }


def is_path(data: str) -> bool:
    """Whether text can be a path of this machine, whatever lies there."""
    return not ("\0" in data or "::" in data or "://" in data or data.startswith("\\\\"))


def absolute_path(data: str) -> Path:
    """The path without ``~``, links and dots, whether or not it exists."""
    return Path(os.path.realpath(os.path.expanduser(data)))


def task_of(data: str, roots: Sequence[Path] = ()) -> TaskName | None:
    """Return the task that data are made for, by their name or by the files at their path.

    Args:
        data: A name, or the path of a file or folder.
        roots: Folders in which the data have to lie; none means anywhere.

    Returns:
        The task; None if the data do not exist or may not be read.
    """
    if data in DATA_SOURCES:
        return DATA_SOURCES[data].task
    path = absolute_path(data) if is_path(data) else None
    if path is None or not _may_be_read(path, roots) or not os.path.exists(path):
        return None
    if path.suffix.lower() == ".txt" or has_training_text(path):
        return LANGUAGE
    parts = (path / "train" / part for part in ("images", "masks"))
    return SEGMENTATION if all(map(os.path.isdir, parts)) else CLASSIFICATION


def _may_be_read(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a path lies in one of these folders; none means anywhere."""
    return not roots or any(path.is_relative_to(root.resolve()) for root in roots)


def locate(data: str, roots: Sequence[Path] = (), *, task: str = CLASSIFICATION) -> Path:
    """The real path of data given as a path.

    Args:
        data: The data as the configuration names it.
        roots: Folders in which the data have to lie; none means anywhere.
        task: What the data are for.

    Raises:
        DataError: It is no path, does not exist, lies outside the roots, or
            is neither a folder nor a file that the task can use.
    """
    kind = _KINDS.get(task, _KINDS[CLASSIFICATION])
    if not is_path(data):
        raise refused(
            data,
            "text that is no path of this machine",
            f"the path of {kind.words}",
            "copy the data to this machine",
        )
    path = absolute_path(data)
    if not _may_be_read(path, roots):
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
            f"one of {', '.join(sources_of(task))}, {kind.layout}",
            "correct the name or the path",
        )
    if not path.is_dir() and path.suffix.lower() not in kind.suffixes:
        raise refused(
            data,
            f"a file that ends in {path.suffix!r}",
            kind.layout,
            "convert the data to one of these",
        )
    return path
