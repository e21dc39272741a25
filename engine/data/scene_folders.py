"""Scenes in folders: train/images/* and train/masks/*.png, optionally val and test like it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from engine.data.faults import SCENE_LAYOUT, one_class, refused, visible
from engine.data.pictures import (
    EXTENSIONS,
    UNREADABLE,
    VALIDATION_NAMES,
    Pixels,
    decoded,
    entries,
    first_of,
    is_grey,
    opened,
)
from engine.data.scenes import RawScenes, SceneSplit
from engine.data.signs import Alive, unheard
from engine.data.summaries import DataSummary
from engine.domain.errors import DataError

MASK_SUFFIX = ".png"
MASK_MODES = ("1", "L", "P")
MOST_CLASSES = 255
SIDE_MULTIPLE = 8
"""A width that follows from the height is rounded to a multiple of this."""

Pair = tuple[Path, Path]


@dataclass(frozen=True)
class _Scene:
    """Pixels [H, W] or [H, W, 3], mask [H, W], and the file they come from."""

    image: Pixels
    mask: Pixels
    path: Path


@dataclass
class _Reading:
    """How scenes are read, and those that could not be."""

    source: str
    root: Path
    height: int
    allowed: frozenset[int]
    words: str
    alive: Alive
    broken: list[str] = field(default_factory=list)

    def split(self, pairs: Iterable[Pair]) -> list[_Scene]:
        """The scenes of one split whose image and mask can be read."""
        return [scene for pair in pairs if (scene := self._scene(*pair)) is not None]

    def _scene(self, image_path: Path, mask_path: Path) -> _Scene | None:
        self.alive()
        image = self._readable(image_path)
        mask = self._readable(mask_path, mask=True)
        if image is None or mask is None:
            return None
        if image.size != mask.size:
            raise refused(
                self.source,
                f"{self._name(mask_path)} of {_by(mask.size)} beside "
                f"{self._name(image_path)} of {_by(image.size)} pixels",
                "a mask of the same size as its image",
                "make the mask again at the size of its image",
            )
        self._check_values(mask, mask_path)
        if self.height:
            size = scaled_size(image.size, self.height)
            image = image.resize(size, Image.Resampling.BILINEAR)
            mask = mask.resize(size, Image.Resampling.NEAREST)
        return _Scene(np.asarray(image, np.uint8), np.asarray(mask, np.uint8), image_path)

    def _readable(self, path: Path, *, mask: bool = False) -> Image.Image | None:
        try:
            return self._mask(path) if mask else decoded(path)
        except UNREADABLE as error:
            self.broken.append(visible(f"{self._name(path)} ({error})"))
            return None

    def _mask(self, path: Path) -> Image.Image:
        with opened(path) as file:
            if file.mode not in MASK_MODES:
                raise refused(
                    self.source,
                    f"{self._name(path)} of mode {file.mode}",
                    "masks whose pixels are class numbers, 8 bits a pixel, grey or with a palette",
                    "save the mask with one class number a pixel",
                )
            return Image.fromarray(np.asarray(file, np.uint8))

    def _check_values(self, mask: Image.Image, path: Path) -> None:
        found = np.flatnonzero(np.bincount(np.asarray(mask, np.uint8).ravel(), minlength=256))
        wrong = [str(value) for value in found.tolist() if value not in self.allowed]
        if wrong:
            raise refused(
                self.source,
                f"the value(s) {first_of(wrong, 8)} in {self._name(path)}",
                self.words,
                "correct the mask, classes.txt or ignore_index",
            )

    def _name(self, path: Path) -> Path:
        return path.relative_to(self.root)


def inspect_scenes(source: str, path: Path, image_size: int, ignore_index: int) -> DataSummary:
    """Classes and counts from the names of the files, size and colour from the first image.

    Raises:
        DataError: The folder is not in that layout.
    """
    names, splits = _layout(source, path)
    height = width = 0
    channels = 3
    try:
        with opened(splits["train"][0][0]) as first:
            channels = 1 if is_grey(first.mode) else 3
            width, height = scaled_size(first.size, image_size)
    except UNREADABLE:
        pass
    return DataSummary(
        source=source,
        in_channels=channels,
        classes=len(names),
        height=height,
        width=width,
        train=len(splits["train"]),
        validation=len(splits.get("validation", ())),
        test=len(splits.get("test", ())),
        class_names=names,
        kind="scenes",
        ignore_index=ignore_index,
    )


def read_scenes(
    source: str,
    path: Path,
    *,
    image_size: int,
    ignore_index: int,
    skip_broken: bool,
    alive: Alive = unheard,
) -> RawScenes:
    """All scenes of the folder.

    Images stay grey only if every one is grey; otherwise all become RGB.

    Args:
        source: The data as the configuration names it.
        path: The folder.
        image_size: Height in pixels that scenes are resized to, images
            bilinearly and masks by the nearest pixel; the width follows and is
            rounded to a multiple of 8. 0 keeps their size. The sizes have to
            be one for all.
        ignore_index: Value of mask pixels that do not count.
        skip_broken: Leave scenes out whose image or mask cannot be read
            instead of refusing the data.
        alive: Called for every scene.

    Raises:
        DataError: The folder is not in that layout, a mask is missing or does
            not fit its image or the classes, a file is broken and may not be
            skipped, or the sizes differ.
    """
    names, found = _layout(source, path)
    allowed = frozenset({*range(len(names)), ignore_index})
    words = f"0 to {len(names) - 1}, one for each class, or ignore_index = {ignore_index}"
    reading = _Reading(source, path, image_size, allowed, words, alive)
    read = {split: reading.split(pairs) for split, pairs in found.items()}
    if reading.broken and not skip_broken:
        raise refused(
            source,
            f"{len(reading.broken)} file(s) that cannot be read: {first_of(reading.broken)}",
            "images and masks that open, or broken_images = 'skip'",
            "replace the files or skip them",
        )
    _check_sizes(source, path, [scene for scenes in read.values() for scene in scenes])
    grey = all(scene.image.ndim == 2 for scenes in read.values() for scene in scenes)
    splits = {name: _stacked(source, name, scenes, grey) for name, scenes in read.items()}
    return RawScenes(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        names,
        tuple(reading.broken),
    )


def scaled_size(size: tuple[int, int], height: int) -> tuple[int, int]:
    """Width and height of a scene brought to a height; 0 keeps both."""
    if not height:
        return size
    width = size[0] * height / size[1]
    return max(SIDE_MULTIPLE, round(width / SIDE_MULTIPLE) * SIDE_MULTIPLE), height


def _layout(source: str, path: Path) -> tuple[tuple[str, ...], dict[str, list[Pair]]]:
    """Class names, and the image and mask of each scene in each split."""
    folders = {entry.name: Path(entry.path) for entry in entries(source, path) if entry.is_dir()}
    if "train" not in folders:
        found = f"only {', '.join(sorted(folders)[:8])}" if folders else "no folder in it"
        raise refused(
            source, f"no folder train, {found}", SCENE_LAYOUT, "sort the scenes like this"
        )
    names = _class_names(source, path)
    present = [name for name in VALIDATION_NAMES if name in folders]
    if len(present) > 1:
        raise refused(
            source, f"the folders {' and '.join(present)}", "one of them", "keep one of them"
        )
    wanted = [("train", "train"), *(("validation", name) for name in present), ("test", "test")]
    splits = {
        split: _pairs(source, folders[folder]) for split, folder in wanted if folder in folders
    }
    return names, splits


def _class_names(source: str, path: Path) -> tuple[str, ...]:
    """Lines of classes.txt in their order; empty ones do not count."""
    file = path / "classes.txt"
    if not os.path.isfile(file):
        raise _classes_refused(source, "no classes.txt")
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _classes_refused(source, f"a classes.txt that cannot be read ({error})") from None
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not names:
        raise _classes_refused(source, "an empty classes.txt")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise _classes_refused(source, f"the class {twice[0]!r} twice in classes.txt")
    if len(names) > MOST_CLASSES:
        raise _classes_refused(source, f"{len(names)} classes")
    if len(names) == 1:
        raise one_class(source, names[0])
    return names


def _classes_refused(source: str, found: str) -> DataError:
    return refused(
        source,
        found,
        f"a file classes.txt with 2 to {MOST_CLASSES} names, the line of the mask's value 0 first",
        "write the name of each class on a line",
    )


def _pairs(source: str, folder: Path) -> list[Pair]:
    """Image and mask of each scene by the name of the image."""
    parts = {entry.name: Path(entry.path) for entry in entries(source, folder) if entry.is_dir()}
    for part in ("images", "masks"):
        if part not in parts:
            raise refused(
                source,
                f"no folder {folder.name}/{part}",
                SCENE_LAYOUT,
                "sort the scenes like this",
            )
    images = _by_stem(source, parts["images"], EXTENSIONS)
    masks = _by_stem(source, parts["masks"], (MASK_SUFFIX,))
    if not images:
        raise refused(
            source,
            f"no image in {folder.name}/images",
            f"images that end in {', '.join(EXTENSIONS)}",
            "add images or remove the folder",
        )
    for stem, image in images.items():
        if stem not in masks:
            raise _alone(source, f"no mask {stem}{MASK_SUFFIX} for {folder.name}/images/", image)
    for stem, mask in masks.items():
        if stem not in images:
            raise _alone(source, f"no image for {folder.name}/masks/", mask)
    return [(image, masks[stem]) for stem, image in images.items()]


def _by_stem(source: str, folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for entry in entries(source, folder):
        path = Path(entry.path)
        if not entry.is_file() or path.suffix.lower() not in suffixes:
            continue
        if path.stem in found:
            raise refused(
                source,
                f"{found[path.stem].name} and {path.name} in {folder.parent.name}/{folder.name}",
                "one file of that name",
                "rename one of them",
            )
        found[path.stem] = path
    return found


def _alone(source: str, found: str, path: Path) -> DataError:
    return refused(
        source,
        found + path.name,
        f"for each file in images/ a file of the same name in masks/ that ends in {MASK_SUFFIX}",
        "add the missing file or remove the other one",
    )


def _check_sizes(source: str, root: Path, scenes: list[_Scene]) -> None:
    """Refuse different sizes, naming the first pair that differs."""
    for scene in scenes:
        if scene.mask.shape != scenes[0].mask.shape:
            raise refused(
                source,
                f"{scenes[0].path.relative_to(root)} of {_by(scenes[0].mask.shape[::-1])} beside "
                f"{scene.path.relative_to(root)} of {_by(scene.mask.shape[::-1])} pixels, "
                "resized if image_size is above 0",
                "scenes of one size, or of one aspect ratio with image_size above 0",
                "crop the scenes, or set image_size, for instance to 128",
            )


def _stacked(source: str, name: str, scenes: list[_Scene], grey: bool) -> SceneSplit:
    if not scenes:
        raise refused(
            source,
            f"no readable scene for {name}",
            "at least one readable scene a split",
            "replace the images",
        )
    images = [
        scene.image if scene.image.ndim == 3 or grey else np.stack([scene.image] * 3, -1)
        for scene in scenes
    ]
    stack = np.stack(images)
    return SceneSplit(stack[..., None] if grey else stack, np.stack([s.mask for s in scenes]))


def _by(size: tuple[int, ...]) -> str:
    return f"{size[0]}x{size[1]}"
