"""The data sets that are known by name: one line each, with published sizes.

Nothing is read or downloaded here, so that forms can ask without cost.
"""

from dataclasses import dataclass
from typing import Literal

from engine.data.images import DataSummary

Origin = Literal["sklearn", "torchvision"]


@dataclass(frozen=True)
class DataSource:
    """A named data set.

    Attributes:
        label: Name for people.
        origin: The package that has it (``sklearn``) or knows where it is
            published (``torchvision``).
        dataset: Its name in that package.
        in_channels: 1 for grey, 3 for colour.
        classes: Number of classes.
        side: Height and width in pixels.
        train: Images to train on, validation included.
        test: Images of its own test split; 0 if it has none.
    """

    label: str
    origin: Origin
    dataset: str
    in_channels: int
    classes: int
    side: int
    train: int
    test: int = 0

    def summary(self, name: str) -> DataSummary:
        """What can be said before anything is read."""
        return DataSummary(
            source=name,
            in_channels=self.in_channels,
            classes=self.classes,
            height=self.side,
            width=self.side,
            train=self.train,
            test=self.test,
        )


DATA_SOURCES: dict[str, DataSource] = {
    "digits": DataSource("Handwritten digits", "sklearn", "digits", 1, 10, 8, 1797),
    "cifar10": DataSource("CIFAR-10", "torchvision", "CIFAR10", 3, 10, 32, 50_000, 10_000),
    "cifar100": DataSource("CIFAR-100", "torchvision", "CIFAR100", 3, 100, 32, 50_000, 10_000),
    "mnist": DataSource("MNIST", "torchvision", "MNIST", 1, 10, 28, 60_000, 10_000),
    "fashion_mnist": DataSource(
        "Fashion-MNIST", "torchvision", "FashionMNIST", 1, 10, 28, 60_000, 10_000
    ),
    "svhn": DataSource("SVHN", "torchvision", "SVHN", 3, 10, 32, 73_257, 26_032),
}
