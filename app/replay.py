"""A whole search in one HTML file that opens without a server.

The file holds the same player, curves and cells as the pages, with everything
that was recorded; nothing is fetched, which its content security policy says,
too. A search of more than ``LARGEST`` snapshots is thinned evenly, and the file
says so.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from re import sub
from typing import Any

from app.components.cell_player import player_data
from app.components.curves import charts_of, curve_data
from app.components.derived_cell import derived_data
from app.components.history import history_data
from app.components.topology_charts import topology_charts
from app.html_file import (
    Html,
    document,
    escaped,
    figure_list,
    origin_words,
    source,
    summary_words,
    table,
)
from app.studio import Studio
from app.topology import topology_series
from app.wire import frame_message, series_message, stride_of, temperature_series
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
    "moments.js",
    "vendor/uPlot.esm.js",
    "chart.js",
    "cell_card.js",
    "cell_player.js",
    "history.js",
    "curves.js",
    "derived_cell.js",
)
"""Each after those that it imports."""
STYLES = ("cell_player.css", "curves.css", "history.css", "vendor/uPlot.min.css")
POLICY = {
    "script-src": "'unsafe-inline' data:",
    "style-src": "'unsafe-inline' data:",
    "img-src": "data:",
}

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
    return _page(run, parts, _body(studio, run, genotype))


def _parts(
    studio: Studio, run: Run, catalog: Catalog, genotype: Genotype
) -> list[tuple[str, dict[str, Any]]]:
    """The components and what each is given, as the pages give it."""
    space = studio.space(run)
    stride = stride_of(run, LARGEST)
    frames = studio.frames(run.id, limit=2 * LARGEST, stride=stride)
    message = frame_message(run, space, frames)
    player = player_data(run, space, catalog, address=None, step=None, message=message)
    epochs = studio.snapshots(run.id, epochs_only=True)
    series = series_message(
        run,
        [
            *studio.series(run.id, stride=stride),
            temperature_series(epochs),
            *topology_series(space, run.search, epochs),
        ],
    )
    charts = charts_of(run.config.task) + topology_charts(space, run.search)
    return [
        ("cell_player.js", player),
        ("history.js", history_data(run, space, catalog)),
        ("curves.js", curve_data(run, address=None, series=series, charts=charts)),
        ("derived_cell.js", derived_data(genotype, catalog, cells=run.config.cells)),
    ]


def _body(studio: Studio, run: Run, genotype: Genotype) -> str:
    thinned = stride_of(run, LARGEST)
    settings = table((), run.config.model_dump().items())
    rest = f" One snapshot in {thinned} and every epoch's end are in this file."
    kept = "" if thinned == 1 else rest
    return "\n".join(
        (
            f"<h1>{escaped(run.name)}</h1>",
            f"<p>{escaped(summary_words(run))}{kept}</p>",
            _figures(studio, run),
            "<h2>The search</h2>",
            '<div class="card"><div id="cell_player.js"></div></div>',
            "<h2>Over time</h2>",
            '<div class="card"><div id="history.js"></div></div>',
            "<h2>Curves</h2>",
            "<p>Drag across a chart to zoom; a double click shows everything again.</p>",
            '<div id="curves.js"></div>',
            "<h2>The architecture it derives</h2>",
            '<div class="card"><div id="derived_cell.js"></div></div>',
            f"<pre>{escaped(to_darts(genotype))}</pre>",
            f"<details><summary>Settings</summary>{settings}</details>",
            f"<footer>{escaped(origin_words(run))}</footer>",
        )
    )


def _figures(studio: Studio, run: Run) -> Html:
    main = main_figure(run.config.task)
    epochs = studio.snapshots(run.id, epochs_only=True)
    measured: Mapping[str, float] = epochs[-1].metrics if epochs else {}
    figures = {
        f"Child {main.label}": main.text(measured.get(f"child_{main.name}")),
        "Supernet": main.text(measured.get(f"supernet_{main.name}")),
        "Gap": main.gap_text(measured.get("gap")),
        "Training time": f"{run.progress.seconds / 60:.1f} min",
    }
    return figure_list(figures)


def _page(run: Run, parts: Sequence[tuple[str, dict[str, Any]]], body: str) -> bytes:
    data = {"parts": parts, "styles": {name: _encoded(source(name)) for name in STYLES}}
    modules = "\n".join(
        f'<script type="text/plain" data-module="{name}">{_encoded(portable(source(name)))}'
        "</script>"
        for name in MODULES
    )
    return document(
        run.name,
        policy=POLICY,
        style=source("replay.css"),
        body=f"""<main>
{body}
</main>
{modules}
<script type="application/json" id="data">{_inert(data)}</script>
<script>
{_START}</script>""",
    )


def portable(module: str) -> str:
    """A module of ``app/static`` that finds the others by name instead of by address."""
    return sub(_IMPORT, r'import(globalThis.egsModules["\1"])', module)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _inert(data: Any) -> str:
    """JSON in which no character can end the element that holds it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
