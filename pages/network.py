"""The network of an architecture: where its cells stand, and where its cost goes."""

from typing import Any

import streamlit as st

from app.components.network_strip import network_strip, strip_data, uses_words
from app.components.table import Column, data_table
from app.costs import CostView, cost_view, edge_costs, part_words
from app.studio import Studio
from app.widgets import plain
from engine.domain.blocks import shares
from engine.domain.cost import Cost
from engine.domain.errors import DataError, NotFound
from engine.domain.genotype import Genotype
from engine.domain.run import Run
from engine.domain.space import in_line

COST_COLUMNS = (
    Column("parameters", "Parameters", "number"),
    Column("adds", "Multiply-adds", "number"),
    Column("share", "Of all", "number"),
)
BY_OPERATION = (Column("name", "Part"), Column("uses", "Uses", "number"), *COST_COLUMNS)
BY_EDGE = (Column("edge", "Edge"), Column("name", "Operation"), *COST_COLUMNS)
FLOAT_BYTES = 4


def network_section(studio: Studio, run: Run, genotype: Genotype) -> None:
    """Draw the strip, and the cost by operation and by edge of the chosen cell."""
    st.subheader("Network", anchor=False)
    try:
        view = cost_view(studio, run.id, genotype)
    except (NotFound, DataError) as error:
        st.caption(f"The network cannot be drawn yet. {plain(str(error))}")
        return
    st.caption(
        f"{uses_words(view.blocks)} Height is the resolution of a block, the bar below it the "
        "multiply-adds of one input; choose a cell to see its edges."
    )
    cells = sum(block.cell is not None for block in view.blocks)
    chosen = min(network_strip(strip_data(view.blocks), key=f"strip-{run.uid}"), cells - 1)
    left, right = st.columns(2)
    with left:
        label = "By operation, over the whole network"
        st.markdown(f"**{label}**")
        rows = by_operation(studio, view)
        data_table(BY_OPERATION, rows, key=f"by-operation-{run.uid}", label=label)
    with right:
        label = f"By edge, in cell {chosen + 1}"
        st.markdown(f"**{label}**")
        rows = by_edge(studio, view, genotype, chosen)
        dead = next(block.dead for block in view.blocks if block.cell == chosen)
        if dead:
            st.caption(f"This cell is dead and left out: {dead}.")
        data_table(BY_EDGE, rows, key=f"by-edge-{run.uid}", label=label)
    st.caption(memory_words(view.total))


def by_operation(studio: Studio, view: CostView) -> list[dict[str, Any]]:
    """Rows of a table: what each operation or part costs over the network."""
    return [
        {
            "id": share.name,
            "name": part_words(studio.catalog(), share.name),
            "uses": share.uses,
            **_cost_cells(share.cost, view.total),
        }
        for share in shares(view.parts)
    ]


def by_edge(studio: Studio, view: CostView, genotype: Genotype, cell: int) -> list[dict[str, Any]]:
    """Rows of a table: what each operation of one cell costs."""
    return [
        {
            "id": str(number),
            "edge": in_line(edge),
            "name": part_words(studio.catalog(), name),
            **_cost_cells(cost, view.total),
        }
        for number, (edge, name, cost) in enumerate(edge_costs(view, genotype, cell))
    ]


def memory_words(cost: Cost) -> str:
    """How much room the weights take."""
    size = FLOAT_BYTES * cost.parameters
    unit, words = (2**20, "MiB") if size >= 2**20 else (2**10, "KiB")
    return (
        f"The weights take {size / unit:.1f} {words} as 32-bit numbers. Multiply-adds are those of "
        "convolutions and linear layers; pooling, normalisation and activations add none. Dead "
        "parts do not count."
    )


def _cost_cells(cost: Cost, total: Cost) -> dict[str, Any]:
    share = cost.multiply_adds / total.multiply_adds if total.multiply_adds else 0.0
    return {
        "parameters": f"{cost.parameters:,}",
        "adds": f"{cost.multiply_adds:,}",
        "share": f"{100 * share:.1f} %",
    }
