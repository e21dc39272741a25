"""Questions from pages and commands, on a store in memory and with a clock moved by hand."""

from pathlib import Path

import pytest

from app.commands.job import short
from app.requests import ask, find, standing
from app.studio import Studio
from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidConfig, NotFound
from engine.domain.jobs import Job, JobState
from engine.domain.ports import Device, Node
from engine.domain.run import RunState
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.contracts.samples import CPU, HeldClock, checkpoint_at


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def studio(clock: HeldClock, tmp_path: Path) -> Studio:
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


@pytest.fixture
def run_id(studio: Studio) -> int:
    """A running search with a checkpoint at step 20."""
    run = studio.store.create(SearchConfig(), name="run")
    device = Device("cpu", None, "CPU", 1)
    studio.store.claim(run.id, node="m1", device=device)
    studio.store.add_checkpoint(run.id, 1, checkpoint_at(20))
    return run.id


def engine_lives(studio: Studio) -> None:
    studio.store.register_node(Node("m1", "p", studio.clock.now(), (CPU,)), stale_seconds=30)


def test_a_question_without_a_step_is_about_the_newest_checkpoint(
    studio: Studio, run_id: int
) -> None:
    job = ask(studio, run_id, "child", {"masks": {"normal": [1]}})
    assert job.arguments == {"masks": {"normal": [1]}, "step": 20}
    assert find(studio, run_id, "child", {"masks": {"normal": [1]}}) == job
    studio.store.add_checkpoint(run_id, 1, checkpoint_at(40))
    assert find(studio, run_id, "child", {"masks": {"normal": [1]}}) is None
    assert ask(studio, run_id, "child", {"masks": {"normal": [1]}}).id != job.id
    assert ask(studio, run_id, "child", {"masks": {"normal": [1]}, "step": 20}) == job


def test_a_latency_does_not_depend_on_a_checkpoint(studio: Studio) -> None:
    run = studio.store.create(SearchConfig(), name="new")
    job = ask(studio, run.id, "latency", {"batch": 1})
    assert job.arguments == {"batch": 1}


def test_weights_that_are_not_there_are_refused_at_once(studio: Studio) -> None:
    run = studio.store.create(SearchConfig(), name="new")
    assert find(studio, run.id, "child", {}) is None
    with pytest.raises(NotFound, match="no checkpoint"):
        ask(studio, run.id, "child", {})
    with pytest.raises(NotFound, match="run 99"):
        ask(studio, 99, "latency", {})
    assert studio.store.jobs() == []


def test_an_unknown_kind_is_refused_with_those_there_are(studio: Studio, run_id: int) -> None:
    with pytest.raises(InvalidConfig, match="one of child, latency, export"):
        ask(studio, run_id, "coffee", {})


def test_a_job_says_how_it_stands(studio: Studio, run_id: int, clock: HeldClock) -> None:
    store = studio.store
    first = ask(studio, run_id, "latency", {"batch": 1})
    found = standing(studio, first.id)
    assert found.needs_engine
    assert found.words == ("It waits, since no engine is running; start one with `egs engine`")
    engine_lives(studio)
    assert standing(studio, first.id).words == "It starts in a moment"
    second = ask(studio, run_id, "latency", {"batch": 2})
    assert standing(studio, second.id).words == "It waits for 1 other job(s)"
    store.take_job("m1", first.id)
    clock.advance(7)
    assert standing(studio, first.id).words == "An engine works on it since 7 s"
    store.return_job(first.id, 1, crashed=True)
    engine_lives(studio)
    assert standing(studio, first.id).words == (
        "It starts in a moment, after 1 process(es) died over it"
    )
    store.take_job("m1", first.id)
    clock.advance(2.5)
    store.finish_job(first.id, 2, result={"median_ms": 1.0})
    assert standing(studio, first.id).words == "Done in 2.5 s"
    store.take_job("m1", second.id)
    store.finish_job(second.id, 1, error="Asked for 'x'; found 'y'.")
    done: Job = standing(studio, second.id).job
    assert done.state is JobState.FAILED
    assert standing(studio, second.id).words == "Asked for 'x'; found 'y'."


def test_files_of_jobs_are_deleted_with_their_run(studio: Studio, run_id: int) -> None:
    job = ask(studio, run_id, "export", {"format": "onnx"})
    run = studio.store.transition(run_id, RunState.STOPPED, why="test")
    key = f"runs/{run.uid}/jobs/{job.id}/network.onnx"
    with studio.artifacts.write(key) as file:
        file.write(b"onnx")
    studio.delete(run_id)
    assert studio.artifacts.keys("runs") == []
    assert studio.store.jobs() == []


def test_an_answer_in_one_line_has_figures_and_words_only() -> None:
    answer = {"step": 20, "loss": 0.123456, "masks": {"normal": [1]}, "device": "cpu", "x": None}
    assert short(answer) == "step 20, loss 0.1235, device cpu"
