"""The gap as a picture: the supernet's figure, the child's, and what lies between them."""

from collections.abc import Mapping
from typing import Any

from app.components.loading import StaticComponent
from app.figures.palette import CURVE_COLOURS
from engine.domain.metrics import MainFigure

_meter = StaticComponent("egs_gap_meter", "gap_meter.js", room=79)

CLOSE = 2.0
"""Points up to which what is derived counts as what was searched."""
ROOM = 1.15


def meter_data(main: MainFigure, measured: Mapping[str, float]) -> dict[str, Any] | None:
    """What is drawn, as plain values: errors in per cent, or perplexities; None unmeasured."""
    child, supernet = (measured.get(f"{part}_{main.name}") for part in ("child", "supernet"))
    if child is None or supernet is None or "gap" not in measured:
        return None
    is_share = bool(main.gap_unit)
    values = {
        "child": 100 - child if is_share else child,
        "supernet": 100 - supernet if is_share else supernet,
    }
    return {
        "marks": [
            {
                "name": name,
                "value": round(value, 3),
                "text": f"{value:.1f}{main.unit}",
                "colour": CURVE_COLOURS[name],
            }
            for name, value in values.items()
        ],
        "scale": round(ROOM * max(values.values()), 3) or 1.0,
        "axis": "error, 0 at the left" if is_share else f"{main.label}, 0 at the left",
        "words": gap_words(main, measured["gap"]),
    }


def gap_words(main: MainFigure, gap: float) -> str:
    """What the gap says, in a sentence."""
    size = main.gap_text(abs(gap)).lstrip("+")
    if not main.gap_unit:
        side = "above" if gap > 0 else "below"
        return f"The derived network's {main.label} is {size} {side} the supernet's."
    if gap <= 0:
        return f"The derived network errs {size} less often than the supernet that was searched."
    if gap <= CLOSE:
        return f"The derived network is within {size} of the supernet that was searched."
    return (
        f"The derived network errs {size} more often than the supernet: it is not quite what was "
        "searched."
    )


def gap_meter(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the meter."""
    _meter(data, key=key)
