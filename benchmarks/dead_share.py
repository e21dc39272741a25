"""Share of the parameters without a gradient, in the exported file of what each preset finds.

Every preset and seed searches for a few steps with fast alphas, derives, writes
the plain module, builds it from that file, runs it forward and backward once
and counts. The data are cut down; network, space, scope, route and rule are the
preset's. ``--whole`` leaves epochs and data as they are.

    python -m benchmarks.dead_share --data cifar10=PATH --data camvid=FOLDER \\
        --data wikitext2=FOLDER [--seeds 0 1 2 3 4] [--presets digits topics]

Texts stand in for Penn Treebank where no other is given. Prints one row per
preset, and ends with 1 if any parameter is dead.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import torch

from app.studio import shape_of
from benchmarks.liveness_fuzz import child_of, practised
from engine.data.sources import load_data
from engine.domain.config import SearchConfig, make_config
from engine.domain.genotype import Genotype, from_masks
from engine.domain.presets import PRESETS, preset_config
from engine.domain.snapshot import SnapshotKind
from engine.runtime.worker import set_up_torch
from engine.search.build import assemble_search, space_of

CPU = torch.device("cpu")
TASKS: Mapping[str, Mapping[str, Any]] = {
    "image_classification": {"train_limit": 640, "batch_size": 32},
    "semantic_segmentation": {"train_limit": 96, "batch_size": 8},
    "language_modelling": {"train_limit": 6_000, "vocabulary_limit": 500},
}
SHORT: Mapping[str, Any] = {"epochs": 2, "alpha_learning_rate": 0.3, "cpu_threads": 1}
"""Alphas that move by some units, so that the seeds find different cells."""
STANDS_IN = {"ptb": "wikitext2"}


def main() -> int:
    """Search, count, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--presets", nargs="*", default=[one.name for one in PRESETS])
    parser.add_argument("--whole", action="store_true", help="All epochs and data.")
    given = parser.parse_args()
    paths = dict(one.split("=", 1) for one in given.data)
    print("| preset | seeds | parameters | without gradient |\n|---|---:|---:|---:|")
    dead = 0
    for name in given.presets:
        counts = [counted(config_of(name, paths, seed, given.whole)) for seed in given.seeds]
        dead += sum(without for _, without in counts)
        sizes = ", ".join(f"{size:,}" for size, _ in counts)
        shares = ", ".join(f"{without / size:.0%}" for size, without in counts)
        print(f"| {name} | {len(counts)} | {sizes} | {shares} |", flush=True)
    return 1 if dead else 0


def config_of(name: str, paths: Mapping[str, str], seed: int, whole: bool) -> SearchConfig:
    """The settings of a preset, shortened unless the whole search is wanted."""
    preset = preset_config(name)
    data = paths.get(preset.data, paths.get(STANDS_IN.get(preset.data, ""), preset.data))
    changed = {} if whole else {**TASKS[preset.task], **SHORT}
    return make_config({**preset.model_dump(), **changed, "data": data, "seed": seed})


def counted(config: SearchConfig) -> tuple[int, int]:
    """Parameters of the exported module, and how many of them got no gradient."""
    set_up_torch(config, CPU)
    data = load_data(config)
    child = child_of(found_by(config, data), shape_of(config, data.summary))
    _, without = practised(child)
    sizes = {key: value.numel() for key, value in child.network.named_parameters()}
    return sum(sizes.values()), sum(sizes[key] for key in without)


def found_by(config: SearchConfig, data: Any) -> Genotype:
    """What a search derives at its end."""
    ends = (one for one in assemble_search(config, data, CPU) if one.kind is SnapshotKind.EPOCH)
    *_, last = ends
    assert last.derived is not None
    return from_masks(
        space_of(config), last.derived, config.rule, {"seed": config.seed, "step": last.step}
    )


if __name__ == "__main__":
    sys.exit(main())
