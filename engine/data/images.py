"""Images with labels as arrays.

Sizes: N images of H x W pixels with C channels (1 grey, 3 colour).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.summaries import DataSummary

__all__ = [
    "DataSummary",
    "ImageData",
    "Images",
    "Labels",
    "RawImages",
    "Report",
    "Split",
    "digest_of",
]

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 [N, H, W, C] with their labels int64 [N]."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """The images with these indices, in this order, as a copy."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class RawImages:
    """A data set as it was found; splits that it does not have are None.

    Attributes:
        skipped: One line for each image that could not be read.
    """

    train: Split
    validation: Split | None
    test: Split | None
    class_names: tuple[str, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageData:
    """Three disjoint splits, ready for a search.

    Attributes:
        source: The data as the configuration names it.
        class_names: Names in the order of the labels.
        skipped: One line for each image that could not be read.
        digest: SHA-256 of all arrays in hexadecimal.
    """

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str = ""
    skipped: tuple[str, ...] = ()
    digest: str = ""

    @property
    def summary(self) -> DataSummary:
        """The same without arrays, for forms, costs and lineage."""
        _, height, width, in_channels = self.train.images.shape
        return DataSummary(
            source=self.source,
            in_channels=in_channels,
            classes=len(self.class_names),
            height=height,
            width=width,
            train=len(self.train),
            validation=len(self.validation),
            test=len(self.test),
            class_names=self.class_names,
            digest=self.digest,
            skipped=self.skipped,
        )


def digest_of(*splits: Split) -> str:
    """SHA-256 over shapes, images and labels of the splits, in hexadecimal."""
    sha = hashlib.sha256()
    for split in splits:
        sha.update(repr(split.images.shape).encode())
        sha.update(np.ascontiguousarray(split.images).data)
        sha.update(np.ascontiguousarray(split.labels).data)
    return sha.hexdigest()
