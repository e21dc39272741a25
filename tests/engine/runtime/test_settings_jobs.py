"""Jobs about settings, worked out in this process on tiny data: data and first steps."""

import base64
import io
import json
import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image

from engine.domain.config import make_config
from engine.domain.facts import speed_key
from engine.domain.jobs import Job, JobState
from engine.domain.workload import Speed
from engine.runtime.job_context import JobContext
from engine.runtime.jobs import KEPT_WITHOUT_RUN, JobExit, perform
from engine.search.build import build_search
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.engine.data.bad_data import image_folder, scene_folder, text_folder
from tests.engine.runtime.conftest import HandClock

SMALL = {
    "cells": 2,
    "channels": 4,
    "nodes": 1,
    "epochs": 3,
    "batch_size": 4,
    "cpu_threads": 1,
    "alpha_warmup_epochs": 1,
}
TEXT = {
    "task": "language_modelling",
    "space": "rnn",
    "epochs": 2,
    "batch_size": 4,
    "bptt": 5,
    "embedding_size": 8,
    "hidden_size": 8,
    "cpu_threads": 1,
}


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@dataclass
class Studio:
    """A store, its artifacts, and the folders from which data may be read."""

    store: MemoryStore
    artifacts: FolderArtifacts
    clock: HandClock
    roots: tuple[Path, ...] = ()

    def answer(self, kind: str, config: Mapping[str, Any], **options: Any) -> Job:
        """Ask, take and perform."""
        job = self.store.ask_job(None, kind, {"config": dict(config), "device": "cpu"})
        self.store.take_job("here", job.id)
        options = {"data_roots": self.roots, **options}
        code = perform(self.store, self.artifacts, job.id, 1, **options)
        done = self.store.job(job.id)
        assert code == (JobExit.DONE if done.state is JobState.DONE else JobExit.FAILED)
        return done


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    clock = HandClock()
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


def result_of(job: Job) -> Mapping[str, Any]:
    assert job.error is None
    assert job.result is not None
    return job.result


def levels(job: Job) -> set[str]:
    return {one["level"] for one in result_of(job)["findings"]}


# Data


def test_images_are_examined_with_a_small_sheet(studio: Studio, tmp_path: Path) -> None:
    job = studio.answer("data", {"data": str(image_folder(tmp_path / "data"))})
    result = result_of(job)
    assert levels(job) == {"ok"}
    assert (result["kind"], result["counts"]["training"]) == ("images", 12)
    picture = Image.open(io.BytesIO(base64.b64decode(result["sheet"]["base64"])))
    assert picture.width == result["sheet"]["width"]
    assert len(json.dumps(dict(result))) < 200_000


def test_scenes_and_texts_are_examined(studio: Studio, tmp_path: Path) -> None:
    scenes = {"task": "semantic_segmentation", "data": str(scene_folder(tmp_path / "scenes"))}
    assert result_of(studio.answer("data", scenes))["sheet"]["words"].endswith("2 car")
    texts = result_of(studio.answer("data", {**TEXT, "data": str(text_folder(tmp_path / "text"))}))
    assert texts["sheet"] is None
    assert texts["bar_splits"] == ["training"]


def test_what_a_search_would_refuse_is_a_finding(studio: Studio, tmp_path: Path) -> None:
    root = image_folder(tmp_path / "data")
    (root / "train" / "cat" / "0.png").write_bytes(b"broken")
    job = studio.answer("data", {"data": str(root)})
    assert levels(job) == {"ok", "error"}
    [error] = [one["text"] for one in result_of(job)["findings"] if one["level"] == "error"]
    assert "train/cat/0.png" in error
    skipped = studio.answer("data", {"data": str(root), "broken_images": "skip"})
    assert levels(skipped) == {"ok", "warning"}
    empty = studio.answer("data", {"data": str(tmp_path)})
    assert levels(empty) == {"error"}
    assert "no folder train" in result_of(empty)["findings"][0]["text"]
    assert result_of(empty)["bars"] == []


def test_data_outside_the_folders_that_may_be_read_are_refused(
    studio: Studio, tmp_path: Path
) -> None:
    root = image_folder(tmp_path / "data")
    studio.roots = (tmp_path / "allowed",)
    for kind in ("data", "preflight"):
        refused = studio.answer(kind, {**SMALL, "data": str(root)})
        assert refused.state is JobState.FAILED
        assert refused.error is not None
        assert "a path outside the folders that may be read" in refused.error
    studio.roots = (tmp_path,)
    assert levels(studio.answer("data", {"data": str(root), "seed": 1})) == {"ok"}


def test_settings_that_do_not_fit_are_refused(studio: Studio) -> None:
    for config, words in (({"epochs": -3}, "epochs"), ({"colour": 1}, "colour")):
        failed = studio.answer("data", config)
        assert failed.error is not None
        assert words in failed.error
    job = studio.store.ask_job(None, "preflight", {})
    studio.store.take_job("here", job.id)
    assert perform(studio.store, studio.artifacts, job.id, 1) == JobExit.FAILED
    assert "neither a run nor settings" in str(studio.store.job(job.id).error)


def test_a_job_about_a_run_needs_one(studio: Studio) -> None:
    failed = studio.answer("latency", SMALL)
    assert failed.error is not None
    assert "found no run that it is about" in failed.error


def test_old_answers_go_with_their_files(studio: Studio) -> None:
    def write(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
        with context.artifacts.write(f"{context.folder}/file.bin") as file:
            file.write(b"content")
        return {}

    jobs = []
    for seed in range(KEPT_WITHOUT_RUN + 2):
        studio.clock.forward(1)
        jobs.append(studio.answer("data", {"seed": seed}, table={"data": write}))
    kept = [job.id for job in jobs[2:]]
    assert [job.id for job in studio.store.jobs()] == kept[::-1]
    assert {int(key.split("/")[1]) for key in studio.artifacts.keys("jobs")} == set(kept)


# First steps


def test_first_steps_say_how_long_the_search_takes(studio: Studio, tmp_path: Path) -> None:
    config = {**SMALL, "data": str(image_folder(tmp_path / "data"))}
    result = result_of(studio.answer("preflight", config))
    assert result["fits"]
    assert (result["steps"], result["steps_per_epoch"], result["epochs"]) == (3, 3, 3)
    epoch = 3 * result["step_seconds"] + result["evaluation_seconds"]
    assert result["total_seconds"] == pytest.approx(3 * epoch)
    assert result["evaluation_seconds"] > 0
    loop = build_search(make_config(config), torch.device("cpu"), report=lambda _: None)
    counts = [weight.numel() for weight in loop.supernet.weight_parameters()]
    assert result["parameters"] == sum(counts)
    assert result["alphas"] == sum(alpha.numel() for alpha in loop.supernet.alphas.values())
    assert 50 * 2**20 < result["peak_bytes"] < psutil.virtual_memory().total
    assert (result["largest"], result["largest_limit"]) == (12, "data")


@pytest.mark.parametrize(
    "settings",
    [
        {"update": "alternating", "batch_size": 2},
        {"method": "random", "candidates": 2, "alpha_warmup_epochs": 0},
        {"method": "darts", "scope": "edge", "alpha_warmup_epochs": 0},
    ],
    ids=lambda settings: next(iter(settings.values())),
)
def test_every_kind_of_search_takes_its_first_steps(
    studio: Studio, tmp_path: Path, settings: dict[str, Any]
) -> None:
    config = {**SMALL, **settings, "data": str(image_folder(tmp_path / "data"))}
    result = result_of(studio.answer("preflight", config))
    assert result["fits"]
    assert result["largest"] == (6 if settings.get("update") == "alternating" else 12)


def test_texts_and_scenes_take_their_first_steps(studio: Studio, tmp_path: Path) -> None:
    text = {**TEXT, "data": str(text_folder(tmp_path / "text"))}
    result = result_of(studio.answer("preflight", text))
    assert (result["fits"], result["largest"]) == (True, 400 // 6)
    scenes = {
        **SMALL,
        "task": "semantic_segmentation",
        "data": str(scene_folder(tmp_path / "scenes")),
        "batch_size": 2,
        "aspp_channels": 4,
    }
    result = result_of(studio.answer("preflight", scenes))
    assert (result["fits"], result["largest"]) == (True, 4)


def test_first_steps_go_on_until_one_has_probed(studio: Studio) -> None:
    config = {**SMALL, "data": "digits", "gradient": "probed", "probe": "steps"}
    result = result_of(studio.answer("preflight", {**config, "probe_fraction": 0.125}))
    assert result["steps"] == 8


def test_a_batch_that_is_larger_than_the_data_is_refused(studio: Studio, tmp_path: Path) -> None:
    config = {**SMALL, "batch_size": 64, "data": str(image_folder(tmp_path / "data"))}
    failed = studio.answer("preflight", config)
    assert failed.error is not None
    assert "batch_size = 64; found 12 images to train on" in failed.error


def test_too_little_memory_is_an_answer(studio: Studio) -> None:
    """The process really may not have more; torch's own allocator refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    config = {**SMALL, "data": "digits", "channels": 64, "batch_size": 1024}
    result_of(studio.answer("preflight", {**SMALL, "data": "digits", "train_limit": 64}))
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + 500 * 2**20, hard))
    try:
        job = studio.answer("preflight", config)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    result = result_of(job)
    assert not result["fits"]
    assert 0 < result["largest"] < 1024
    assert (result["largest_limit"], result["largest_estimated"]) == ("memory", False)
    assert "step_seconds" not in result


# Speed


def test_speed_of_a_device_is_measured_and_published(studio: Studio) -> None:
    result = result_of(studio.answer("speed", {"cpu_threads": 1}))
    speed = Speed(result["call"], result["multiply_add"], result["value"])
    assert min(speed.call, speed.multiply_add, speed.value) > 0
    assert (result["node"], result["device"]) == ("here", "cpu")
    with studio.artifacts.read(speed_key("here", "cpu")) as file:
        assert json.load(file) == dict(result)


def test_name_of_a_machine_becomes_a_key_of_the_store() -> None:
    assert speed_key("..my host/1", "cuda:0") == "machines/my-host-1/cuda-0.json"
    assert speed_key("", "cpu") == "machines/this-machine/cpu.json"
