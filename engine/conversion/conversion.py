"""What a conversion is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.conversion.child import Child
from engine.domain.catalog import Card
from engine.domain.errors import StudioError

TOLERANCE = 1e-4
"""Largest difference between a network and its copy in another format, see ``furthest``."""


class CannotConvert(StudioError):
    """The network cannot be expressed in a format, or its copy answers otherwise."""


@dataclass(frozen=True)
class Converted:
    """A file, and what was found while it was made and checked, as JSON values."""

    content: bytes
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversion:
    """A format that the engine makes.

    Attributes:
        card: Its name, label and one sentence; ``by_engine`` is set.
        extension: End of its file names, with the dot.
        media_type: For the browser.
        convert: The file from the network.

    ``convert`` raises :class:`CannotConvert`.
    """

    card: Card
    extension: str
    media_type: str
    convert: Callable[[Child], Converted]

    def filename(self, stem: str) -> str:
        """The file's name from the part that names the run and step."""
        return stem + self.extension
