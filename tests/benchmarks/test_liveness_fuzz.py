"""One size for one network: page, ``egs derive``, model card, exported file, ONNX."""

import re
from random import Random

import pytest
import torch
from torch import nn

from app.bench import bench
from app.commands.derive import figures_of
from app.studio import shape_of
from benchmarks import liveness_fuzz
from benchmarks.liveness_fuzz import (
    CATALOG,
    Found,
    disagreements,
    network_of,
    random_found,
    random_genotype,
    stored,
)
from engine.data.summaries import DataSummary, TextSummary
from engine.domain.blocks import dead_share_of, network_blocks, parts_of
from engine.domain.config import make_config
from engine.domain.cost import Cost, NetworkShape, total_of
from engine.domain.genotype import Gene, Genotype
from engine.domain.pruning import liveness_of, pruning_of
from engine.domain.published import PUBLISHED, PUBLISHED_RECURRENT
from engine.model.skeleton import INPUTS
from engine.spaces import SPACES
from pages.architecture import size_figures
from tests.engine.domain.genotypes import older_input_only

DARTS, NB201, RNN = SPACES["darts"], SPACES["nb201"], SPACES["rnn"]
IMAGES = DataSummary("it", 3, 10, 9, 12, 9)
SCENES = DataSummary("it", 1, 4, 17, 13, 9, kind="scenes")
PIXELS = {"task": "semantic_segmentation", "aspp_channels": 5, "output_stride": 4}
NODE = frozenset({Gene(0, "sep_conv_3x3"), Gene(1, "max_pool_3x3")})
EMPTY_NODES = Genotype(
    DARTS, dict.fromkeys(DARTS.cell_kinds, (NODE, frozenset(), NODE, frozenset()))
)
EMPTY_REDUCTION = Genotype(DARTS, {"normal": (NODE,) * 4, "reduction": (frozenset(),) * 4})
CHAIN = Genotype(
    NB201,
    {
        "cell": (
            frozenset({Gene(0, "nor_conv_3x3")}),
            frozenset({Gene(0, "nor_conv_1x1"), Gene(1, "nor_conv_3x3")}),
            frozenset({Gene(1, "avg_pool_3x3"), Gene(0, "skip_connect")}),
        )
    },
)
STATES = Genotype(
    RNN.with_nodes(4),
    {
        "recurrent": (
            frozenset({Gene(0, "tanh"), Gene(0, "relu")}),
            frozenset(),
            frozenset({Gene(2, "sigmoid"), Gene(1, "identity")}),
            frozenset({Gene(2, "tanh")}),
        )
    },
)


def found(genotype: Genotype, data: DataSummary | TextSummary, **settings) -> Found:
    space = {"space": genotype.space.name, "nodes": genotype.space.nodes}
    common = {"method": "random", "candidates": 1, "channels": 4, **space}
    return Found(genotype, make_config({**common, **settings}), data)


CASES = {
    "published": found(PUBLISHED["data_m7"].genotype(DARTS), IMAGES, cells=20),
    "published M = 4": found(PUBLISHED["data_m4"].genotype(DARTS), IMAGES, cells=8, stem_stride=8),
    "older input, 1": found(older_input_only(), IMAGES, cells=1),
    "older input, 2": found(older_input_only(), IMAGES, cells=2, stem_stride=8),
    "older input, 3": found(older_input_only(), IMAGES, cells=3, stem_stride=8),
    "older input, 8": found(older_input_only(), IMAGES, cells=8),
    "older input, 20": found(older_input_only(), IMAGES, cells=20),
    "empty nodes": found(EMPTY_NODES, IMAGES, cells=8),
    "empty nodes, pixels": found(EMPTY_NODES, SCENES, cells=6, **PIXELS),
    "older input, pixels": found(older_input_only(), SCENES, cells=6, stem_stride=2, **PIXELS),
    "empty reduction": found(EMPTY_REDUCTION, IMAGES, cells=8),
    "nothing": found(EMPTY_REDUCTION, IMAGES, cells=2),
    "stages": found(CHAIN, IMAGES, cells=6),
    "stages, pixels": found(CHAIN, SCENES, cells=3, **PIXELS),
    "recurrent": found(
        STATES,
        TextSummary("it", 11, 9, 9, 9),
        task="language_modelling",
        embedding_size=6,
        hidden_size=5,
    ),
    "published recurrent": found(
        PUBLISHED_RECURRENT["darts_v2"].genotype(RNN),
        TextSummary("it", 11, 9, 9, 9),
        task="language_modelling",
        embedding_size=6,
        hidden_size=6,
    ),
}


IN_ONNX = {"older input, 3", "empty nodes, pixels", "stages", "recurrent"}
"""Those of which an ONNX graph is made too, which takes seconds."""


@pytest.mark.parametrize("name", CASES)
def test_page_card_file_and_onnx_give_one_size(name):
    assert disagreements(CASES[name], onnx=name in IN_ONNX) == []


@pytest.mark.parametrize("seed", range(8))
def test_random_architectures_have_one_size_too(seed):
    torch.manual_seed(seed)
    stream = Random(seed)
    for _ in range(25):
        one = random_found(stream)
        assert disagreements(one) == [], one.genotype


def test_a_wrong_size_is_noticed(monkeypatch):
    """With the adapters of unread inputs counted, as they once were."""
    case = CASES["older input, 8"]
    monkeypatch.setattr(
        "engine.domain.cost._adapter_cost", lambda place, read, area, affine: Cost(1, 1)
    )
    (sentence,) = disagreements(case)[:1]
    assert sentence.startswith("The page says Cost(")
    monkeypatch.undo()
    monkeypatch.setattr(liveness_fuzz, "known_dead", lambda *_: None)
    assert disagreements(case) == ["The page does not know the cost."]


@pytest.mark.parametrize("seed", range(4))
def test_sizes_add_up_for_many_random_architectures(seed):
    """On the formulas alone: cheap enough for thousands."""
    stream = Random(100 + seed)
    for _ in range(600):
        one = random_found(stream)
        cells = one.config.cells
        shape = shape_in(one)
        parts = parts_of(one.genotype, CATALOG, shape)
        cost, dead = total_of(parts), dead_share_of(one.genotype, CATALOG, shape)
        assert cost == sum((b.cost for b in network_blocks(one.genotype, CATALOG, shape)), Cost())
        pruning = pruning_of(one.genotype, cells)
        assert dead.of == cost.parameters + dead.dead
        assert (cost == Cost()) == (not pruning.is_connected)
        if pruning.is_connected:
            assert (dead.dead > 0) >= bool(
                pruning.dead_cells and one.genotype.space.skeleton == "cells"
            )
        counted = [(part.cell, part.target) for part in parts if part.target is not None]
        alive = liveness_of(one.genotype, cells)
        inputs = one.genotype.space.inputs
        if pruning.is_connected:
            assert counted == [
                (number, inputs + node)
                for number, cell in enumerate(alive.cells)
                for node, genes in enumerate(cell.genes)
                for _ in genes
            ]


def shape_in(one: Found):
    return shape_of(one.config, one.data)


@pytest.mark.parametrize("seed", range(6))
def test_alive_is_what_gets_a_gradient_and_follows_the_image(seed):
    """Autograd on networks with all of their parts, scores at random images."""
    torch.manual_seed(seed)
    stream = Random(seed)
    for _ in range(5):
        space = stream.choice((DARTS.with_nodes(3), NB201))
        genotype = random_genotype(stream, space)
        cells = stream.choice((3, 6))
        shape = NetworkShape(6, cells, 2, 3, 12, 12)
        network = network_of(genotype, shape, keep_dead=True).double().train()
        columns = {(edge.source, edge.target): e for e, edge in enumerate(space.edges)}
        alive = {
            f"cells.{number}.edges.{columns[source, space.inputs + node]}.{name}"
            for number, cell in enumerate(liveness_of(genotype, cells).cells)
            for node, genes in enumerate(cell.genes)
            for name, source in genes
        }
        alive |= {
            f"cells.{number}.{INPUTS[source - space.inputs]}"
            for number, cell in enumerate(liveness_of(genotype, cells).cells)
            for source in cell.inputs
        }
        assert alive == moved(network)


def moved(network: nn.Module) -> set[str]:
    """Operations and adapters whose value follows the image, and whose value the scores follow."""
    values: dict[str, torch.Tensor] = {}

    def keep(name):
        def hook(_module, _inputs, output):
            values[name] = output * 1.0
            if values[name].requires_grad:
                values[name].retain_grad()
            return values[name]

        return hook

    for name, module in network.named_modules():
        if re.fullmatch(r"cells\.\d+\.(edges\.\d+\.\w+|before|last)", name):
            module.register_forward_hook(keep(name))
    first = torch.randn(4, 2, 12, 12, dtype=torch.float64)
    network(first)
    before = {name: value.detach() for name, value in values.items()}
    scores = network(torch.randn_like(first).requires_grad_())
    (scores * torch.randn_like(scores)).sum().backward()
    return {
        name
        for name, value in values.items()
        if not torch.allclose(value, before[name], rtol=0, atol=1e-9)
        and value.grad is not None
        and bool(value.grad.abs().max() > 0)
    }


def test_the_command_and_the_page_show_the_size_of_the_file(tmp_path):
    """What the fuzz takes for the page and for ``egs derive`` is what they are made from."""
    case = CASES["older input, 8"]
    studio, run = stored(case, tmp_path)
    cost = total_of(parts_of(case.genotype, CATALOG, shape_in(case)))
    figures = figures_of(bench(studio, run.id))
    assert (figures["parameters"], figures["multiply_adds"]) == (
        cost.parameters,
        cost.multiply_adds,
    )
    dead = dead_share_of(case.genotype, CATALOG, shape_in(case))
    assert figures["dead_parameters"] == dead.dead
    assert figures["dead_cells"] == 4
    assert f"Dead parameters: {dead.dead:,} of {dead.of:,}" in figures["dead"]
    tiles = size_figures(case.genotype, studio.cost(run.id, case.genotype))
    assert tiles["Parameters"] == f"{cost.parameters / 1e3:,.1f} k"
    assert tiles["Multiply-adds"] == f"{cost.multiply_adds / 1e6:,.2f} M"
