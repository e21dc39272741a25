"""How a run stands, and when the head of its page must be drawn anew."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.standing import figures_of, progress_words, standing
from app.studio import Studio
from app.wiring import open_studio
from engine.domain.run import Run, RunState
from tests.e2e.seeding import NODE, Synthetic, alive, extend_run, seed_run


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return open_studio(Settings.from_environment({"EGS_HOME": str(tmp_path / "home")}))


@pytest.fixture
def run(studio: Studio) -> Run:
    alive(studio.store)
    return seed_run(studio.store, studio.artifacts, count=40, upto=10, state=RunState.RUNNING)


def now(studio: Studio, run: Run) -> dict:
    return standing(studio, studio.run(run.id))


def test_it_holds_what_the_store_knows(studio: Studio, run: Run):
    found = now(studio, run)
    figures, help_words = figures_of(studio, studio.run(run.id))
    assert found["words"] == progress_words(studio.run(run.id))
    assert found["share"] == pytest.approx(0.25)
    assert [label for label, *_ in found["tiles"]] == list(figures)
    for label, value, words in found["tiles"]:
        assert (value, words) == (figures[label], help_words.get(label, ""))


def test_steps_change_figures_and_leave_the_head_alone(studio: Studio, run: Run):
    before = now(studio, run)
    space = studio.store.space_of(run)
    assert space is not None
    extend_run(studio.store, run, Synthetic(run.config, space, count=40), 10, 20)
    after = now(studio, run)
    assert after["tiles"] != before["tiles"]
    assert after["version"] == before["version"]


def test_what_buttons_and_notices_say_changes_the_head(studio: Studio, run: Run):
    versions = [now(studio, run)["version"]]

    def note() -> None:
        versions.append(now(studio, run)["version"])

    studio.pause(run.id)
    note()
    studio.store.transition(run.id, RunState.PAUSED, why="asked")
    note()
    studio.resume(run.id)
    note()
    studio.store.set_waiting(run.id, "cpu is taken")
    note()
    studio.store.release_node(NODE.name, NODE.process)
    note()
    studio.stop(run.id)
    note()
    assert len(set(versions)) == len(versions)
