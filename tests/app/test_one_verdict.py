"""Live, advice, report, CSV, command line and messages say the same of a search."""

import json
from pathlib import Path

import pytest

import app.cli
from app.advice import advise
from app.health_text import health_lines, health_of
from app.recording import restore
from app.report.document import report
from app.run_csv import csv_row
from app.studio import Studio
from app.wiring import SystemClock
from engine.domain.health import LABELS, Verdict
from engine.domain.run import RunState
from engine.runtime.alerts import ending
from engine.runtime.worker import completed
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import catalog, seed_run

RECORDINGS = Path(__file__).parents[1] / "engine" / "domain" / "recordings"
ENDS = {
    "older_input": Verdict.COLLAPSED,
    "collapsed": Verdict.COLLAPSED,
    "undecided": Verdict.UNDECIDED,
    "first_state": Verdict.UNDECIDED,
    "stuck": Verdict.UNDECIDED,
}


@pytest.fixture
def studio(tmp_path) -> Studio:
    store = MemoryStore(SystemClock())
    store.publish(catalog())
    return Studio(store, FolderArtifacts(tmp_path), SystemClock())


def labels_in(text: str) -> set[str]:
    return {label for label in LABELS.values() if f"{label}:" in text or f"{label}." in text}


def shown(capsys, monkeypatch, studio: Studio, *arguments: str) -> str:
    monkeypatch.setattr(app.cli, "_studio", lambda: studio)
    app.cli.app(list(arguments), standalone_mode=False)
    return capsys.readouterr().out


def check(studio: Studio, run, verdict: Verdict, capsys, monkeypatch) -> None:
    health = health_of(studio, run)
    assert health is not None
    assert health.verdict is verdict
    page = report(studio, run.id).decode()
    part = page[page.index("<h2>Health</h2>") :].partition("</section>")[0]
    found = advise(studio, run, None, studio.derive(run.id))
    assert found is not None
    row = csv_row(studio, run)
    message = ending(run, health)
    as_json = json.loads(shown(capsys, monkeypatch, studio, "show", str(run.id), "--json"))
    told = shown(capsys, monkeypatch, studio, "show", str(run.id))
    assert labels_in(part) == {verdict.label}
    assert found.text.startswith(f"{verdict.label}: ")
    assert row["verdict"] == message["verdict"] == as_json["health"]["verdict"] == verdict.value
    assert labels_in(message["text"]) == labels_in(told) == {verdict.label}
    assert labels_in(" ".join(health_lines(health))) == {verdict.label}
    assert health.summary in completed(health).why
    assert as_json["topology"][-1]["epoch"] == health.epoch
    assert [one["text"] for one in as_json["health"]["findings"]] == [
        one.text for one in health.findings
    ]


@pytest.mark.parametrize("name", list(ENDS))
def test_searches_that_really_ran_get_one_verdict(studio, name, capsys, monkeypatch):
    run = restore(studio, (RECORDINGS / f"{name}.recording.gz").read_bytes())
    check(studio, run, ENDS[name], capsys, monkeypatch)


def test_searches_that_go_well_or_were_too_short_get_one_verdict(studio, capsys, monkeypatch):
    good = seed_run(studio.store, studio.artifacts, count=200)
    check(studio, good, Verdict.GOOD, capsys, monkeypatch)
    short = seed_run(studio.store, studio.artifacts, count=30, epochs=3)
    check(studio, short, Verdict.SHORT, capsys, monkeypatch)
    stopped = seed_run(studio.store, studio.artifacts, count=200, upto=40, state=RunState.STOPPED)
    check(studio, stopped, Verdict.SHORT, capsys, monkeypatch)
