"""Three disjoint splits from what a data set has, the same for the same seed.

Where data have no test split of their own, the images kept for it are the same for
every seed: so no search has seen an image that a training is tested on, whatever
their seeds are.
"""

import numpy as np
from numpy.typing import NDArray

from engine.data.faults import refused
from engine.data.images import RawImages, Split

Indices = NDArray[np.int64]

TEST_SEED = 1797
"""Of what is kept for the test."""


def three_splits(
    source: str,
    raw: RawImages,
    *,
    validation_fraction: float,
    test_fraction: float,
    train_limit: int,
    seed: int,
) -> tuple[Split, Split, Split]:
    """Training, validation and test images.

    A split that the data do not have is taken from the training images, class
    by class, so that each class keeps its share. Both fractions are shares of
    all training images that were found.

    Args:
        source: The data as the configuration names it.
        raw: What was found.
        validation_fraction: Share for validation where it is missing.
        test_fraction: Share for the test where it is missing.
        train_limit: Keep only this many of the remaining training images; 0
            keeps all.
        seed: Of every choice but that of the test images, which all seeds share.

    Raises:
        DataError: A class has too few images.
    """
    random = np.random.default_rng([seed, 0])
    fractions = (
        test_fraction if raw.test is None else 0.0,
        validation_fraction if raw.validation is None else 0.0,
    )
    test, validation, train = _parts(source, raw, fractions, random)
    return (
        raw.train.take(_limited(train, train_limit, random)),
        raw.validation or raw.train.take(validation),
        raw.test or raw.train.take(test),
    )


def _parts(
    source: str, raw: RawImages, fractions: tuple[float, float], random: np.random.Generator
) -> tuple[Indices, Indices, Indices]:
    """Indices for test, validation and training, each in ascending order."""
    parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    fixed = np.random.default_rng([TEST_SEED, 0])
    for number, name in enumerate(raw.class_names):
        members = np.flatnonzero(raw.train.labels == number)
        counts = [max(1, round(share * len(members))) if share else 0 for share in fractions]
        if sum(counts) >= len(members):
            raise refused(
                source,
                f"{len(members)} training image(s) of class {name!r}, "
                f"of which {sum(counts)} are to be split off",
                "at least one image of each class left to train on",
                "add images, or lower validation_fraction and test_fraction",
            )
        for part, chosen in zip(parts, cut(members, counts, fixed, random), strict=True):
            part.append(chosen)
    test, validation, train = (np.sort(np.concatenate(part)) for part in parts)
    return test, validation, train


def cut(
    members: Indices, counts: list[int], fixed: np.random.Generator, random: np.random.Generator
) -> tuple[Indices, Indices, Indices]:
    """So many for the test and for validation, and the rest.

    Args:
        members: All indices.
        counts: How many for the test, and how many for validation.
        fixed: Chooses those for the test.
        random: Chooses all others.
    """
    order = random.permutation(members)
    test = fixed.permutation(members)[: counts[0]]
    others = order[~np.isin(order, test)]
    return test, others[: counts[1]], others[counts[1] :]


def _limited(indices: Indices, limit: int, random: np.random.Generator) -> Indices:
    if limit == 0 or limit >= len(indices):
        return indices
    chosen: Indices = np.sort(random.choice(indices, size=limit, replace=False))
    return chosen
