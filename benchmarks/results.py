"""Writes the tables of docs/results.md from the raw figures in benchmarks/raw.

They are reports of studies, as ``egs study FILE -o benchmarks/raw/NAME.json``
writes them, and what ``benchmarks.compare_texts_and_scenes``, ``found_cells``,
``older_input`` and ``health_calibration`` have measured. Only
the part of the page between the two marks is replaced; the rest is left as it
is. Other JSON files in the folder are passed over.

    python -m benchmarks.results [--raw benchmarks/raw] [--page docs/results.md]
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.study import KIND
from benchmarks.compare_texts_and_scenes import KIND as NETWORKS
from benchmarks.found_cells import KIND as FOUND_CELLS
from benchmarks.health_calibration import KIND as CALIBRATION
from benchmarks.health_calibration import calibration
from benchmarks.markdown import escaped, table
from benchmarks.network_tables import NetworkTable, tables
from benchmarks.older_input import KIND as OLDER_INPUT
from benchmarks.search_tables import found_cells, older_input
from engine.domain.comparison import Measure
from engine.domain.statistics import Spread

ROOT = Path(__file__).parents[1]
START = "<!-- The part up to the next mark is written by benchmarks/results.py. -->"
END = "<!-- End of that part. -->"
HEAD = """\
# Results

Measured by the commands beside the tables. A mean stands with its sample standard deviation over
seeds; [studies.md](studies.md) says what the figures are and how two configurations are compared.
"""

DEFAULTS_CHANGED = "2026-11-30"
"""Day since when scope = source, draws = 1 and sound = true (decision 35)."""


def main() -> None:
    """Replace the part between the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, default=ROOT / "benchmarks" / "raw")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md")
    given = parser.parse_args()
    reports = read_reports(given.raw)
    if not reports:
        print(f"No raw figures in {given.raw}.", file=sys.stderr)
        return
    before = given.page.read_text(encoding="utf-8") if given.page.exists() else HEAD
    sections = [
        text
        for path, found in reports.items()
        for text in sections_of(found, relative(path, given.page))
    ]
    given.page.write_text(with_sections(before, sections), encoding="utf-8")
    print(f"{len(sections)} tables are in {given.page}.")


def read_reports(folder: Path) -> dict[Path, dict[str, Any]]:
    """The raw figures in a folder by their file, in order of their names."""
    found = {path: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    return {
        path: report
        for path, report in found.items()
        if isinstance(report, dict) and report.get("kind") in SECTIONS
    }


def relative(path: Path, page: Path) -> str:
    """The way from a page to a file, for a link."""
    return Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix()


def with_sections(page: str, sections: Sequence[str]) -> str:
    """A page with its written part replaced, or added at its end."""
    part = "\n".join([START, *("\n" + text for text in sections), END])
    if START in page and END in page:
        before, rest = page.split(START, 1)
        return before + part + rest.split(END, 1)[1]
    return page.rstrip("\n") + "\n\n" + part + "\n"


def sections_of(report: dict[str, Any], link: str) -> list[str]:
    """What a file of raw figures gives: one section, or one for each of its data sets."""
    return SECTIONS[report["kind"]](report, link)


def networks_sections(report: dict[str, Any], link: str) -> list[str]:
    """Searched networks beside others: one section for each data set."""
    return [networks_section(one, _versions(report), link) for one in tables(report["rows"])]


def networks_section(one: NetworkTable, versions: str, link: str) -> str:
    """One data set's networks in Markdown: the command, means, sentences, every training."""
    name = link.rsplit("/", 1)[-1]
    command = f"python -m benchmarks.compare_texts_and_scenes {one.option}"
    return "\n".join(
        [
            f"## {one.title}\n",
            f"`{command} --out benchmarks/raw/{name}`\n",
            f"{versions}. Raw figures: [{name}]({link}).\n",
            *table(("network", "trainings", *one.head), one.means),
            "",
            *(f"* {escaped(sentence)}" for sentence in one.sentences),
            "",
            "<details><summary>By seed</summary>\n",
            *table(("network", "seed", *one.head), one.trainings),
            "",
            "</details>\n",
        ]
    )


def section(report: dict[str, Any], link: str) -> str:
    """One study in Markdown: what was run, means, sentences, figures by seed, settings."""
    measures = [Measure(**values) for values in report["measures"]]
    return "\n".join(
        [
            f"## {report['name']}\n",
            *_origin(report, link),
            "",
            *table(("configuration", "seeds", *_labels(measures)), _means(report, measures)),
            "",
            *_sentences(report),
            "<details><summary>By seed</summary>\n",
            *table(("configuration", "seed", *_labels(measures)), _trials(report, measures)),
            "",
            *_reasons(report),
            "</details>\n",
            f"<details><summary>Settings that differ from the defaults{_then(report)}</summary>\n",
            *(_settings(one) for one in report["configurations"]),
            "\n</details>\n",
        ]
    )


def _origin(report: dict[str, Any], link: str) -> list[str]:
    seeds = ", ".join(map(str, report["seeds"]))
    state = "" if report["complete"] else " **Not all runs have completed.**"
    return [
        f"`{report['command']}`\n",
        f"Data `{report['data']}`, seeds {seeds}; {_versions(report)}; {report['made_at'][:10]}. "
        f"Raw figures: [{link.rsplit('/', 1)[-1]}]({link}).{state}",
    ]


def _versions(report: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in report["versions"].items())


def _labels(measures: Iterable[Measure]) -> list[str]:
    return [measure.label for measure in measures]


def _means(report: dict[str, Any], measures: Sequence[Measure]) -> list[list[str]]:
    rows = []
    for one in report["configurations"]:
        spreads = {name: Spread(**values) for name, values in one["summary"].items()}
        done = sum(trial["state"] == "completed" for trial in one["trials"])
        texts = [measure.spread_text(spreads.get(measure.name)) for measure in measures]
        rows.append([one["name"], f"{done}/{len(report['seeds'])}", *texts])
    return rows


def _trials(report: dict[str, Any], measures: Sequence[Measure]) -> list[list[str]]:
    return [
        [
            one["name"],
            str(trial["seed"]),
            *(measure.text(trial["figures"].get(measure.name)) for measure in measures),
        ]
        for one in report["configurations"]
        for trial in one["trials"]
    ]


def _reasons(report: dict[str, Any]) -> list[str]:
    """Why figures are missing, a line a run."""
    lines = [
        f"* {escaped(one['name'])}, seed {trial['seed']}: {escaped(' '.join(trial['why']))}"
        for one in report["configurations"]
        for trial in one["trials"]
        if trial["why"]
    ]
    return [*lines, ""] if lines else []


def _sentences(report: dict[str, Any]) -> list[str]:
    lines = []
    for comparison in report["comparisons"]:
        exact = (comparison["test"] or {}).get("exact_p")
        beside = "" if exact is None else f" Exact sign-flip test: p = {exact:.3f}."
        lines.append(f"* {escaped(comparison['sentence'])}{beside}")
    return [*lines, ""] if lines else []


def _then(report: dict[str, Any]) -> str:
    """The defaults at the time of a study, if they have changed since."""
    is_older = report["made_at"] < DEFAULTS_CHANGED
    return ", which were scope = node, draws = 7, sound = false" if is_older else ""


def _settings(one: dict[str, Any]) -> str:
    values = ", ".join(f"`{key}={value}`" for key, value in one["settings"].items())
    return f"* {escaped(one['name'])}: {values}"


SECTIONS: Mapping[str, Callable[[dict[str, Any], str], list[str]]] = {
    KIND: lambda report, link: [section(report, link)],
    NETWORKS: networks_sections,
    FOUND_CELLS: lambda report, link: found_cells(report["rows"], link),
    OLDER_INPUT: lambda report, link: older_input(report["rows"], link),
    CALIBRATION: lambda report, link: calibration(report["rows"], link),
}
"""What each kind of raw figures gives."""


if __name__ == "__main__":
    main()
