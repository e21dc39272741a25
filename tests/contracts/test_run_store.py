"""What every store of runs promises (engine.domain.ports.RunStore)."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.errors import (
    EngineAlreadyRunning,
    FailureReason,
    Fenced,
    NotFound,
    StudioError,
    WrongState,
)
from engine.domain.ports import Device, Node, RunStore
from engine.domain.run import (
    TRANSITIONS,
    EventKind,
    Progress,
    Request,
    Run,
    RunState,
)
from engine.domain.run_list import summary_of
from engine.domain.snapshot import Snapshot, SnapshotKind
from tests.contracts.samples import (
    CATALOG,
    CPU,
    GENOTYPE_TEXT,
    SPACE,
    HeldClock,
    checkpoint_at,
    snapshot_at,
)

CONFIG = SearchConfig(space="tiny", nodes=2, seed=7)
TRAINING = TrainingConfig(genotype=GENOTYPE_TEXT, seed=5)
STEP, EPOCH = SnapshotKind.STEP, SnapshotKind.EPOCH
HALF_UNIT = 0.5 / 65535


def running(store: RunStore, name: str = "a", device: Device | None = None) -> Run:
    device = device or Device(f"gpu-{name}", 0, "GPU", 1, places=9)
    claimed = store.claim(store.create(CONFIG, name=name).id, node="m1", device=device)
    assert claimed is not None
    return claimed


def in_state(store: RunStore, state: RunState) -> Run:
    if state is RunState.QUEUED:
        return store.create(CONFIG, name=state)
    run = running(store, state)
    if state is RunState.RUNNING:
        return run
    return store.transition(run.id, state, why="test")


class TestRuns:
    def test_created_run_reads_back_equal(self, store: RunStore, clock: HeldClock) -> None:
        parent = store.create(CONFIG, name="first")
        run = store.create(CONFIG, name="näme\n'; --", priority=-3, parent_id=parent.id)
        assert store.run(run.id) == run
        assert (run.name, run.priority, run.parent_id) == ("näme\n'; --", -3, parent.id)
        assert (run.state, run.attempt, run.config) == (RunState.QUEUED, 0, CONFIG)
        assert run.created_at == clock.now()
        assert run.uid != parent.uid
        assert [event.kind for event in store.events(run.id)] == [EventKind.CREATED]

    def test_runs_are_listed_latest_first(self, store: RunStore) -> None:
        ids = [store.create(CONFIG, name=str(n)).id for n in range(3)]
        store.transition(ids[1], RunState.STOPPED, why="test")
        assert [run.id for run in store.runs()] == ids[::-1]
        assert [run.id for run in store.runs({RunState.STOPPED})] == [ids[1]]
        assert store.runs([]) == []

    def test_runs_are_chosen_by_purpose_and_parent(self, store: RunStore) -> None:
        search = store.create(CONFIG, name="search")
        fork = store.create(CONFIG, name="fork", parent_id=search.id)
        training = store.create(TRAINING, name="training", parent_id=search.id)
        assert store.runs(purpose="search") == [fork, search]
        assert store.runs(purpose="training") == [training]
        assert store.runs(parent_id=search.id) == [training, fork]
        assert store.runs(purpose="search", parent_id=search.id) == [fork]
        assert store.runs({RunState.RUNNING}, purpose="training") == []

    def test_what_a_person_says_reads_back_and_leaves_the_rest_alone(self, store: RunStore) -> None:
        run = in_state(store, RunState.RUNNING)
        assert (run.tags, run.notes, run.archived) == ((), "", False)
        said = store.annotate(run.id, tags=["b", "ä, '", "b"], notes="two\nlines", archived=True)
        assert said == replace(run, tags=("b", "ä, '"), notes="two\nlines", archived=True)
        assert store.run(run.id) == said
        assert store.annotate(run.id, archived=False) == replace(said, archived=False)
        assert store.annotate(run.id, tags=[]).tags == ()
        assert store.annotate(run.id) == store.run(run.id)
        assert store.beat(run.id, run.attempt) is None

    def test_summaries_say_the_same_as_the_runs(self, store: RunStore) -> None:
        first = store.create(CONFIG, name="first")
        store.create(TRAINING, name="training", parent_id=first.id)
        for state in RunState:
            in_state(store, state)
        run = store.claim(first.id, node="m1", device=CPU)
        assert run is not None
        store.append(first.id, 1, [snapshot_at(2)], Progress(2, 9, 1, 3.5, 61.5, "child", -0.5))
        store.annotate(first.id, tags=["a"], notes="n", archived=True)
        assert store.summaries() == [summary_of(run) for run in store.runs()]

    def test_training_reads_back_equal(self, store: RunStore) -> None:
        run = store.create(TRAINING, name="training")
        assert store.run(run.id) == run
        assert store.run(run.id).config == TRAINING
        claimed = store.claim(run.id, node="m1", device=CPU)
        assert claimed is not None
        assert claimed.config == TRAINING

    def test_queue_goes_by_priority_then_by_age(self, store: RunStore) -> None:
        low, first, second = (store.create(CONFIG, name="x", priority=p).id for p in (0, 5, 5))
        store.set_priority(low, 1)
        assert [run.id for run in store.queue()] == [first, second, low]
        store.set_priority(low, 6)
        assert [run.id for run in store.queue()] == [low, first, second]

    def test_every_method_names_a_run_that_does_not_exist(self, store: RunStore) -> None:
        calls = [
            lambda: store.run(99),
            lambda: store.create(CONFIG, name="x", parent_id=99),
            lambda: store.delete(99),
            lambda: store.set_priority(99, 1),
            lambda: store.annotate(99, notes="x"),
            lambda: store.annotate(99),
            lambda: store.ask(99, Request.STOP),
            lambda: store.transition(99, RunState.STOPPED, why="x"),
            lambda: store.transition(99, RunState.STOPPED, why="x", attempt=1),
            lambda: store.claim(99, node="m", device=CPU),
            lambda: store.adopt(99, from_node="m", attempt=1),
            lambda: store.set_handle(99, 1, "h"),
            lambda: store.set_waiting(99, "x"),
            lambda: store.beat(99, 1),
            lambda: store.append(99, 1, [snapshot_at(1)], Progress()),
            lambda: store.snapshots(99),
            lambda: store.snapshot(99),
            lambda: store.frames(99),
            lambda: store.series(99),
            lambda: store.events(99),
            lambda: store.note(99, EventKind.NOTE, "x"),
            lambda: store.add_checkpoint(99, 1, checkpoint_at(1)),
            lambda: store.checkpoints(99),
            lambda: store.drop_checkpoint(99, "x"),
            lambda: store.ask_job(99, "child", {}),
            lambda: store.jobs(99),
        ]
        for call in calls:
            with pytest.raises(NotFound, match="run 99"):
                call()
        assert store.runs() == []

    @pytest.mark.parametrize("state", list(RunState))
    def test_only_ended_and_paused_runs_can_be_deleted(
        self, store: RunStore, state: RunState
    ) -> None:
        run = in_state(store, state)
        fork = store.create(CONFIG, name="fork", parent_id=run.id)
        if state in {RunState.QUEUED, RunState.RUNNING}:
            with pytest.raises(WrongState, match=state.value):
                store.delete(run.id)
            assert store.run(run.id) == run
            return
        store.delete(run.id)
        with pytest.raises(NotFound):
            store.run(run.id)
        assert store.run(fork.id).parent_id is None

    def test_number_of_a_deleted_run_is_not_given_again(self, store: RunStore) -> None:
        run = in_state(store, RunState.STOPPED)
        store.delete(run.id)
        assert store.create(CONFIG, name="next").id > run.id


class TestTransitions:
    @pytest.mark.parametrize("source", list(RunState))
    def test_exactly_the_table_is_allowed(self, store: RunStore, source: RunState) -> None:
        for target in TRANSITIONS[source]:
            run = in_state(store, source)
            assert store.transition(run.id, target, why="why").state is target
            last = store.events(run.id)[-1]
            assert (last.kind, last.text) == (EventKind.TRANSITION, "why")
            assert (last.before, last.after) == (source, target)
        for target in set(RunState) - TRANSITIONS[source]:
            run = in_state(store, source)
            events = store.events(run.id)
            with pytest.raises(WrongState, match=source.value):
                store.transition(run.id, target, why="why")
            assert store.run(run.id) == run
            assert store.events(run.id) == events

    def test_only_from_the_states_that_are_meant(self, store: RunStore) -> None:
        resting = {RunState.PAUSED, RunState.FAILED}
        paused, owned = in_state(store, RunState.PAUSED), running(store)
        with pytest.raises(WrongState, match=r"found the state 'running'; .*failed, paused"):
            store.transition(owned.id, RunState.QUEUED, why="why", sources=resting)
        assert store.run(owned.id) == owned
        back = store.transition(paused.id, RunState.QUEUED, why="why", sources=resting)
        assert back.state is RunState.QUEUED

    def test_leaving_running_clears_what_belongs_to_the_process(self, store: RunStore) -> None:
        run = running(store)
        store.set_handle(run.id, 1, "pid 7")
        store.ask(run.id, Request.PAUSE)
        paused = store.transition(run.id, RunState.PAUSED, why="asked", attempt=1)
        assert (paused.request, paused.device, paused.handle) == (None, None, None)
        assert paused.ended_at is None

    def test_failure_is_kept_until_the_run_is_queued_again(
        self, store: RunStore, clock: HeldClock
    ) -> None:
        run = running(store)
        clock.advance(5)
        failed = store.transition(
            run.id, RunState.FAILED, why="x", failure=FailureReason.DISK_FULL, error="No room."
        )
        assert (failed.failure, failed.error) == (FailureReason.DISK_FULL, "No room.")
        assert failed.ended_at == clock.now()
        assert store.run(run.id) == failed
        again = store.transition(run.id, RunState.QUEUED, why="resumed")
        assert (again.failure, again.error, again.ended_at) == (None, None, None)

    def test_crashes_count_until_a_checkpoint_or_a_person_resets_them(
        self, store: RunStore
    ) -> None:
        run = running(store)
        for crashes in (1, 2):
            back = store.transition(run.id, RunState.QUEUED, why="died", crashed=True)
            assert back.crashes == crashes
            claimed = store.claim(run.id, node="m1", device=CPU)
            assert claimed is not None
            assert claimed.crashes == crashes
        failed = store.transition(run.id, RunState.FAILED, why="died", crashed=True)
        assert failed.crashes == 3
        assert store.transition(run.id, RunState.QUEUED, why="resume").crashes == 0

    def test_requests_are_wishes_on_running_runs(self, store: RunStore) -> None:
        run = running(store)
        assert store.beat(run.id, 1) is None
        assert store.ask(run.id, Request.PAUSE).request is Request.PAUSE
        assert store.beat(run.id, 1) is Request.PAUSE
        assert store.ask(run.id, Request.STOP).request is Request.STOP
        assert store.ask(run.id, Request.PAUSE).request is Request.STOP
        assert store.run(run.id).state is RunState.RUNNING
        queued = store.create(CONFIG, name="queued")
        with pytest.raises(WrongState, match="'queued'"):
            store.ask(queued.id, Request.PAUSE)

    def test_waiting_reason_is_kept_only_while_queued(self, store: RunStore) -> None:
        run = store.create(CONFIG, name="x")
        store.set_waiting(run.id, "no free GPU")
        assert store.run(run.id).waiting == "no free GPU"
        claimed = store.claim(run.id, node="m1", device=CPU)
        assert claimed is not None
        assert claimed.waiting is None
        store.set_waiting(run.id, "late")
        assert store.run(run.id).waiting is None


class TestClaims:
    def test_claim_starts_an_attempt_on_a_device(self, store: RunStore, clock: HeldClock) -> None:
        queued = store.create(CONFIG, name="x")
        clock.advance(3)
        run = store.claim(queued.id, node="m1", device=CPU)
        assert run is not None
        assert run == store.run(queued.id)
        assert (run.state, run.attempt, run.node, run.device) == (RunState.RUNNING, 1, "m1", "cpu")
        assert run.started_at == run.heartbeat_at == clock.now()
        assert store.claim(queued.id, node="m2", device=CPU) is None

    def test_device_takes_as_many_runs_as_it_has_places(self, store: RunStore) -> None:
        device = replace(CPU, places=2)
        runs = [store.create(CONFIG, name=str(n)) for n in range(3)]
        claims = [store.claim(run.id, node="m1", device=device) for run in runs]
        assert [claim is not None for claim in claims] == [True, True, False]
        assert store.run(runs[2].id) == runs[2]
        assert store.claim(runs[2].id, node="m2", device=device) is not None
        fourth = store.create(CONFIG, name="fourth")
        store.transition(runs[0].id, RunState.PAUSED, why="test")
        assert store.claim(fourth.id, node="m1", device=device) is not None

    def test_device_without_places_takes_nothing(self, store: RunStore) -> None:
        run = store.create(CONFIG, name="x")
        assert store.claim(run.id, node="m1", device=replace(CPU, places=0)) is None

    def test_claim_goes_back_to_the_last_checkpoint(self, store: RunStore) -> None:
        run = running(store)
        progress = Progress(40, 100, 4, 9.5, 91.0, "child_accuracy", 2.0)
        store.append(run.id, 1, [snapshot_at(step) for step in (0, 10, 20, 30, 40)], progress)
        store.add_checkpoint(run.id, 1, checkpoint_at(10))
        store.add_checkpoint(run.id, 1, checkpoint_at(20, score=88.5))
        paused = store.transition(run.id, RunState.PAUSED, why="asked")
        assert paused.progress == progress
        assert len(store.snapshots(run.id)) == 5
        store.transition(run.id, RunState.QUEUED, why="resumed")
        again = store.claim(run.id, node="m1", device=CPU)
        assert again is not None
        assert again.attempt == 2
        assert again.progress == Progress(20, 100, 2, 20 / 3, 88.5, "child_accuracy")
        assert [one.step for one in store.snapshots(run.id)] == [0, 10, 20]
        store.append(run.id, 2, [snapshot_at(30)], Progress())
        assert store.frames(run.id, stride=3).steps == (0, 30)

    def test_claim_without_checkpoint_starts_from_nothing(self, store: RunStore) -> None:
        run = running(store)
        store.append(run.id, 1, [snapshot_at(0)], Progress(step=5))
        store.transition(run.id, RunState.QUEUED, why="died")
        again = store.claim(run.id, node="m1", device=CPU)
        assert again is not None
        assert again.progress == Progress()
        assert store.snapshots(run.id) == []

    def test_orphan_is_adopted_once(self, store: RunStore) -> None:
        run = running(store, device=CPU)
        assert not store.adopt(run.id, from_node="m2", attempt=1)
        assert not store.adopt(run.id, from_node="m1", attempt=2)
        assert store.adopt(run.id, from_node="m1", attempt=1)
        assert not store.adopt(run.id, from_node="m1", attempt=1)
        back = store.run(run.id)
        assert (back.state, back.device) == (RunState.QUEUED, None)
        assert "m1" in store.events(run.id)[-1].text
        assert store.claim(run.id, node="m1", device=CPU) is not None

    def test_stale_attempt_changes_nothing(self, store: RunStore) -> None:
        run = running(store)
        store.transition(run.id, RunState.QUEUED, why="died")
        claimed = store.claim(run.id, node="m1", device=CPU)
        events = store.events(run.id)
        writes = [
            lambda attempt: store.set_handle(run.id, attempt, "h"),
            lambda attempt: store.beat(run.id, attempt),
            lambda attempt: store.append(run.id, attempt, [snapshot_at(1)], Progress(step=1)),
            lambda attempt: store.add_checkpoint(run.id, attempt, checkpoint_at(1)),
            lambda attempt: store.transition(run.id, RunState.FAILED, why="x", attempt=attempt),
        ]
        for write in writes:
            with pytest.raises(Fenced, match="attempt 1"):
                write(1)
        assert store.run(run.id) == claimed
        assert store.events(run.id) == events
        assert store.snapshots(run.id) == []
        assert store.checkpoints(run.id) == []
        store.transition(run.id, RunState.PAUSED, why="asked", attempt=2)
        for write in writes:
            with pytest.raises(Fenced, match="'paused'"):
                write(2)


class TestHistory:
    def test_epoch_snapshots_read_back_exactly(self, store: RunStore) -> None:
        run = running(store)
        taken = [snapshot_at(step, EPOCH) for step in (10, 20)]
        store.append(run.id, 1, taken, Progress())
        assert store.snapshots(run.id) == taken
        assert store.snapshot(run.id) == taken[1]

    def test_every_float32_probability_survives(self, store: RunStore) -> None:
        run = running(store)
        values = np.random.default_rng(0).random((2, 5, 9), np.float32)
        values[0, 0, :4] = [0.0, 1.0, np.float32(1e-40), np.nextafter(np.float32(1), np.float32(0))]
        rows = dict(zip(SPACE.cell_kinds, _rows(values), strict=True))
        store.append(run.id, 1, [snapshot_at(1, EPOCH, probabilities=rows)], Progress())
        found = store.snapshot(run.id)
        assert found is not None
        assert found.probabilities == rows

    def test_step_snapshots_read_back_within_half_a_unit(self, store: RunStore) -> None:
        run = running(store)
        taken = snapshot_at(3)
        store.append(run.id, 1, [taken], Progress())
        found = store.snapshot(run.id)
        assert found is not None
        assert found == replace(taken, probabilities=found.probabilities)
        for kind in SPACE.cell_kinds:
            error = np.abs(np.subtract(found.probabilities[kind], taken.probabilities[kind]))
            assert error.max() <= HALF_UNIT + 1e-12
        assert list(found.probabilities) == list(taken.probabilities)

    def test_progress_is_set_with_the_snapshots(self, store: RunStore, clock: HeldClock) -> None:
        run = running(store)
        clock.advance(7)
        progress = Progress(12, 100, 1, 3.5, 93.25, "child_accuracy", -0.5)
        store.append(run.id, 1, [], progress)
        found = store.run(run.id)
        assert (found.progress, found.progress_at) == (progress, clock.now())

    def test_repeated_step_replaces(self, store: RunStore) -> None:
        run = running(store)
        store.append(run.id, 1, [snapshot_at(1), snapshot_at(2), snapshot_at(3)], Progress())
        last = snapshot_at(3, EPOCH)
        store.append(run.id, 1, [replace(snapshot_at(2), epoch=9), last], Progress())
        store.append(run.id, 1, [snapshot_at(4), replace(snapshot_at(4), epoch=8)], Progress())
        found = store.snapshots(run.id)
        assert [one.step for one in found] == [1, 2, 3, 4]
        assert [one.epoch for one in found] == [0, 9, 0, 8]
        assert found[2] == last
        assert store.frames(run.id, stride=2).steps == (1, 3)

    def test_impossible_append_changes_nothing(self, store: RunStore) -> None:
        run = running(store)
        store.append(run.id, 1, [snapshot_at(5)], Progress(step=5))
        before = store.run(run.id)
        wrong = [
            snapshot_at(3),
            snapshot_at(6, probabilities={"normal": ((0.5,),)}, codes={"normal": (1,)}),
            snapshot_at(6, codes={"normal": (1,), "reduction": (1,)}),
            snapshot_at(
                6, probabilities=dict.fromkeys(SPACE.cell_kinds, ((float("nan"),) * 9,) * 5)
            ),
        ]
        for one in wrong:
            with pytest.raises(ValueError, match=r"step|shape|edges"):
                store.append(run.id, 1, [one], Progress(step=6))
        assert store.run(run.id) == before
        assert [one.step for one in store.snapshots(run.id)] == [5]

    def test_snapshots_are_chosen_by_step_and_kind(self, store: RunStore) -> None:
        run = running(store)
        assert store.snapshot(run.id) is None
        taken = [snapshot_at(step, EPOCH if step % 20 == 0 else STEP) for step in range(0, 60, 5)]
        store.append(run.id, 1, taken, Progress())
        assert [one.step for one in store.snapshots(run.id, after=10, limit=2)] == [15, 20]
        assert [one.step for one in store.snapshots(run.id, epochs_only=True)] == [0, 20, 40]
        assert _step(store.snapshot(run.id)) == 55
        assert _step(store.snapshot(run.id, 17)) == 15
        assert _step(store.snapshot(run.id, 0)) == 0
        assert store.snapshots(run.id, after=55) == []
        assert store.snapshots(run.id, limit=0) == []

    def test_frames_hold_the_nearest_of_256_shades(self, store: RunStore) -> None:
        run = running(store)
        assert store.frames(run.id).steps == ()
        taken = [snapshot_at(step, EPOCH if step == 2 else STEP) for step in range(4)]
        store.append(run.id, 1, taken, Progress())
        frames = store.frames(run.id)
        assert (frames.steps, frames.epochs, frames.stride) == ((0, 1, 2, 3), (0, 0, 0, 0), 1)
        shades = np.frombuffer(frames.probabilities, np.uint8).reshape(4, 2, 5, 9)
        exact = np.array([[one.probabilities[kind] for kind in SPACE.cell_kinds] for one in taken])
        assert np.abs(shades / 255 - exact).max() <= 0.5 / 255 + HALF_UNIT
        codes = np.frombuffer(frames.codes, "<u2").reshape(4, 2, 5).tolist()
        assert codes == [[list(one.codes[kind]) for kind in SPACE.cell_kinds] for one in taken]

    def test_stride_counts_snapshots_from_the_first(self, store: RunStore) -> None:
        run = running(store)
        store.append(run.id, 1, [snapshot_at(step) for step in range(0, 100, 7)], Progress())
        assert store.frames(run.id, stride=4).steps == (0, 28, 56, 84)
        assert store.frames(run.id, stride=4, after=28).steps == (56, 84)
        assert store.frames(run.id, stride=4, after=29, limit=1).steps == (56,)
        assert store.frames(run.id, stride=4, after=98).steps == ()
        assert store.frames(run.id, after=80, limit=2).steps == (84, 91)
        assert store.frames(run.id, stride=4).stride == 4
        with pytest.raises(ValueError, match="stride 0"):
            store.frames(run.id, stride=0)

    def test_frames_with_a_stride_keep_every_end_of_an_epoch(self, store: RunStore) -> None:
        run = running(store)
        ends = {3, 8, 11}
        taken = [snapshot_at(step, EPOCH if step in ends else STEP) for step in range(12)]
        store.append(run.id, 1, taken, Progress())
        assert store.frames(run.id, stride=4).steps == (0, 3, 4, 8, 11)
        assert store.frames(run.id, stride=4, after=4).steps == (8, 11)
        assert store.frames(run.id, stride=4, after=8, limit=1).steps == (11,)
        assert store.frames(run.id, stride=4, limit=2).steps == (0, 3)

    def test_series_skip_what_was_not_measured(self, store: RunStore) -> None:
        run = running(store)
        assert store.series(run.id) == []
        taken = [
            replace(snapshot_at(1), metrics={"train_loss": 1.5}),
            replace(snapshot_at(2), metrics={}),
            replace(snapshot_at(3), metrics={"gap": float("inf"), "train_loss": -2.0}),
        ]
        store.append(run.id, 1, taken[:1], Progress())
        store.append(run.id, 1, taken[1:], Progress())
        loss, gap = store.series(run.id)
        assert (loss.name, loss.steps, loss.values) == ("train_loss", (1, 3), (1.5, -2.0))
        assert (gap.name, gap.steps, gap.values) == ("gap", (3,), (float("inf"),))
        assert [one.steps for one in store.series(run.id, after=1)] == [(3,), (3,)]
        assert store.snapshots(run.id)[2].metrics == taken[2].metrics

    def test_series_with_a_stride_keep_every_end_of_an_epoch(self, store: RunStore) -> None:
        run = running(store)
        kinds = [SnapshotKind.EPOCH if step in {4, 9} else SnapshotKind.STEP for step in range(12)]
        taken = [
            replace(snapshot_at(step), kind=kind, metrics={"loss": float(step)})
            for step, kind in enumerate(kinds)
        ]
        store.append(run.id, 1, taken, Progress())
        (loss,) = store.series(run.id, stride=5)
        assert loss.steps == (0, 4, 5, 9, 10)
        (later,) = store.series(run.id, stride=5, after=5)
        assert later.steps == (9, 10)
        (each,) = store.series(run.id)
        assert each.steps == tuple(range(12))

    def test_histories_of_two_runs_stay_apart(self, store: RunStore) -> None:
        first, second = running(store, "a"), running(store, "b")
        store.append(first.id, 1, [snapshot_at(1), snapshot_at(2)], Progress())
        other = Snapshot(
            1, 0, EPOCH, 1.0, {"cell": ((0.25, 0.75),)}, {"cell": (2,)}, {"x": 1.0}, {"cell": (1,)}
        )
        store.append(second.id, 1, [other], Progress())
        assert store.snapshots(second.id) == [other]
        assert store.frames(second.id).probabilities == bytes([64, 191])
        assert [one.name for one in store.series(second.id)] == ["x"]
        store.transition(second.id, RunState.STOPPED, why="test")
        store.delete(second.id)
        assert len(store.snapshots(first.id)) == 2

    def test_training_records_figures_without_an_architecture(self, store: RunStore) -> None:
        run = running(store)
        taken = [
            Snapshot(step, step // 10, STEP, 1.0, {}, {}, {"train_loss": 1 / (step + 1)})
            for step in range(0, 20, 5)
        ]
        ended = Snapshot(20, 2, EPOCH, 1.0, {}, {}, {"validation_accuracy": 91.5}, {}, 2.5)
        store.append(run.id, 1, taken[:2], Progress(step=5))
        store.append(run.id, 1, [*taken[2:], ended], Progress(step=20))
        assert store.snapshots(run.id) == [*taken, ended]
        assert store.snapshots(run.id, epochs_only=True) == [ended]
        assert store.snapshot(run.id, 7) == taken[1]
        frames = store.frames(run.id)
        assert (frames.steps, frames.epochs) == ((0, 5, 10, 15, 20), (0, 0, 1, 1, 2))
        assert (frames.probabilities, frames.codes) == (b"", b"")
        assert store.frames(run.id, stride=2).steps == (0, 10, 20)
        loss, accuracy = store.series(run.id)
        assert (loss.steps, loss.values) == ((0, 5, 10, 15), (1.0, 1 / 6, 1 / 11, 1 / 16))
        assert (accuracy.steps, accuracy.values) == ((20,), (91.5,))

    def test_run_records_either_an_architecture_or_none(self, store: RunStore) -> None:
        search, training = running(store, "a"), running(store, "b")
        empty = snapshot_at(1, probabilities={}, codes={})
        store.append(search.id, 1, [snapshot_at(0)], Progress())
        store.append(training.id, 1, [replace(empty, step=0)], Progress())
        for run, one in (
            (search, empty),
            (training, snapshot_at(1)),
            (training, replace(empty, codes={"normal": (1,)})),
        ):
            with pytest.raises(ValueError, match="another shape"):
                store.append(run.id, 1, [one], Progress(step=1))
            assert [one.step for one in store.snapshots(run.id)] == [0]

    def test_log_keeps_order_and_attempt(self, store: RunStore, clock: HeldClock) -> None:
        run = running(store)
        clock.advance(2)
        store.note(run.id, EventKind.ERROR, "Traceback …\n  line 2")
        last = store.events(run.id)[-1]
        assert (last.kind, last.text) == (EventKind.ERROR, "Traceback …\n  line 2")
        assert (last.attempt, last.at) == (1, clock.now())

    def test_text_that_no_database_takes_is_kept_in_a_form_that_all_take(
        self, store: RunStore
    ) -> None:
        run = running(store, "a\0\ud800", CPU)
        store.note(run.id, EventKind.ERROR, "one\0\ntwo \udcff é 🙂")
        store.transition(
            run.id, RunState.FAILED, why="why\0 \ud800", error="error\0 \ud800", attempt=1
        )
        failed = store.run(run.id)
        assert (failed.name, failed.error) == ("a\\ud800", "error \\ud800")
        texts = [event.text for event in store.events(run.id)]
        assert texts[-2:] == ["one\ntwo \\udcff é 🙂", "why \\ud800"]

    def test_checkpoints_are_listed_by_step(self, store: RunStore) -> None:
        run = running(store)
        saved = [checkpoint_at(step, score=step / 2) for step in (30, 10, 20)]
        for one in saved:
            store.add_checkpoint(run.id, 1, one)
        again = replace(saved[2], sha256="b" * 64)
        store.add_checkpoint(run.id, 1, again)
        assert store.checkpoints(run.id) == [saved[1], again, saved[0]]
        store.drop_checkpoint(run.id, saved[1].key)
        store.drop_checkpoint(run.id, saved[1].key)
        assert store.checkpoints(run.id) == [again, saved[0]]

    def test_checkpoint_forgives_crashes(self, store: RunStore) -> None:
        run = running(store)
        store.transition(run.id, RunState.QUEUED, why="died", crashed=True)
        store.claim(run.id, node="m1", device=CPU)
        store.add_checkpoint(run.id, 2, checkpoint_at(1))
        assert store.run(run.id).crashes == 0


class TestMachines:
    def test_one_engine_serves_a_machine(self, store: RunStore, clock: HeldClock) -> None:
        first = Node("m1", "boot 1 pid 2", clock.now(), (CPU,), {"torch": "2.9"})
        store.register_node(first, stale_seconds=30)
        store.register_node(first, stale_seconds=30)
        clock.advance(29)
        second = Node("m1", "boot 1 pid 3", clock.now())
        with pytest.raises(EngineAlreadyRunning, match="boot 1 pid 2"):
            store.register_node(second, stale_seconds=30)
        assert store.nodes() == [first]
        clock.advance(2)
        second = replace(second, heartbeat_at=clock.now())
        store.register_node(second, stale_seconds=30)
        with pytest.raises(EngineAlreadyRunning, match="boot 1 pid 3"):
            store.beat_node("m1", first.process)
        clock.advance(1)
        store.beat_node("m1", second.process)
        assert store.nodes() == [replace(second, heartbeat_at=clock.now())]
        store.release_node("m1", first.process)
        assert len(store.nodes()) == 1
        store.release_node("m1", second.process)
        assert store.nodes() == []
        with pytest.raises(NotFound, match="'m1'"):
            store.beat_node("m1", second.process)

    def test_catalogue_is_replaced_as_a_whole(self, store: RunStore) -> None:
        run = store.create(CONFIG, name="x")
        assert store.catalog() is None
        assert store.space_of(run) is None
        store.publish(replace(CATALOG, spaces=()))
        assert store.space_of(run) is None
        store.publish(CATALOG)
        assert store.catalog() == CATALOG
        assert store.space_of(run) == SPACE.with_nodes(2)
        wide = store.create(SearchConfig(space="tiny", nodes=5), name="wide")
        assert store.space_of(wide) == SPACE.with_nodes(5)

    def test_space_of_a_training_is_in_its_genotype(self, store: RunStore) -> None:
        run = store.create(TRAINING, name="training")
        assert store.space_of(run) == SPACE.with_nodes(3)
        store.publish(replace(CATALOG, spaces=()))
        assert store.space_of(run) == SPACE.with_nodes(3)
        broken = store.create(TrainingConfig(genotype="{}"), name="broken")
        assert store.space_of(broken) is None


class TestThreads:
    def test_many_threads_claim_each_run_once(self, store: RunStore) -> None:
        ids = [store.create(CONFIG, name=str(n)).id for n in range(6)]
        claims: list[int] = []
        errors: list[StudioError] = []

        def claim_all(node: str) -> None:
            try:
                for run_id in ids:
                    device = Device("cpu", None, "CPU", 1, places=6)
                    if store.claim(run_id, node=node, device=device):
                        claims.append(run_id)
            except StudioError as error:
                errors.append(error)

        threads = [threading.Thread(target=claim_all, args=(f"m{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sorted(claims) == ids


def _rows(values: np.ndarray) -> list[tuple[tuple[float, ...], ...]]:
    return [tuple(tuple(map(float, row)) for row in cell) for cell in values]


def _step(snapshot: Snapshot | None) -> int | None:
    return None if snapshot is None else snapshot.step
