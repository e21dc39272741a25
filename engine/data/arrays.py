"""Arrays in one .npz file, under MedMNIST's names.

``train_images`` and ``train_labels`` are required, ``val_*`` and ``test_*``
optional; ``class_names`` may name the classes. Pickled objects are never read.
"""

import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.data.faults import NPZ_LAYOUT, one_class, refused, visible
from engine.data.images import DataSummary, Labels, RawImages, Split
from engine.data.signs import Alive, unheard
from engine.domain.errors import DataError

LARGEST_ARRAY_BYTES = 64 * 2**30
LARGEST_NAMES_BYTES = 4 * 2**20
MOST_IMAGES = 50_000_000
"""Of one split: their labels are read where somebody only looks."""

UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError)
"""What zipfile and numpy raise for files that are damaged, encrypted or something else."""

PREFIXES = ("train", "val", "test")

Numbers = NDArray[Any]
"""Integers of any type."""


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def inspect_npz(source: str, path: Path) -> DataSummary:
    """What the file holds, from the headers of its images and from its labels.

    Raises:
        DataError: The file is not in that layout.
    """
    headers = _headers(source, path)
    shape = _image_shape(source, headers)
    labels, names = _labels(source, path, headers)
    return DataSummary(
        source=source,
        in_channels=shape[2],
        classes=len(names),
        height=shape[0],
        width=shape[1],
        train=len(labels["train"]),
        validation=len(labels.get("val", ())),
        test=len(labels.get("test", ())),
        class_names=names,
    )


def read_npz(source: str, path: Path, *, alive: Alive = unheard) -> RawImages:
    """All images of the file.

    Args:
        source: The data as the configuration names it.
        path: The file.
        alive: Called for every split.

    Raises:
        DataError: The file is not in that layout.
    """
    headers = _headers(source, path)
    shape = _image_shape(source, headers)
    labels, names = _labels(source, path, headers)
    splits: dict[str, Split] = {}
    for prefix, numbers in labels.items():
        alive()
        images = _read(source, path, f"{prefix}_images")
        splits[prefix] = Split(images.reshape(len(numbers), *shape), numbers)
    return RawImages(splits["train"], splits.get("val"), splits.get("test"), names)


def _headers(source: str, path: Path) -> dict[str, _Header]:
    """Shape and type of every array, without reading one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                member.filename.removesuffix(".npy"): _header(archive, member)
                for member in archive.infolist()
                if member.filename.endswith(".npy")
            }
    except UNREADABLE as error:
        raise _unreadable(source, error) from None


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Header:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    return _Header(shape, dtype)


def _image_shape(source: str, headers: dict[str, _Header]) -> tuple[int, int, int]:
    """Height, width and channels that all images share."""
    for name in ("train_images", "train_labels"):
        if name not in headers:
            found = ", ".join(sorted(headers)[:8]) or "nothing"
            raise refused(source, f"no array {name!r} but {found}", NPZ_LAYOUT, "rename the arrays")
    shapes = {
        name: _checked_shape(source, name, header)
        for name, header in headers.items()
        if name in {f"{prefix}_images" for prefix in PREFIXES}
    }
    for name, shape in shapes.items():
        if shape != shapes["train_images"]:
            raise refused(
                source,
                f"{name} of size {_size(shape)} beside train_images of size "
                f"{_size(shapes['train_images'])}",
                "images of one size and one number of channels",
                "bring all images to one size",
            )
    return shapes["train_images"]


def _checked_shape(source: str, name: str, header: _Header) -> tuple[int, int, int]:
    shape = header.shape
    if header.dtype.hasobject:
        raise _pickled(source, name)
    if header.dtype != np.uint8:
        raise refused(
            source,
            f"{name} of type {header.dtype}",
            "uint8, values 0 to 255",
            "scale the images to 0 to 255 and save them as uint8",
        )
    fits = len(shape) == 3 or (len(shape) == 4 and shape[3] in {1, 3})
    too_large = prod(shape) > LARGEST_ARRAY_BYTES or (fits and shape[0] > MOST_IMAGES)
    if not fits or 0 in shape or too_large:
        raise refused(
            source,
            f"{name} of shape {shape}",
            "[N, H, W] or [N, H, W, C] with C 1 or 3, not empty, at most 64 GiB and "
            f"{MOST_IMAGES:,} images",
            "put the axes in this order",
        )
    return shape[1], shape[2], shape[3] if len(shape) == 4 else 1


def _labels(
    source: str, path: Path, headers: dict[str, _Header]
) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Labels of each split that the file has, and the names of the classes."""
    labels = {}
    for prefix in PREFIXES:
        present = [f"{prefix}_{part}" in headers for part in ("images", "labels")]
        if not any(present):
            continue
        if not all(present):
            raise refused(
                source,
                f"only one of {prefix}_images and {prefix}_labels",
                "both or neither",
                "add the missing array",
            )
        labels[prefix] = _split_labels(source, path, prefix, headers)
    given = _given_names(source, path, headers) if "class_names" in headers else None
    classes = int(labels["train"].max()) + 1 if given is None else len(given)
    for prefix, numbers in labels.items():
        if int(numbers.max()) >= classes:
            raise refused(
                source,
                f"the label {int(numbers.max())} in {prefix}_labels",
                f"labels 0 to {classes - 1}",
                "correct the labels or class_names",
            )
    _check_classes(source, labels["train"], classes, given)
    names = tuple(map(str, range(classes))) if given is None else given
    return {prefix: numbers.astype(np.int64) for prefix, numbers in labels.items()}, names


def _check_classes(
    source: str, train: Numbers, classes: int, given: tuple[str, ...] | None
) -> None:
    """Refuse one class only, and classes without images to train on, however many they are."""
    present = np.unique(train)
    if len(present) == 1:
        raise one_class(source, _name(int(present[0]), given))
    if len(present) < classes:
        gaps = np.flatnonzero(present != np.arange(len(present)))
        first = int(gaps[0]) if len(gaps) else len(present)
        raise refused(
            source,
            f"no training image of {classes - len(present)} class(es), the first is "
            f"{_name(first, given)!r}",
            "training images of every class, numbered from 0 without gaps",
            "renumber the labels or remove the class",
        )


def _name(number: int, given: tuple[str, ...] | None) -> str:
    return str(number) if given is None else given[number]


def _split_labels(source: str, path: Path, prefix: str, headers: dict[str, _Header]) -> Numbers:
    """One class number an image, of whatever integer type the file has."""
    name, count = f"{prefix}_labels", headers[f"{prefix}_images"].shape[0]
    header = headers[name]
    if header.dtype.hasobject:
        raise _pickled(source, name)
    if not np.issubdtype(header.dtype, np.integer):
        raise refused(
            source,
            f"{name} of type {header.dtype}",
            "integers, one class number an image",
            "save the labels as integers",
        )
    if header.shape not in {(count,), (count, 1)}:
        raise refused(
            source,
            f"{name} of shape {header.shape} for {count} images",
            f"shape ({count},) or ({count}, 1)",
            "give each image one label",
        )
    numbers = _read(source, path, name).reshape(count)
    if int(numbers.min()) < 0:
        raise refused(
            source,
            f"the label {int(numbers.min())} in {name}",
            "labels 0, 1, 2 and so on",
            "number the classes from 0",
        )
    return numbers


def _given_names(source: str, path: Path, headers: dict[str, _Header]) -> tuple[str, ...]:
    """The array ``class_names`` as text, once its header says that it is a small one."""
    header, images = headers["class_names"], headers["train_images"].shape[0]
    if header.dtype.hasobject:
        raise _pickled(source, "class_names")
    count = prod(header.shape)
    if count > images or count * header.dtype.itemsize > LARGEST_NAMES_BYTES:
        raise refused(
            source,
            f"class_names of shape {header.shape} and type {header.dtype} for {images} training "
            "images",
            f"one name for each class that has images, {LARGEST_NAMES_BYTES // 2**20} MiB in all",
            "shorten class_names",
        )
    given = _read(source, path, "class_names").ravel()
    return tuple(
        name.decode(errors="backslashreplace") if isinstance(name, bytes) else visible(str(name))
        for name in given
    )


def _read(source: str, path: Path, name: str) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[f"{name}.npy"])
    except UNREADABLE as error:
        raise _unreadable(source, error) from None


def _size(shape: tuple[int, int, int]) -> str:
    return f"{shape[0]}x{shape[1]} with {shape[2]} channel(s)"


def _pickled(source: str, name: str) -> DataError:
    return refused(
        source,
        f"{name} with pickled objects, which could run code",
        "plain numbers or text",
        "save the array with a plain type",
    )


def _unreadable(source: str, error: Exception) -> DataError:
    return refused(
        source, f"a file that cannot be read ({error})", NPZ_LAYOUT, "write the file again"
    )
