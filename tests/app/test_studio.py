import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.studio import Studio, safe_file_name
from engine.catalog import gather_catalog
from engine.data.images import DataSummary
from engine.domain.config import SearchConfig
from engine.domain.derivation import derive
from engine.domain.errors import (
    DataError,
    DeviceMissing,
    InvalidConfig,
    NotFound,
    WrongState,
)
from engine.domain.genotype import from_json, from_masks, to_masks
from engine.domain.ports import Device, Node
from engine.domain.presets import preset_config
from engine.domain.run import Checkpoint, Progress, Request, Run, RunState
from engine.domain.snapshot import Rows, Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.export import EXPORTERS
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore

CPU = Device("cpu", None, "a CPU", 2**30, places=9)
GPU = Device("GPU-12ab", 0, "a GPU", 2**34)
SUMMARY = DataSummary("digits", 1, 10, 8, 8, 1079, 359, 359, tuple("0123456789"), "ab12")


class Hands:
    """A clock that stands until somebody moves it."""

    def __init__(self) -> None:
        self.time = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def studio(clock: Hands, tmp_path: Path) -> Studio:
    store = MemoryStore(clock)
    store.publish(gather_catalog())
    return Studio(store, FolderArtifacts(tmp_path / "artifacts"), clock)


def started(studio: Studio, **settings) -> Run:
    run = studio.create(SearchConfig(**settings))
    claimed = studio.store.claim(run.id, node="here", device=CPU)
    assert claimed is not None
    return claimed


def serve(studio: Studio, *devices: Device, name: str = "here") -> None:
    node = Node(name, "process", studio.clock.now(), devices)
    studio.store.register_node(node, stale_seconds=30)


def peaked(space: SearchSpace, operation: int) -> Mapping[str, Rows]:
    """Node-wise probabilities with nearly all mass on an operation of each node on c_{k-1}."""
    rows = np.full((len(space.edges), len(space.operations)), 1e-3)
    for edges in space.edges_of:
        rows[edges[1], operation] = 5.0
        rows[edges] /= rows[edges].sum()
    return {kind: tuple(map(tuple, rows.tolist())) for kind in space.cell_kinds}


def record(studio: Studio, run: Run, step: int, kind: SnapshotKind, operation: int) -> Snapshot:
    space = studio.space(run)
    probabilities = peaked(space, operation)
    derived = derive(space, probabilities, run.config.rule)
    snapshot = Snapshot(
        step=step,
        epoch=step // 10,
        kind=kind,
        temperature=1.0,
        probabilities=probabilities,
        codes=derived,
        metrics={"train_loss": 1.0 / (step + 1)},
        derived=derived if kind is SnapshotKind.EPOCH else None,
    )
    studio.store.append(run.id, run.attempt, [snapshot], Progress(step=step))
    return snapshot


def describe_data(studio: Studio, run: Run) -> None:
    with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(SUMMARY.to_json().encode())


def save_checkpoint(studio: Studio, run: Run, step: int, content: bytes = b"weights") -> None:
    key = f"runs/{run.uid}/checkpoints/step-{step:08d}.pt"
    with studio.artifacts.write(key) as file:
        file.write(content)
    found = studio.artifacts.describe(key)
    studio.store.add_checkpoint(
        run.id,
        run.attempt,
        Checkpoint(step, step // 10, key, found.size_bytes, found.sha256, studio.clock.now()),
    )


# Creating


def test_new_run_waits_with_the_name_of_its_preset_and_the_date(studio):
    run = studio.create(preset_config("digits", seed=3))
    assert run.state is RunState.QUEUED
    assert run.name == "digits 2025-03-01 12:30"
    assert studio.runs() == [run]


def test_new_run_on_a_file_is_named_after_it_and_keeps_its_absolute_path(
    studio, tmp_path, monkeypatch
):
    np.savez(
        tmp_path / "cells.npz",
        train_images=np.zeros((6, 4, 4), np.uint8),
        train_labels=np.arange(6) % 2,
    )
    monkeypatch.chdir(tmp_path)
    run = studio.create(SearchConfig(data="cells.npz"))
    assert run.config.data == str(tmp_path / "cells.npz")
    assert run.name == "cells 2025-03-01 12:30"


def test_path_with_a_colon_is_made_absolute_too(studio, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / "10:30" / "train" / name).mkdir(parents=True)
        (tmp_path / "10:30" / "train" / name / "0.png").write_bytes(b"looked at later")
    monkeypatch.chdir(tmp_path)
    assert studio.create(SearchConfig(data="10:30")).config.data == str(tmp_path / "10:30")


def test_path_that_is_too_long_when_absolute_is_one_sentence(studio):
    with pytest.raises(InvalidConfig, match="at most 1024 characters"):
        studio.create(SearchConfig(data="/".join(["x" * 204] * 5)))


def test_given_name_is_kept_on_one_line(studio):
    run = studio.create(SearchConfig(), name="  a\nname\x00 with\t<b>marks</b> ", priority=4)
    assert run.name == "a name with <b>marks</b>"
    assert run.priority == 4


def test_endless_name_is_cut(studio):
    assert len(studio.create(SearchConfig(), name="x" * 5000).name) == 120


@pytest.mark.parametrize("field", ["task", "space"])
def test_name_that_the_catalogue_does_not_have_is_refused(studio, field):
    with pytest.raises(InvalidConfig, match="'nonsense'"):
        studio.create(SearchConfig(**{field: "nonsense"}))
    assert studio.runs() == []


def test_missing_data_are_refused_before_anything_is_queued(studio, tmp_path):
    with pytest.raises(DataError, match="neither a data set of that name nor"):
        studio.create(SearchConfig(data=str(tmp_path / "nowhere")))
    assert studio.runs() == []


@pytest.mark.parametrize("data", ["a\0b", "s3://bucket/x.npz", "zip::file"])
def test_text_that_is_no_path_is_refused(studio, data):
    with pytest.raises(DataError, match="no path of this machine"):
        studio.create(SearchConfig(data=data))


def test_data_outside_the_allowed_folders_are_refused(studio, tmp_path):
    narrow = Studio(studio.store, studio.artifacts, studio.clock, data_roots=[tmp_path / "allowed"])
    with pytest.raises(DataError, match="outside the folders"):
        narrow.create(SearchConfig(data=str(tmp_path)))
    assert narrow.create(SearchConfig(data="digits")).state is RunState.QUEUED


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda:0", "GPU-12ab"])
def test_device_of_a_living_engine_is_accepted(studio, device):
    serve(studio, CPU, GPU)
    assert studio.create(SearchConfig(device=device)).config.device == device


@pytest.mark.parametrize("device", ["cuda:1", "GPU-other"])
def test_device_that_no_living_engine_has_is_refused_in_one_sentence(studio, device):
    serve(studio, CPU, GPU)
    with pytest.raises(DeviceMissing) as caught:
        studio.create(SearchConfig(device=device))
    assert str(caught.value) == (
        f"Asked for device = {device!r}; found 2 other device(s); allowed is auto or one of "
        "GPU-12ab, cpu, cuda:0; choose one of these."
    )


def test_device_is_not_judged_by_engines_that_are_gone(studio, clock):
    serve(studio, CPU)
    clock.forward(60)
    assert studio.living_nodes() == []
    assert studio.create(SearchConfig(device="cuda:5")).state is RunState.QUEUED


def test_engine_lives_as_long_as_its_heartbeat_is_young(studio, clock):
    serve(studio, CPU)
    clock.forward(9.9)
    assert [node.name for node in studio.living_nodes()] == ["here"]
    clock.forward(0.2)
    assert studio.living_nodes() == []


# Steering


def test_pause_is_a_wish_until_the_engine_grants_it(studio):
    run = started(studio)
    paused = studio.pause(run.id)
    assert (paused.state, paused.request) == (RunState.RUNNING, Request.PAUSE)


def test_waiting_run_cannot_be_paused(studio):
    with pytest.raises(WrongState):
        studio.pause(studio.create(SearchConfig()).id)


def test_running_search_is_asked_to_stop(studio):
    run = started(studio)
    assert studio.stop(run.id).request is Request.STOP


@pytest.mark.parametrize("paused", [False, True])
def test_search_without_a_process_is_stopped_at_once(studio, paused):
    run = started(studio) if paused else studio.create(SearchConfig())
    if paused:
        studio.store.transition(run.id, RunState.PAUSED, why="asked", attempt=run.attempt)
    assert studio.stop(run.id).state is RunState.STOPPED


def test_ended_search_cannot_be_stopped_again(studio):
    run = studio.create(SearchConfig())
    studio.stop(run.id)
    with pytest.raises(WrongState):
        studio.stop(run.id)


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.FAILED])
def test_paused_or_failed_search_is_queued_again(studio, state):
    run = started(studio)
    studio.store.transition(run.id, state, why="it happened", attempt=run.attempt)
    assert studio.resume(run.id).state is RunState.QUEUED


def test_running_search_is_not_resumed(studio):
    run = started(studio)
    with pytest.raises(WrongState) as caught:
        studio.resume(run.id)
    assert caught.value.found == "a run that is running"
    assert studio.run(run.id).state is RunState.RUNNING


def test_a_second_resume_does_not_take_a_run_from_its_process(studio, monkeypatch):
    run = started(studio)
    paused = studio.store.transition(run.id, RunState.PAUSED, why="asked", attempt=run.attempt)
    studio.resume(run.id)
    again = studio.store.claim(run.id, node="a", device=CPU)
    real, told = studio.store.run, [paused]  # what another tab has read before
    monkeypatch.setattr(studio.store, "run", lambda number: told.pop() if told else real(number))
    with pytest.raises(WrongState):
        studio.resume(run.id)
    assert studio.run(run.id) == again


def test_a_stop_that_an_engine_outruns_is_asked_of_the_search(studio, monkeypatch):
    queued = studio.create(SearchConfig())
    real, told = studio.store.run, [queued]
    studio.store.claim(queued.id, node="a", device=CPU)
    monkeypatch.setattr(studio.store, "run", lambda number: told.pop() if told else real(number))
    assert studio.stop(queued.id).request is Request.STOP
    assert studio.run(queued.id).state is RunState.RUNNING


def test_deleting_removes_rows_and_files(studio):
    run, other = started(studio), started(studio)
    for each in (run, other):
        describe_data(studio, each)
        save_checkpoint(studio, each, 10)
    studio.store.transition(run.id, RunState.PAUSED, why="asked", attempt=run.attempt)
    studio.delete(run.id)
    with pytest.raises(NotFound):
        studio.run(run.id)
    assert studio.artifacts.keys(f"runs/{run.uid}/") == []
    assert len(studio.artifacts.keys(f"runs/{other.uid}/")) == 2


def test_deleting_removes_what_a_killed_worker_left_too(studio, tmp_path):
    run = started(studio)
    save_checkpoint(studio, run, 10)
    folder = tmp_path / "artifacts" / "runs" / run.uid
    (folder / "checkpoints" / ".step-00000020.pt.0123").write_bytes(b"half")
    studio.store.transition(run.id, RunState.PAUSED, why="asked", attempt=run.attempt)
    studio.delete(run.id)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_running_search_keeps_its_rows_and_files(studio):
    run = started(studio)
    describe_data(studio, run)
    with pytest.raises(WrongState):
        studio.delete(run.id)
    assert studio.run(run.id) == run
    assert studio.data(run) == SUMMARY


def test_priority_changes_the_order_of_the_queue(studio):
    first, second = studio.create(SearchConfig()), studio.create(SearchConfig())
    studio.set_priority(second.id, 1)
    assert [run.id for run in studio.queue()] == [second.id, first.id]


# Taking home


def test_architecture_is_that_of_the_last_epoch_even_if_steps_follow(studio):
    run = started(studio)
    record(studio, run, 10, SnapshotKind.EPOCH, operation=3)
    at_epoch = record(studio, run, 20, SnapshotKind.EPOCH, operation=4)
    record(studio, run, 25, SnapshotKind.STEP, operation=5)
    genotype = studio.derive(run.id)
    assert to_masks(genotype) == at_epoch.derived
    assert genotype.rule == run.config.rule
    assert genotype.lineage["step"] == 20


def test_architecture_of_a_chosen_step_is_derived_from_its_probabilities(studio):
    run = started(studio)
    record(studio, run, 10, SnapshotKind.EPOCH, operation=3)
    chosen = record(studio, run, 15, SnapshotKind.STEP, operation=5)
    genotype = studio.derive(run.id, 17)
    expected = from_masks(studio.space(run), chosen.codes)
    assert genotype.cells == expected.cells
    assert genotype.lineage["step"] == 15


def test_first_steps_can_be_derived_before_any_epoch_has_ended(studio):
    run = started(studio)
    record(studio, run, 5, SnapshotKind.STEP, operation=4)
    assert studio.derive(run.id).lineage["step"] == 5


def test_nothing_recorded_is_one_sentence(studio):
    run = started(studio)
    with pytest.raises(NotFound, match="no snapshot up to there"):
        studio.derive(run.id)
    record(studio, run, 10, SnapshotKind.STEP, operation=4)
    with pytest.raises(NotFound, match="at step 3"):
        studio.derive(run.id, 3)


def test_lineage_names_run_data_seed_and_versions(studio):
    run = started(studio, seed=11)
    describe_data(studio, run)
    record(studio, run, 10, SnapshotKind.EPOCH, operation=4)
    lineage = dict(studio.derive(run.id).lineage)
    assert set(lineage.pop("versions")) == {"egs-studio", "torch"}
    assert lineage == {
        "run": run.uid,
        "name": run.name,
        "step": 10,
        "epoch": 1,
        "data": "digits",
        "data_digest": "ab12",
        "seed": 11,
    }


def test_run_has_its_own_number_of_nodes(studio):
    run = started(studio, nodes=2)
    assert studio.space(run).nodes == 2
    record(studio, run, 10, SnapshotKind.EPOCH, operation=4)
    assert all(len(cell) == 2 for cell in studio.derive(run.id).cells.values())


def test_space_without_a_catalogue_is_one_sentence(clock, tmp_path):
    studio = Studio(MemoryStore(clock), FolderArtifacts(tmp_path), clock)
    run = studio.create(SearchConfig())
    with pytest.raises(NotFound, match="egs engine"):
        studio.space(run)


def test_cost_counts_the_network_of_the_run(studio):
    run = started(studio, cells=3, channels=4)
    describe_data(studio, run)
    record(studio, run, 10, SnapshotKind.EPOCH, operation=4)
    genotype = studio.derive(run.id)
    small = studio.cost(run.id, genotype)
    wide = started(studio, cells=3, channels=8)
    describe_data(studio, wide)
    assert 0 < small.parameters < studio.cost(wide.id, genotype).parameters
    assert small.multiply_adds > 0


def test_genotype_is_exported_as_the_text_that_reads_back_equal(studio):
    run = started(studio)
    describe_data(studio, run)
    record(studio, run, 10, SnapshotKind.EPOCH, operation=4)
    exported = studio.export(run.id, "genotype")
    assert exported.filename == f"digits-2025-03-01-12-30-run{run.id}-step10.json"
    assert exported.media_type == "application/json"
    assert exported.content is not None
    assert from_json(exported.content.decode()) == studio.derive(run.id)
    assert json.loads(exported.content)["lineage"]["run"] == run.uid


@pytest.mark.parametrize(
    ("name", "extension", "start"),
    [("darts", ".txt", b"Genotype(normal="), ("module", ".py", b'"""')],
)
def test_text_formats_are_exported(studio, name, extension, start):
    run = started(studio)
    describe_data(studio, run)
    record(studio, run, 10, SnapshotKind.EPOCH, operation=4)
    exported = studio.export(run.id, name)
    assert exported.filename.endswith(extension)
    assert exported.content is not None
    assert exported.content.startswith(start)


def test_checkpoint_is_exported_from_the_artifact_store(studio, tmp_path):
    run = started(studio)
    save_checkpoint(studio, run, 10, b"first")
    save_checkpoint(studio, run, 20, b"second")
    for step, content in ((None, b"second"), (15, b"first"), (20, b"second")):
        exported = studio.export(run.id, "checkpoint", step)
        with (tmp_path / "out").open("wb") as file:
            studio.write_export(exported, file)
        assert (tmp_path / "out").read_bytes() == content


def test_checkpoint_that_is_not_there_is_one_sentence(studio):
    run = started(studio)
    with pytest.raises(NotFound, match="a checkpoint of run"):
        studio.export(run.id, "checkpoint")


def test_unknown_format_is_refused_with_all_formats(studio):
    run = started(studio)
    with pytest.raises(InvalidConfig) as caught:
        studio.export(run.id, "onnx")
    assert caught.value.allowed == f"one of {', '.join(EXPORTERS)}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digits 2025", "digits-2025"),
        ("../../etc/passwd", "etc-passwd"),
        ("ﬁne ① name", "fine-1-name"),
        ("日本", "run"),
        ("...", "run"),
        ("a\r\nSet-Cookie: x", "a-Set-Cookie-x"),
        ("x" * 300, "x" * 80),
    ],
)
def test_file_names_hold_only_safe_characters(text, expected):
    assert safe_file_name(text) == expected


def test_file_name_of_a_long_run_name_still_tells_run_and_step(studio):
    run = studio.create(SearchConfig(), name="n" * 120)
    claimed = studio.store.claim(run.id, node="here", device=CPU)
    record(studio, claimed, 10, SnapshotKind.EPOCH, operation=4)
    filename = studio.export(run.id, "darts").filename
    assert filename.endswith(f"n-run{run.id}-step10.txt")
    assert len(filename) <= 84
