"""The report: what it says is what is stored, and nothing in it can do harm."""

import re
import shlex
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, fromstring

import pytest

from app.assignments import assigned
from app.evaluations import Origin, training_config
from app.report.command import command_lines, search_command, training_command
from app.report.document import css_text, report
from app.report.facts import gather
from app.report.probabilities import percent_text
from app.report.sections import count_text, key_figures
from app.starting_points import starting_point
from app.studio import Studio
from app.wiring import SystemClock
from engine.data.summaries import TextSummary
from engine.domain.config import SearchConfig, TrainingConfig, make_config
from engine.domain.errors import NotFound
from engine.domain.genotype import from_json, to_darts
from engine.domain.method_presets import METHOD_PRESETS, laid_over
from engine.domain.presets import PRESETS, preset_config
from engine.domain.run import Run, RunState
from engine.domain.steering import forked
from engine.domain.training_presets import TRAINING_PRESETS
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.app.conftest import Said
from tests.e2e.seeding import seed_run
from tests.e2e.trainings import seed_training

HOSTILE = '</title></style><script>alert(1)</script> & "it\'s" \u2028 \U0001f984'
SVG = "{http://www.w3.org/2000/svg}"


TOPOLOGY = ("Sources of the normal cell", "Sources of the reduction cell", "Depth", "Width")


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "a"), SystemClock())


def page_of(studio: Studio, run: Run) -> Element:
    """The report as a tree; its first line is HTML's own."""
    text = report(studio, run.id).decode()
    first, _, rest = text.partition("\n")
    assert first == "<!doctype html>"
    return fromstring(rest)


def words(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def part(page: Element, title: str) -> Element:
    """The section under a heading."""
    return next(one for one in page.iter("section") if one.find("h2").text == title)


def figures(page: Element) -> dict[str, str]:
    items = page.findall(".//ul[@class='figures']/li")
    return {item.find("span").text: item.find("b").text for item in items}


def rows(table: Element) -> list[list[str]]:
    return [[words(cell) for cell in row] for row in table.iter("tr")]


class Balanced(HTMLParser):
    """Which elements a browser's parser finds unclosed, and every attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_figures_are_those_of_the_store(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=60, name="Digits, seed 0")
    page = page_of(studio, run)
    epoch = studio.snapshots(run.id, epochs_only=True)[-1]
    cost = studio.cost(run.id, studio.derive(run.id))
    assert figures(page) == {
        "Child accuracy": f"{epoch.metrics['child_accuracy']:.1f} %",
        "Supernet accuracy": f"{epoch.metrics['supernet_accuracy']:.1f} %",
        "Gap": f"{epoch.metrics['gap']:+.1f} points",
        "Parameters": f"{cost.parameters:,}",
        "Multiply-adds": f"{cost.multiply_adds:,}",
        "Training time": "3 min 00 s",
    }
    assert "1,078 images for training, 359 for validation, 360 for the test" in words(page)
    assert part(page, "The architecture it derives").find("pre").text == to_darts(
        studio.derive(run.id)
    )
    assert "On track." in words(part(page, "Health"))
    assert "Normal cell: depth 2, width 3" in words(part(page, "Health"))
    curves = words(part(page, "Curves"))
    assert all(f"{title} over the epochs" in curves for title in TOPOLOGY)
    assert run.uid in words(part(page, "Lineage"))


def test_probabilities_are_those_of_the_last_epoch_with_what_is_kept_in_bold(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=60)
    tables = part(page_of(studio, run), "Edge probabilities").findall(".//table")
    epoch, space = studio.snapshots(run.id, epochs_only=True)[-1], studio.space(run)
    assert len(tables) == len(space.cell_kinds)
    for kind, table in zip(space.cell_kinds, tables, strict=True):
        shown = [row.findall("td") for row in table.find("tbody")]
        texts = [[words(cell).rstrip("•") for cell in row] for row in shown]
        assert texts == [[percent_text(p) for p in row] for row in epoch.probabilities[kind]]
        bold = [
            sum(1 << k for k, cell in enumerate(row) if cell.find("b") is not None) for row in shown
        ]
        assert tuple(bold) == epoch.derived[kind]


def test_three_dearest_parts_and_the_whole(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    table = rows(part(page_of(studio, run), "Where the cost goes").find("table"))[1:]
    assert len(table) == 4
    dear = [int(row[3].replace(",", "")) for row in table]
    assert dear[0] >= dear[1] >= dear[2]
    assert dear[3] == studio.cost(run.id, studio.derive(run.id)).multiply_adds


def test_nothing_is_fetched_run_or_taken_for_markup(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, name=HOSTILE)
    studio.annotate(run.id, tags=["<b>tag"], notes="<img src=x onerror=alert(1)>\x00\x0b\nbelow")
    text = report(studio, run.id).decode()
    parsed = Balanced()
    parsed.feed(text)
    assert parsed.open == []
    assert not parsed.seen & {"script", "img", "link", "iframe", "object", "base", "form"}
    names = {name for name, _ in parsed.attributes}
    assert not names & {"src", "href", "action", "xlink:href"}
    assert not [name for name in names if name.startswith("on")]
    assert not re.search(r"url\(|@import", text)
    assert "default-src 'none'" in text
    page = page_of(studio, run)
    assert page.find(".//h1").text == HOSTILE
    assert page.find("head/title").text == f"{HOSTILE} (run {run.id})"
    assert "<b>tag" in words(page)
    assert "<img src=x onerror=alert(1)>" in words(page)
    assert "</" not in page.find("head/style").text


def test_a_name_stands_at_the_head_of_each_page_as_a_harmless_string():
    assert css_text("Digits") == '"Digits"'
    assert css_text('a"} <b>') == '"a\\000022\\00007d\\000020\\00003cb\\00003e"'
    assert len(css_text("\U0001f984")) == len('"\\01f984"')


@pytest.mark.parametrize("task", ["nb201", "rnn"])
def test_other_spaces_have_a_report_too(studio: Studio, task: str):
    changes = {"space": "nb201", "scope": "edge", "draws": 1, "cells": 3}
    if task == "rnn":
        changes = {k: v for k, v in preset_config("topics").model_dump().items() if k != "seed"}
    run = seed_run(studio.store, studio.artifacts, count=40, **changes)
    if task == "rnn":
        with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
            file.write(TextSummary("python_topics", 5000, 90_000, 800, 700).to_json().encode())
    page = page_of(studio, run)
    assert (f"{90_000:,} words for training" in words(page)) == (task == "rnn")
    assert figures(page)["Parameters"] != "–"
    assert len(part(page, "Edge probabilities").findall(".//table")) == 1
    assert part(page, "Curves").find(f".//{SVG}svg") is not None


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.FAILED])
def test_a_report_may_be_asked_for_at_any_time(studio: Studio, state: RunState):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=1, state=state)
    page = page_of(studio, run)
    assert figures(page)["Child accuracy"] == "–"
    assert "no epoch has ended" in words(page)
    assert ("choose a smaller batch" in words(page)) == (state is RunState.FAILED)
    with pytest.raises(NotFound, match="run 99"):
        report(studio, 99)


def test_settings_that_were_chosen_are_marked_with_their_defaults(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, banned="*:*:max_pool_3x3")
    chosen = [words(row) for row in page_of(studio, run).iter("tr") if row.get("class") == "chosen"]
    assert "▸ Epochs 20 instead of 50" in chosen
    assert "▸ Banned operations *:*:max_pool_3x3 instead of nothing" in chosen
    differing = [
        n for n, f in SearchConfig.model_fields.items() if getattr(run.config, n) != f.default
    ]
    assert len(chosen) == len(differing)


def test_changes_family_and_trainings_are_told(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, state=RunState.RUNNING)
    step = studio.snapshots(run.id)[4].step
    fork = studio.create(forked(run.search, run, step, {"draws": 2}), name="Fewer draws")
    studio.store.ask_change(run.id, {"alpha_learning_rate": 0.01})
    training = seed_training(studio, run)
    page = page_of(studio, run)
    assert rows(part(page, "Changed on the way").find("table"))[1][2:] == [
        "not yet",
        "Alpha learning rate: 0.01",
    ]
    member = rows(part(page, "Family").find("table"))[2]
    assert member[:3] == ["└ Fewer draws", str(fork.id), "queued"]
    assert member[-1] == f"from step {step}; Draws M: 4 → 2"
    assert rows(part(page, "Trained from scratch").find("table"))[1] == [
        training.name,
        str(training.id),
        "0",
        "completed",
        "Test accuracy 96.5 %",
    ]
    assert "checkpoint" in words(part(page, "Log"))


def test_a_training_tells_its_test_its_seeds_and_where_it_comes_from(studio: Studio):
    search = seed_run(studio.store, studio.artifacts, count=40, name="Digits")
    seeds = [seed_training(studio, search, seed=n, test=95.0 + n) for n in range(3)]
    page = page_of(studio, seeds[1])
    assert figures(page)["Test accuracy"] == "96.0 %"
    step = studio.derive(search.id).lineage["step"]
    text = words(part(page, "Where it comes from"))
    assert f"Found by Digits (run {search.id}) at step {step}." in text
    assert "96.00 ± 1.00 % over 3 seeds" in text
    assert len(rows(part(page, "Where it comes from").find("table"))) == 4
    studio.delete(search.id)
    text = words(part(page_of(studio, seeds[1]), "Where it comes from"))
    assert "not among the runs" in text


def given(command: list[str]) -> dict[str, list[str]]:
    """The values of each option of a command."""
    options: dict[str, list[str]] = {}
    for name, value in zip(command[::2], command[1::2], strict=True):
        options.setdefault(name, []).append(value)
    return options


SEARCHES = [
    *(preset_config(one.name) for one in PRESETS),
    *(preset_config("digits", **laid_over([one.name])) for one in METHOD_PRESETS),
    preset_config("digits", flip=True, banned="*:*:none, normal:0-2:skip_connect", seed=7),
    preset_config("digits", alpha_learning_rate=1e-7, weight_decay=0.1 + 0.2, gradient_clip=0.0),
]


@pytest.mark.parametrize("config", SEARCHES, ids=lambda config: f"{config.data}-{config.method}")
def test_the_command_repeats_exactly_the_settings_of_a_search(config: SearchConfig):
    command = search_command(config)
    assert command[:2] == ["egs", "search"]
    options = given(command[2:])
    start = starting_point([], options["--data"][0], assigned(options.get("--set", [])))
    assert start.minutes is None
    assert make_config(start.given) == config


@pytest.mark.parametrize("preset", [one.name for one in TRAINING_PRESETS])
def test_the_command_repeats_exactly_the_settings_of_a_training(studio: Studio, preset: str):
    search = seed_run(studio.store, studio.artifacts, count=20)
    origin = Origin(studio.derive(search.id), "cells", "image_classification")
    config = training_config(origin, preset=preset, data="somewhere", changes={"epochs": 3})
    command = training_command(config)
    assert command[:3] == ["egs", "evaluate", "genotype.json"]
    options = given(command[3:])
    made = training_config(
        Origin(from_json(config.genotype), "a file", "image_classification"),
        preset=options["--preset"][0],
        data=options["--data"][0],
        changes=assigned(options["--set"]),
    )
    assert isinstance(made, TrainingConfig)
    assert made == config


def test_the_command_in_the_report_can_be_pasted_into_a_shell(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=20, banned="*:*:none, *:0:skip_connect")
    shown = part(page_of(studio, run), "How to repeat and to cite it").find("pre").text
    assert shlex.split(shown.replace("\\\n", "")) == search_command(run.search)
    assert command_lines(run, []) == shown


def test_large_counts_are_told_in_millions():
    assert count_text(99_999_999) == "99,999,999"
    assert count_text(612_345_678) == "612.3 M"
    assert percent_text(0.0994) == "9.9"
    assert percent_text(0.0996) == "10"


def test_the_command_line_writes_the_file(home, egs, tmp_path):
    from app.settings import Settings
    from app.wiring import open_studio

    studio = open_studio(Settings.from_environment())
    run = seed_run(studio.store, studio.artifacts, count=20)
    path = tmp_path / "report.html"
    said: Said = egs("report", run.id, "-o", path)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{path} (")
    assert figures(fromstring(path.read_text().partition("\n")[2])) == key_figures(
        gather(studio, run.id)
    )
    refused: Said = egs("report", 99)
    assert refused.code == 2
    assert "run 99" in refused.err
