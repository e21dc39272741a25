"""Images with labels as arrays, and what can be said about them without arrays.

Sizes: N images of H x W pixels with C channels (1 grey, 3 colour).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import DataError

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


@dataclass(frozen=True)
class DataSummary:
    """What is known of a data set without its arrays.

    Attributes:
        source: The data as the configuration names it.
        in_channels: 1 for grey, 3 for colour.
        classes: Number of classes.
        height: In pixels; 0 while nobody has looked.
        width: In pixels; 0 while nobody has looked.
        train: Training images.
        validation: Validation images; when inspecting, 0 means that they will
            be split off from the training images.
        test: Test images; when inspecting, 0 means the same.
        class_names: In the order of the labels; empty where not known yet.
        digest: SHA-256 of all arrays in hexadecimal; empty when not loaded.
        skipped: One line for each image that could not be read.
    """

    source: str
    in_channels: int
    classes: int
    height: int
    width: int
    train: int
    validation: int = 0
    test: int = 0
    class_names: tuple[str, ...] = ()
    digest: str = ""
    skipped: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One JSON object with a key for each attribute."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "DataSummary":
        """Read what :meth:`to_json` wrote.

        Raises:
            DataError: The text is something else.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            tuples = {key: tuple(values[key]) for key in ("class_names", "skipped")}
            return cls(**{**values, **tuples})
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                asked="the summary of a data set",
                found=f"text that is none ({error})",
                allowed="the JSON that the engine writes",
                advice="start the run again",
            ) from None


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
