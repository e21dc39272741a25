"""A network as a row of blocks, from its input to its output, with what each costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.catalog import Catalog
from engine.domain.cost import (
    Cost,
    CostPart,
    DeadShare,
    NetworkShape,
    dead_share,
    network_parts,
    places_of,
    total_of,
)
from engine.domain.genotype import Genotype
from engine.domain.language_cost import LanguageShape, dead_language_share, language_parts
from engine.domain.pruning import Pruning, pruning_of

ENDS = {
    "stem": "Stem",
    "head": "Head",
    "embedding": "Embedding",
    "decoder": "Decoder",
}


@dataclass(frozen=True)
class Block:
    """One block of a network.

    Attributes:
        label: What people read, such as ``Normal cell``.
        kind: Kind of the cell; None for what is no cell.
        cell: Its number among the cells, from 0; None for what is no cell.
        channels: Channels, or sizes of vectors, that it gives to the next; 0 where
            it gives scores.
        height: Height of its feature map in pixels; 0 where it has none.
        width: Width.
        cost: What it costs.
        dead: Why the cell is dead, and left out of the network; empty if it is
            alive.
    """

    label: str
    kind: str | None
    cell: int | None
    channels: int
    height: int
    width: int
    cost: Cost
    dead: str = ""


def parts_of(
    genotype: Genotype, catalog: Catalog, shape: NetworkShape | LanguageShape
) -> list[CostPart]:
    """The cost of a network part by part, from its input to its output.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    if isinstance(shape, LanguageShape):
        return language_parts(genotype, shape)
    return network_parts(genotype, catalog, shape)


def dead_share_of(
    genotype: Genotype, catalog: Catalog, shape: NetworkShape | LanguageShape
) -> DeadShare:
    """Count the parameters that are dead in a network of all parts of a genotype.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    if isinstance(shape, LanguageShape):
        return dead_language_share(genotype, shape)
    return dead_share(genotype, catalog, shape)


def dead_sentences(
    pruning: Pruning, dead: DeadShare | None, *, left_out: bool = True
) -> tuple[str, ...]:
    """Say what of an architecture is dead, why, and how many parameters that is.

    Args:
        pruning: What is dead.
        dead: The parameters that are; None if the size of the network is not known.
        left_out: Whether they are left out of the network, as always in new runs.

    Returns:
        Sentences; none if everything is alive.
    """
    found = pruning.sentences
    if dead is not None and dead.dead:
        found += (f"Dead parameters: {dead.text(left_out=left_out)}.",)
    return found


def network_blocks(
    genotype: Genotype, catalog: Catalog, shape: NetworkShape | LanguageShape
) -> list[Block]:
    """The blocks of a derived network; dead cells are among them, without cost.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    parts = parts_of(genotype, catalog, shape)
    if isinstance(shape, LanguageShape):
        return _language_blocks(parts, shape)
    places = places_of(genotype.space, shape)
    reasons = pruning_of(genotype, shape.cells).cells
    first = places[0]
    blocks = [_end(parts[0], first.last, *_sides(shape, first.last_grid.scale))]
    for number, place in enumerate(places):
        label = "Cell" if place.kind == "cell" else f"{place.kind.capitalize()} cell"
        cost = total_of(part for part in parts if part.cell == number)
        sides = _sides(shape, place.grid.scale)
        dead = "" if shape.keep_dead else reasons[number]
        blocks.append(Block(label, place.kind, number, place.channels, *sides, cost, dead))
    pixels = (shape.height, shape.width) if shape.head == "pixels" else (0, 0)
    return [*blocks, _end(parts[-1], 0, *pixels)]


def _sides(shape: NetworkShape, scale: int) -> tuple[int, int]:
    return -(-shape.height // scale), -(-shape.width // scale)


def _end(part: CostPart, channels: int, height: int, width: int) -> Block:
    return Block(ENDS[part.part], None, None, channels, height, width, part.cost)


def _language_blocks(parts: Sequence[CostPart], shape: LanguageShape) -> list[Block]:
    cell = total_of(part for part in parts if part.cell == 0)
    return [
        _end(parts[0], shape.embedding, 0, 0),
        Block("Recurrent cell", "recurrent", 0, shape.hidden, 0, 0, cell),
        _end(parts[-1], 0, 0, 0),
    ]


@dataclass(frozen=True)
class Share:
    """What all uses of one thing cost together.

    Attributes:
        name: An operation, an edge or a part.
        uses: How many times the network has it.
        cost: All of them together.
    """

    name: str
    uses: int
    cost: Cost


def shares(parts: Sequence[CostPart]) -> list[Share]:
    """What each operation or part costs over the whole network, the dearest in compute first."""
    names = dict.fromkeys(part.part for part in parts)
    found = [
        Share(name, len(uses), total_of(uses))
        for name in names
        if (uses := [part for part in parts if part.part == name])
    ]
    return sorted(found, key=lambda one: (-one.cost.multiply_adds, -one.cost.parameters))
