"""Whether every part of the studio gives a network the same size, and builds nothing that is dead.

Random architectures of every search space, sparse and dense, with empty nodes, in
networks of 1 to 20 cells and of every stem, head and output stride. Each one is put
into a store as what a search found. Then these have to agree in parameters and
multiply-adds:

* what the page and ``egs derive`` show;
* what the model card says, which runs the network;
* the exported plain file, built, run and differentiated once, in which every
  parameter has to receive a gradient;
* with ``--onnx N``, in every N-th architecture, the ONNX file: its facts, and the
  weights in it.

An architecture that connects nothing has to be rejected by all of them.

    python benchmarks/liveness_fuzz.py [--count 1000] [--seed 0] [--onnx 0]

prints one JSON object; the exit code is 1 if anything disagrees.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from app.bench import known_cost, known_dead
from app.studio import Studio, shape_of
from app.wiring import SystemClock
from engine.catalog import gather_catalog
from engine.conversion.child import Child, Port
from engine.conversion.model_card import model_card
from engine.conversion.onnx_graph import convert_onnx
from engine.conversion.origin import size_facts
from engine.conversion.recurrent_graph import ScannedLanguageModel
from engine.conversion.texts import STATE, TEXT
from engine.data.summaries import DataSummary, Summary, TextSummary
from engine.domain.config import SearchConfig, make_config
from engine.domain.cost import Cost, NetworkShape
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Gene, Genotype, to_masks
from engine.domain.language_cost import LanguageShape
from engine.domain.ports import Device
from engine.domain.pruning import liveness_of
from engine.domain.run import Progress, Run
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.export.module import render_module
from engine.model.derived import DerivedNetwork
from engine.model.recurrent_derived import DerivedRecurrentNetwork, LanguageModel
from engine.spaces import SPACES
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore

CELLS = (1, 2, 3, 8, 20)
"""Numbers of cells at which a row of cells has different kinds at its ends."""

CATALOG = gather_catalog()
CPU = Device("cpu", None, "CPU", 0)
IMAGES, TOKENS = 3, (4, 3)
"""Images of a batch; tokens and streams of a text."""


@dataclass(frozen=True)
class Found:
    """An architecture as what a search found.

    Attributes:
        genotype: The architecture.
        config: Settings of the search, whose network has the size.
        data: Size of its inputs.
    """

    genotype: Genotype
    config: SearchConfig
    data: Summary


def random_genotype(stream: Random, space: SearchSpace | None = None) -> Genotype:
    """A genotype whose nodes keep nothing, little or much, each kind with a taste of its own."""
    if space is None:
        space = SPACES[stream.choice(("darts", "darts", "nb201", "rnn"))]
        space = space.with_nodes(stream.randint(1, 4))
    return Genotype(space, {kind: _random_cell(stream, space) for kind in space.cell_kinds})


def _random_cell(stream: Random, space: SearchSpace) -> tuple[frozenset[Gene], ...]:
    share = stream.choice((0.05, 0.15, 0.4))
    newest = stream.choice((1.0, 0.3, 0.0)) if space.inputs > 1 else 1.0
    return tuple(
        frozenset(
            Gene(source, operation)
            for source in range(space.inputs + node)
            for operation in space.operations
            if stream.random() < share * (newest if source == space.inputs - 1 else 1.0)
        )
        for node in range(space.nodes)
    )


def random_cells(stream: Random, space: SearchSpace) -> int:
    """A number of cells that fits the skeleton of a space."""
    return stream.choice((3, 6, 15)) if space.skeleton == "stages" else stream.choice(CELLS)


def random_found(stream: Random) -> Found:
    """A random architecture in a random network."""
    genotype = random_genotype(stream)
    settings = {"method": "random", "candidates": 1, "space": genotype.space.name}
    settings["nodes"] = genotype.space.nodes
    if genotype.space.skeleton == "recurrent":
        size = stream.randint(4, 7)
        sizes = {"embedding_size": stream.choice((size, 4)), "hidden_size": size}
        config = make_config({**settings, **sizes, "task": "language_modelling"})
        return Found(genotype, config, TextSummary("text", stream.randint(5, 12), 9, 9, 9))
    pixels = stream.random() < 0.3
    stem = stream.choice((1, 2, 4, 8))
    config = make_config(
        {
            **settings,
            "task": "semantic_segmentation" if pixels else "image_classification",
            "cells": random_cells(stream, genotype.space),
            "channels": stream.randint(4, 6),
            "stem_stride": stem,
            "output_stride": stream.choice([s for s in (0, 4, 8, 16) if not 0 < s < stem]),
            "aspp_channels": stream.randint(4, 6),
        }
    )
    sides = stream.randint(8, 14), stream.randint(8, 14)
    kind = "scenes" if pixels else "images"
    channels, classes = stream.randint(1, 3), stream.randint(2, 5)
    return Found(genotype, config, DataSummary("it", channels, classes, *sides, 9, kind=kind))


def stored(found: Found, folder: Path) -> tuple[Studio, Run]:
    """A studio of one search, which has found the architecture."""
    clock = SystemClock()
    studio = Studio(MemoryStore(clock), FolderArtifacts(folder), clock)
    studio.store.publish(CATALOG)
    run = studio.store.create(found.config, name="it")
    claimed = studio.store.claim(run.id, node="here", device=CPU)
    assert claimed is not None
    with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(found.data.to_json().encode())
    space, masks = found.genotype.space, to_masks(found.genotype)
    row = (1 / len(space.operations),) * len(space.operations)
    snapshot = Snapshot(
        step=1,
        epoch=1,
        kind=SnapshotKind.EPOCH,
        temperature=1.0,
        probabilities=dict.fromkeys(masks, (row,) * len(space.edges)),
        codes=masks,
        derived=masks,
    )
    studio.store.append(run.id, claimed.attempt, [snapshot], Progress(step=1, epoch=1))
    return studio, studio.run(run.id)


def disagreements(found: Found, *, onnx: bool = False) -> list[str]:
    """What does not agree about an architecture, in sentences; none if all is well."""
    with tempfile.TemporaryDirectory() as folder:
        studio, run = stored(found, Path(folder))
        genotype = studio.derive(run.id)
        shown, dead = known_cost(studio, run, genotype), known_dead(studio, run, genotype)
        shape = shape_of(run.config, studio.known_data(run))
    if shown is None or dead is None:
        return ["The page does not know the cost."]
    if not liveness_of(genotype, run.config.cells).is_connected:
        return _of_nothing(genotype, shape, shown)
    child = child_of(genotype, shape)
    of_file, without_gradient = practised(child)
    sizes = {
        "model card": card_cost(child),
        "file": of_file,
        "facts": Cost(child.facts["parameters"], child.facts["multiply_adds"]),
    }
    if onnx:
        sizes["ONNX"] = onnx_cost(child)
    different = {name: cost for name, cost in sizes.items() if cost != shown}
    with torch.device("meta"):
        whole = network_of(genotype, shape, keep_dead=True)
    full = sum(parameter.numel() for parameter in whole.parameters())
    left_out = full - shown.parameters
    wrong = [f"The page says {shown}, but {different}."] if different else []
    if (left_out, full) != (dead.dead, dead.of):
        wrong.append(f"{left_out} of {full} parameters are left out, but the page says {dead}.")
    if without_gradient:
        wrong.append(f"Without gradient: {', '.join(without_gradient)}.")
    return wrong


def _of_nothing(genotype: Genotype, shape: NetworkShape | LanguageShape, shown: Cost) -> list[str]:
    """An architecture that connects nothing costs nothing and is rejected."""
    wrong = [] if shown == Cost() else [f"A network of nothing costs {shown}."]
    for make in (render_module, network_of):
        try:
            make(genotype, shape)
        except InvalidGenotype:
            continue
        wrong.append(f"{make.__name__} takes a network of nothing.")
    return wrong


def network_of(
    genotype: Genotype, shape: NetworkShape | LanguageShape, *, keep_dead: bool = False
) -> nn.Module:
    """The studio's own module of an architecture."""
    if isinstance(shape, NetworkShape):
        return DerivedNetwork(genotype, **shape.arguments, keep_dead=keep_dead)
    return DerivedRecurrentNetwork(
        genotype,
        vocabulary=shape.vocabulary,
        embedding=shape.embedding,
        hidden=shape.hidden,
        keep_dead=keep_dead,
    )


def child_of(genotype: Genotype, shape: NetworkShape | LanguageShape) -> Child:
    """The exported plain file as a network to take home, with random inputs."""
    source = render_module(genotype, shape).decode()
    namespace: dict[str, Any] = {"__name__": "network"}
    exec(compile(source, "network.py", "exec"), namespace)
    network = namespace["build"]().eval()
    ports: Mapping[str, Any]
    if isinstance(shape, NetworkShape):
        images = torch.randn(IMAGES, shape.in_channels, shape.height, shape.width)
        example: tuple[torch.Tensor, ...] = (images,)
        ports = {"inputs": (Port("images"),), "outputs": (Port("scores"),)}
    else:
        example = (torch.randint(shape.vocabulary, TOKENS), torch.randn(TOKENS[1], shape.hidden))
        own = network_of(genotype, shape)
        own.load_state_dict(network.network.state_dict())
        ports = {
            "inputs": (Port("tokens", TEXT), Port("state", STATE)),
            "outputs": (Port("scores", TEXT), Port("next_state", STATE)),
            "graph": ScannedLanguageModel(own).eval(),
        }
        network = LanguageModel(own).eval()
    facts = {
        "task": "",
        "data": "",
        "data_digest": "",
        "item": "image",
        "trained": {"how": "not at all", "step": 0},
        "lineage": {},
        "origin": {},
        "figures": {},
        "statistics": "",
        "preprocessing": {},
        "labels": [],
        **size_facts(genotype, shape),
    }
    return Child(
        network=network,
        example=example,
        genotype=genotype,
        source=source,
        build="build()",
        facts=facts,
        **ports,
    )


def card_cost(child: Child) -> Cost:
    """Parameters and multiply-adds in the text of the model card."""
    rows = dict(
        re.findall(r"^\| (parameters|multiply-adds) .*?\| ([\d,]+)", model_card(child, {}), re.M)
    )
    return Cost(*(int(rows[name].replace(",", "")) for name in ("parameters", "multiply-adds")))


def practised(child: Child) -> tuple[Cost, list[str]]:
    """Run the module of the plain file forward and backward once.

    Returns:
        Parameters, multiply-adds of one item, and the names of parameters that
        got no gradient.
    """
    network = child.network.train()
    with FlopCounterMode(display=False) as counter:
        answer = network(*child.example)
    scores = answer[0] if isinstance(answer, tuple) else answer
    (scores * torch.randn_like(scores)).sum().backward()
    network.eval()
    items = IMAGES if len(child.example) == 1 else TOKENS[0] * TOKENS[1]
    parameters = dict(network.named_parameters())
    cost = Cost(
        sum(parameter.numel() for parameter in parameters.values()),
        counter.get_total_flops() // (2 * items),
    )
    return cost, [name for name, parameter in parameters.items() if parameter.grad is None]


def onnx_cost(child: Child) -> Cost:
    """The size in the facts of the ONNX file, if the file has no less and no more weights."""
    import onnx

    model = onnx.load_from_string(convert_onnx(child).content)
    facts = json.loads({entry.key: entry.value for entry in model.metadata_props}["facts"])
    names = set(_initialisers(model.graph))
    prefix = "network." if len(child.example) > 1 else ""
    convolutions = {
        name.removeprefix(prefix)
        for name, module in child.network.named_modules()
        if isinstance(module, nn.Conv2d)
    }
    held = {name.rsplit(".", 1)[0] for name in names if name.endswith(".weight")}
    if not convolutions <= {name.removeprefix(prefix) for name in held}:
        return Cost()
    return Cost(facts["parameters"], facts["multiply_adds"])


def _initialisers(graph: Any) -> list[str]:
    return [one.name for one in graph.initializer]


def main() -> int:
    """Check all architectures and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--onnx", type=int, default=0, metavar="N")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    stream, kinds, wrong = Random(given.seed), Counter[str](), list[str]()
    started = time.monotonic()
    for number in range(given.count):
        found = random_found(stream)
        connected = liveness_of(found.genotype, found.config.cells).is_connected
        kinds[f"{found.genotype.space.name}, {'connected' if connected else 'not connected'}"] += 1
        onnx = bool(given.onnx) and number % given.onnx == 0
        wrong += [f"{number}: {sentence}" for sentence in disagreements(found, onnx=onnx)]
    seconds = round(time.monotonic() - started)
    print(json.dumps({"architectures": kinds, "wrong": wrong, "seconds": seconds}, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
