"""Charts of depth, width and sources of the cells of a search; see ``app.topology``."""

from app.components.curves import Chart, Line
from app.figures.palette import NODE_COLOURS, TOPOLOGY_COLOURS, UNIFORM_COLOUR
from app.topology import DEPTH, EXPECTED, SHARE, UNIFORM, WIDTH
from engine.domain.config import SearchConfig
from engine.domain.health import cell_label
from engine.domain.space import SearchSpace, in_line
from engine.domain.topology import source_classes


def topology_charts(space: SearchSpace, config: SearchConfig) -> tuple[Chart, ...]:
    """One chart of sources per cell kind, one of depths and one of widths.

    A random search has no probabilities, so it has none of them.
    """
    if config.method == "random":
        return ()
    kinds = list(zip(space.cell_kinds, NODE_COLOURS, strict=False))
    draws = config.method == "egs"
    return (
        *(_sources_chart(space, kind) for kind in space.cell_kinds),
        Chart(
            "Depth",
            "operations",
            (
                *(Line(f"{DEPTH}_{kind}", cell_label(kind), colour) for kind, colour in kinds),
                *(
                    Line(f"{EXPECTED}_{kind}", f"{cell_label(kind)}, drawn", colour, dashed=True)
                    for kind, colour in kinds
                    if draws
                ),
            ),
            "Longest path through the derived cell"
            + (", and expected of the codes that are drawn." if draws else "."),
        ),
        Chart(
            "Width",
            "nodes",
            tuple(Line(f"{WIDTH}_{kind}", cell_label(kind), colour) for kind, colour in kinds),
            f"Nodes of the derived cell, of {space.nodes}, that read its inputs only.",
        ),
    )


def _sources_chart(space: SearchSpace, kind: str) -> Chart:
    return Chart(
        f"Sources of the {cell_label(kind)}",
        "%",
        (
            *(
                Line(f"{SHARE}_{kind}_{number}", in_line(source), colour)
                for number, (source, colour) in enumerate(
                    zip(source_classes(space), TOPOLOGY_COLOURS[-space.inputs - 1 :], strict=True)
                )
            ),
            Line(f"{UNIFORM}_{kind}", "an input, uniform", UNIFORM_COLOUR, dashed=True),
        ),
        "Share of the probability per source, none aside.",
    )
