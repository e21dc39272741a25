"""Each format, read back by the library that it is for."""

from dataclasses import replace
from io import BytesIO
from math import isnan
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load
from torch import nn

from engine.conversion.child import Port, furthest, largest
from engine.conversion.conversion import CannotConvert
from engine.conversion.graph_data import convert_graph, graph_tensors
from engine.conversion.onnx_graph import OPSET, compare_onnx
from engine.conversion.program import convert_program, refuse_difference
from engine.conversion.table import CONVERSIONS
from engine.conversion.weights import convert_weights
from engine.domain.genotype import from_json
from tests.engine.domain.genotypes import older_input_only

NO_NOISE = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
"""torch.export and PyG call functions of torch by old names."""


TASKS = ["image_classification", "semantic_segmentation", "language_modelling"]


@pytest.fixture
def onnx_file(files):
    return files["image_classification"]


def test_every_conversion_has_its_name_and_is_made_by_the_engine():
    for name, conversion in CONVERSIONS.items():
        assert conversion.card.name == name
        assert conversion.card.by_engine
        assert conversion.card.group
    endings = [conversion.extension for conversion in CONVERSIONS.values()]
    assert len(set(endings)) == len(endings)


@pytest.mark.parametrize("task", TASKS)
def test_safetensors_give_the_same_answers_in_the_plain_module(children, task):
    child = children[task]
    namespace: dict = {"__name__": "network"}
    exec(compile(child.source, "network.py", "exec"), namespace)
    network = eval(child.build, namespace)
    network.load_state_dict(load(convert_weights(child).content))
    with torch.no_grad():
        found = network.eval()(*child.example)
    found = found if isinstance(found, tuple) else (found,)
    assert furthest(child.answer(child.example), found) < 1e-6


@NO_NOISE
@pytest.mark.parametrize("task", TASKS[:2])
def test_the_program_runs_without_source_for_any_batch(children, task):
    child = children[task]
    made = convert_program(child)
    program = torch.export.load(BytesIO(made.content)).module()
    for count in (1, 2, 11):
        inputs = child.resized({"batch": count})
        assert furthest(child.answer(inputs), (program(*inputs),)) < 1e-4
    assert made.facts["difference"] < 1e-4
    assert str(Path(__file__).parents[3]).encode() not in made.content


@NO_NOISE
@pytest.mark.parametrize("task", TASKS)
def test_onnx_answers_as_pytorch_does_for_any_sizes(children, files, task):
    child, made = children[task], files[task]
    session = onnxruntime.InferenceSession(made.content, providers=["CPUExecutionProvider"])
    names = [port.name for port in child.outputs]
    for sizes in ({"batch": 1, "time": 1}, {"batch": 2, "time": 9}, {"batch": 11, "time": 3}):
        inputs = child.resized(sizes)
        fed = {port.name: v.numpy() for port, v in zip(child.inputs, inputs, strict=True)}
        found = [torch.from_numpy(value) for value in session.run(names, fed)]
        for one, other in zip(found, child.answer(inputs), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert made.facts["difference"] < 1e-4


def test_onnx_names_its_ports_operators_and_origin(child, onnx_file):
    model = onnx.load_from_string(onnx_file.content)
    assert [value.name for value in model.graph.input] == ["images"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert [entry.version for entry in model.opset_import if not entry.domain] == [OPSET]
    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert from_json(notes["genotype"]) == child.genotype


@pytest.mark.parametrize("task", TASKS)
def test_onnx_tells_nothing_of_the_machine_that_made_it(files, task):
    assert b"site-packages" not in files[task].content
    assert str(Path(__file__).parents[3]).encode() not in files[task].content


def test_an_onnx_file_of_another_network_is_noticed(child, onnx_file):
    other = replace(child, network=nn.Sequential(child.network, nn.Softmax(1)))
    difference = compare_onnx(other, onnx_file.content)
    with pytest.raises(CannotConvert) as refusal:
        refuse_difference("ONNX graph", difference)
    assert "allowed is a difference of at most 0.0001" in str(refusal.value)


@pytest.mark.parametrize("difference", [float("nan"), float("inf"), 1.1e-4])
def test_no_difference_above_the_tolerance_passes(difference):
    with pytest.raises(CannotConvert):
        refuse_difference("copy", difference)


def test_an_onnx_file_that_answers_nan_is_noticed(child, onnx_file):
    model = onnx.load_from_string(onnx_file.content)
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if np.issubdtype(values.dtype, np.floating):
            spoiled = onnx.numpy_helper.from_array(np.full_like(values, np.nan), weights.name)
            weights.CopyFrom(spoiled)
    assert isnan(compare_onnx(child, model.SerializeToString()))


def test_one_nan_anywhere_is_the_furthest_whatever_stands_before_it():
    good, spoiled = torch.zeros(2), torch.tensor([1.0, float("nan")])
    assert isnan(furthest((good, good), (good, spoiled)))
    assert isnan(furthest((good, spoiled), (good, good)))
    assert isnan(largest([0.0, float("nan"), 1.0]))
    assert largest([0.0, 2.0, 1.0]) == 2.0


class Overflows(nn.Module):
    def forward(self, images):
        return images.flatten(1) * float("inf")


@pytest.mark.parametrize("name", ["bundle", "onnx", "torch_export"])
def test_a_network_whose_answers_are_not_finite_is_refused_in_one_sentence(child, name):
    with pytest.raises(CannotConvert) as refusal:
        CONVERSIONS[name].convert(replace(child, network=Overflows()))
    assert "found answers to the example that are infinite or not a number" in str(refusal.value)


def test_a_network_that_no_onnx_file_holds_is_refused_before_anything_is_made(child):
    with torch.device("meta"):
        huge = nn.Linear(2**15, 2**15)
    with pytest.raises(CannotConvert) as refusal:
        CONVERSIONS["onnx"].convert(replace(child, network=huge))
    assert str(refusal.value) == (
        "Asked for an ONNX graph of this network; found 4,295,098,368 bytes of weights; allowed is "
        "2,147,483,647 bytes, which is what one ONNX file holds; take the torch.export program or "
        "the PyTorch module and its weights instead."
    )


@NO_NOISE
def test_one_example_is_enough_for_a_graph_with_free_axes(text_child):
    alone = replace(text_child, example=text_child.resized({"time": 1, "batch": 1}))
    program = torch.export.load(BytesIO(convert_program(alone).content)).module()
    with torch.no_grad():
        found = program(*text_child.example)
    assert furthest(text_child.answer(text_child.example), found) < 1e-4


class FixedBatch(nn.Module):
    def forward(self, images):
        return images.reshape(4, -1)


class Decides(nn.Module):
    def forward(self, images):
        return images if images.sum().item() > 0 else -images


@NO_NOISE
@pytest.mark.parametrize("network", [FixedBatch(), Decides()], ids=["batch", "branch"])
@pytest.mark.parametrize("name", ["onnx", "torch_export"])
def test_a_network_that_no_graph_can_hold_is_refused_in_one_sentence(child, network, name):
    odd = replace(
        child,
        network=network,
        example=(torch.ones(4, 3),),
        inputs=(Port("images"),),
        outputs=(Port("out"),),
    )
    with pytest.raises(CannotConvert) as refusal:
        CONVERSIONS[name].convert(odd)
    assert "a graph of this network for inputs of the shapes [4, 3]" in str(refusal.value)


@NO_NOISE
def test_the_graph_is_a_torch_geometric_data_again(child, genotype):
    from torch_geometric.data import Data

    content = torch.load(BytesIO(convert_graph(child).content), weights_only=True)
    data = Data.from_dict(content)
    assert data.validate()
    operations = [data.operations[int(row.argmax())] for row in data.edge_attr]
    kept = sum(len(node) for cell in genotype.cells.values() for node in cell)
    assert len(operations) - operations.count("output") == kept
    assert operations.count("output") == 4
    assert data.num_nodes == 2 * (2 + 2 + 1)


@pytest.mark.parametrize(("cells", "edges", "nodes"), [(None, 0, 0), (6, 8 + 4, 7 + 1)])
def test_the_graph_marks_what_is_dead(cells, edges, nodes):
    """As GraphML does; the reduction cell is read by nobody, and one input neither."""
    found = graph_tensors(older_input_only(), cells)
    assert int(found["edge_dead"].sum()) == edges
    assert int(found["dead"].sum()) == nodes


def test_edges_of_the_graph_are_the_genes(genotype):
    found = graph_tensors(genotype)
    space = genotype.space
    genes = set()
    for (a, b), row in zip(found["edge_index"].T.tolist(), found["edge_attr"], strict=True):
        operation = found["operations"][int(row.argmax())]
        if operation != "output":
            kind = found["cells"][int(found["cell"][a])]
            source, target = int(found["position"][a]), int(found["position"][b])
            genes.add((kind, target - space.inputs, operation, source))
    assert genes == {
        (kind, node, gene.operation, gene.source)
        for kind, cell in genotype.cells.items()
        for node, kept in enumerate(cell)
        for gene in kept
    }
