"""Check a network that EGS Studio packed: python verify.py

Needs torch and onnxruntime, nothing else. Checks the digest of every file,
builds the network from model.py, loads its weights, and compares its answers
to the example inputs with the stored answers and with those of ONNX. Prints a
line for each check; exits with 0 if all hold and with 1 otherwise.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parent
NEEDED = ("torch", "onnxruntime")


def main() -> int:
    """All checks; the exit code."""
    listed = json.loads((FOLDER / "bundle.json").read_text("utf-8"))
    checks = [check_files(listed["files"])]
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"Cannot run the network: run `pip install {' '.join(missing)}`, then this again.")
        return 1
    if checks[0]:
        checks += check_answers(listed)
    print("All checks passed." if all(checks) else "A check FAILED.")
    return 0 if all(checks) else 1


def check_files(digests: dict[str, str]) -> bool:
    """Whether every file is there with its digest."""
    passed = True
    for name, wanted in sorted(digests.items()):
        path = FOLDER / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        passed &= report(found == wanted, f"{name}: sha256 {found[:16]}")
    return passed


def check_answers(listed: dict) -> list[bool]:
    """PyTorch against the stored answers, then ONNX against both."""
    import onnxruntime
    import torch

    model = load_module(FOLDER / "model.py")
    inputs = model.read_tensors(FOLDER / "example_inputs.safetensors")
    stored = model.read_tensors(FOLDER / "example_outputs.safetensors")
    network = model.load(FOLDER / "weights.safetensors")
    with torch.no_grad():
        answer = network(*(inputs[name] for name in listed["inputs"]))
    answers = answer if isinstance(answer, tuple) else (answer,)
    outputs = dict(zip(listed["outputs"], answers, strict=True))
    session = onnxruntime.InferenceSession(
        str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    fed = {name: inputs[name].numpy() for name in listed["inputs"]}
    graph = dict(zip(listed["outputs"], session.run(listed["outputs"], fed), strict=True))
    limit = listed["tolerance"]
    checks = []
    for name in listed["outputs"]:
        size = max(1.0, stored[name].abs().max().item())
        there = (outputs[name] - stored[name]).abs().max().item() / size
        checks.append(report(there <= limit, f"model.py {name}: differs by {there:.2g}"))
        there = (torch.from_numpy(graph[name]) - stored[name]).abs().max().item() / size
        checks.append(report(there <= limit, f"model.onnx {name}: differs by {there:.2g}"))
    return checks


def load_module(path: Path) -> ModuleType:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def report(passed: bool, what: str) -> bool:
    """Print one line."""
    print(f"{'ok  ' if passed else 'FAIL'}  {what}")
    return passed


if __name__ == "__main__":
    sys.exit(main())
