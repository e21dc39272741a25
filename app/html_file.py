"""HTML files that a person takes along: the same head, theme and words in each.

Such a file fetches nothing, which its content security policy says, too.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, NewType

from app.studio import versions
from engine.domain.run import Run

Html = NewType("Html", str)
"""Text in which everything that was not written here has been escaped."""

THEME = Path(__file__).parent / ".streamlit" / "config.toml"
STATIC = Path(__file__).parent / "static"
UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What may not stand in an XML document, whoever wrote it."""


def escaped(value: object) -> Html:
    """Any value as text of an element or of an attribute in double quotes."""
    return Html(escape(UNSPEAKABLE.sub(" ", str(value))))


def joined(parts: Iterable[str], between: str = "\n") -> Html:
    """Several pieces as one."""
    return Html(between.join(parts))


def figure_list(figures: Mapping[str, str]) -> Html:
    """Key figures by label, as a list."""
    items = (
        f"<li><span>{escaped(label)}</span><b>{escaped(value)}</b></li>"
        for label, value in figures.items()
    )
    return Html(f'<ul class="figures">{"".join(items)}</ul>')


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, kind: str = "", caption: str = ""
) -> Html:
    """Values in rows, the first of each naming its row; nothing in them is taken for markup.

    Args:
        head: What each column is; empty for a table of names and values.
        rows: One value a column.
        kind: Class of the table.
        caption: Said above it.
    """
    top = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escaped(first)}</th>'
        + "".join(f"<td>{escaped(value)}</td>" for value in rest)
        + "</tr>"
        for first, *rest in rows
    )
    named = f' class="{escaped(kind)}"' if kind else ""
    said = f"<caption>{escaped(caption)}</caption>" if caption else ""
    heads = f"<thead><tr>{top}</tr></thead>" if head else ""
    return Html(f"<table{named}>{said}{heads}<tbody>{body}</tbody></table>")


def summary_words(run: Run) -> str:
    """State, epochs, steps, data and beginning of a run, in a sentence."""
    progress = run.progress
    words = f"{run.state.value.capitalize()}, {progress.epoch} of {run.config.epochs} epochs"
    return f"{words}, {progress.step:,} steps on {run.config.data}, begun {day(run.created_at)}."


def day(moment: datetime) -> str:
    """An instant as people write it, in UTC."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def origin_words(run: Run) -> str:
    """Which run a file is of, and what wrote it."""
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"Run {run.uid}. Recorded and written by {made}. This file fetches nothing."


def source(name: str) -> str:
    """A file of ``app/static`` that goes into a document."""
    return (STATIC / name).read_text(encoding="utf-8")


def document(title: str, *, policy: Mapping[str, str], style: str, body: str) -> bytes:
    """A whole file.

    Args:
        title: Its name in the browser, as plain text.
        policy: What may be loaded beside the file itself, by directive; all
            others may load nothing.
        style: Style sheets.
        body: Markup of its body.
    """
    allowed = "; ".join(f"{name} {places}" for name, places in policy.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; {allowed}" />
<title>{escaped(title)}</title>
<style>{colours()}{style}</style>
</head>
<body>
{body}
</body>
</html>
""".encode()


def colours() -> str:
    """The studio's own theme as the variables that its components read."""
    theme = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {_variables(theme['dark'])} }}"
    return f"{_variables(theme['light'])}\n{dark}\n"


def _variables(colours: Mapping[str, Any]) -> str:
    names = {
        "primaryColor": "primary-color",
        "backgroundColor": "background-color",
        "secondaryBackgroundColor": "secondary-background-color",
        "textColor": "text-color",
        "borderColor": "border-color",
    }
    values = (f"--st-{css}: {colours[name]};" for name, css in names.items())
    return f":root {{ {' '.join(values)} }}"
