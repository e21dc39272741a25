"""Jobs worked out in this process, on the checkpoints of a small real search."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.catalog import gather_catalog
from engine.data.summaries import DataSummary, TextSummary
from engine.domain.config import TrainingConfig, make_config
from engine.domain.errors import NotANumber
from engine.domain.genotype import from_masks, to_json
from engine.domain.jobs import KINDS, Job, JobState
from engine.domain.run import Run, RunState
from engine.domain.snapshot import Snapshot
from engine.domain.space import SearchSpace
from engine.runtime.checkpoints import nearest
from engine.runtime.devices import find_cpu
from engine.runtime.job_context import JobContext
from engine.runtime.job_table import JOBS
from engine.runtime.jobs import JobExit, perform
from engine.runtime.latency_job import assemble
from engine.runtime.worker import Exit, work
from engine.search.build import build_search
from engine.search.checkpoint import load_checkpoint
from engine.spaces import SPACES
from storage.artifacts import FolderArtifacts
from storage.sql_store import SqlStore
from tests.contracts.samples import checkpoint_at
from tests.engine.runtime.conftest import HandClock

TINY = {
    "cells": 2,
    "channels": 4,
    "nodes": 1,
    "epochs": 4,
    "train_limit": 32,
    "batch_size": 16,
    "cpu_threads": 1,
    "alpha_learning_rate": 0.2,
}


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@dataclass
class Studio:
    """A database and its artifacts."""

    store: SqlStore
    artifacts: FolderArtifacts

    def answer(self, run: Run, kind: str, arguments: Mapping[str, Any], **options: Any) -> Job:
        """Ask, take and perform."""
        job = self.store.ask_job(run.id, kind, arguments)
        taken = self.store.take_job("here", job.id)
        assert taken is not None
        code = perform(self.store, self.artifacts, job.id, taken.attempt, **options)
        done = self.store.job(job.id)
        assert code == (JobExit.DONE if done.state is JobState.DONE else JobExit.FAILED)
        return done

    def epochs(self, run: Run) -> list[Snapshot]:
        return self.store.snapshots(run.id, epochs_only=True)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search of four epochs that has ended."""
    folder = tmp_path_factory.mktemp("searched")
    store = SqlStore(f"sqlite:///{folder / 'studio.db'}", HandClock())
    store.publish(gather_catalog())
    run = store.create(make_config(TINY), name="tiny")
    assert store.claim(run.id, node="here", device=find_cpu(1)) is not None
    assert work(store, FolderArtifacts(folder / "artifacts"), run.id, 1) == Exit.DONE
    store.close()
    return folder


@pytest.fixture
def studio(searched: Path, tmp_path: Path) -> Iterator[Studio]:
    shutil.copytree(searched, tmp_path / "copy")
    store = SqlStore(f"sqlite:///{tmp_path / 'copy' / 'studio.db'}", HandClock())
    yield Studio(store, FolderArtifacts(tmp_path / "copy" / "artifacts"))
    store.close()


@pytest.fixture
def run(studio: Studio) -> Run:
    return studio.store.runs()[0]


def test_every_kind_of_job_can_be_done() -> None:
    assert tuple(JOBS) == KINDS


# Child


def test_the_figures_of_the_derived_child_are_those_that_the_search_recorded(
    studio: Studio, run: Run
) -> None:
    recorded = studio.epochs(run)[-1]
    assert recorded.derived is not None
    masks = {kind: list(edges) for kind, edges in recorded.derived.items()}
    job = studio.answer(run, "child", {"masks": masks})
    assert job.error is None
    assert job.result is not None
    name = job.result["score_name"]
    assert job.result["loss"] == recorded.metrics["child_loss"]
    assert job.result["score"] == recorded.metrics[f"child_{name}"]
    assert job.result["error"] == 100.0 - job.result["score"]
    assert (job.result["step"], job.result["epoch"]) == (recorded.step, recorded.epoch)
    assert studio.answer(run, "child", {"step": recorded.step}).result == job.result


def test_the_figures_of_another_child_are_those_of_a_count_by_hand(
    studio: Studio, run: Run
) -> None:
    space = studio.store.space_of(run)
    assert space is not None
    masks = {kind: [1 << 3] * len(space.edges) for kind in space.cell_kinds}
    job = studio.answer(run, "child", {"masks": masks})
    assert job.result is not None
    config = run.search
    loop = build_search(config, torch.device("cpu"), report=lambda _: None)
    with studio.artifacts.read(studio.store.checkpoints(run.id)[-1].key) as file:
        load_checkpoint(loop, file)
    code = torch.zeros(len(space.edges), len(space.operations))
    code[:, 3] = 1
    right = count = 0
    loss = 0.0
    with torch.no_grad():
        for images, labels in loop.task.validation_batches():
            logits = loop.supernet(images, dict.fromkeys(space.cell_kinds, code))
            right += int((logits.argmax(1) == labels).sum())
            chosen = logits.log_softmax(1)[range(len(labels)), labels]
            loss -= float(chosen.sum())
            count += len(labels)
    assert job.result["score"] == pytest.approx(100.0 * right / count, abs=1e-9)
    assert job.result["loss"] == pytest.approx(loss / count, rel=1e-5)


def test_the_weights_are_those_of_the_checkpoint_before_the_step(studio: Studio, run: Run) -> None:
    saved = [checkpoint.step for checkpoint in studio.store.checkpoints(run.id)]
    assert len(set(saved)) >= 2
    first, last = saved[0], saved[-1]
    answers = {
        step: studio.answer(run, "child", {"step": step}).result for step in (0, last - 1, 10_000)
    }
    assert [answer and answer["step"] for answer in answers.values()] == [first, saved[-2], last]


@pytest.mark.parametrize(
    ("step", "expected"), [(None, 30), (30, 30), (29, 20), (20, 20), (15, 10), (3, 10), (99, 30)]
)
def test_the_nearest_checkpoint_is_the_one_before_or_else_the_first(
    step: int | None, expected: int
) -> None:
    found = nearest([checkpoint_at(at) for at in (10, 20, 30)], step)
    assert found is not None
    assert found.step == expected
    assert nearest([], step) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"masks": {"normal": [1]}}, "found no code of the space 'darts' with 1 nodes"),
        ({"masks": {"normal": [1, 2], "reduction": [1, 256]}}, "whole numbers from 0 to 255"),
        ({"masks": {"normal": [1, True], "reduction": [1, 2]}}, "whole numbers from 0 to 255"),
        ({"masks": "all"}, "found no code of the space"),
        ({"step": -1}, "step = -1"),
        ({"step": "last"}, "step = 'last'"),
        ({"step": True}, "step = True"),
    ],
)
def test_a_child_that_cannot_be_is_refused_in_one_sentence(
    studio: Studio, run: Run, arguments: dict[str, Any], words: str
) -> None:
    failed = studio.answer(run, "child", arguments)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("Asked for ")
    assert words in failed.error


def test_a_child_is_not_measured_on_data_that_have_changed(studio: Studio, run: Run) -> None:
    key = f"runs/{run.uid}/data.json"
    with studio.artifacts.read(key) as file:
        summary = DataSummary.from_json(file.read().decode())
    with studio.artifacts.write(key) as file:
        file.write(replace(summary, digest="0" * 64).to_json().encode())
    failed = studio.answer(run, "child", {})
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert "changed since the run" in failed.error


def test_a_run_without_a_checkpoint_has_no_child(studio: Studio) -> None:
    new = studio.store.create(make_config(TINY), name="new")
    failed = studio.answer(new, "child", {"step": 3})
    assert failed.error is not None
    assert "found none; allowed is a run that has ended an epoch" in failed.error


def test_a_damaged_checkpoint_is_refused(studio: Studio, run: Run) -> None:
    saved = studio.store.checkpoints(run.id)[-1]
    with studio.artifacts.write(saved.key) as file:
        file.write(b"not what was written")
    failed = studio.answer(run, "child", {})
    assert failed.error is not None
    assert "as it was written" in failed.error


def test_a_training_has_no_other_children(studio: Studio, run: Run) -> None:
    training = studio.store.create(TrainingConfig(genotype=genotype_text(studio, run)), name="t")
    failed = studio.answer(training, "child", {})
    assert failed.error is not None
    assert "a training of one network" in failed.error


# Latency


def genotype_text(studio: Studio, run: Run) -> str:
    space = studio.store.space_of(run)
    assert space is not None
    codes = {kind: (1 << 3,) * len(space.edges) for kind in space.cell_kinds}
    return to_json(from_masks(space, codes))


def test_the_latency_of_a_network_is_measured_with_its_quartiles(studio: Studio, run: Run) -> None:
    job = studio.answer(run, "latency", {"genotype": genotype_text(studio, run), "batch": 4})
    assert job.result is not None
    result = job.result
    assert 0 < result["low_ms"] <= result["median_ms"] <= result["high_ms"]
    assert (result["device"], result["batch"], result["threads"]) == ("cpu", 4, 1)
    assert result["device_label"].endswith("cores")


def test_the_latency_of_a_code_and_of_the_runs_own_architecture(studio: Studio, run: Run) -> None:
    space = studio.store.space_of(run)
    assert space is not None
    masks = {kind: [1 << 3] * len(space.edges) for kind in space.cell_kinds}
    assert studio.answer(run, "latency", {"masks": masks}).state is JobState.DONE
    assert studio.answer(run, "latency", {}).state is JobState.DONE
    nothing = {kind: [1] * len(space.edges) for kind in space.cell_kinds}
    refused = studio.answer(run, "latency", {"masks": nothing})
    assert refused.error is not None
    assert "no path from the image to the scores" in refused.error


def test_a_pass_of_a_language_model_is_one_window_of_text() -> None:
    space = SPACES["rnn"].with_nodes(2)
    genotype = from_masks(space, {"recurrent": (2, 4, 0)})
    config = make_config(
        {"task": "language_modelling", "embedding_size": 8, "hidden_size": 12, "bptt": 5}
    )
    summary = TextSummary("a text", vocabulary=30, train=9, validation=9, test=9)
    device = torch.device("cpu")
    network, example = assemble(config, genotype, summary, batch=3, device=device)
    answer = network.eval()(example)
    assert answer.logits.shape == (5, 3, 30)
    assert answer.state.shape == (3, 12)


def test_a_pass_of_a_network_for_scenes_answers_for_each_pixel() -> None:
    summary = DataSummary("a folder", 3, 5, 16, 24, 9, kind="scenes")
    space = SearchSpace("x", "X", ("normal", "reduction"), 2, 1, ("none", "skip_connect"))
    genotype = from_masks(space, {"normal": (2, 0), "reduction": (2, 0)})
    config = make_config({"task": "semantic_segmentation", "cells": 3, "channels": 4})
    device = torch.device("cpu")
    network, example = assemble(config, genotype, summary, batch=2, device=device)
    assert network.eval()(example).shape == (2, 5, 16, 24)


@pytest.mark.parametrize("batch", [0, 5000, 1.5, "1"])
def test_a_batch_out_of_bounds_is_refused(studio: Studio, run: Run, batch: object) -> None:
    failed = studio.answer(run, "latency", {"batch": batch})
    assert failed.error is not None
    assert f"batch = {batch!r}" in failed.error


def test_a_run_that_has_not_started_has_no_latency(studio: Studio, run: Run) -> None:
    new = studio.store.create(make_config(TINY), name="new")
    failed = studio.answer(new, "latency", {"genotype": genotype_text(studio, run)})
    assert failed.error is not None
    assert "has not loaded them yet" in failed.error


# Answers


def test_a_stale_process_ends_without_a_trace(studio: Studio, run: Run) -> None:
    job = studio.store.ask_job(run.id, "latency", {})
    assert perform(studio.store, studio.artifacts, job.id, 0) == JobExit.FENCED
    studio.store.take_job("here", job.id)
    studio.store.return_job(job.id, 1)
    studio.store.take_job("here", job.id)
    before = studio.store.job(job.id)
    assert perform(studio.store, studio.artifacts, job.id, 1) == JobExit.FENCED
    assert perform(studio.store, studio.artifacts, 99, 1) == JobExit.FENCED
    assert studio.store.job(job.id) == before


def test_a_job_that_was_taken_over_while_it_worked_writes_nothing(studio: Studio, run: Run) -> None:
    job = studio.store.ask_job(run.id, "child", {})
    studio.store.take_job("here", job.id)

    def late(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
        studio.store.return_job(job.id, 1)
        studio.store.take_job("there", job.id)
        return {}

    code = perform(studio.store, studio.artifacts, job.id, 1, table={"child": late})
    assert code == JobExit.FENCED
    assert studio.store.job(job.id).state is JobState.WORKING


def test_files_of_a_job_whose_run_was_deleted_meanwhile_are_removed(
    studio: Studio, run: Run
) -> None:
    job = studio.store.ask_job(run.id, "export", {})
    studio.store.take_job("here", job.id)
    seen: list[str] = []

    def slow(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
        with context.artifacts.write(f"{context.folder}/file.bin") as file:
            file.write(b"content")
        seen.extend(context.artifacts.keys(context.folder))
        context.store.delete(context.run.id)
        return {}

    code = perform(studio.store, studio.artifacts, job.id, 1, table={"export": slow})
    assert code == JobExit.FENCED
    assert seen == [f"runs/{run.uid}/jobs/{job.id}/file.bin"]
    assert studio.artifacts.keys(f"runs/{run.uid}/jobs") == []


def test_a_refusal_and_missing_memory_become_sentences_and_a_fault_ends_the_process(
    studio: Studio, run: Run
) -> None:
    def raising(error: Exception) -> Any:
        def job(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
            raise error

        return {"child": job}

    refusal = NotANumber(asked="a", found="b", allowed="c", advice="d")
    failed = studio.answer(run, "child", {"step": 1}, table=raising(refusal))
    assert failed.error == "Asked for a; found b; allowed is c; d."
    full = torch.OutOfMemoryError("CUDA out of memory")
    failed = studio.answer(run, "child", {"step": 2}, table=raising(full))
    assert failed.error is not None
    assert "CUDA out of memory" in failed.error
    with pytest.raises(RuntimeError, match="a bug"):
        studio.answer(run, "child", {"step": 3}, table=raising(RuntimeError("a bug")))
    assert studio.store.jobs(run.id)[0].state is JobState.WORKING


def test_an_unknown_kind_is_refused(studio: Studio, run: Run) -> None:
    failed = studio.answer(run, "coffee", {})
    assert failed.error is not None
    assert "no such kind in this version" in failed.error


def test_a_run_in_any_state_can_be_asked_about(studio: Studio, run: Run) -> None:
    assert run.state is RunState.COMPLETED
    paused = replace(run)
    assert studio.answer(paused, "latency", {"batch": 2}).state is JobState.DONE
