"""Files that torch has to make: as a job, and by the command line, of a real small search."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import onnxruntime
import pytest
import torch
import typer
from safetensors.torch import load

from app import cli
from app.requests import ask
from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from engine.catalog import gather_catalog
from engine.conversion.table import CONVERSIONS
from engine.domain.config import make_config
from engine.domain.errors import InvalidConfig, StudioError
from engine.domain.genotype import to_json
from engine.domain.jobs import JobState
from engine.export import EXPORTERS
from engine.runtime.devices import find_cpu
from engine.runtime.jobs import perform
from engine.runtime.worker import Exit, work

TINY = {
    "cells": 2,
    "channels": 4,
    "nodes": 1,
    "epochs": 1,
    "train_limit": 32,
    "batch_size": 16,
    "cpu_threads": 1,
}
NO_NOISE = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with run 1, a search that has ended."""
    folder = tmp_path_factory.mktemp("home")
    studio = open_studio(Settings.from_environment({"EGS_HOME": str(folder)}))
    studio.store.publish(gather_catalog())
    run = studio.create(make_config(TINY), name="tiny one")
    claimed = studio.store.claim(run.id, node="here", device=find_cpu(1))
    assert claimed is not None
    assert work(studio.store, studio.artifacts, run.id, claimed.attempt) == Exit.DONE
    return folder


@pytest.fixture
def studio(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    threads = torch.get_num_threads()
    monkeypatch.setenv("EGS_HOME", str(home))
    yield open_studio(Settings.from_environment())
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def answered(studio: Studio, **arguments):
    job = ask(studio, 1, "export", arguments)
    taken = studio.store.take_job("here", job.id)
    assert taken is not None
    perform(studio.store, studio.artifacts, job.id, taken.attempt)
    return studio.store.job(job.id)


@NO_NOISE
def test_a_job_puts_the_onnx_file_beside_the_run_and_says_where(studio):
    genotype = studio.derive(1)
    job = answered(studio, format="onnx", genotype=to_json(genotype))
    assert job.state is JobState.DONE, job.error
    assert job.result["difference"] < 1e-4
    assert job.result["step"] == studio.checkpoints(1)[-1].step
    assert job.result["key"].startswith(f"runs/{studio.run(1).uid}/")
    with studio.artifacts.read(job.result["key"]) as file:
        content = file.read()
    assert len(content) == job.result["size_bytes"]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].name == "scores"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"format": "onnx", "genotype": 5}, "the JSON text of a genotype"),
        ({"format": "onnx", "genotype": "{}"}, "without the genotype schema"),
        ({"format": "caffe"}, "one of bundle, onnx, torch_export, safetensors, pyg"),
        ({"format": "onnx", "step": "late"}, "step = 'late'"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(studio, arguments, words):
    given = {"genotype": to_json(studio.derive(1)), **arguments}
    job = answered(studio, **given)
    assert job.state is JobState.FAILED
    assert words in job.error


@NO_NOISE
def test_the_command_makes_a_bundle_without_an_engine(studio, tmp_path, capsys):
    cli.app(
        ["export", "1", "--format", "bundle", "-o", str(tmp_path), "--json"],
        standalone_mode=False,
    )
    said = json.loads(capsys.readouterr().out)
    path = Path(said["path"])
    assert path.name == f"tiny-one-run1-step{studio.derive(1).lineage['step']}.zip"
    with zipfile.ZipFile(BytesIO(path.read_bytes())) as archive:
        card = archive.read("MODEL_CARD.md").decode()
    figures = studio.snapshot(1).metrics
    accuracy = round(figures["child_accuracy"], 4)
    assert f"child_accuracy, measured by the search at step 2 | {accuracy} |" in card
    assert "gap, measured by the search at step 2" in card
    assert studio.checkpoints(1)[-1].sha256 in card


def test_the_command_writes_the_weights_of_the_checkpoint(studio, tmp_path):
    target = tmp_path / "weights.safetensors"
    cli.app(
        ["export", "1", "--format", "safetensors", "-o", str(target)],
        standalone_mode=False,
    )
    weights = load(target.read_bytes())
    with studio.artifacts.read(studio.checkpoints(1)[-1].key) as file:
        model = torch.load(file, weights_only=True)["model"]
    assert torch.equal(weights["classifier.weight"], model["classifier.weight"])


def test_a_format_that_nobody_knows_is_refused_with_those_that_are_made(studio, tmp_path):
    with pytest.raises(InvalidConfig, match="bundle, onnx"):
        cli.app(["export", "1", "--format", "caffe", "-o", str(tmp_path)], standalone_mode=False)


def test_a_run_without_a_checkpoint_is_refused(studio, tmp_path):
    run = studio.create(make_config(TINY))
    with pytest.raises(StudioError, match="wait for the first snapshot"):
        cli.app(["export", str(run.id), "--format", "onnx"], standalone_mode=False)


def test_the_help_names_every_format():
    command = typer.main.get_command(cli.app).commands["export"]
    text = next(option.help for option in command.params if option.name == "format_name")
    words = set(text.replace(",", " ").replace(";", " ").replace(".", " ").split())
    assert words >= {*EXPORTERS, *CONVERSIONS}
