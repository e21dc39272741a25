"""The examination of images and scenes: what would mislead a search, or stop it.

Leakage is found by digests of decoded content: two pictures are the same if all
of their pixels are, as the search reads them, whatever their files are called.

Sizes: N pictures of H x W pixels with C channels, K classes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.data.examination import SPLITS, Examination, Finding, per_cent, shown_bars
from engine.data.images import ImageData
from engine.data.pictures import first_of
from engine.data.scenes import SceneData

Pictures = NDArray[np.uint8]
Numbers = NDArray[np.int64]

UNEVEN, VERY_UNEVEN = 3.0, 10.0
"""The largest class is so many times as large as the smallest one."""

DARK = 16
"""Data whose brightest pixel is not above this were probably saved on another scale."""

MOSTLY = 0.8
"""A class with this share of all pixels hides the others in an accuracy."""


def examine_images(data: ImageData, *, refuses_broken: bool) -> Examination:
    """Everything that is worth saying about images with one label each.

    Args:
        data: The three splits, without the images that cannot be read.
        refuses_broken: Whether a search would refuse the data for those.
    """
    splits = (data.train, data.validation, data.test)
    pictures = [split.images for split in splits]
    digests = [digests_of(images) for images in pictures]
    counts = class_counts([split.labels for split in splits], len(data.class_names))
    bars, left_out = shown_bars(data.class_names, counts.T.tolist())
    return Examination(
        kind="images",
        findings=(
            _sizes(pictures, len(data.class_names), "images"),
            *_broken(data.skipped, refuses=refuses_broken),
            *balance(data.class_names, counts),
            *leaks(digests, "images"),
            *copies(digests[0], "images"),
            *contradictions(digests, [split.labels for split in splits]),
            *_pixels(pictures, "images"),
        ),
        counts=dict(zip(SPLITS, map(len, splits), strict=True)),
        bars=bars,
        bars_of="images",
        left_out=left_out,
    )


def examine_scenes(data: SceneData, *, refuses_broken: bool) -> Examination:
    """Everything that is worth saying about images with a mask each.

    Args:
        data: The three splits, without the scenes that cannot be read.
        refuses_broken: Whether a search would refuse the data for those.
    """
    splits = (data.train, data.validation, data.test)
    pictures = [split.images for split in splits]
    digests = [digests_of(images) for images in pictures]
    pixels = np.stack([np.bincount(split.masks.ravel(), minlength=256) for split in splits])
    counts = _without(pixels, data.ignore_index)[:, : len(data.class_names)]
    bars, left_out = shown_bars(data.class_names, counts.T.tolist())
    return Examination(
        kind="scenes",
        findings=(
            _sizes(pictures, len(data.class_names), "scenes"),
            *_broken(data.skipped, refuses=refuses_broken),
            *coverage(data.class_names, counts),
            *_ignored(pixels, data.ignore_index),
            *leaks(digests, "scenes"),
            *copies(digests[0], "scenes"),
            *_pixels(pictures, "scenes"),
        ),
        counts=dict(zip(SPLITS, map(len, splits), strict=True)),
        bars=bars,
        bars_of="pixels",
        left_out=left_out,
    )


# What is counted


def digests_of(pictures: Pictures) -> list[bytes]:
    """A digest of the pixels of each picture [N, H, W, C]."""
    return [blake2b(np.ascontiguousarray(each).data, digest_size=16).digest() for each in pictures]


def class_counts(labels: Sequence[Numbers], classes: int) -> Numbers:
    """Pictures of each class in each split, [splits, K]."""
    return np.stack([np.bincount(each, minlength=classes) for each in labels])


def shared_count(first: Iterable[bytes], second: Iterable[bytes]) -> int:
    """So many of the second ones are among the first ones, too."""
    known = set(first)
    return sum(each in known for each in second)


def constant_count(pictures: Pictures) -> int:
    """So many pictures [N, H, W, C] have one colour only."""
    return int((pictures == pictures[:, :1, :1]).all(axis=(1, 2, 3)).sum())


def is_grey(pictures: Pictures) -> bool:
    """Whether pictures [N, H, W, 3] have the same value in all channels."""
    return bool((pictures == pictures[..., :1]).all())


# What is said


def balance(names: Sequence[str], counts: Numbers) -> list[Finding]:
    """How the classes share the images, [splits, K]; and which a split does not have."""
    train = counts[0]
    low, high = int(train.argmin()), int(train.argmax())
    ratio = train[high] / max(1, train[low])
    range_ = f"from {train[low]:,} ({names[low]}) to {train[high]:,} ({names[high]})"
    findings = []
    if train[low] < 2:
        few = [name for name, count in zip(names, train, strict=True) if count < 2]
        findings.append(
            Finding(
                "warning",
                f"{len(few)} class(es) have one training image or none, such as {few[0]}; add "
                "images, or leave the class out.",
            )
        )
    if ratio >= VERY_UNEVEN:
        share = per_cent(counts[-1, high], counts[-1].sum())
        text = (
            f"Classes are very uneven, {range_} training images; always answering {names[high]} "
            f"would be right for {share} of the test images. Add images of the small classes."
        )
        findings.append(Finding("warning", text))
    elif ratio >= UNEVEN:
        findings.append(Finding("note", f"Classes are uneven: {range_} training images."))
    elif not findings:
        findings.append(Finding("ok", f"Classes are balanced: {range_} training images."))
    return [*findings, *_absent(names, counts[1:], "images")]


def coverage(names: Sequence[str], counts: Numbers) -> list[Finding]:
    """How the classes share the pixels, [splits, K]; and which a split does not have."""
    train = counts[0]
    high = int(train.argmax())
    missing = [name for name, count in zip(names, train, strict=True) if not count]
    findings = []
    if missing:
        text = (
            f"No training pixel has the class {first_of(missing)}; correct the masks, or remove "
            "the class from classes.txt."
        )
        findings.append(Finding("warning", text))
    share = per_cent(train[high], train.sum())
    if train[high] >= MOSTLY * train.sum():
        text = (
            f"{share} of the training pixels are {names[high]}; look at the mean IoU and not at "
            "the accuracy, and consider class_weights = 'balanced'."
        )
        findings.append(Finding("note", text))
    else:
        text = f"The most frequent class, {names[high]}, has {share} of the training pixels."
        findings.append(Finding("ok", text))
    return [*findings, *_absent(names, counts[1:], "pixels")]


def _absent(names: Sequence[str], counts: Numbers, what: str) -> list[Finding]:
    """Classes that validation or test do not have."""
    findings = []
    for split, row in zip(SPLITS[1:], counts, strict=True):
        missing = [name for name, count in zip(names, row, strict=True) if not count]
        if missing:
            text = (
                f"The {split} data have no {what} of {len(missing)} class(es): "
                f"{first_of(missing)}. Their figures say nothing about these; add some."
            )
            findings.append(Finding("warning", text))
    return findings


def leaks(digests: Sequence[Sequence[bytes]], what: str) -> list[Finding]:
    """Pictures that stand in two splits, by the digests of each split."""
    findings = []
    for first, second in combinations(range(len(SPLITS)), 2):
        count = shared_count(digests[first], digests[second])
        if count:
            share = per_cent(count, len(digests[second]))
            text = (
                f"{count:,} of {len(digests[second]):,} {SPLITS[second]} {what} ({share}) are the "
                f"same as one of the {SPLITS[first]} {what}, so that figures look better than "
                "they are; keep each picture in one split."
            )
            findings.append(Finding("warning", text))
    return findings or [Finding("ok", f"No two splits share any of their {what}.")]


def copies(digests: Sequence[bytes], what: str) -> list[Finding]:
    """Training pictures that are there more than once."""
    count = len(digests) - len(set(digests))
    if not count:
        return []
    text = f"{count:,} of {len(digests):,} training {what} are copies of another one there."
    return [Finding("note", text)]


def contradictions(digests: Sequence[Sequence[bytes]], labels: Sequence[Numbers]) -> list[Finding]:
    """The same picture with two labels, in any splits."""
    classes: defaultdict[bytes, set[int]] = defaultdict(set)
    for each, numbers in zip(digests, labels, strict=True):
        for digest, label in zip(each, numbers.tolist(), strict=True):
            classes[digest].add(label)
    count = sum(len(each) > 1 for each in classes.values())
    if not count:
        return []
    text = f"{count:,} picture(s) are there with more than one label; correct the labels."
    return [Finding("warning", text)]


def _sizes(pictures: Sequence[Pictures], classes: int, what: str) -> Finding:
    _, height, width, channels = pictures[0].shape
    colour = "colour" if channels == 3 else "grey"
    train, validation, test = map(len, pictures)
    return Finding(
        "ok",
        f"{train:,} training, {validation:,} validation and {test:,} test {what} of "
        f"{width}x{height} pixels, {colour}, in {classes} classes.",
    )


def _broken(skipped: Sequence[str], *, refuses: bool) -> list[Finding]:
    if not skipped:
        return []
    lines = f"{len(skipped)} file(s) cannot be read: {first_of(list(skipped))}."
    if refuses:
        advice = "A search would refuse the data; replace them, or set broken_images = 'skip'."
        return [Finding("error", f"{lines} {advice}")]
    return [Finding("warning", f"{lines} They are left out; replace them if they matter.")]


def _pixels(pictures: Sequence[Pictures], what: str) -> list[Finding]:
    """What the values of the pixels give away."""
    findings = []
    constant = sum(map(constant_count, pictures))
    if constant:
        text = f"{constant:,} {what} have one colour only; look whether they are damaged."
        findings.append(Finding("warning", text))
    brightest = max(int(each.max()) for each in pictures)
    if brightest <= DARK:
        text = (
            f"No pixel is brighter than {brightest} of 255; the {what} were probably saved on "
            "another scale. Bring them to 0 to 255."
        )
        findings.append(Finding("warning", text))
    if pictures[0].shape[-1] == 3 and all(map(is_grey, pictures)):
        text = f"All {what} are grey but stored in colour; stored in grey they would be smaller."
        findings.append(Finding("note", text))
    return findings


def _without(pixels: Numbers, ignore_index: int) -> Numbers:
    """Pixels [splits, 256] of each mask value; those that do not count as 0."""
    counts = pixels.copy()
    counts[:, ignore_index] = 0
    return counts


def _ignored(pixels: Numbers, ignore_index: int) -> list[Finding]:
    ignored, total = pixels[:, ignore_index].sum(), pixels.sum()
    if not ignored:
        return []
    share = per_cent(ignored, total)
    return [Finding("note", f"{share} of all pixels do not count (ignore_index = {ignore_index}).")]
