"""A whole search in one HTML file that opens without a server.

The file holds the same player, curves and cells as the pages, with everything
that was recorded; nothing is fetched, which its content security policy says,
too. A search of more than ``LARGEST`` snapshots is thinned evenly, and the file
says so.
"""

import json
import tomllib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from re import sub
from typing import Any

from app.components.cell_player import player_data
from app.components.curves import charts_of, curve_data
from app.components.derived_cell import derived_data
from app.components.loading import STATIC
from app.studio import Studio, versions
from app.wire import frame_message, series_message, temperature_series
from engine.domain.catalog import Catalog
from engine.domain.errors import WrongState
from engine.domain.genotype import Genotype, to_darts
from engine.domain.metrics import main_figure
from engine.domain.run import Run

LARGEST = 20_000
"""Snapshots in one file; about 4 MB of base64 in the space of DARTS."""
MODULES = (
    "feed.js",
    "frames.js",
    "shapes.js",
    "vendor/uPlot.esm.js",
    "cell_player.js",
    "curves.js",
    "derived_cell.js",
)
"""Each after those that it imports."""
STYLES = ("cell_player.css", "curves.css", "vendor/uPlot.min.css")
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline' data:; "
    "img-src data:"
)
THEME = Path(__file__).parent / ".streamlit" / "config.toml"

_IMPORT = r"import\(new URL\(`([^`$]+)\$\{VERSION\}`, import\.meta\.url\)\.href\)"

_START = """\
const given = JSON.parse(document.getElementById("data").textContent)
globalThis.egsModules = {}
for (const script of document.querySelectorAll("script[data-module]")) {
  globalThis.egsModules[script.dataset.module] =
    "data:text/javascript;base64," + script.textContent.trim()
}
for (const [module, data] of given.parts) {
  const host = document.getElementById(module)
  const shadow = host.attachShadow({ mode: "open" })
  for (const [name, content] of Object.entries(given.styles)) {
    const link = document.createElement("link")
    link.rel = "stylesheet"
    link.dataset.name = name
    link.href = "data:text/css;base64," + content
    shadow.append(link)
  }
  const root = document.createElement("div")
  shadow.append(root)
  import(globalThis.egsModules[module]).then((part) =>
    part.default({ data, setStateValue: () => {} }, root))
}
"""


def replay(studio: Studio, run_id: int) -> bytes:
    """The HTML file of a search.

    Raises:
        NotFound: There is no such run, it has no snapshot yet, or no engine has
            published its operations.
        WrongState: The run is a training, which has no codes to replay.
    """
    run = studio.run(run_id)
    if run.config.purpose != "search":
        raise WrongState(
            asked=f"a replay of run {run_id}",
            found="a training, in which no architecture changes",
            allowed="a search",
            advice="choose the search that found its architecture",
        )
    catalog = studio.published_catalog(f"a replay of run {run_id}")
    genotype = studio.derive(run_id)
    parts = _parts(studio, run, catalog, genotype)
    return _page(run, parts, _body(studio, run, genotype)).encode()


def _parts(
    studio: Studio, run: Run, catalog: Catalog, genotype: Genotype
) -> list[tuple[str, dict[str, Any]]]:
    """The components and what each is given, as the pages give it."""
    space = studio.space(run)
    frames = studio.frames(run.id, limit=LARGEST, stride=stride_of(run))
    message = frame_message(run, space, frames)
    player = player_data(run, space, catalog, address=None, step=None, message=message)
    epochs = studio.snapshots(run.id, epochs_only=True)
    series = series_message(run, [*studio.series(run.id), temperature_series(epochs)])
    charts = charts_of(run.config.task)
    return [
        ("cell_player.js", player),
        ("curves.js", curve_data(run, address=None, series=series, charts=charts)),
        ("derived_cell.js", derived_data(genotype, catalog, cells=run.config.cells)),
    ]


def stride_of(run: Run) -> int:
    """Every how many snapshots one is kept, so that a long search still makes a file."""
    snapshots = run.progress.step // run.config.snapshot_interval + run.progress.epoch + 1
    return max(1, -(-snapshots // LARGEST))


def _body(studio: Studio, run: Run, genotype: Genotype) -> str:
    thinned = stride_of(run)
    kept = "" if thinned == 1 else f" Every {thinned}th snapshot is in this file."
    return "\n".join(
        (
            f"<h1>{escape(run.name)}</h1>",
            f"<p>{escape(_summary(run))}{kept}</p>",
            _figures(studio, run),
            "<h2>The search</h2>",
            '<div class="card"><div id="cell_player.js"></div></div>',
            "<h2>Curves</h2>",
            "<p>Drag across a chart to zoom; a double click shows everything again.</p>",
            '<div id="curves.js"></div>',
            "<h2>The architecture it derives</h2>",
            '<div class="card"><div id="derived_cell.js"></div></div>',
            f"<pre>{escape(to_darts(genotype))}</pre>",
            f"<details><summary>Settings</summary>{_settings(run)}</details>",
            f"<footer>{escape(_origin(run))}</footer>",
        )
    )


def _summary(run: Run) -> str:
    progress = run.progress
    words = f"{run.state.value.capitalize()}, {progress.epoch} of {run.config.epochs} epochs"
    return f"{words}, {progress.step:,} steps on {run.config.data}, begun {_day(run.created_at)}."


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _figures(studio: Studio, run: Run) -> str:
    main = main_figure(run.config.task)
    epochs = studio.snapshots(run.id, epochs_only=True)
    measured: Mapping[str, float] = epochs[-1].metrics if epochs else {}
    figures = {
        f"Child {main.label}": main.text(measured.get(f"child_{main.name}")),
        "Supernet": main.text(measured.get(f"supernet_{main.name}")),
        "Gap": main.gap_text(measured.get("gap")),
        "Training time": f"{run.progress.seconds / 60:.1f} min",
    }
    items = (
        f"<li><span>{escape(label)}</span><b>{escape(value)}</b></li>"
        for label, value in figures.items()
    )
    return f'<ul class="figures">{"".join(items)}</ul>'


def _settings(run: Run) -> str:
    rows = (
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
        for name, value in run.config.model_dump().items()
    )
    return f"<table>{''.join(rows)}</table>"


def _origin(run: Run) -> str:
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"Run {run.uid}. Recorded and written by {made}. This file fetches nothing."


def _page(run: Run, parts: Sequence[tuple[str, dict[str, Any]]], body: str) -> str:
    data = {"parts": parts, "styles": {name: _encoded(_source(name)) for name in STYLES}}
    modules = "\n".join(
        f'<script type="text/plain" data-module="{name}">{_encoded(portable(_source(name)))}'
        "</script>"
        for name in MODULES
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(run.name)}</title>
<style>{_colours()}{_source("replay.css")}</style>
</head>
<body>
<main>
{body}
</main>
{modules}
<script type="application/json" id="data">{_inert(data)}</script>
<script>
{_START}</script>
</body>
</html>
"""


def portable(source: str) -> str:
    """A module of ``app/static`` that finds the others by name instead of by address."""
    return sub(_IMPORT, r'import(globalThis.egsModules["\1"])', source)


def _source(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _inert(data: Any) -> str:
    """JSON in which no character can end the element that holds it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _colours() -> str:
    """The studio's own theme as the variables that its components read."""
    theme = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]
    dark = f"@media (prefers-color-scheme: dark) {{ {_variables(theme['dark'])} }}"
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
