"""Files that torch has to make: as a job, and by the command line, of a real small search."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import onnxruntime
import pytest
import torch
import typer
from safetensors import safe_open
from safetensors.torch import load

from app import cli
from app.requests import ask
from app.settings import Settings
from app.studio import Studio
from app.wiring import open_studio
from engine.catalog import gather_catalog
from engine.conversion.table import CONVERSIONS
from engine.domain.config import make_config, make_training_config
from engine.domain.errors import InvalidConfig, StudioError
from engine.domain.genotype import from_masks, to_json
from engine.domain.jobs import JobState
from engine.domain.run import Run
from engine.domain.run_config import RunConfig
from engine.export import EXPORTERS
from engine.runtime.devices import find_cpu
from engine.runtime.jobs import perform
from engine.runtime.worker import Exit, work
from engine.spaces import SPACES

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


SCENES = {
    **TINY,
    "task": "semantic_segmentation",
    "data": "digit_scenes",
    "train_limit": 16,
    "batch_size": 8,
    "stem_stride": 4,
    "aspp_channels": 4,
}
TEXT = {
    "task": "language_modelling",
    "space": "rnn",
    "nodes": 2,
    "epochs": 1,
    "batch_size": 4,
    "bptt": 5,
    "embedding_size": 6,
    "hidden_size": 6,
    "cpu_threads": 1,
}
SEARCHES = (1, 2, 3)
TRAININGS = (4, 5, 6)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with runs that have ended.

    Runs 1 to 3 are searches on images, scenes and a text, runs 4 to 6 the
    trainings of what they found.
    """
    folder = tmp_path_factory.mktemp("home")
    studio = open_studio(Settings.from_environment({"EGS_HOME": str(folder)}))
    studio.store.publish(gather_catalog())
    text = folder / "text"
    text.mkdir()
    for name, lines in (("train", 40), ("valid", 12), ("test", 12)):
        (text / f"{name}.txt").write_text("a b c d e f\n" * lines)
    for name, settings in (
        ("tiny one", TINY),
        ("scenes", SCENES),
        ("text", {**TEXT, "data": str(text)}),
    ):
        finished(studio, studio.create(make_config(settings), name=name))
    for run_id in SEARCHES:
        settings = studio.run(run_id).config.model_dump()
        shared = {name: settings[name] for name in RunConfig.model_fields}
        config = make_training_config({**shared, "genotype": to_json(studio.derive(run_id))})
        name = f"training of {run_id}"
        finished(studio, studio.store.create(config, name=name, priority=0))
    return folder


def finished(studio: Studio, run: Run) -> None:
    """Carry a run out in this process."""
    claimed = studio.store.claim(run.id, node="here", device=find_cpu(1))
    assert claimed is not None
    assert work(studio.store, studio.artifacts, run.id, claimed.attempt) == Exit.DONE


@pytest.fixture
def studio(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    threads = torch.get_num_threads()
    monkeypatch.setenv("EGS_HOME", str(home))
    yield open_studio(Settings.from_environment())
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def answered(studio: Studio, run_id: int = 1, **arguments):
    job = ask(studio, run_id, "export", arguments)
    taken = studio.store.take_job("here", job.id)
    assert taken is not None
    perform(studio.store, studio.artifacts, job.id, taken.attempt)
    return studio.store.job(job.id)


@NO_NOISE
@pytest.mark.parametrize("run_id", [1, 3, 5])
def test_a_job_puts_the_onnx_file_beside_the_run_and_says_where(studio, run_id):
    genotype = studio.derive(run_id)
    job = answered(studio, run_id, format="onnx", genotype=to_json(genotype))
    assert job.state is JobState.DONE, job.error
    assert job.result["difference"] < 1e-4
    assert job.result["step"] == studio.checkpoints(run_id)[-1].step
    assert job.result["key"].startswith(f"runs/{studio.run(run_id).uid}/")
    with studio.artifacts.read(job.result["key"]) as file:
        content = file.read()
    assert len(content) == job.result["size_bytes"]
    assert job.result["sha256"] == sha256(content).hexdigest()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].name == "scores"


@pytest.mark.parametrize("run_id", [*SEARCHES, *TRAININGS])
def test_the_command_writes_weights_that_its_module_takes(studio, tmp_path, run_id):
    paths = {"safetensors": tmp_path / "weights.safetensors", "module": tmp_path / "network.py"}
    for name, path in paths.items():
        cli.app(["export", str(run_id), "--format", name, "-o", str(path)], standalone_mode=False)
    weights = load(paths["safetensors"].read_bytes())
    namespace: dict = {"__name__": "network"}
    exec(compile(paths["module"].read_text(), "network.py", "exec"), namespace)
    namespace["build"]().load_state_dict(weights)


@pytest.mark.parametrize("run_id", TRAININGS)
def test_figures_of_a_training_are_those_in_the_file(studio, tmp_path, run_id):
    target = tmp_path / "weights.safetensors"
    cli.app(
        ["export", str(run_id), "--format", "safetensors", "-o", str(target)],
        standalone_mode=False,
    )
    with safe_open(target, "pt") as file:
        facts = json.loads(file.metadata()["egs-studio"])["facts"]
    recorded = studio.snapshot(run_id).metrics
    for name, value in facts["figures"].items():
        assert value == pytest.approx(recorded[name], rel=1e-5), name
    assert any(name.startswith("test_") for name in facts["figures"])
    assert facts["lineage"]["run"] == studio.run(run_id - 3).uid


def test_cells_that_a_training_has_not_trained_are_refused(studio):
    other = from_masks(SPACES["darts"].with_nodes(1), {"normal": (2, 0), "reduction": (0, 2)})
    job = answered(studio, 4, format="onnx", genotype=to_json(other))
    assert job.state is JobState.FAILED
    assert "found a training of other cells" in job.error


def test_the_checkpoint_of_another_run_is_refused(studio):
    """The file is whole and of the same settings; only the run that it names is another."""
    saved, other = studio.checkpoints(1)[-1], studio.create(make_config(TINY))
    claimed = studio.store.claim(other.id, node="here", device=find_cpu(1))
    key = f"runs/{other.uid}/checkpoints/moved.pt"
    with studio.artifacts.read(saved.key) as source, studio.artifacts.write(key) as file:
        file.write(source.read())
    studio.store.add_checkpoint(other.id, claimed.attempt, replace(saved, key=key))
    genotype = to_json(studio.derive(1))
    job = answered(studio, other.id, format="safetensors", genotype=genotype)
    assert job.state is JobState.FAILED
    uid = studio.run(1).uid
    assert (
        f"found a checkpoint of the run {uid}; allowed is one of the run {other.uid}" in job.error
    )


def test_data_that_changed_since_the_run_are_refused(studio, home):
    text = home / "text" / "train.txt"
    before = text.read_text()
    text.write_text(before + "f e d c b a, and a new word\n")
    try:
        for run_id in (3, 6):
            genotype = to_json(studio.derive(run_id))
            job = answered(studio, run_id, format="safetensors", genotype=genotype)
            assert job.state is JobState.FAILED
            assert f"of run {run_id}; found data with the digest" in job.error
            assert "changed since the run" in job.error
    finally:
        text.write_text(before)


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
