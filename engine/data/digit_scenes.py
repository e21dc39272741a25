"""Real handwritten digits on a noisy canvas, with the class of each pixel."""

import numpy as np
from numpy.typing import NDArray

from engine.data.images import Split
from engine.data.scenes import RawScenes, SceneSplit
from engine.data.splits import three_splits

SIDE = 32
DIGIT_SIDE = 16
MOST_DIGITS = 3
LEAST_DISTANCE = 12
"""Pixels between the corners of two digits, along one axis at least."""

TRIES = 20
INK = 96
"""Grey value, 0 to 255, from which a pixel belongs to its digit."""

SCENES = {"train": 1200, "validation": 300, "test": 300}
SEED = 1797
CLASS_NAMES = ("background", *"0123456789")


def read_digit_scenes() -> RawScenes:
    """1,800 grey scenes of 32x32 pixels with one to three of scikit-learn's digits each.

    A digit of 8x8 pixels is doubled in size; its ink has the class of the
    digit plus one, everything else is background (0), which has a texture and
    noise. The three splits share no digit and are the same for every seed.
    """
    from engine.data.builtin import read_digits

    digits = three_splits(
        "digit_scenes",
        read_digits(),
        validation_fraction=0.2,
        test_fraction=0.2,
        train_limit=0,
        seed=SEED,
    )
    train, validation, test = (
        _split(part, count, np.random.default_rng([SEED, number]))
        for number, (part, count) in enumerate(zip(digits, SCENES.values(), strict=True))
    )
    return RawScenes(train, validation, test, CLASS_NAMES)


def _split(digits: Split, count: int, random: np.random.Generator) -> SceneSplit:
    images = np.empty((count, SIDE, SIDE, 1), np.uint8)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        image[..., 0] = _scene(digits, mask, random)
    return SceneSplit(images, masks)


def _scene(
    digits: Split, mask: NDArray[np.uint8], random: np.random.Generator
) -> NDArray[np.uint8]:
    """One image [H, W]; its mask, all background before, is filled in."""
    canvas = _background(random)
    corners = _corners(int(random.integers(1, MOST_DIGITS + 1)), random)
    for top, left in corners:
        chosen = int(random.integers(len(digits)))
        ink = np.kron(digits.images[chosen, ..., 0], np.ones((2, 2), np.uint8))
        place = slice(top, top + DIGIT_SIDE), slice(left, left + DIGIT_SIDE)
        share = ink / 255.0
        brightness = random.uniform(150.0, 230.0)
        canvas[place] = canvas[place] * (1.0 - share) + brightness * share
        mask[place][ink >= INK] = digits.labels[chosen] + 1
    noisy = canvas + random.normal(0.0, 12.0, canvas.shape)
    return np.rint(np.clip(noisy, 0.0, 255.0)).astype(np.uint8)


def _background(random: np.random.Generator) -> NDArray[np.float64]:
    """Grey values [H, W] that change smoothly between 5 x 5 random ones."""
    knots = random.uniform(20.0, 120.0, (5, 5))
    between = np.linspace(0.0, 4.0, SIDE)
    low = np.minimum(between.astype(np.int64), 3)
    share = between - low
    rows = knots[low] * (1.0 - share)[:, None] + knots[low + 1] * share[:, None]
    return rows[:, low] * (1.0 - share) + rows[:, low + 1] * share


def _corners(count: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Upper left corners of up to ``count`` digits, apart from each other."""
    corners: list[tuple[int, int]] = []
    for _ in range(TRIES):
        top, left = random.integers(0, SIDE - DIGIT_SIDE + 1, 2).tolist()
        apart = [max(abs(top - y), abs(left - x)) >= LEAST_DISTANCE for y, x in corners]
        if all(apart) and len(corners) < count:
            corners.append((top, left))
    return corners
