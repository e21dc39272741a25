"""What a search finds under each way to search, judged by retraining.

Per data set, candidate and seed: search, derive, train the derived network from
scratch, and test it once, at the end. A candidate is a set of settings laid
over the same base; ``random`` are random sound cells of the size of those that
another candidate found with the same seed. While it searches, the share of
every source in the probabilities is recorded at each epoch's end.

    python -m benchmarks.found_cells --data cifar10=PATH --seeds 0 1 2 3 4
    python -m benchmarks.found_cells --data camvid=PATH --candidates sound inclusion
    python -m benchmarks.found_cells --data topics=python_topics --candidates sound source

The raw figures go to a JSON file after each training; started again, only what
the file lacks is measured.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.compare_texts_and_scenes import CPU, Figures, Row, derived_loop, trained
from benchmarks.search_tables import MEASURES
from engine.data.sources import load_data
from engine.domain.config import SearchConfig, TrainingConfig, make_config, make_training_config
from engine.domain.genotype import Genotype, from_json, from_masks, to_json
from engine.domain.presets import preset
from engine.domain.run_config import RunConfig
from engine.domain.snapshot import Rows, Snapshot, SnapshotKind
from engine.domain.soundness import SoundLaw
from engine.domain.space import SearchSpace
from engine.evaluate.networks import trainee_for
from engine.runtime.worker import set_up_torch
from engine.search.build import assemble_search, space_of
from engine.tasks.build import build_task

KIND = "found_cells"
RAW = Path(__file__).parent / "raw" / "found_cells.json"
RANDOM_CELLS = 200
"""Random cells among which the one of the nearest size is taken."""

SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "cifar10": {
        "train_limit": 5000,
        "validation_fraction": 0.1,
        "stem_stride": 2,
        "cells": 4,
        "channels": 8,
        "draws": 4,
        "epochs": 6,
        "gradient": "probed",
        "probe": "steps",
        "flip": True,
        "learning_rate": 0.05,
        "alpha_learning_rate": 0.1,
        "alpha_learning_rate_schedule": "cosine",
        "cpu_threads": 1,
    },
    "camvid": {
        "task": "semantic_segmentation",
        "ignore_index": 11,
        "image_size": 48,
        "class_weights": "balanced",
        "flip": True,
        "cells": 3,
        "nodes": 3,
        "channels": 8,
        "stem_stride": 2,
        "output_stride": 4,
        "aspp_channels": 32,
        "draws": 4,
        "gradient": "probed",
        "probe": "steps",
        "epochs": 8,
        "batch_size": 8,
        "learning_rate": 0.2,
        "alpha_learning_rate": 0.1,
        "alpha_learning_rate_schedule": "cosine",
        "cpu_threads": 1,
    },
    "topics": {
        **preset("topics").settings,
        "alpha_learning_rate": 0.03,
        "alpha_learning_rate_schedule": "cosine",
    },
}
"""The base of every search, by data set."""

TRAININGS: Mapping[str, Mapping[str, Any]] = {
    "cifar10": {"epochs": 8, "batch_size": 64, "learning_rate": 0.05, "learning_rate_end": 0.0},
    "camvid": {"epochs": 10},
    "topics": {"epochs": 8},
}
"""What a training from scratch does not take over from its search."""

CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"sound": False},
    "sound": {},
    "inclusion": {"route": "inclusion"},
    "zgr": {"route": "zgr"},
    "context": {"context": 0.75},
    "context+inclusion": {"context": 0.75, "route": "inclusion"},
    "context .9+inclusion": {"context": 0.9, "route": "inclusion"},
    "own codes": {"cell_codes": "own"},
    "own codes+inclusion": {"cell_codes": "own", "route": "inclusion"},
    "equal votes": {"cell_votes": "equal"},
    "equal votes+inclusion": {"cell_votes": "equal", "route": "inclusion"},
    "inclusion, slow alpha": {"route": "inclusion", "alpha_learning_rate": 0.03},
    "exploration": {"exploration": 0.2},
    "fair": {"fair_sources": 1.0},
    "fair+inclusion": {"fair_sources": 1.0, "route": "inclusion"},
    "falling M": {"draws_start": 14},
    "shrink": {"shrink_to": 0.25},
    "turn": {"alpha_rows": "turn", "context": 0.75, "route": "inclusion"},
    "patience": {"alpha_patience": 0.2},
    "beta decay": {"beta_decay": 0.5},
    "source": {"scope": "source", "draws": 1},
    "source M2": {"scope": "source", "draws": 2},
    "source M2+inclusion": {"scope": "source", "draws": 2, "route": "inclusion"},
    "source, batch 32": {
        "scope": "source",
        "draws": 1,
        "batch_size": 32,
        "learning_rate": 0.035,
        "alpha_learning_rate": 0.05,
    },
    "edge": {"scope": "edge", "draws": 1},
    "edge M2": {"scope": "edge", "draws": 2},
    "alternating": {"update": "alternating"},
    "oles": {"update": "alternating", "early_stop_agreement": 0.4, "early_stop_window": 10},
    "harmony": {"cell_harmony": 0.125},
}
"""The ways to search that are compared, as settings."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and print mean and spread."""
    given = parser().parse_args(arguments)
    if not given.data:
        print("Say on what to search: --data cifar10=PATH, --data camvid=FOLDER, or both.")
    figures = Figures(given.out, KIND)
    for name, path in (one.split("=", 1) for one in given.data):
        for seed in given.seeds:
            for candidate in given.candidates:
                measure_candidate(name, path, candidate, seed, figures)
            for candidate in given.random_like:
                measure_random(name, path, candidate, seed, figures)
    for line in summary(figures.rows):
        print(line)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--data", action="append", default=[], metavar="NAME=PATH")
    made.add_argument("--candidates", nargs="*", default=list(CANDIDATES), choices=CANDIDATES)
    made.add_argument("--random-like", nargs="*", default=[], choices=CANDIDATES)
    made.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    made.add_argument("--out", type=Path, default=RAW)
    return made


def search_config(name: str, path: str, candidate: str, seed: int) -> SearchConfig:
    """All settings of a search."""
    return make_config({**SEARCHES[name], **CANDIDATES[candidate], "data": path, "seed": seed})


def training_config(search: SearchConfig, name: str, genotype: Genotype) -> TrainingConfig:
    """All settings of a training: those of the search, as far as both have them."""
    shared = {field: getattr(search, field) for field in RunConfig.model_fields}
    both = {field: getattr(search, field) for field in ("cells", "channels")}
    changed = {"genotype": to_json(genotype), **TRAININGS[name]}
    return make_training_config({**shared, **both, **changed})


def measure_candidate(name: str, path: str, candidate: str, seed: int, figures: Figures) -> None:
    """Search and train with one candidate and one seed."""
    config = search_config(name, path, candidate, seed)
    set_up_torch(config, CPU)
    key = {"data": name, "candidate": candidate, "seed": seed}
    found = figures.obtain({**key, "what": "search"}, partial(searched, config))
    genotype = from_json(json.dumps(found["genotype"]))
    figures.obtain({**key, "what": "training"}, partial(retrained, config, name, genotype))


def measure_random(name: str, path: str, candidate: str, seed: int, figures: Figures) -> None:
    """Train the random sound cell whose size is nearest to what a candidate found."""
    config = search_config(name, path, candidate, seed)
    set_up_torch(config, CPU)
    key = {"data": name, "candidate": candidate, "seed": seed, "what": "training"}
    size = next(row for row in figures.rows if key.items() <= row.items())["parameters"]

    def measure() -> Row:
        genotype = random_of_size(config, name, size)
        return {**retrained(config, name, genotype), "genotype": json.loads(to_json(genotype))}

    figures.obtain({**key, "candidate": f"random like {candidate}"}, measure)


def searched(config: SearchConfig) -> Row:
    """Run a search to its end: what it derived, and the share of each source over time."""
    started = time.process_time()
    loop = assemble_search(config, load_data(config), CPU)
    space = space_of(config)
    shares = []
    for snapshot in loop:
        if snapshot.kind is SnapshotKind.EPOCH:
            shares.append(shares_of(space, snapshot))
            last = snapshot
    assert last.derived is not None
    genotype = from_masks(
        space, last.derived, config.rule, {"seed": config.seed, "step": last.step}
    )
    return {
        **{metric: last.metrics[metric] for metric in ("entropy", "gap", f"{loop.score_name}")},
        "shares": shares,
        "cpu_seconds": time.process_time() - started,
        "genotype": json.loads(to_json(genotype)),
    }


def shares_of(space: SearchSpace, snapshot: Snapshot) -> dict[str, list[float]]:
    """Per cell kind, the share of each source in the probabilities without ``none``."""
    return {kind: source_shares(space, rows) for kind, rows in snapshot.probabilities.items()}


def source_shares(space: SearchSpace, rows: Rows) -> list[float]:
    """The share of each input, such as c_{k-2} and c_{k-1}, and of all nodes together."""
    shares = [0.0] * (space.inputs + 1)
    for edge, row in zip(space.edges, rows, strict=True):
        kept = sum(p for k, p in enumerate(row) if k != space.none_index)
        shares[min(edge.source, space.inputs)] += kept
    return [share / sum(shares) for share in shares]


def retrained(config: SearchConfig, name: str, genotype: Genotype) -> Row:
    """Train the network of a genotype from scratch and test it."""
    training = training_config(config, name, genotype)
    started = time.process_time()
    row = trained(derived_loop(training, load_data(training), CPU))
    return {**row, "cpu_seconds": time.process_time() - started}


def random_of_size(config: SearchConfig, name: str, parameters: int) -> Genotype:
    """Of many random sound cells, the one whose network is nearest to a size."""
    space = space_of(config)
    items = len(space.operations)
    rows = space.rows(config.scope)
    uniform = tuple((1 / (items * len(edges)),) * items for edges in rows for _ in edges)
    law = SoundLaw(space, uniform, draws=config.draws, scope=config.scope)
    stream = Random(f"random cells {config.seed}")
    data = load_data(config)
    drawn = [
        from_masks(
            space,
            {kind: without_none(space, law.draw(stream)) for kind in space.cell_kinds},
            lineage={"drawn": "at random", "seed": config.seed, "number": number},
        )
        for number in range(RANDOM_CELLS)
    ]
    task = build_task(training_config(config, name, drawn[0]), data, CPU)

    def distance(genotype: Genotype) -> int:
        trainee = trainee_for(training_config(config, name, genotype), genotype, task)
        return abs(sum(p.numel() for p in trainee.parameters()) - parameters)

    return min(drawn, key=distance)


def without_none(space: SearchSpace, masks: Sequence[int]) -> tuple[int, ...]:
    """A code with nothing where it has ``none``."""
    none = 0 if space.none_index is None else 1 << space.none_index
    return tuple(mask & ~none for mask in masks)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Per data set and candidate, mean and sample standard deviation of the test figure."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["what"] == "training":
            groups.setdefault((row["data"], row["candidate"]), []).append(row)
    for (data, candidate), members in sorted(groups.items()):
        name = next(figure for figure in MEASURES if figure in members[0])
        values = [row[name] for row in members]
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        size = statistics.mean(row["parameters"] for row in members)
        yield (
            f"{data} {candidate}: {name} {statistics.mean(values):.2f}{spread} over "
            f"{len(values)}, {size:,.0f} parameters"
        )


if __name__ == "__main__":
    main()
