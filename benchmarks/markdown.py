"""Tables in Markdown."""

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table whose columns but the first are aligned to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    for cells in (head, marks, *rows):
        yield f"| {' | '.join(map(escaped, cells))} |"


def escaped(text: str) -> str:
    """Text that a Markdown table takes for text."""
    return text.replace("|", "\\|").replace("<", "&lt;")
