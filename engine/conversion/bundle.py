"""Everything in one zip: source, weights, ONNX, genotype, model card and a check of it all."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from io import BytesIO
from typing import Any

from safetensors.torch import save
from torch import Tensor

from engine.conversion.child import Child
from engine.conversion.conversion import TOLERANCE, Conversion, Converted
from engine.conversion.model_card import model_card
from engine.conversion.onnx_graph import convert_onnx
from engine.conversion.weights import convert_weights
from engine.domain.catalog import Card
from engine.domain.genotype import to_json
from engine.export.exporter import NETWORK

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the zip, so that equal content gives equal bytes."""

LOAD = '''
def load(path):
    """The network with the weights of a safetensors file, ready to answer."""
    network = {build}
    network.load_state_dict(read_tensors(path))
    return network.eval()
'''


def convert_bundle(child: Child) -> Converted:
    """The zip; the same network gives the same bytes.

    Raises:
        CannotConvert: There is no ONNX graph that answers alike.
    """
    graph = convert_onnx(child)
    outputs = child.answer(child.example)
    content = {
        "model.py": module_with_loader(child).encode(),
        "weights.safetensors": convert_weights(child).content,
        "model.onnx": graph.content,
        "genotype.json": to_json(child.genotype).encode(),
        "example_inputs.safetensors": _tensors(child.inputs, child.example),
        "example_outputs.safetensors": _tensors(child.outputs, outputs),
        "MODEL_CARD.md": model_card(
            child,
            {
                "largest difference of ONNX": f"{graph.facts['difference']:.2g}",
                "operators of ONNX": graph.facts["opset"],
            },
        ).encode(),
        "verify.py": _own_text("verify.py").encode(),
    }
    content["bundle.json"] = _listing(child, content)
    return Converted(_zipped(content), {"files": len(content), **graph.facts})


def module_with_loader(child: Child) -> str:
    """The plain module, and below it ``load`` with a reader of safetensors."""
    reader = _own_text("reader.py").split('"""', 2)[2].strip()
    return f"{child.source.rstrip()}\n\n\n{reader}\n\n\n{LOAD.format(build=child.build).strip()}\n"


def _own_text(name: str) -> str:
    return files("engine.conversion").joinpath(name).read_text("utf-8")


def _tensors(ports: Any, values: tuple[Tensor, ...]) -> bytes:
    return save({port.name: value.contiguous() for port, value in zip(ports, values, strict=True)})


def _listing(child: Child, content: Mapping[str, bytes]) -> bytes:
    document = {
        "schema": "egs-studio/bundle",
        "version": 1,
        "inputs": [port.name for port in child.inputs],
        "outputs": [port.name for port in child.outputs],
        "tolerance": TOLERANCE,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
        "facts": dict(child.facts),
    }
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _zipped(content: Mapping[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content[name])
    return file.getvalue()


BUNDLE = Conversion(
    Card(
        "bundle",
        "Bundle (zip)",
        "Source, weights, ONNX, genotype and model card, with a script that checks them anywhere.",
        group=NETWORK,
        by_engine=True,
    ),
    extension=".zip",
    media_type="application/zip",
    convert=convert_bundle,
)
