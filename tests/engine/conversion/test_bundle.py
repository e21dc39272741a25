"""The bundle, unpacked and checked where nothing but torch, onnxruntime and numpy is."""

import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import torch

from engine.conversion.bundle import convert_bundle
from engine.domain.genotype import from_json

FILES = {
    "MODEL_CARD.md",
    "bundle.json",
    "example_inputs.safetensors",
    "example_outputs.safetensors",
    "genotype.json",
    "model.onnx",
    "model.py",
    "verify.py",
    "weights.safetensors",
}


TASKS = {"image_classification": 2, "semantic_segmentation": 2, "language_modelling": 4}
"""By task, the answers that are checked: two an output."""


@pytest.fixture
def bundle(bundles) -> bytes:
    return bundles["image_classification"]


@pytest.fixture
def folder(bundle: bytes, tmp_path: Path) -> Path:
    return unpacked(bundle, tmp_path)


def unpacked(bundle: bytes, place: Path) -> Path:
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        archive.extractall(place / "bundle")
    return place / "bundle"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of links to torch, onnxruntime, and what these two ask for: nothing else."""
    target = tmp_path_factory.mktemp("libraries")
    waiting, seen = ["torch", "onnxruntime"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # asked for on other systems
        for top in {Path(file).parts[0] for file in found.files or ()} - {"..", "bin"}:
            link = target / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))
        for requirement in found.requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
    return target


def verified(folder: Path, libraries: Path) -> subprocess.CompletedProcess[str]:
    """Run verify.py in an interpreter that sees the standard library and these only."""
    program = (
        "import runpy, sys\n"
        f"sys.path.append({str(libraries)!r})\n"
        "for name in ('engine', 'safetensors', 'onnx', 'jaxtyping', 'pydantic'):\n"
        "    try:\n"
        "        __import__(name)\n"
        "    except ImportError:\n"
        "        continue\n"
        "    sys.exit(name + ' can be imported')\n"
        "import torch\n"
        "torch.set_num_threads(1)\n"
        f"runpy.run_path({str(folder / 'verify.py')!r}, run_name='__main__')\n"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )


@pytest.mark.parametrize("task", TASKS)
def test_the_bundle_passes_its_own_check_in_an_empty_environment(
    bundles, libraries, tmp_path, task
):
    done = verified(unpacked(bundles[task], tmp_path), libraries)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "All checks passed."
    assert sum(line.startswith("ok") for line in lines) == len(FILES) - 1 + TASKS[task]


@pytest.mark.parametrize("name", ["weights.safetensors", "model.py", "MODEL_CARD.md"])
def test_a_changed_file_is_noticed(folder, libraries, name):
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    done = verified(folder, libraries)
    assert done.returncode == 1
    assert f"FAIL  {name}" in done.stdout


def test_without_its_libraries_the_check_says_what_to_install(folder):
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == (
        "Cannot run the network: run `pip install torch onnxruntime`, then this again."
    )


def test_other_weights_are_noticed_even_with_their_digest(folder, libraries):
    import hashlib

    from safetensors.torch import load_file, save_file

    path = folder / "weights.safetensors"
    weights = load_file(path)
    save_file({name: value + 0.1 * value.abs().gt(0) for name, value in weights.items()}, path)
    listing = json.loads((folder / "bundle.json").read_text())
    listing["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(listing))
    done = verified(folder, libraries)
    assert done.returncode == 1
    assert "FAIL  model.py scores" in done.stdout
    assert "ok    model.onnx scores" in done.stdout


@pytest.mark.parametrize("task", ["image_classification", "language_modelling"])
def test_the_same_network_gives_the_same_bytes(children, bundles, monkeypatch, task):
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    again = convert_bundle(children[task]).content
    with zipfile.ZipFile(BytesIO(bundles[task])) as one, zipfile.ZipFile(BytesIO(again)) as two:
        for name in one.namelist():
            assert one.read(name) == two.read(name), name
    assert again == bundles[task]


def test_the_bundle_holds_the_genotype_and_a_card_that_says_what_it_is(child, bundle):
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        assert set(archive.namelist()) == FILES
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert from_json(archive.read("genotype.json").decode()) == child.genotype
        card = archive.read("MODEL_CARD.md").decode()
    for words in (
        "image_classification",
        child.facts["data_digest"],
        f"{child.cost().parameters:,}",
        f"{child.cost().multiply_adds:,}",
        "validation_accuracy",
        "2 batches of 32 training images",
        "[any batch, 1, 8, 8]",
        'a "run" \\| with &lt;marks>',
    ):
        assert words in card, words


def test_the_stored_answers_are_those_of_the_network(child, folder):
    from safetensors.torch import load_file

    stored = load_file(folder / "example_outputs.safetensors")
    assert torch.equal(stored["scores"], child.answer(child.example)[0])
