"""Why searches drift to the older input of a cell: what one more operation is worth, by its source.

scikit-learn's digits, alphas held at uniform, weights trained for ten epochs
under one of several surroundings: every row drawn (M = 4 or 14), or most rows
held at one architecture. Then, over many validation batches, the effect on the
loss of switching on one operation that was not drawn, by the input that it
reads: to first order, dL/db_k, of all cells of a kind together and of each cell
alone, and measured, by switching it on. Beside it the noise of every source:
the share of the variance of its features, for a fixed image, that comes from
the drawn codes of the cells before it.

    python -m benchmarks.older_input [--seeds 0 1 2] [--out benchmarks/raw/older_input.json]
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.data.sources import load_data
from engine.domain.presets import preset_config
from engine.model.probe import Probe
from engine.runtime.worker import set_up_torch
from engine.search.build import assemble_search
from engine.search.loop import SearchLoop
from engine.tasks.randomness import generator

CPU = torch.device("cpu")
KIND = "older_input"
RAW = Path(__file__).parent / "raw" / "older_input.json"
STILL = {
    "scope": "node",
    "alpha_learning_rate": 1e-12,
    "alpha_learning_rate_schedule": "constant",
    "epochs": 10,
}
SURROUNDINGS: Mapping[str, Mapping[str, Any]] = {
    "every row drawn, M = 4": {"draws": 4, "sound": False},
    "every row drawn, M = 14": {"draws": 14, "sound": False},
    "rows held with probability .75": {"draws": 4, "context": 0.75},
    "rows held with probability .95": {"draws": 4, "context": 0.95},
}
SOURCES = ("c_{k-2}", "c_{k-1}")
BATCHES = 24
SWITCHED = 4
"""Operations of each cell kind and input that are switched on per batch."""
CODES = 24
"""Codes over which the noise of a source is measured."""


def main() -> None:
    """Measure every surrounding with every seed and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RAW)
    given = parser.parse_args()
    rows = []
    for name, settings in SURROUNDINGS.items():
        for seed in given.seeds:
            rows.append({"surroundings": name, "seed": seed, **measured(settings, seed)})
            print(json.dumps(rows[-1]), flush=True)
    written = {"kind": KIND, "batches": BATCHES, "rows": rows}
    given.out.write_text(json.dumps(written, indent=1) + "\n")


def measured(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train weights under these surroundings; the effects by kind and source, and the noise."""
    config = preset_config("digits", **{**STILL, **settings, "seed": seed})
    set_up_torch(config, CPU)
    loop = assemble_search(config, load_data(config), CPU)
    for _ in loop:
        pass
    effects: dict[tuple[str, str, str], list[float]] = {}
    for batch, (inputs, targets) in enumerate(batches(loop)):
        codes = surroundings(loop, batch)
        for key, value in effects_of(loop, inputs, targets, codes, batch):
            effects.setdefault(key, []).append(value)
    return {
        "effects": [
            {
                "how": how,
                "kind": kind,
                "source": source,
                "mean": statistics.mean(values),
                "error": statistics.stdev(values) / len(values) ** 0.5,
            }
            for (how, kind, source), values in sorted(effects.items())
        ],
        "noise": noise(loop),
    }


def batches(loop: SearchLoop) -> Iterator[tuple[Tensor, Tensor]]:
    """Validation batches, again from the start where they are too few."""
    given = 0
    while given < BATCHES:
        for inputs, targets in loop.task.validation_batches():
            yield inputs, targets
            given += 1
            if given == BATCHES:
                return


def surroundings(loop: SearchLoop, number: int) -> dict[str, Tensor]:
    """Codes as the search draws them at one of its steps, without their graph."""
    loop.position.step = number
    return {kind: code.detach() for kind, code in loop._draw().items()}


def effects_of(
    loop: SearchLoop, inputs: Tensor, targets: Tensor, codes: Mapping[str, Tensor], number: int
) -> Iterator[tuple[tuple[str, str, str], float]]:
    """((how, kind, source), effect on the loss) of operations that were not drawn."""
    before, gradients = code_gradients(loop, inputs, targets, codes)
    random = generator(loop.config.seed, "switched", number)
    for kind, code in codes.items():
        for source, name in enumerate(SOURCES):
            undrawn = [
                (edge, k)
                for edge, place in enumerate(loop.space.edges)
                for k in range(len(loop.space.operations))
                if place.source == source and k != loop.space.none_index and not code[edge, k]
            ]
            of_cells = {
                f"first order, cell {cell}": statistics.mean(float(gradient[p]) for p in undrawn)
                for cell, gradient in gradients[kind].items()
            }
            yield ("first order", kind, name), sum(of_cells.values())
            for how, value in of_cells.items():
                yield (how, kind, name), value
            for index in torch.randperm(len(undrawn), generator=random)[:SWITCHED].tolist():
                on = {**codes, kind: code.clone()}
                on[kind][undrawn[index]] = 1.0
                with torch.no_grad():
                    after = loop.task.loss(loop.supernet(inputs, on), targets)
                yield ("switched on", kind, name), float(after) - before


def code_gradients(
    loop: SearchLoop, inputs: Tensor, targets: Tensor, codes: Mapping[str, Tensor]
) -> tuple[float, dict[str, dict[int, Tensor]]]:
    """The loss, and dL/db [E, K] by kind and cell, as if each cell had a code of its own."""
    own: dict[str, dict[int, Tensor]] = {kind: {} for kind in codes}
    hooks = []
    for number, cell in enumerate(loop.supernet.cells):  # type: ignore[attr-defined]
        own[cell.kind][number] = codes[cell.kind].clone().requires_grad_()
        hooks.append(
            cell.register_forward_pre_hook(
                lambda _, given, leaf=own[cell.kind][number]: (given[0], leaf, *given[2:])
            )
        )
    leaves = {kind: code.clone().requires_grad_() for kind, code in codes.items()}
    loss = loop.task.loss(loop.supernet(inputs, leaves, Probe.exact()), targets)
    loss.backward()
    loop.supernet.zero_grad()
    for hook in hooks:
        hook.remove()
    return float(loss.detach()), {
        kind: {number: _gradient(leaf) for number, leaf in cells.items()}
        for kind, cells in own.items()
    }


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def noise(loop: SearchLoop) -> list[dict[str, Any]]:
    """Per cell, the share of the variance of both inputs that codes cause."""
    inputs, _ = next(iter(loop.task.validation_batches()))
    seen: dict[tuple[int, str], list[Tensor]] = {}
    cells = list(loop.supernet.cells)  # type: ignore[attr-defined]
    hooks = [
        cell.get_submodule(name).register_forward_hook(
            lambda _, __, output, key=(number, name): seen.setdefault(key, []).append(output)
        )
        for number, cell in enumerate(cells)
        for name in cell.inputs
    ]
    with torch.no_grad():
        for number in range(CODES):
            loop.supernet(inputs, surroundings(loop, 1000 + number))
    for hook in hooks:
        hook.remove()
    labels = {"before": "c_{k-2}", "last": "c_{k-1}"}
    return [
        {"cell": cell, "kind": cells[cell].kind, "source": labels[name], "noise": share(values)}
        for (cell, name), values in sorted(seen.items())
    ]


def share(values: Sequence[Tensor]) -> float:
    """Variance over codes for a fixed image and place, divided by the whole variance."""
    stacked = torch.stack(list(values))
    return float(stacked.var(dim=0).mean() / stacked.var())


if __name__ == "__main__":
    main()
