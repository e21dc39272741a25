"""Where the cost of a network goes: block by block, operation by operation, edge by edge."""

from dataclasses import dataclass

from app.studio import Studio, shape_of
from engine.domain.blocks import Block, network_blocks, parts_of
from engine.domain.catalog import Catalog
from engine.domain.cost import Cost, CostPart, total_of
from engine.domain.genotype import Genotype
from engine.export.layout import edge_titles

PART_WORDS = {
    "stem": "Stem",
    "head": "Head",
    "adapters": "Adapters of the inputs",
    "block": "Residual blocks",
    "embedding": "Embedding",
    "decoder": "Decoder",
    "first": "First map of the cell",
}


@dataclass(frozen=True)
class CostView:
    """A network with its cost.

    Attributes:
        blocks: From the input to the output.
        parts: The same in parts.
        total: All of it.
    """

    blocks: tuple[Block, ...]
    parts: tuple[CostPart, ...]
    total: Cost


def cost_view(studio: Studio, run_id: int, genotype: Genotype) -> CostView:
    """The cost of a genotype in a run's own network.

    Raises:
        NotFound: No engine has published its catalogue yet.
        DataError: Nothing is known of the data.
    """
    run = studio.run(run_id)
    catalog = studio.published_catalog(f"the cost of a network of run {run_id}")
    shape = shape_of(run.config, studio.known_data(run))
    parts = parts_of(genotype, catalog, shape)
    blocks = network_blocks(genotype, catalog, shape)
    return CostView(tuple(blocks), tuple(parts), total_of(parts))


def edge_costs(view: CostView, genotype: Genotype, cell: int) -> list[tuple[str, str, Cost]]:
    """Edge, operation and cost of everything in one cell, in the order of the space."""
    titles = edge_titles(genotype.space)
    index = {(edge.source, edge.target): n for n, edge in enumerate(genotype.space.edges)}
    found = [
        (index[part.source, part.target], part.part, part.cost)
        for part in view.parts
        if part.cell == cell and part.source is not None and part.target is not None
    ]
    return [(titles[n], name, cost) for n, name, cost in sorted(found, key=lambda one: one[:2])]


def part_words(catalog: Catalog | None, name: str) -> str:
    """What people call a part of a network: a block, or an operation."""
    if name in PART_WORDS:
        return PART_WORDS[name]
    return catalog.operation(name).short if catalog else name
