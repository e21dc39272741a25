"""Cards: what the engine can do, told in plain values to those without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.domain.errors import InvalidConfig
from engine.domain.space import SearchSpace


@dataclass(frozen=True)
class Layer:
    """One convolution of an operation, from C to C channels.

    Attributes:
        kernel: Side of the kernel.
        depthwise: One filter a channel instead of a full C x C.
        strided: Whether this layer carries the operation's stride.
        norm: Whether an affine batch normalisation follows when evaluating.
    """

    kernel: int
    depthwise: bool = False
    strided: bool = False
    norm: bool = False


@dataclass(frozen=True)
class OperationCard:
    """An operation as people and cost formulas see it.

    Attributes:
        name: Stored name.
        label: Full name for people.
        short: At most eight characters, for labels on edges.
        family: ``none``, ``pool``, ``skip``, ``conv`` or ``activation``.
        layers: Its convolutions at stride 1.
        strided_layers: Its convolutions at stride 2, where they differ.
    """

    name: str
    label: str
    short: str
    family: str
    layers: tuple[Layer, ...] = ()
    strided_layers: tuple[Layer, ...] | None = None


@dataclass(frozen=True)
class Card:
    """A task or an export format: name, label and one sentence.

    Attributes:
        group: Which formats a page shows together; empty for a task.
        by_engine: Whether the file needs torch, so that the engine has to make it.
    """

    name: str
    label: str
    description: str
    group: str = ""
    by_engine: bool = False


@dataclass(frozen=True)
class Catalog:
    """Everything that can be chosen by name."""

    operations: tuple[OperationCard, ...]
    spaces: tuple[SearchSpace, ...]
    tasks: tuple[Card, ...]
    exporters: tuple[Card, ...]

    def operation(self, name: str) -> OperationCard:
        """The card of an operation; a plain one for a name that is gone."""
        for card in self.operations:
            if card.name == name:
                return card
        return OperationCard(name, name, name[:8], "conv")

    def space(self, name: str) -> SearchSpace:
        """The search space of that name.

        Raises:
            InvalidConfig: There is none.
        """
        return _named(self.spaces, name, "search space")

    def task(self, name: str) -> Card:
        """The task of that name.

        Raises:
            InvalidConfig: There is none.
        """
        return _named(self.tasks, name, "task")

    def exporter(self, name: str) -> Card:
        """The export format of that name.

        Raises:
            InvalidConfig: There is none.
        """
        return _named(self.exporters, name, "export format")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Found = TypeVar("Found", bound=_Named)


def _named(cards: Sequence[Found], name: str, what: str) -> Found:
    for card in cards:
        if card.name == name:
            return card
    raise InvalidConfig(
        asked=f"the {what} {name!r}",
        found=f"no such {what}",
        allowed=f"one of {', '.join(card.name for card in cards)}",
        advice="choose one of these",
    )
