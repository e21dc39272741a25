"""Runs as comma-separated values, with nothing in them that a spreadsheet would run."""

import csv
import io

import pytest

from app.run_csv import STARTS_A_FORMULA, as_csv, cell, final_figures, runs_csv
from app.studio import Studio
from app.wiring import SystemClock
from engine.domain.config import SearchConfig
from engine.domain.run import RunState
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path), SystemClock())


def test_table_has_every_setting_and_figure_in_the_order_asked_for(studio: Studio) -> None:
    done = seed_run(studio.store, studio.artifacts, count=20, seed=3, epochs=5)
    waiting = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    studio.annotate(done.id, tags=["b", "a"], notes="two\nlines, and a comma")
    lines = list(
        csv.DictReader(io.StringIO(runs_csv(studio, [waiting.id, done.id, 99]), newline=""))
    )
    assert [line["run"] for line in lines] == [str(waiting.id), str(done.id)]
    first, second = lines
    assert second["tags"] == "a, b"
    assert second["notes"] == "two\nlines, and a comma"
    for name, value in done.config.model_dump(mode="json").items():
        assert second[f"setting_{name}"] == str(cell(value))
    assert set(SearchConfig.model_fields) == {
        name.removeprefix("setting_") for name in second if name.startswith("setting_")
    }
    last = studio.snapshots(done.id)[-1]
    assert float(second["figure_child_accuracy"]) == last.metrics["child_accuracy"]
    assert first["figure_child_accuracy"] == ""
    assert first["started_at"] == ""


def test_figures_of_a_run_between_two_epochs_are_of_the_last_one(studio: Studio) -> None:
    run = seed_run(studio.store, studio.artifacts, count=40, upto=31, state=RunState.RUNNING)
    epochs = studio.snapshots(run.id, epochs_only=True)
    figures = final_figures(studio, run)
    assert figures["child_accuracy"] == epochs[-1].metrics["child_accuracy"]
    assert figures["train_loss"] == studio.snapshots(run.id)[-1].metrics["train_loss"]


@pytest.mark.parametrize("beginning", STARTS_A_FORMULA)
def test_text_never_becomes_a_formula(studio: Studio, beginning: str) -> None:
    assert cell(f"{beginning}1+1") == f"'{beginning}1+1"
    assert cell(-1.5) == -1.5
    assert cell(None) is None
    assert "\r\n'=HYPERLINK(" in as_csv([{"name": "=HYPERLINK(1)"}])


def test_no_runs_are_a_head_without_columns() -> None:
    assert as_csv([]) == "\r\n"
