"""The colours of operations, on pages and in exported pictures alike.

Operations take the Okabe-Ito colours, which people with colour-blindness can
tell apart, plus one violet; ``none`` is grey. A colour never stands alone: a
name, a dash or a mark says the same.
"""

from collections.abc import Iterable, Mapping

GREY = "#9aa0a6"

OKABE_ITO: Mapping[str, str] = {
    "sky": "#56b4e9",
    "blue": "#0072b2",
    "green": "#009e73",
    "orange": "#e69f00",
    "vermilion": "#d55e00",
    "pink": "#cc79a7",
    "violet": "#8c6bd1",
    "yellow": "#f0e442",
}

OPERATION_COLOURS: Mapping[str, str] = {
    "none": GREY,
    "max_pool_3x3": OKABE_ITO["sky"],
    "avg_pool_3x3": OKABE_ITO["blue"],
    "skip_connect": OKABE_ITO["green"],
    "sep_conv_3x3": OKABE_ITO["orange"],
    "sep_conv_5x5": OKABE_ITO["vermilion"],
    "dil_conv_3x3": OKABE_ITO["pink"],
    "dil_conv_5x5": OKABE_ITO["violet"],
}


def operation_colours(operations: Iterable[str]) -> dict[str, str]:
    """A colour for each operation; unknown names take the free ones in turn.

    Args:
        operations: Stored names in column order.
    """
    names = list(operations)
    taken = {OPERATION_COLOURS[name] for name in names if name in OPERATION_COLOURS}
    free = [colour for colour in OKABE_ITO.values() if colour not in taken] or [GREY]
    strangers = [name for name in names if name not in OPERATION_COLOURS]
    extra = {name: free[number % len(free)] for number, name in enumerate(strangers)}
    return {name: OPERATION_COLOURS.get(name) or extra[name] for name in names}
