"""Forks and changes in a worker, on a real database."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.data.summaries import DataSummary
from engine.domain.config import SearchConfig
from engine.domain.errors import FailureReason
from engine.domain.run import EventKind, Run, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.runtime.devices import find_cpu
from engine.runtime.worker import Exit, work
from engine.search.build import build_search
from engine.search.loop import SearchLoop
from engine.spaces import SPACES
from storage.artifacts import FolderArtifacts
from storage.sql_store import SqlStore
from tests.engine.runtime.test_worker import TINY, claimed, reclaimed, torch_settings

__all__ = ["torch_settings"]

ENOUGH = {**TINY, "scope": "node", "epochs": 3, "alpha_learning_rate": 0.3, "snapshot_interval": 1}


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


@pytest.fixture
def parent(store: SqlStore, artifacts: FolderArtifacts) -> Run:
    """A search of three epochs of two steps that has ended."""
    run = claimed(store, **ENOUGH)
    assert work(store, artifacts, run.id, 1) == Exit.DONE
    return store.run(run.id)


@pytest.fixture
def fork(store: SqlStore, parent: Run) -> Callable[..., Run]:
    def make(step: int = 4, **changes: Any) -> Run:
        origin = {"origin": parent.uid, "origin_step": step}
        config = parent.search.model_copy(update={**origin, **changes})
        run = store.create(config, name="fork", parent_id=parent.id)
        taken = store.claim(run.id, node="here", device=find_cpu(1))
        assert taken is not None
        return taken

    return make


def first_rows(store: SqlStore, run: Run) -> torch.Tensor:
    (first,) = store.snapshots(run.id, limit=1)
    assert first.step == 0
    return torch.tensor(first.probabilities["normal"])


def notes(store: SqlStore, run: Run) -> list[str]:
    return [event.text for event in store.events(run.id) if event.kind is EventKind.NOTE]


def weights_at_start(store: SqlStore, artifacts: FolderArtifacts, run: Run) -> dict[str, Any]:
    """What is in the checkpoint that the fork wrote before its first update."""
    (key,) = (c.key for c in store.checkpoints(run.id) if c.step == 0)
    with artifacts.read(key) as file:
        model: dict[str, Any] = torch.load(file, weights_only=True)["model"]
        return model


def test_a_fork_starts_from_the_probabilities_of_the_snapshot(store, artifacts, parent, fork):
    for step in (4, 5):
        run = fork(step, epochs=1, draws=2)
        assert work(store, artifacts, run.id, 1) == Exit.DONE
        snapshot = store.snapshot(parent.id, step)
        assert (snapshot.kind is SnapshotKind.EPOCH) == (step == 4)
        expected = torch.tensor(snapshot.probabilities["normal"])
        alpha = weights_at_start(store, artifacts, run)["alphas.normal"]
        one_row = alpha.flatten().softmax(dim=0).view(2, 8)
        # What a step records is rounded to 1/65535, and adds up to 1 no more.
        rounding = 1e-6 if step == 4 else 1e-4
        torch.testing.assert_close(one_row, expected, rtol=0, atol=rounding)
        torch.testing.assert_close(first_rows(store, run), one_row, rtol=0, atol=1e-5)
        assert store.run(run.id).state is RunState.COMPLETED


def test_a_fork_takes_the_weights_of_the_nearest_checkpoint(store, artifacts, parent, fork):
    saved = {checkpoint.step: checkpoint for checkpoint in store.checkpoints(parent.id)}
    assert 4 in saved
    run = fork(5, epochs=1)
    assert work(store, artifacts, run.id, 1) == Exit.DONE
    with artifacts.read(saved[4].key) as file:
        theirs = torch.load(file, weights_only=True)["model"]
    ours = weights_at_start(store, artifacts, run)
    for name, value in theirs.items():
        assert name.startswith("alphas.") or torch.equal(value, ours[name]), name
    assert (
        f"Starts from the probabilities of run {parent.id} at step 5, with the weights of its "
        "checkpoint of step 4."
    ) in notes(store, run)


def test_a_fork_begins_with_fresh_weights_where_asked(store, artifacts, parent, fork):
    run = fork(5, epochs=1, origin_weights="fresh")
    assert work(store, artifacts, run.id, 1) == Exit.DONE
    with artifacts.read(store.checkpoints(parent.id)[-1].key) as file:
        theirs = torch.load(file, weights_only=True)["model"]
    ours = weights_at_start(store, artifacts, run)
    assert not torch.equal(theirs["stem.0.weight"], ours["stem.0.weight"])
    assert "with fresh weights, as asked." in " ".join(notes(store, run))


def test_a_fork_without_a_checkpoint_to_start_from_says_so(store, artifacts, parent, fork):
    for checkpoint in store.checkpoints(parent.id):
        store.drop_checkpoint(parent.id, checkpoint.key)
    run = fork(5, epochs=1)
    assert work(store, artifacts, run.id, 1) == Exit.DONE
    assert "with fresh weights, since it has no checkpoint." in " ".join(notes(store, run))


def test_inherited_weights_are_refused_where_the_data_have_changed(store, artifacts, parent, fork):
    """Unless the fork draws other parts of them anyway."""
    key = f"runs/{parent.uid}/data.json"
    with artifacts.read(key) as file:
        summary = DataSummary.from_json(file.read().decode())
    with artifacts.write(key) as file:
        file.write(replace(summary, digest="0" * 64).to_json().encode())
    run = fork(4, epochs=1)
    assert work(store, artifacts, run.id, 1) == Exit.FAILED
    failed = store.run(run.id)
    assert failed.failure is FailureReason.DATA_ERROR
    assert f"of run {parent.id}; found data with the digest" in failed.error
    for others in ({"origin_weights": "fresh"}, {"seed": 5}, {"train_limit": 16}):
        run = fork(4, epochs=1, **others)
        assert work(store, artifacts, run.id, 1) == Exit.DONE


def test_another_seed_with_inherited_weights_is_pointed_out(store, artifacts, fork):
    for weights in ("checkpoint", "fresh"):
        run = fork(4, epochs=1, seed=5, origin_weights=weights)
        assert work(store, artifacts, run.id, 1) == Exit.DONE
        said = any("The seed is another one" in note for note in notes(store, run))
        assert said == (weights == "checkpoint")


def breaking(config: SearchConfig, device: torch.device, **options: Any) -> SearchLoop:
    """The real search, whose process fails after one update."""
    loop = build_search(config, device, **options)
    steps = loop.steps

    def one_step() -> Iterator[Snapshot | None]:
        yield from islice(steps(), 1)
        raise RuntimeError("broken")

    loop.steps = one_step  # type: ignore[method-assign]
    return loop


def breaking_at_the_end_of_an_epoch(
    config: SearchConfig, device: torch.device, **options: Any
) -> SearchLoop:
    """The real search, whose process fails after the second epoch, at step 4."""
    loop = build_search(config, device, **options)
    steps = loop.steps

    def two_epochs() -> Iterator[Snapshot | None]:
        for snapshot in steps():
            yield snapshot
            if loop.position.epoch == 2:
                raise RuntimeError("broken")

    loop.steps = two_epochs  # type: ignore[method-assign]
    return loop


def test_a_fork_of_an_epochs_end_knows_what_was_banned_before_it(store, artifacts):
    """What was allowed from that very step on had no probability yet, and gets its row's mean."""
    run = claimed(store, **ENOUGH, banned="normal:0:skip_connect", seed=1)
    broken = breaking_at_the_end_of_an_epoch
    assert work(store, artifacts, run.id, 1, build=broken) == Exit.FAILED
    snapshot = store.snapshot(run.id)
    assert (snapshot.step, snapshot.kind) == (4, SnapshotKind.EPOCH)
    store.ask_change(run.id, {"banned": ""})
    store.take_change(run.id, 1, run.search.model_copy(update={"banned": ""}), step=4)
    config = store.run(run.id).search
    late = store.create(
        config.model_copy(update={"origin": run.uid, "origin_step": 4, "epochs": 1}),
        name="fork",
        parent_id=run.id,
    )
    assert store.claim(late.id, node="here", device=find_cpu(1)) is not None
    assert work(store, artifacts, late.id, 1) == Exit.DONE
    alpha = weights_at_start(store, artifacts, late)["alphas.normal"].flatten()
    place = SPACES["darts"].operations.index("skip_connect")
    others = torch.cat([alpha[:place], alpha[place + 1 :]])
    assert others.min() <= alpha[place] <= others.max()


def test_a_fork_that_has_started_needs_its_origin_no_more(store, artifacts, parent, fork):
    """Broken off with its own first checkpoint alone, and the origin deleted meanwhile."""
    whole = fork(4)
    assert work(store, artifacts, whole.id, 1) == Exit.DONE
    again = fork(4)
    assert work(store, artifacts, again.id, 1, build=breaking) == Exit.FAILED
    assert [checkpoint.step for checkpoint in store.checkpoints(again.id)] == [0]
    store.delete(parent.id)
    store.transition(again.id, RunState.QUEUED, why="resumed")
    reclaimed(store, again)
    assert work(store, artifacts, again.id, 2) == Exit.DONE
    rows = [[s.probabilities for s in store.snapshots(run.id)] for run in (whole, again)]
    assert rows[0] == rows[1]


def test_a_fork_whose_origin_is_gone_before_it_started_says_so(store, artifacts, parent, fork):
    whole = fork(4, epochs=1)
    assert work(store, artifacts, whole.id, 1) == Exit.DONE
    store.delete(parent.id)
    late = store.create(store.run(whole.id).search, name="late")
    taken = reclaimed(store, late)
    assert work(store, artifacts, taken.id, 1) == Exit.FAILED
    failed = store.run(late.id)
    assert failed.failure is FailureReason.CRASHED
    assert failed.error == (
        f"Asked for the state that run {late.id} starts from; found no such search any more; "
        "allowed is a search that is still there when its fork starts; fork another search."
    )


def test_a_wish_comes_into_force_while_a_search_runs(store, artifacts):
    run = claimed(store, **ENOUGH)
    store.ask_change(run.id, {"draws": 2, "snapshot_interval": 2})
    store.ask_change(run.id, {"draws": 2})
    store.ask_change(run.id, {"banned": "*:*:nothing"})
    assert work(store, artifacts, run.id, 1) == Exit.DONE
    ended = store.run(run.id)
    first, second, third = store.changes(run.id)
    assert first.step is not None
    assert (ended.search.draws, ended.search.snapshot_interval) == (2, 2)
    assert "settings that are in force already" in (second.refused or "")
    assert "no operation 'nothing'" in (third.refused or "")
    said = [event.text for event in store.events(run.id) if event.kind is EventKind.CHANGE]
    assert said[0].startswith(f"From step {first.step} on: draws 1 → 2, snapshot_interval 1 → 2")


def test_a_change_of_a_paused_search_acts_from_its_checkpoint_on(store, artifacts):
    """Against a search that was told of the change while it ran at just that step."""
    run = claimed(store, **ENOUGH, seed=3)
    store.transition(run.id, RunState.PAUSED, why="test")
    store.ask_change(run.id, {"draws": 2, "epochs": 4})
    config = run.search.model_copy(update={"draws": 2, "epochs": 4})
    store.take_change(run.id, 1, config, step=3)
    store.transition(run.id, RunState.QUEUED, why="resumed")
    reclaimed(store, run)
    assert work(store, artifacts, run.id, 2) == Exit.DONE
    assert store.run(run.id).progress.step == 8
    plain = claimed(store, **ENOUGH, seed=3)
    assert work(store, artifacts, plain.id, 1) == Exit.DONE
    rows = [[(s.step, s.probabilities) for s in store.snapshots(one.id)] for one in (run, plain)]
    assert rows[0][:4] == rows[1][:4]
    assert rows[0][4:6] != rows[1][4:6]
