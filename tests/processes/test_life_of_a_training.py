"""Trainings from scratch with real engines and workers, killed, paused and continued."""

from collections.abc import Iterator
from typing import Any

import pytest

from engine.domain.config import make_training_config
from engine.domain.run import Request, Run, RunState
from tests.engine.evaluate.conftest import IMAGES
from tests.processes.conftest import EGS, SOME_STEPS, Studio, assert_same
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process

SETTINGS = {
    **IMAGES,
    "epochs": 5,
    "train_limit": 256,
    "batch_size": 16,
    "snapshot_interval": 2,
    "auxiliary_weight": 0.4,
    "drop_path": 0.3,
    "flip": True,
    "cpu_threads": 1,
}


def queued(studio: Studio, **changes: Any) -> Run:
    return studio.store.create(make_training_config({**SETTINGS, **changes}), name="training")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The result of the training of ``SETTINGS`` by ``egs engine`` that nobody disturbed."""
    studio = Studio(tmp_path_factory.mktemp("undisturbed"))
    run = queued(studio)
    assert studio.engine("--until-idle", program=EGS).wait(PATIENCE_SECONDS) == 0
    ended = studio.store.run(run.id)
    assert ended.state is RunState.COMPLETED
    assert ended.progress.score_name == "test_accuracy"
    yield studio.result(run)
    studio.close()


def test_a_training_killed_twice_ends_bit_for_bit_like_one_that_was_never_disturbed(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = queued(studio)
    studio.hold(run)
    studio.worker(run).kill()
    studio.until(run, lambda now: now.attempt == 2)
    studio.gate.hold_runs(at=2 * SOME_STEPS)
    studio.until_held(run, 2 * SOME_STEPS)
    studio.worker(run).kill()
    studio.gate.open()
    ended = studio.until_state(run, RunState.COMPLETED)
    assert ended.attempt == 3
    assert_same(studio.result(run), undisturbed)


def test_a_paused_training_ends_like_one_that_was_never_paused_and_is_tested_once(
    studio: Studio, undisturbed: dict[str, Any]
) -> None:
    run = queued(studio)
    studio.hold(run)
    studio.store.ask(run.id, Request.PAUSE)
    paused = studio.until_state(run, RunState.PAUSED)
    assert studio.store.checkpoints(run.id)[-1].step == paused.progress.step == SOME_STEPS
    studio.gate.open()
    studio.store.transition(run.id, RunState.QUEUED, why="resumed")
    ended = studio.until_state(run, RunState.COMPLETED)
    assert ended.attempt == 2
    found = studio.result(run)
    assert_same(found, undisturbed)
    steps, values = found["figures"]["test_accuracy"]
    assert steps == [ended.progress.total_steps]
    assert values == [ended.progress.score]


def test_a_training_starts_from_the_weights_of_another_one_and_says_so(studio: Studio) -> None:
    first = queued(studio, epochs=1)
    studio.engine()
    studio.until_state(first, RunState.COMPLETED)
    second = queued(studio, epochs=1, start_from=first.uid)
    studio.until_state(second, RunState.COMPLETED)
    notes = [event.text for event in studio.store.events(second.id)]
    tensors = len(studio.state_of(first)["model"])
    assert f"Starts from the training {first.uid}: {tensors} of its {tensors} tensors fit." in notes
    stranger = queued(studio, start_from="nobody")
    failed = studio.until(stranger, lambda now: now.state is RunState.FAILED)
    assert failed.error is not None
    assert failed.error.startswith("Asked for start_from = 'nobody'; found no training")
