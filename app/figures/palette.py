"""Every colour of the studio; those of operations go into exported pictures as well."""

from collections.abc import Mapping

from engine.export.colours import GREY, OKABE_ITO, OPERATION_COLOURS, operation_colours

__all__ = [
    "CURVE_COLOURS",
    "DIVERGING",
    "DIVERGING_DARK",
    "GREY",
    "NODE_COLOURS",
    "OKABE_ITO",
    "OPERATION_COLOURS",
    "SEQUENTIAL",
    "SEQUENTIAL_DARK",
    "TOPOLOGY_COLOURS",
    "UNIFORM_COLOUR",
    "operation_colours",
]

SEQUENTIAL: tuple[str, ...] = (
    "#f3f5fb",
    "#d5dcf2",
    "#b0bde8",
    "#8a9cdd",
    "#657ad0",
    "#4a59bd",
    "#383f9c",
    "#2a2c77",
    "#1d1c54",
)

SEQUENTIAL_DARK: tuple[str, ...] = (
    "#1c2130",
    "#262d4d",
    "#333a70",
    "#464c98",
    "#5e61bd",
    "#7d7dd8",
    "#a09fea",
    "#c5c4f5",
    "#f1f0ff",
)

DIVERGING: tuple[str, ...] = (
    "#a33b00",
    "#e07b39",
    "#f6c7a3",
    "#f6f6f8",
    "#a9bff0",
    "#4f73d1",
    "#1f3d91",
)
DIVERGING_DARK: tuple[str, ...] = (
    "#ffb37a",
    "#d5722e",
    "#7a4321",
    "#1c2130",
    "#33478a",
    "#6c8be8",
    "#b9cbff",
)
"""From less to more, for differences; both ends differ for every kind of colour vision."""

CURVE_COLOURS: Mapping[str, str] = {
    "child": OKABE_ITO["vermilion"],
    "supernet": OKABE_ITO["blue"],
    "train": GREY,
    "other": "#4f46e5",
}

NODE_COLOURS: tuple[str, ...] = (
    OKABE_ITO["blue"],
    OKABE_ITO["vermilion"],
    "#00896b",
    "#8c6bd1",
    "#b8860b",
    "#c2588c",
    "#3a8fb7",
    "#6b7280",
)
"""Of the nodes of a cell in a chart of lines, in their order; text beside them names them."""

TOPOLOGY_COLOURS: tuple[str, ...] = (OKABE_ITO["vermilion"], OKABE_ITO["blue"], "#00896b")
"""Of what a node can read: the older input, the last one, and earlier nodes."""

UNIFORM_COLOUR = GREY
"""Of the value before anything is learnt."""
