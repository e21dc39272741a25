"""Tables of what ``compare_texts_and_scenes`` measured, for docs/results.md."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.domain.comparison import Measure, compare_all
from engine.domain.statistics import spread_of

Row = Mapping[str, Any]

TITLES = {
    "camvid-cpu": "CamVid: the searched network and others of its size",
    "wikitext2-cpu": "WikiText-2: the searched cell and others of its size",
    "digit-scenes": "Digits on a canvas: the searched network and others of its size",
    "topics": "Python's help texts: the searched cell and others of its size",
}
OPTIONS = {
    "camvid-cpu": "--camvid FOLDER",
    "wikitext2-cpu": "--wikitext2 FOLDER",
    "digit-scenes": "--built-in",
    "topics": "--built-in",
}
"""By preset, how the command is asked for its rows."""
NETWORKS = {
    "searched": "searched",
    "lstm": "LSTM",
    "residual": "residual network",
    "random": "random cells",
}
MEASURES = {
    "perplexity": (
        Measure("test", "test perplexity"),
        Measure("validation", "validation perplexity"),
    ),
    "mean_iou": (
        Measure("test", "test mean IoU", " %", " points", "higher"),
        Measure("validation", "validation mean IoU", " %", " points", "higher"),
    ),
}
SIZES = (
    Measure("parameters", "parameters", " M", decimals=3, scale=1e6),
    Measure("seconds", "training time", " s", decimals=0),
)

By = Mapping[str, Mapping[str, Mapping[int, float]]]
"""Figures by network, name of the measure and seed."""


@dataclass(frozen=True)
class NetworkTable:
    """What was measured on one data set.

    Attributes:
        title: The data set in words.
        option: How the command is asked for it.
        head: Names of the measures.
        means: A network, its trainings, mean and spread over seeds of each measure.
        trainings: A network, a seed, the figure of each measure.
        sentences: Each of the other networks against the searched one.
    """

    title: str
    option: str
    head: list[str]
    means: list[list[str]]
    trainings: list[list[str]]
    sentences: list[str]


def tables(rows: Sequence[Row]) -> Iterable[NetworkTable]:
    """A table for each data set that has rows."""
    for preset in TITLES:
        mine = [row for row in rows if row["comparison"] == preset and row["network"] in NETWORKS]
        if mine:
            yield table(preset, mine)


def table(preset: str, rows: Sequence[Row]) -> NetworkTable:
    """Means over seeds by network, and each of the others against the searched network."""
    score = next(name for name in MEASURES if f"test_{name}" in rows[0])
    shown = (*MEASURES[score], *SIZES)
    figures = by_seed(rows, score)
    means = [
        [
            NETWORKS[network],
            str(sum(row["network"] == network for row in rows)),
            *(measure.spread_text(spread_of([*of[measure.name].values()])) for measure in shown),
        ]
        for network, of in figures.items()
    ]
    stored = stored_names(score)
    trainings = [
        [
            NETWORKS[row["network"]],
            str(row["seed"]),
            *(measure.text(row[stored[measure.name]]) for measure in shown),
        ]
        for network in figures
        for row in rows
        if row["network"] == network
    ]
    labels = [measure.label for measure in shown]
    compared = sentences(MEASURES[score][0], figures)
    return NetworkTable(TITLES[preset], OPTIONS[preset], labels, means, trainings, compared)


def stored_names(score: str) -> dict[str, str]:
    """By measure, the name of its figure in a row."""
    names = {"test": f"test_{score}", "validation": f"validation_{score}"}
    return names | {size.name: size.name for size in SIZES}


def by_seed(rows: Sequence[Row], score: str) -> By:
    """Figures by network; of several random cells with one seed, their mean."""
    names = stored_names(score)

    def of_network(network: str) -> dict[str, dict[int, float]]:
        mine = [row for row in rows if row["network"] == network]
        return {
            name: {
                seed: statistics.fmean(row[stored] for row in mine if row["seed"] == seed)
                for seed in sorted({row["seed"] for row in mine})
            }
            for name, stored in names.items()
        }

    there = {row["network"] for row in rows}
    return {network: of_network(network) for network in NETWORKS if network in there}


def sentences(measure: Measure, figures: By) -> list[str]:
    """Whether each of the others is better than the searched network."""
    named = {NETWORKS[network]: of for network, of in figures.items()}
    baseline = NETWORKS["searched"]
    if baseline not in named:
        return []
    seeds = sorted(named[baseline][measure.name])
    return [one.sentence for one in compare_all([measure], named, baseline, seeds)]
