"""A table that refreshes without flicker and shows text as text."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.components.loading import StaticComponent

_table = StaticComponent("egs_table", "table.js", room=130)

ColumnKind = Literal["text", "number", "state", "progress", "code", "tags"]


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


@dataclass(frozen=True)
class Choice:
    """What a person did with a table whose rows can be chosen.

    Attributes:
        opened: Id of a row that was just opened.
        selected: Ids of the rows that are ticked, in the order of ticking; some
            may be on another page of the list, or gone.
        order: Column to sort by, with a minus before it for the reverse; empty
            for the order of the list itself.
    """

    opened: str | None
    selected: tuple[str, ...]
    order: str


def choosing_table(
    columns: Sequence[Column],
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    label: str,
    opens: str,
    order: str,
    clear: int = 0,
) -> Choice:
    """Draw one page of a longer list, whose rows can be ticked; the page itself sorts it.

    Args:
        columns: In order of display.
        rows: Of this page of the list, in order, each with an ``id``.
        key: Identity of the table on its page.
        label: What it holds, for people who cannot see it.
        opens: Address of the page that shows a row's run.
        order: How the rows are sorted now.
        clear: Another number than before unticks all rows.
    """
    result = _table(
        {
            "columns": [asdict(column) for column in columns],
            "rows": list(rows),
            "label": label,
            "opens": opens,
            "searchable": False,
            "selectable": True,
            "order": order,
            "clear": clear,
        },
        key=key,
        default={"selected": [], "order": order},
        on_open_change=_nothing,
        on_selected_change=_nothing,
        on_order_change=_nothing,
    )
    opened = None if result.open is None else str(result.open)
    selected = tuple(str(each) for each in result.selected or ())
    return Choice(opened, selected, str(result.order or ""))


def _nothing() -> None:
    """Make Streamlit deliver the trigger."""
