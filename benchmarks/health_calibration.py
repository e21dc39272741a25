"""Does the verdict on a search say anything about what it found?

Many short searches in NAS-Bench-201's space on CIFAR-10 images, each with
settings drawn at random from what people choose: few or many epochs and
images, M, route, soundness, alpha's rate. Each ends with the verdict of
``engine.domain.diagnosis.examine`` and the published accuracy of its cell.

    python -m benchmarks.health_calibration run --data CIFAR10.npz --truth NB201.npz [--share 0/2]
    python -m benchmarks.health_calibration table

``run`` adds what the raw file lacks, so several shares can measure side by
side into their own files. ``table`` applies today's thresholds to the
recorded epochs and prints accuracy and rank per verdict.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from benchmarks.markdown import table as markdown_table
from engine.data.sources import load_data
from engine.data.truth_table import load_truth_table
from engine.domain.config import SearchConfig, make_config
from engine.domain.diagnosis import examine
from engine.domain.genotype import from_masks
from engine.domain.health import Health, Verdict
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.truth import TruthTable
from engine.runtime.worker import set_up_torch
from engine.search.build import assemble_search, space_of

CPU = torch.device("cpu")
RAW = Path(__file__).parent / "raw"
KIND = NAME = "health_calibration"
SEARCHES = 240

BASE: Mapping[str, Any] = {
    "space": "nb201",
    "scope": "edge",
    "derivation_draws": 1,
    "stem_stride": 4,
    "cells": 3,
    "channels": 8,
    "validation_fraction": 0.1,
    "flip": True,
    "learning_rate": 0.05,
    "alpha_weight_decay": 6e-4,
    "cpu_threads": 1,
}
CHOICES: Mapping[str, Sequence[Any]] = {
    "epochs": (3, 6, 8, 12, 16),
    "train_limit": (1000, 2000, 4000),
    "draws": (1, 2, 3, 5),
    "route": ("even", "inclusion", "inclusion", "zgr"),
    "sound": (True, True, False),
    "alpha_learning_rate": (0.01, 0.03, 0.1, 0.2),
    "alpha_learning_rate_schedule": ("constant", "cosine"),
    "gradient": ("exact", "probed", "sampled"),
    "update": ("joint", "joint", "alternating"),
}
"""Values to draw from; one that is listed twice comes twice as often."""

MEDIAN_OF_RANKS = 15_625 // 2
POOR = 90.0
"""Accuracy in per cent below which nobody would keep a cell; 90.7 is the median of all."""
FIGURES = ("loss", "child_accuracy", "gap", "entropy")


def main() -> None:
    """Measure searches, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", default="table", choices=["run", "table"])
    parser.add_argument("--data", type=Path, help="CIFAR-10 as .npz")
    parser.add_argument("--truth", type=Path, help="NAS-Bench-201's accuracies as .npz")
    parser.add_argument("--searches", type=int, default=SEARCHES)
    parser.add_argument("--share", default="0/1", help="0/2 and 1/2 are the two halves")
    given = parser.parse_args()
    if given.what == "table":
        for line in table(recorded()):
            print(line)
        return
    part, parts = (int(number) for number in given.share.split("/"))
    name = NAME if parts == 1 else f"{NAME}_{part}"
    numbers = range(part, given.searches, parts)
    record(numbers, given.data, load_truth_table(given.truth), RAW / f"{name}.json")


# Searching


def settings_of(number: int) -> dict[str, Any]:
    """The settings of one search, and its seed."""
    stream = Random(f"calibration {number}")
    return {name: stream.choice(values) for name, values in CHOICES.items()} | {"seed": number}


def config_of(settings: Mapping[str, Any], data: str = "cifar10") -> SearchConfig:
    """All settings of one search."""
    return make_config({**BASE, **settings, "data": data})


def record(numbers: Sequence[int], data: Path, truth: TruthTable, out: Path) -> None:
    """Run the searches that the raw file lacks, and write it after each."""
    rows = json.loads(out.read_text())["rows"] if out.exists() else []
    done = {row["number"] for row in rows}
    for number in numbers:
        if number in done:
            continue
        rows.append({"number": number, **searched(settings_of(number), data, truth)})
        out.write_text(json.dumps({"kind": KIND, "rows": rows}) + "\n")
        print(
            f"{number}: {rows[-1]['accuracy']:.2f} in {rows[-1]['cpu_seconds']:.0f} s", flush=True
        )


def searched(settings: Mapping[str, Any], data: Path, truth: TruthTable) -> dict[str, Any]:
    """Run one search; its epochs, and what is published of its cell."""
    config = config_of(settings, str(data))
    set_up_torch(config, CPU)
    started = time.process_time()
    space = space_of(config)
    epochs = [
        one
        for one in assemble_search(config, load_data(config), CPU)
        if one.kind is SnapshotKind.EPOCH
    ]
    last = epochs[-1]
    assert last.derived is not None
    found = truth.lookup_genotype(
        from_masks(space, last.derived, config.rule, {"seed": config.seed, "step": last.step})
    )
    return {
        "settings": dict(settings),
        "epochs": [packed(one) for one in epochs],
        "accuracy": found.test_accuracy,
        "rank": found.rank,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def packed(snapshot: Snapshot) -> dict[str, Any]:
    """What the judgement reads of an epoch's end."""
    assert snapshot.derived is not None
    return {
        "step": snapshot.step,
        "epoch": snapshot.epoch,
        "temperature": snapshot.temperature,
        "probabilities": {
            kind: [[round(p, 4) for p in row] for row in rows]
            for kind, rows in snapshot.probabilities.items()
        },
        "derived": dict(snapshot.derived),
        "metrics": {
            name: round(value, 4) for name, value in snapshot.metrics.items() if name in FIGURES
        },
    }


def unpacked(row: Mapping[str, Any]) -> Snapshot:
    """The epoch's end that was recorded."""
    return Snapshot(
        step=row["step"],
        epoch=row["epoch"],
        kind=SnapshotKind.EPOCH,
        temperature=row["temperature"],
        probabilities={
            kind: tuple(tuple(ps) for ps in rows) for kind, rows in row["probabilities"].items()
        },
        codes={kind: tuple(masks) for kind, masks in row["derived"].items()},
        metrics=row["metrics"],
        derived={kind: tuple(masks) for kind, masks in row["derived"].items()},
    )


# Judging


def recorded() -> list[dict[str, Any]]:
    """The rows of all raw files, in order of their numbers."""
    files = sorted(RAW.glob(f"{NAME}*.json"))
    rows = [row for file in files for row in json.loads(file.read_text())["rows"]]
    return sorted(rows, key=lambda row: row["number"])


def judged(row: Mapping[str, Any]) -> Health:
    """The verdict at the end of a recorded search, by the thresholds of today."""
    config = config_of(row["settings"])
    health = examine(space_of(config), config, [unpacked(one) for one in row["epochs"]])
    assert health is not None
    return health


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Per verdict: how many, accuracy, rank, and the share above the median of all cells."""
    groups: dict[Verdict, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(judged(row).verdict, []).append(row)
    head = ("verdict", "searches", "accuracy", "median rank", "above the median cell", "below 90 %")
    best_first = sorted(groups.items(), key=lambda item: median_rank(item[1]))
    yield from markdown_table(head, [[verdict.label, *_figures(of)] for verdict, of in best_first])


def _figures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    accuracies = [row["accuracy"] for row in rows]
    spread = f" ± {statistics.stdev(accuracies):.2f}" if len(rows) > 1 else ""
    return [
        str(len(rows)),
        f"{statistics.mean(accuracies):.2f}{spread}",
        f"{median_rank(rows):,.0f}",
        f"{sum(row['rank'] <= MEDIAN_OF_RANKS for row in rows) / len(rows):.0%}",
        f"{sum(accuracy < POOR for accuracy in accuracies) / len(rows):.0%}",
    ]


def median_rank(rows: Sequence[Mapping[str, Any]]) -> float:
    """Median place of the cells among all 15,625, the best first."""
    return statistics.median(row["rank"] for row in rows)


def calibration(rows: Sequence[Mapping[str, Any]], link: str) -> list[str]:
    """The section of docs/results.md."""
    good = [row["rank"] for row in rows if judged(row).verdict is Verdict.GOOD]
    others = [row["rank"] for row in rows if judged(row).verdict is not Verdict.GOOD]
    return [
        "\n".join(
            [
                "## Does the verdict say anything about what was found?\n",
                "`python -m benchmarks.health_calibration run --data CIFAR10.npz --truth "
                f"NB201.npz`: {len(rows)} short searches in NAS-Bench-201's space on CIFAR-10 "
                "images, with settings drawn at random from what people choose. Verdicts are those "
                "at the end; accuracy and rank are the published ones of the cell that was found. "
                f"Raw figures: [{link.rsplit('/', 1)[-1]}]({link}).\n",
                *table(rows),
                "",
                f"A search that ended on track found the better cell in {better(good, others):.0%} "
                "of all pairs with a search that did not (50 % would be chance).\n",
            ]
        )
    ]


def better(ranks: Sequence[int], others: Sequence[int]) -> float:
    """Share of pairs in which the first has the better rank; equal ranks count half."""
    pairs = [(one, other) for one in ranks for other in others]
    won = sum((one < other) + (one == other) / 2 for one, other in pairs)
    return won / len(pairs) if pairs else 0.5


if __name__ == "__main__":
    main()
