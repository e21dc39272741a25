"""A table that refreshes without flicker and shows text as text."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.components.loading import StaticComponent

_table = StaticComponent("egs_table", "table.js")

ColumnKind = Literal["text", "number", "state", "progress", "code"]


@dataclass(frozen=True)
class Column:
    """One column: key in the rows, heading, how a value is drawn, and its sort key.

    A value may be a pair (shown, sorted by).
    """

    key: str
    label: str
    kind: ColumnKind = "text"


def data_table(
    columns: Sequence[Column],
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    label: str,
    opens: str | None = None,
    searchable: bool = False,
    on_open: Callable[[], None] | None = None,
) -> str | None:
    """Draw rows, each with an ``id``; returns the id of a row that was just opened.

    Args:
        columns: In order of display.
        rows: Plain values by column key.
        key: Identity of the table on its page.
        label: What it holds, for people who cannot see it.
        opens: Address of the page that shows a row's run, as in ``live``; None: rows do not open.
        searchable: Whether there is a field to filter by.
        on_open: Called before the page runs again.
    """
    result = _table(
        {
            "columns": [asdict(column) for column in columns],
            "rows": list(rows),
            "label": label,
            "opens": opens,
            "searchable": searchable,
        },
        key=key,
        on_open_change=on_open or _nothing,
    )
    return None if result.open is None else str(result.open)


def _nothing() -> None:
    """Make Streamlit deliver the trigger."""
