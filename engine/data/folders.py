"""Images in folders: train/<class>/*, optionally validation and test like it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from engine.data.faults import FOLDER_LAYOUT, one_class, refused, visible
from engine.data.images import DataSummary, RawImages, Split
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
from engine.data.signs import Alive, unheard


@dataclass(frozen=True)
class _Found:
    """The files of one split with the number of their class."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]


@dataclass
class _Reading:
    """Images read so far, and the ones that could not be."""

    root: Path
    image_size: int
    alive: Alive
    broken: list[str] = field(default_factory=list)

    def split(self, found: _Found) -> tuple[list[Pixels], list[int], list[Path]]:
        """Images [H, W] or [H, W, 3], labels and files of one split."""
        images, labels, files = [], [], []
        for path, label in zip(found.files, found.labels, strict=True):
            self.alive()
            try:
                images.append(self.pixels(path))
            except UNREADABLE as error:
                self.broken.append(visible(f"{path.relative_to(self.root)} ({error})"))
                continue
            labels.append(label)
            files.append(path)
        return images, labels, files

    def pixels(self, path: Path) -> Pixels:
        """uint8: [H, W] if the file is grey, else [H, W, 3]."""
        image, side = decoded(path), self.image_size
        if side:
            image = image.resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(image, np.uint8)


def inspect_folder(source: str, path: Path, image_size: int) -> DataSummary:
    """Classes and counts from the names of the files, size and colour from the first image.

    Raises:
        DataError: The folder is not in that layout.
    """
    names, splits = _layout(source, path)
    height = width = image_size
    channels = 3
    try:
        with opened(splits["train"].files[0]) as first:
            channels = 1 if is_grey(first.mode) else 3
            if not image_size:
                width, height = first.size
    except UNREADABLE:
        pass
    return DataSummary(
        source=source,
        in_channels=channels,
        classes=len(names),
        height=height,
        width=width,
        train=len(splits["train"].files),
        validation=len(splits["validation"].files) if "validation" in splits else 0,
        test=len(splits["test"].files) if "test" in splits else 0,
        class_names=names,
    )


def read_folder(
    source: str, path: Path, *, image_size: int, skip_broken: bool, alive: Alive = unheard
) -> RawImages:
    """All images of the folder.

    They stay grey only if every one is grey; otherwise all become RGB.

    Args:
        source: The data as the configuration names it.
        path: The folder.
        image_size: Side of the square that images are resized to; 0 keeps
            their size, which then has to be one for all.
        skip_broken: Leave unreadable images out instead of refusing the data.
        alive: Called for every image.

    Raises:
        DataError: The folder is not in that layout, an image is broken and
            may not be skipped, or the sizes differ.
    """
    names, found = _layout(source, path)
    reading = _Reading(path, image_size, alive)
    read = {split: reading.split(files) for split, files in found.items()}
    if reading.broken and not skip_broken:
        raise refused(
            source,
            f"{len(reading.broken)} image(s) that cannot be read: {first_of(reading.broken)}",
            "images that open, or broken_images = 'skip'",
            "replace the images or skip them",
        )
    _check_sizes(source, path, read)
    grey = all(image.ndim == 2 for images, _, _ in read.values() for image in images)
    splits = {name: _stacked(source, name, read[name], grey) for name in read}
    return RawImages(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        names,
        tuple(reading.broken),
    )


def _layout(source: str, path: Path) -> tuple[tuple[str, ...], dict[str, _Found]]:
    """Class names and the files of each split."""
    folders = {entry.name: Path(entry.path) for entry in entries(source, path) if entry.is_dir()}
    if "train" not in folders:
        found = f"only {', '.join(sorted(folders)[:8])}" if folders else "no folder in it"
        raise refused(
            source, f"no folder train, {found}", FOLDER_LAYOUT, "sort the images like this"
        )
    classes = _classes(source, folders["train"])
    names = tuple(classes)
    if not names:
        raise refused(
            source, "no class folder in train", FOLDER_LAYOUT, "make a folder for each class"
        )
    for name, files in classes.items():
        if not files:
            raise refused(
                source,
                f"no image in train/{name}",
                f"images that end in {', '.join(EXTENSIONS)}",
                "add images or remove the folder",
            )
    if len(names) == 1:
        raise one_class(source, names[0])
    splits = {"train": _found(classes, names)}
    present = [name for name in VALIDATION_NAMES if name in folders]
    if len(present) > 1:
        raise refused(
            source, f"the folders {' and '.join(present)}", "one of them", "keep one of them"
        )
    for split, folder in [("validation", name) for name in present] + [("test", "test")]:
        if folder in folders:
            splits[split] = _other_split(source, folders[folder], names)
    return names, splits


def _other_split(source: str, folder: Path, names: tuple[str, ...]) -> _Found:
    classes = _classes(source, folder)
    for name in classes:
        if name not in names:
            raise refused(
                source,
                f"the class folder {folder.name}/{name}, which train does not have",
                f"the classes {', '.join(names[:8])}",
                "rename or remove the folder",
            )
    found = _found(classes, names)
    if not found.files:
        raise refused(
            source,
            f"no image in {folder.name}",
            "images in its class folders, or no such folder",
            "add images or remove the folder",
        )
    return found


def _found(classes: dict[str, list[Path]], names: tuple[str, ...]) -> _Found:
    pairs = [(path, names.index(name)) for name, files in classes.items() for path in files]
    return _Found(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))


def _classes(source: str, folder: Path) -> dict[str, list[Path]]:
    """Image files by class folder, both in order of their names."""
    return {
        visible(entry.name): [
            Path(file.path)
            for file in entries(source, Path(entry.path))
            if file.is_file() and file.name.lower().endswith(EXTENSIONS)
        ]
        for entry in entries(source, folder)
        if entry.is_dir()
    }


def _check_sizes(
    source: str, root: Path, read: dict[str, tuple[list[Pixels], list[int], list[Path]]]
) -> None:
    """Refuse different sizes, naming the first pair that differs."""
    first: tuple[tuple[int, ...], Path] | None = None
    for images, _, files in read.values():
        for image, path in zip(images, files, strict=True):
            if first is None:
                first = image.shape[:2], path
            elif image.shape[:2] != first[0]:
                height, width = first[0]
                raise refused(
                    source,
                    f"{first[1].relative_to(root)} of {width}x{height} beside "
                    f"{path.relative_to(root)} of {image.shape[1]}x{image.shape[0]} pixels",
                    "images of one size, or image_size above 0",
                    "set image_size, for instance to 32",
                )


def _stacked(
    source: str, name: str, read: tuple[list[Pixels], list[int], list[Path]], grey: bool
) -> Split:
    images, labels, _ = read
    if not images:
        raise refused(
            source,
            f"no readable image for {name}",
            "at least one readable image a split",
            "replace the images",
        )
    coloured = [image if image.ndim == 3 or grey else np.stack([image] * 3, -1) for image in images]
    stack = np.stack(coloured)
    return Split(stack[..., None] if grey else stack, np.asarray(labels, np.int64))
