"""Data sets that torchvision knows where to find.

The files are fetched here, with progress, without leftovers and by one process
at a time; torchvision checks their published digests before it unpacks and reads
them. It is imported inside the functions, since it brings torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.download_lock import alone_at
from engine.data.images import RawImages, Report, Split
from engine.data.signs import Alive, unheard
from engine.data.table import DataSource
from engine.data.transfer import fetch


@dataclass(frozen=True)
class Published:
    """One file: where it is published, where torchvision looks, its MD5."""

    urls: tuple[str, ...]
    target: Path
    md5: str


def read_published(
    source: DataSource, cache: Path, report: Report, *, alive: Alive = unheard
) -> RawImages:
    """A torchvision data set, downloaded below ``cache`` where it is not there yet.

    Raises:
        NoNetwork: It is not there and cannot be fetched.
        DataError: What was fetched is not what was published.
        DiskFull: There was no room.
    """
    from torchvision import datasets

    dataset = getattr(datasets, source.dataset)
    root = cache / source.dataset.lower()
    options = (
        [{"split": "train"}, {"split": "test"}]
        if source.dataset == "SVHN"
        else [{"train": True}, {"train": False}]
    )
    with alone_at(source.label, root, report, alive=alive):
        for file in _published(dataset, root):
            fetch(source.label, file.urls, file.target, file.md5, report, alive=alive)
        train, test = (dataset(root, download=True, **option) for option in options)
    names = tuple(str(name) for name in getattr(train, "classes", range(source.classes)))
    return RawImages(_split(train), None, _split(test), names)


def _published(dataset: Any, root: Path) -> Iterator[Published]:
    """The files of a data set, as torchvision's own class lists them."""
    if hasattr(dataset, "split_list"):
        for name in ("train", "test"):
            url, filename, md5 = dataset.split_list[name]
            yield Published((url,), root / filename, md5)
    elif hasattr(dataset, "mirrors"):
        for filename, md5 in dataset.resources:
            urls = tuple(mirror + filename for mirror in dataset.mirrors)
            yield Published(urls, root / dataset.__name__ / "raw" / filename, md5)
    else:
        yield Published((dataset.url,), root / dataset.filename, dataset.tgz_md5)


def _split(dataset: Any) -> Split:
    """Images as uint8 [N, H, W, C] with labels, from a torchvision data set."""
    images = np.asarray(dataset.data)
    if images.ndim == 3:
        images = images[..., None]
    elif images.shape[1] in {1, 3}:
        images = images.transpose(0, 2, 3, 1)
    labels = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    return Split(np.ascontiguousarray(images), np.asarray(labels, np.int64))
