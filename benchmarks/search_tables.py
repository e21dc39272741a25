"""Tables of what ``found_cells`` and ``older_input`` measured, for docs/results.md."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.markdown import table
from engine.domain.comparison import Measure
from engine.domain.statistics import holm, paired_test, spread_of

Row = Mapping[str, Any]

TITLES = {
    "cifar10": "CIFAR-10, 5,000 images",
    "camvid": "CamVid, 48 pixels high",
    "topics": "Python's help texts",
}
MEASURES = {
    "test_accuracy": Measure("test", "test accuracy", " %", " points", "higher"),
    "test_mean_iou": Measure("test", "test mean IoU", " %", " points", "higher"),
    "test_perplexity": Measure("test", "test perplexity", decimals=1),
}
SIZE = Measure("parameters", "parameters", " k", decimals=1, scale=1e3)
SECONDS = Measure("seconds", "search", " CPU s", decimals=0)
START = "sound"
"""The way that all others change: scope node, M = 4, route even."""
RANDOM = "random like "
"""With a way behind it: random sound cells, each of the size of one that this way found."""


# What was found, judged by retraining


def found_cells(rows: Sequence[Row], link: str) -> list[str]:
    """One section per data set: what was found, against random cells, and where it came from."""
    return [
        "\n".join(_data_set(name, [row for row in rows if row["data"] == name], link))
        for name in TITLES
        if any(row["data"] == name for row in rows)
    ]


def _data_set(name: str, rows: Sequence[Row], link: str) -> Iterator[str]:
    trained = [row for row in rows if row["what"] == "training"]
    searched = {(row["candidate"], row["seed"]): row for row in rows if row["what"] == "search"}
    figure = next(key for key in MEASURES if key in trained[0])
    measure = MEASURES[figure]
    groups = _by_candidate(trained)
    yield f"## {TITLES[name]}: ways to search, judged by what they found\n"
    yield (
        f"`python -m benchmarks.found_cells --data {name}=PATH --random-like WAYS`; the "
        "settings are in that file. Each search derives a network, which is trained from scratch "
        f"and tested once. Raw figures: [{link.rsplit('/', 1)[-1]}]({link}).\n"
    )
    yield from table(
        ("way", "seeds", measure.label, SIZE.label, SECONDS.label, "entropy at the end"),
        [
            [
                way,
                str(len(members)),
                measure.spread_text(spread_of([row[figure] for row in members])),
                SIZE.spread_text(spread_of([row["parameters"] for row in members])),
                *_of_search([searched.get((way, row["seed"])) for row in members]),
            ]
            for way, members in _best_first(groups, figure, measure)
        ],
    )
    yield ""
    yield from _compared(groups, figure, measure)
    sources = "input" if name == "topics" else "c_{k-2} / c_{k-1}"
    yield f"\n### {TITLES[name]}: share of each source over time\n"
    yield (
        "Of the probability without `none`, at the ends of the first, the middle and the last "
        f"epoch: {sources} / nodes; mean over seeds.\n"
    )
    yield from _shares([row for row in rows if row["what"] == "search"])
    yield ""


def _by_candidate(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["candidate"], []).append(row)
    return groups


def _best_first(
    groups: Mapping[str, Sequence[Row]], figure: str, measure: Measure
) -> list[tuple[str, Sequence[Row]]]:
    falling = measure.better == "higher"
    return sorted(groups.items(), key=lambda item: _mean(item[1], figure), reverse=falling)


def _mean(rows: Sequence[Row], name: str) -> float:
    return statistics.fmean(row[name] for row in rows)


def _of_search(rows: Sequence[Row | None]) -> list[str]:
    known = [row for row in rows if row is not None]
    if not known:
        return ["–", "–"]
    return [
        SECONDS.spread_text(spread_of([row["cpu_seconds"] for row in known])),
        f"{_mean(known, 'entropy'):.2f}",
    ]


def _compared(groups: Mapping[str, Sequence[Row]], figure: str, measure: Measure) -> Iterator[str]:
    """Each way against random cells of its own size, and against the way that all start from."""
    figures = {way: {row["seed"]: row[figure] for row in of} for way, of in groups.items()}
    ways = [way for way in figures if not way.startswith(RANDOM)]
    of_its_size = {way: RANDOM + way for way in ways if RANDOM + way in figures}
    to_start = {way: START for way in ways if way != START and START in figures}
    random = "random sound cells of the same size"
    yield from _differences(figures, of_its_size, measure, random)
    yield from _differences(figures, to_start, measure, f"*{START}*")


def _differences(
    figures: Mapping[str, Mapping[int, float]],
    pairs: Mapping[str, str],
    measure: Measure,
    other_name: str,
) -> Iterator[str]:
    """Paired by seed; p corrected (Holm) over the pairs that have two seeds or more."""
    tests = {}
    for way, other in pairs.items():
        seeds = sorted(figures[way].keys() & figures[other].keys())
        test = paired_test([figures[way][s] for s in seeds], [figures[other][s] for s in seeds])
        if test is not None:
            tests[way] = test
    corrected = holm([test.p for test in tests.values()])
    for (way, test), p in zip(tests.items(), corrected, strict=True):
        chance = "not testable" if p is None else f"p = {p:.3f}"
        yield (
            f"* {way}: {measure.difference_text(test.difference)} against {other_name}, "
            f"{test.count} seeds, {chance}"
        )


def _shares(rows: Sequence[Row]) -> list[str]:
    kinds = list(rows[0]["shares"][0])
    body = []
    for way, members in _by_candidate(rows).items():
        epochs = len(members[0]["shares"])
        moments = (0, (epochs - 1) // 2, epochs - 1)
        body.append([way, *(_path(members, kind, moments) for kind in kinds)])
    return list(table(("way", *kinds), body))


def _path(rows: Sequence[Row], kind: str, moments: Sequence[int]) -> str:
    """Shares of the sources at some epochs, such as ``.33/.33/.34 → .71/.20/.09``."""
    texts = []
    for moment in moments:
        shares = zip(*(row["shares"][moment][kind] for row in rows), strict=True)
        texts.append("/".join(f"{statistics.fmean(share):.2f}" for share in shares))
    return " → ".join(texts)


# Why the older input wins


def older_input(rows: Sequence[Row], link: str) -> list[str]:
    """One section: effects by source, the cells that they come from, and the noise of sources."""
    return ["\n".join(_older_input(rows, link))]


def _older_input(rows: Sequence[Row], link: str) -> Iterator[str]:
    yield "## Why the older input wins\n"
    seeds = sorted({row["seed"] for row in rows})
    yield (
        f"`python -m benchmarks.older_input`, digits, seeds {', '.join(map(str, seeds))}. Weights "
        "trained with alphas held at uniform; then the change of the validation loss by switching "
        "on one more operation that reads this input, mean over operations and batches; negative "
        f"helps. Raw figures: [{link.rsplit('/', 1)[-1]}]({link}).\n"
    )
    hows = _hows(rows)
    yield from table(
        ("surroundings", "cell", "input", *hows),
        [
            [name, kind, source, *(_effect(members, how, kind, source) for how in hows)]
            for name, members in _grouped(rows, "surroundings").items()
            for kind in ("normal", "reduction")
            for source in ("c_{k-2}", "c_{k-1}")
        ],
    )
    yield "\nNoise of a source: share of the variance of its features that the drawn codes cause.\n"
    cells = sorted({one["cell"] for row in rows for one in row["noise"]})
    yield from table(
        ("surroundings", "input", *(f"cell {cell}" for cell in cells)),
        [
            [name, source, *(_noise(members, cell, source) for cell in cells)]
            for name, members in _grouped(rows, "surroundings").items()
            for source in ("c_{k-2}", "c_{k-1}")
        ],
    )
    yield ""


def _hows(rows: Sequence[Row]) -> list[str]:
    found = {one["how"] for row in rows for one in row["effects"]}
    return ["switched on", "first order", *sorted(found - {"switched on", "first order"})]


def _grouped(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


def _effect(rows: Sequence[Row], how: str, kind: str, source: str) -> str:
    values = [
        one["mean"]
        for row in rows
        for one in row["effects"]
        if (one["how"], one["kind"], one["source"]) == (how, kind, source)
    ]
    return f"{statistics.fmean(values):+.3f}" if values else "–"


def _noise(rows: Sequence[Row], cell: int, source: str) -> str:
    values = [
        one["noise"]
        for row in rows
        for one in row["noise"]
        if (one["cell"], one["source"]) == (cell, source)
    ]
    return f"{statistics.fmean(values):.2f}" if values else "–"
