"""The network as ONNX, compared with PyTorch before anybody gets it."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.conversion.child import Child, furthest, largest
from engine.conversion.conversion import CannotConvert, Conversion, Converted
from engine.conversion.program import checked_examples, refuse_difference, refuse_not_finite, trace
from engine.domain.catalog import Card
from engine.domain.genotype import to_json
from engine.export.exporter import NETWORK

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

OPSET = 20
"""Version of ONNX's operators: read by onnxruntime from 1.17 on."""

LARGEST_BYTES = 2**31 - 1
"""An ONNX file is one protocol buffer, which cannot be larger."""


def convert_onnx(child: Child) -> Converted:
    """The graph with its weights, for any lengths of its free axes.

    The file is loaded into onnxruntime and compared with PyTorch on the real
    example, on other lengths and on random inputs.

    Raises:
        CannotConvert: It cannot be traced, is too large, does not answer with
            finite numbers, or the file answers otherwise.
    """
    _refuse_large(child)
    refuse_not_finite("an ONNX graph", child)
    content = _serialised(child)
    difference = compare_onnx(child, content)
    refuse_difference("ONNX graph", difference)
    return Converted(content, {"difference": difference, "opset": OPSET})


def _refuse_large(child: Child) -> None:
    size = sum(value.nbytes for value in child.network.state_dict().values())
    if size > LARGEST_BYTES:
        raise CannotConvert(
            asked="an ONNX graph of this network",
            found=f"{size:,} bytes of weights",
            allowed=f"{LARGEST_BYTES:,} bytes, which is what one ONNX file holds",
            advice="take the torch.export program or the PyTorch module and its weights instead",
        )


def compare_onnx(child: Child, content: bytes) -> float:
    """Largest difference between onnxruntime and PyTorch, see :func:`furthest`."""
    from onnxruntime import InferenceSession

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [port.name for port in child.outputs]
    differences = []
    for inputs in (*checked_examples(child), _random(child)):
        fed = {port.name: value.numpy() for port, value in zip(child.inputs, inputs, strict=True)}
        found = [torch.from_numpy(value) for value in session.run(names, fed)]
        differences.append(furthest(child.answer(inputs), found))
    return largest(differences)


def _random(child: Child) -> tuple[Tensor, ...]:
    """Inputs of the example's shapes: normal numbers, or whole ones within its range."""
    random = torch.Generator().manual_seed(0)
    return tuple(_random_like(value, random) for value in child.example)


def _random_like(value: Tensor, random: torch.Generator) -> Tensor:
    if value.is_floating_point():
        return torch.randn(value.shape, generator=random, dtype=value.dtype)
    high = int(value.max()) + 1
    return torch.randint(high, value.shape, generator=random, dtype=value.dtype)


def _serialised(child: Child) -> bytes:
    import onnx

    program = trace(child)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", DeprecationWarning)
            made = torch.onnx.export(
                program,
                child.example,
                input_names=[port.name for port in child.inputs],
                output_names=[port.name for port in child.outputs],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        if made is None:
            raise RuntimeError("the exporter gave nothing")
        model = made.model_proto
        onnx.checker.check_model(model)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise CannotConvert(
            asked="an ONNX graph of this network",
            found=f"{(str(error).strip().splitlines() or ['no reason'])[0][:300]!r}",
            allowed=f"a network that the operators of ONNX {OPSET} can express",
            advice="take the torch.export program or the PyTorch module instead",
        ) from error
    _tidy(model, child)
    _annotate(model, child)
    return bytes(model.SerializeToString(deterministic=True))


def _tidy(model: ModelProto, child: Child) -> None:
    """Name the free axes, drop traces of this machine's source files, so that bytes repeat."""
    ports = (*child.inputs, *child.outputs)
    for port, value in zip(ports, (*model.graph.input, *model.graph.output), strict=True):
        for axis, name in port.axes.items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
    model.doc_string = ""
    del model.metadata_props[:]
    _tidy_graph(model.graph)


def _tidy_graph(graph: GraphProto) -> None:
    """Drop what says from where the parts of a graph, and of those within it, came."""
    del graph.value_info[:]
    values = (*graph.input, *graph.output)
    for part in (graph, *graph.node, *graph.initializer, *values):
        part.doc_string = ""
        del part.metadata_props[:]
    for node in graph.node:
        node.name = ""
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _tidy_graph(attribute.g)


def _annotate(model: ModelProto, child: Child) -> None:
    """Genotype and facts, for whoever finds only this file."""
    from onnx.helper import set_model_props

    set_model_props(
        model,
        {
            "genotype": to_json(child.genotype),
            "facts": json.dumps(dict(child.facts), sort_keys=True),
        },
    )


ONNX = Conversion(
    Card(
        "onnx",
        "ONNX",
        "Graph and weights for onnxruntime and others, for any batch; compared with PyTorch.",
        group=NETWORK,
        by_engine=True,
    ),
    extension=".onnx",
    media_type="application/octet-stream",
    convert=convert_onnx,
)
