"""Images with a class for each pixel, as arrays.

Sizes: N scenes of H x W pixels with C channels (1 grey, 3 colour).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.faults import refused
from engine.data.splits import TEST_SEED, cut
from engine.data.summaries import DataSummary
from engine.domain.errors import DataError

Masks = NDArray[np.uint8]
Images = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SceneSplit:
    """Images uint8 [N, H, W, C] with their masks uint8 [N, H, W]."""

    images: Images
    masks: Masks

    def __len__(self) -> int:
        return len(self.masks)

    def take(self, indices: NDArray[np.int64]) -> "SceneSplit":
        """The scenes with these indices, in this order, as a copy."""
        return SceneSplit(self.images[indices], self.masks[indices])


@dataclass(frozen=True, eq=False)
class RawScenes:
    """Scenes as they were found; splits that the data do not have are None.

    Attributes:
        skipped: One line for each scene that could not be read.
    """

    train: SceneSplit
    validation: SceneSplit | None
    test: SceneSplit | None
    class_names: tuple[str, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SceneData:
    """Three disjoint splits, ready for a search.

    Attributes:
        class_names: Names in the order of the mask's values.
        source: The data as the configuration names it.
        ignore_index: Value of mask pixels that do not count.
        skipped: One line for each scene that could not be read.
        digest: SHA-256 of all arrays in hexadecimal.
    """

    train: SceneSplit
    validation: SceneSplit
    test: SceneSplit
    class_names: tuple[str, ...]
    source: str = ""
    ignore_index: int = 255
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
            kind="scenes",
            ignore_index=self.ignore_index,
        )


def scene_data(
    source: str,
    raw: RawScenes,
    *,
    ignore_index: int,
    validation_fraction: float,
    test_fraction: float,
    train_limit: int,
    seed: int,
) -> SceneData:
    """Three disjoint splits of scenes, the same for the same seed.

    A split that the data do not have is taken from the training scenes.

    Args:
        source: The data as the configuration names it.
        raw: What was found.
        ignore_index: Value of mask pixels that do not count.
        validation_fraction: Share for validation where it is missing.
        test_fraction: Share for the test where it is missing.
        train_limit: Keep only this many of the remaining training scenes; 0
            keeps all.
        seed: Of every choice but that of the test scenes, which all seeds share.

    Raises:
        DataError: There are too few scenes, or no pixel of a split counts.
    """
    count = len(raw.train)
    shares = (
        test_fraction if raw.test is None else 0.0,
        validation_fraction if raw.validation is None else 0.0,
    )
    sizes = [max(1, round(share * count)) if share else 0 for share in shares]
    if sum(sizes) >= count:
        raise refused(
            source,
            f"{count} training scene(s), of which {sum(sizes)} are to be split off",
            "at least one scene left to train on",
            "add scenes, or lower validation_fraction and test_fraction",
        )
    random = np.random.default_rng([seed, 1])
    fixed = np.random.default_rng([TEST_SEED, 1])
    parts = cut(np.arange(count), sizes, fixed, random)
    test, validation, train = (np.sort(part) for part in parts)
    if 0 < train_limit < len(train):
        train = np.sort(random.choice(train, size=train_limit, replace=False))
    splits = {
        "training": raw.train.take(train),
        "validation": raw.validation or raw.train.take(validation),
        "test": raw.test or raw.train.take(test),
    }
    for name, split in splits.items():
        if (split.masks == ignore_index).all():
            raise _nothing_counts(source, name, ignore_index)
    return SceneData(
        train=splits["training"],
        validation=splits["validation"],
        test=splits["test"],
        class_names=raw.class_names,
        source=source,
        ignore_index=ignore_index,
        skipped=raw.skipped,
        digest=digest_of_scenes(list(splits.values())),
    )


def _nothing_counts(source: str, name: str, ignore_index: int) -> DataError:
    return refused(
        source,
        f"no {name} pixel with a class, all are ignore_index = {ignore_index}",
        "masks in which some pixels have a class",
        "correct the masks or ignore_index",
    )


def digest_of_scenes(splits: Sequence[SceneSplit]) -> str:
    """SHA-256 over shapes, images and masks of the splits, in hexadecimal."""
    sha = hashlib.sha256()
    for split in splits:
        sha.update(repr(split.images.shape).encode())
        sha.update(np.ascontiguousarray(split.images).data)
        sha.update(np.ascontiguousarray(split.masks).data)
    return sha.hexdigest()
