"""Published scenes that torchvision knows where to find.

As with images, the files are fetched here and torchvision is imported inside
the functions. Scenes differ in size, so they are brought to one square.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.data.download import Published
from engine.data.download_lock import alone_at
from engine.data.faults import refused
from engine.data.images import Report
from engine.data.scenes import RawScenes, SceneSplit
from engine.data.signs import Alive, unheard
from engine.data.table import PUBLISHED_SIDE, DataSource
from engine.data.transfer import fetch, not_written

VOC_CLASSES: tuple[str, ...] = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
PET_CLASSES: tuple[str, ...] = ("background", "pet")
PET_VALUES = {1: 1, 2: 0}
"""Class of each value of a trimap; its border has none."""


def read_published_scenes(
    name: str,
    source: DataSource,
    cache: Path,
    report: Report,
    *,
    image_size: int,
    ignore_index: int,
    alive: Alive = unheard,
) -> RawScenes:
    """PASCAL VOC 2012 or Oxford-IIIT Pet, downloaded below ``cache`` where it is not there yet.

    VOC's own test split has no masks; its validation split serves as the test
    here, and validation is taken from training. Pixels between two objects
    (VOC) and at the border of a pet have no class.

    Args:
        name: The data as the configuration names it.
        source: Its line in the table.
        cache: Folder for downloads.
        report: Takes sentences about what happens.
        image_size: Side of the square that scenes are resized to, images
            bilinearly and masks by the nearest pixel; 0 takes 224.
        ignore_index: Value that pixels without a class get.
        alive: Called for every block that has come, and for every scene.

    Raises:
        NoNetwork: It is not there and cannot be fetched.
        DataError: What was fetched is not what was published, or ignore_index
            is the number of a class.
        DiskFull: There was no room.
    """
    if ignore_index < source.classes:
        raise refused(
            name,
            f"ignore_index = {ignore_index}, which is the number of a class",
            f"a number from {source.classes} to 255",
            "set ignore_index to 255",
        )
    from torchvision import datasets

    dataset = getattr(datasets, source.dataset)
    root = cache / source.dataset.lower()
    _unpacked(source.label, list(published_scenes(dataset, root)), root, report, alive)
    side = image_size or PUBLISHED_SIDE
    if source.dataset == "VOCSegmentation":
        parts = [dataset(root, year="2012", image_set=part) for part in ("train", "val")]
        values = {number: number for number in range(len(VOC_CLASSES))}
        names = VOC_CLASSES
    else:
        parts = [
            dataset(root, split=part, target_types="segmentation") for part in ("trainval", "test")
        ]
        values, names = PET_VALUES, PET_CLASSES
    train, test = (_split(part, side, _lookup(values, ignore_index), alive) for part in parts)
    return RawScenes(train, None, test, names)


def published_scenes(dataset: Any, root: Path) -> Iterator[Published]:
    """The archives of a data set, as torchvision's own module lists them."""
    from torchvision.datasets import voc

    if issubclass(dataset, voc.VOCSegmentation):
        files = voc.DATASET_YEAR_DICT["2012"]
        yield Published((files["url"],), root / files["filename"], files["md5"])
    else:
        for url, md5 in dataset._RESOURCES:
            target = root / "oxford-iiit-pet" / url.rsplit("/", 1)[1]
            yield Published((url,), target, md5)


def _unpacked(
    label: str, archives: Iterable[Published], root: Path, report: Report, alive: Alive
) -> None:
    """Fetch and unpack all archives, each beside itself; a mark says that it is done."""
    from torchvision.datasets.utils import extract_archive

    mark = root / "unpacked"
    with alone_at(label, root, report, alive=alive):
        if mark.is_file():
            return
        for archive in archives:
            fetch(label, archive.urls, archive.target, archive.md5, report, alive=alive)
            report(f"Unpacking {label}")
            try:
                extract_archive(str(archive.target), str(archive.target.parent))
            except OSError as error:
                raise not_written(label, root, error) from error
        mark.touch()


def _lookup(values: Mapping[int, int], ignore_index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """New value of each of the 256 values a mask can have."""
    table = np.full(256, ignore_index, np.uint8)
    for old, new in values.items():
        table[old] = new
    return table


def _split(
    dataset: Any, side: int, lookup: np.ndarray[Any, np.dtype[np.uint8]], alive: Alive
) -> SceneSplit:
    """All scenes of a torchvision data set as squares of one size."""
    images = np.empty((len(dataset), side, side, 3), np.uint8)
    masks = np.empty((len(dataset), side, side), np.uint8)
    for number in range(len(dataset)):
        alive()
        image, mask = dataset[number]
        images[number] = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        masks[number] = lookup[np.asarray(mask.resize((side, side), Image.Resampling.NEAREST))]
    return SceneSplit(images, masks)
