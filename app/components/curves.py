"""Curves that grow while a run goes on, with a zoom that stays."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.components.loading import StaticComponent
from app.figures.palette import CURVE_COLOURS
from engine.domain.metrics import main_figure
from engine.domain.run import Run

_curves = StaticComponent("egs_curves", "curves.js", room=700)


@dataclass(frozen=True)
class Line:
    """One metric in a chart: stored name, label, colour; a dash beside the colour."""

    metric: str
    label: str
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """A card: title, unit, lines, and two sentences that explain it."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    note: str


CHILD, SUPERNET = CURVE_COLOURS["child"], CURVE_COLOURS["supernet"]
TRAIN, OTHER = CURVE_COLOURS["train"], CURVE_COLOURS["other"]

SEARCH_CHARTS: tuple[Chart, ...] = (
    Chart(
        "Loss",
        "",
        (
            Line("train_loss", "training", TRAIN, dashed=True),
            Line("supernet_loss", "supernet", SUPERNET),
            Line("child_loss", "child", CHILD),
        ),
        "Cross-entropy. The training loss is that of the code drawn at each step, so it is noisy.",
    ),
    Chart(
        "Entropy",
        "",
        (Line("entropy", "entropy of the probabilities", OTHER),),
        "1 is undecided, 0 is decided. A search that stays near 1 has not chosen yet.",
    ),
    Chart(
        "Temperature",
        "",
        (Line("temperature", "temperature", OTHER),),
        "Softness of the gradient through a draw. It changes no draw, only the gradient.",
    ),
)


def charts_of(task: str) -> tuple[Chart, ...]:
    """The charts of a search: its task's main figure, the gap in its unit, and the rest."""
    main = main_figure(task)
    return (
        Chart(
            main.label[0].upper() + main.label[1:],
            main.unit.strip(),
            (
                Line(f"train_{main.name}", "training", TRAIN, dashed=True),
                Line(f"supernet_{main.name}", "supernet", SUPERNET),
                Line(f"child_{main.name}", "child", CHILD),
            ),
            f"On validation {main.of}, at the end of each epoch. The child is the derived network "
            "with the supernet's weights.",
        ),
        Chart(
            "Gap",
            main.gap_unit.strip(),
            (Line("gap", "child error minus supernet error", CHILD),),
            "Near zero, what was searched is what is derived. Below zero, the child is the better "
            "one.",
        ),
        *SEARCH_CHARTS,
    )


def training_charts(task: str) -> tuple[Chart, ...]:
    """The charts of a training from scratch: its task's main figure, loss and learning rate."""
    main = main_figure(task)
    return (
        Chart(
            main.label[0].upper() + main.label[1:],
            main.unit.strip(),
            (
                Line(f"train_{main.name}", "training", TRAIN, dashed=True),
                Line(f"validation_{main.name}", "validation", SUPERNET),
                Line(f"test_{main.name}", "test", CHILD),
            ),
            f"On validation {main.of}, at the end of each epoch. The test {main.of} are looked at "
            "once, at the end.",
        ),
        Chart(
            "Loss",
            "",
            (
                Line("train_loss", "training", TRAIN, dashed=True),
                Line("validation_loss", "validation", SUPERNET),
                Line("test_loss", "test", CHILD),
            ),
            "Cross-entropy. That of training is of one batch and of a network with parts left "
            "out, so it is noisy and may be the higher one.",
        ),
        Chart(
            "Learning rate",
            "",
            (Line("learning_rate", "learning rate of the weights", OTHER),),
            "How far a step moves the weights. Most schedules fall, so that the end is quiet.",
        ),
    )


TRUTH_CHARTS: tuple[Chart, ...] = (
    Chart(
        "True accuracy",
        "%",
        (Line("true_accuracy", "published, after full training", CHILD),),
        "Of the cell derived at the end of each epoch, on the test split, from the table at hand. "
        "The search never sees it.",
    ),
    Chart(
        "True rank",
        "",
        (Line("true_rank", "rank among all cells of the table", OTHER),),
        "1 is the best. Where a cell keeps several operations on an edge, the table has no entry.",
    ),
)
"""Shown where a table of published accuracies fits the search space."""


def curve_data(
    run: Run,
    *,
    address: str | None,
    series: Mapping[str, Any] | None = None,
    charts: Sequence[Chart] | None = None,
) -> dict[str, Any]:
    """What the curves need, as plain values; ``series`` where there is no API."""
    return {
        "run": run.uid,
        "address": address,
        "series": series,
        "ended": run.is_ended,
        "charts": [asdict(chart) for chart in charts or charts_of(run.config.task)],
    }


def curves(data: Mapping[str, Any], *, key: str) -> None:
    """Mount the curves."""
    _curves(data, key=key)
