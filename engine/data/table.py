"""The data sets that are known by name: one line each, with published sizes.

Nothing is read or downloaded here, so that forms can ask without cost.
"""

from dataclasses import dataclass
from typing import Literal

from engine.data.faults import refused
from engine.data.images import DataSummary
from engine.domain.run_config import RunConfig

Origin = Literal["python", "sklearn", "torchvision"]
TaskName = Literal["image_classification", "semantic_segmentation", "language_modelling"]

CLASSIFICATION: TaskName = "image_classification"
SEGMENTATION: TaskName = "semantic_segmentation"
LANGUAGE: TaskName = "language_modelling"

PUBLISHED_SIDE = 224
"""Side of published scenes, which differ in size, where image_size says nothing."""


@dataclass(frozen=True)
class DataSource:
    """A named data set of images.

    Attributes:
        label: Name for people.
        origin: The package that has it (``sklearn``) or knows where it is
            published (``torchvision``).
        dataset: Its name in that package.
        in_channels: 1 for grey, 3 for colour.
        classes: Number of classes.
        side: Height and width in pixels; 0 if they differ from image to image.
        train: Images to train on, validation included where it has no split
            of its own.
        test: Images of its own test split; 0 if it has none.
        validation: Images of its own validation split; 0 if it has none.
        task: What it is for.
    """

    label: str
    origin: Origin
    dataset: str
    in_channels: int
    classes: int
    side: int
    train: int
    test: int = 0
    validation: int = 0
    task: TaskName = CLASSIFICATION

    def summary(self, name: str, *, image_size: int = 0, ignore_index: int = 255) -> DataSummary:
        """What can be said before anything is read."""
        side = self.side or image_size or PUBLISHED_SIDE
        scenes = self.task == SEGMENTATION
        return DataSummary(
            source=name,
            in_channels=self.in_channels,
            classes=self.classes,
            height=side,
            width=side,
            train=self.train,
            validation=self.validation,
            test=self.test,
            kind="scenes" if scenes else "images",
            ignore_index=ignore_index if scenes else None,
        )


@dataclass(frozen=True)
class TextSource:
    """A named text.

    Attributes:
        label: Name for people.
        origin: The package that has it.
        task: What it is for.
    """

    label: str
    origin: Origin
    task: TaskName = LANGUAGE


IMAGE_SOURCES: dict[str, DataSource] = {
    "digits": DataSource("Handwritten digits", "sklearn", "digits", 1, 10, 8, 1797),
    "cifar10": DataSource("CIFAR-10", "torchvision", "CIFAR10", 3, 10, 32, 50_000, 10_000),
    "cifar100": DataSource("CIFAR-100", "torchvision", "CIFAR100", 3, 100, 32, 50_000, 10_000),
    "mnist": DataSource("MNIST", "torchvision", "MNIST", 1, 10, 28, 60_000, 10_000),
    "fashion_mnist": DataSource(
        "Fashion-MNIST", "torchvision", "FashionMNIST", 1, 10, 28, 60_000, 10_000
    ),
    "svhn": DataSource("SVHN", "torchvision", "SVHN", 3, 10, 32, 73_257, 26_032),
}
SCENE_SOURCES: dict[str, DataSource] = {
    "digit_scenes": DataSource(
        "Digits on a canvas", "sklearn", "digits", 1, 11, 32, 1200, 300, 300, SEGMENTATION
    ),
    "voc2012": DataSource(
        "PASCAL VOC 2012",
        "torchvision",
        "VOCSegmentation",
        3,
        21,
        0,
        1464,
        1449,
        task=SEGMENTATION,
    ),
    "oxford_pets": DataSource(
        "Oxford-IIIT Pet", "torchvision", "OxfordIIITPet", 3, 2, 0, 3680, 3669, task=SEGMENTATION
    ),
}
TEXT_SOURCES: dict[str, TextSource] = {
    "python_topics": TextSource("Python's reference manual", "python"),
}
DATA_SOURCES: dict[str, DataSource | TextSource] = {
    **IMAGE_SOURCES,
    **SCENE_SOURCES,
    **TEXT_SOURCES,
}


def sources_of(task: str) -> dict[str, str]:
    """Labels of the named data sets for a task by their names."""
    return {name: source.label for name, source in DATA_SOURCES.items() if source.task == task}


def check_task(config: RunConfig) -> None:
    """Refuse named data that are for another task than the configuration's.

    Raises:
        DataError: They are.
    """
    source = DATA_SOURCES.get(config.data)
    if source is not None and source.task != config.task:
        raise refused(
            config.data,
            f"{config.data} is {source.task} data",
            f"data for {config.task}: {', '.join(sources_of(config.task)) or 'none'}, or a path",
            f"choose other data, or set task = {source.task!r}",
        )
