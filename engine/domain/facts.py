"""Facts from which settings are proposed: the data, and the machine that will compute."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from engine.domain.workload import Speed

TEXT = "language_modelling"
SCENES = "semantic_segmentation"

DeviceKind = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class DataFacts:
    """What is known of a data set before anything is trained on it.

    Attributes:
        task: What is learnt.
        train: Training images or scenes, from which missing splits will be
            taken; of a text, training tokens without any other split.
        classes: Number of classes; of a text, number of different tokens.
        validation: Items of its own validation split; 0 if it has none.
        test: Items of its own test split; 0 if it has none.
        height: Height of an image in pixels; 0 for a text.
        width: Width of an image in pixels; 0 for a text.
        channels: 1 for grey, 3 for colour; 0 for a text.
        resizable: Whether ``image_size`` may change the size of its images.
        characters: Whether its classes are digits or letters; None if the
            classes have no names.
        complete: Whether everything was counted; a large text is only
            measured by its size, and ``train`` is then a lower bound.
    """

    task: str
    train: int
    classes: int
    validation: int = 0
    test: int = 0
    height: int = 0
    width: int = 0
    channels: int = 0
    resizable: bool = False
    characters: bool | None = None
    complete: bool = True

    @property
    def is_text(self) -> bool:
        """Whether the data are a text."""
        return self.task == TEXT

    @property
    def is_scenes(self) -> bool:
        """Whether every pixel has a class."""
        return self.task == SCENES

    @property
    def side(self) -> int:
        """The shorter side of an image in pixels."""
        return min(self.height, self.width)


class SpeedSource(StrEnum):
    """Where the speed of a machine is known from, the most reliable first."""

    FIRST_STEPS = "first steps"
    EARLIER_RUNS = "earlier searches"
    MEASUREMENT = "measurement"
    GUESS = "guess"


SPEED_SOURCES = {
    SpeedSource.FIRST_STEPS: "an estimate from first steps that an engine tried on this device",
    SpeedSource.EARLIER_RUNS: "an estimate from earlier searches on this device",
    SpeedSource.MEASUREMENT: "an estimate from a few steps of two small networks on this device",
    SpeedSource.GUESS: "a guess, since nothing has been measured on this device yet",
}
"""What people read about each source, after "The time is"."""


@dataclass(frozen=True)
class Machine:
    """The device that a search will run on.

    Attributes:
        kind: CPU or GPU.
        speed: How fast it is.
        source: Where the speed is known from.
    """

    kind: DeviceKind
    speed: Speed
    source: SpeedSource = SpeedSource.GUESS


def speed_key(node: str, device: str) -> str:
    """Return the name of the file in the artifact store with the measured speed of a device."""
    return f"machines/{_plain(node)}/{_plain(device)}.json"


def _plain(name: str) -> str:
    """A name of letters, digits, dots and dashes that does not begin with a dot."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip(".") or "this-machine"
