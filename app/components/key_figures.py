"""Progress and key figures of a run, which follow it without a rerun of its page."""

from collections.abc import Mapping
from typing import Any

from app.components.loading import StaticComponent
from engine.domain.run import Run

_board = StaticComponent("egs_key_figures", "key_figures.js", room=134)


def key_figures_board(
    run: Run, standing: Mapping[str, Any], *, address: str | None, key: str
) -> None:
    """Mount the board; what holds it is drawn anew when the version of the standing changes.

    Args:
        run: Whose figures they are.
        standing: As they are now: see :func:`app.standing.standing`.
        address: Where later ones can be heard; None where they come with reruns.
        key: Of the component.
    """
    data = {**standing, "run": run.uid, "address": address, "ended": run.is_ended}
    _board(data, key=key, default={"version": standing["version"]}, on_version_change=_nothing)


def _nothing() -> None:
    """Make Streamlit keep the state of the component."""
