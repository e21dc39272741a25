"""The cell player: the live graph of every cell kind with its timeline."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from app.components.loading import StaticComponent
from app.figures.palette import operation_colours
from engine.domain.catalog import Catalog
from engine.domain.run import Run
from engine.domain.skeleton import reduction_positions
from engine.domain.space import SearchSpace
from engine.export.layout import cell_layout

_player = StaticComponent("egs_cell_player", "cell_player.js", room=1260)


def player_data(
    run: Run,
    space: SearchSpace,
    catalog: Catalog,
    *,
    address: str | None,
    step: int | None,
    message: bytes | None = None,
) -> dict[str, Any]:
    """Everything the player needs, as plain values.

    It does not change while the run goes on, so that the component is not
    drawn anew: frames come from ``address``, or in ``message`` where there is
    no API.

    Args:
        step: Moment to show at first; None follows the run.
    """
    layout = cell_layout(space).as_data()
    colours = operation_colours(space.operations)
    cards = [catalog.operation(name) for name in space.operations]
    return {
        "run": run.uid,
        "address": address,
        "message": base64.b64encode(message).decode() if message else None,
        "step": step,
        "ended": run.is_ended,
        "kinds": list(space.cell_kinds),
        "titles": [cell_title(kind, run.config.cells) for kind in space.cell_kinds],
        "layout": layout,
        "operations": [
            {
                "name": card.name,
                "label": card.label,
                "short": card.short,
                "colour": colours[card.name],
                "none": number == space.none_index,
            }
            for number, card in enumerate(cards)
        ],
        "rows": [list(row) for row in space.rows(run.search.scope)],
        "scope": run.search.scope,
        "draws": run.search.draws,
        "epochs": run.config.epochs,
    }


def cell_title(kind: str, cells: int) -> str:
    """What a cell kind is called, and how often the network uses it."""
    if kind == "recurrent":
        return "Recurrent cell, used at every token"
    reductions = len(reduction_positions(cells))
    used = {"reduction": reductions, "normal": cells - reductions}.get(kind, cells)
    name = "Cell" if kind == "cell" else f"{kind.capitalize()} cell"
    return f"{name}, used {used} {'time' if used == 1 else 'times'}"


def cell_player(
    data: Mapping[str, Any], *, key: str, on_step: Callable[[], None] | None = None
) -> int | None:
    """Mount the player; returns the step at which the person let go, None for live."""
    result = _player(
        data,
        key=key,
        default={"step": data["step"]},
        on_step_change=on_step or _nothing,
    )
    step = result.step
    return None if step is None else int(step)


def _nothing() -> None:
    """Make Streamlit keep the state of the component."""
