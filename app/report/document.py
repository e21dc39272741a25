"""A report as one file of HTML for screen and paper."""

from app.html_file import document, joined, source
from app.report import record, sections
from app.report.facts import gather
from app.report.probabilities import probabilities
from app.studio import Studio

POLICY = {"style-src": "'unsafe-inline'", "img-src": "data:"}
"""There is no script, so none may run."""

SECTIONS = (
    sections.heading,
    sections.figures,
    sections.figures_note,
    sections.health,
    sections.origin,
    sections.curves,
    sections.architecture,
    sections.costs,
    probabilities,
    sections.trainings,
    record.settings,
    record.changes,
    record.family,
    record.log,
    record.lineage,
    record.repetition,
)
"""In the order of the paper."""

LONGEST_HEADER = 70
"""Letters of the name at the head of each page."""


def report(studio: Studio, run_id: int) -> bytes:
    """The HTML file of a search or of a training, in whatever state it is.

    Raises:
        NotFound: There is no such run.
    """
    facts = gather(studio, run_id)
    body = joined(part(facts) for part in SECTIONS)
    return document(
        f"{facts.run.name} (run {facts.run.id})",
        policy=POLICY,
        style=page_style(facts.run.name, facts.run.id) + source("report.css"),
        body=f"<main>\n{body}\n</main>",
    )


def page_style(name: str, run_id: int) -> str:
    """Paper size, margins, and what stands at the head and foot of each page."""
    short = name if len(name) <= LONGEST_HEADER else f"{name[: LONGEST_HEADER - 1]}…"
    return (
        "@page { size: A4; margin: 19mm 16mm 17mm; "
        f"@top-left {{ content: {css_text(short)}; }} "
        f"@top-right {{ content: {css_text(f'Run {run_id}')}; }} "
        f"@bottom-left {{ content: {css_text('EGS Studio')}; }} "
        '@bottom-right { content: counter(page) " / " counter(pages); } }\n'
        "@page :first { margin-top: 15mm; "
        "@top-left { content: none; } @top-right { content: none; } }\n"
    )


def css_text(text: str) -> str:
    """A string in a style sheet; all but plain letters and digits as their numbers."""
    safe = (c if c.isascii() and c.isalnum() else f"\\{ord(c):06x}" for c in text)
    return f'"{"".join(safe)}"'
