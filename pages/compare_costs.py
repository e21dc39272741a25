"""What accuracy costs over all moments of all runs, and settings against figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.compare import FrontPoint, front_points
from app.figures.compare import (
    Axis,
    FrontChart,
    Look,
    axis_of,
    complete_runs,
    front_figure,
    gather_front,
    parallel_figure,
)
from app.studio import Studio
from app.widgets import plain
from engine.domain.config_diff import ABSENT, config_diff, setting_text
from engine.domain.errors import StudioError
from engine.domain.front import Better
from engine.domain.genotype import Genotype
from engine.domain.metrics import main_figure, metric
from engine.domain.run import Run

COSTS = {"parameters": "Parameters", "multiply_adds": "Multiply-adds"}
COST_AXES = {"parameters": "parameters (thousands)", "multiply_adds": "multiply-adds (millions)"}
SCALES = {"parameters": 1e3, "multiply_adds": 1e6}
MOST_AXES = 9


def front_section(studio: Studio, runs: Sequence[Run], looks: Sequence[Look]) -> None:
    """Figure against cost of everything that was derived at the end of any epoch."""
    st.subheader("Figure and cost", anchor=False)
    if len({run.config.task for run in runs}) > 1:
        st.caption("The runs learn different tasks, so that their figures have no common scale.")
        return
    cost = st.segmented_control(
        "Cost",
        list(COSTS),
        default="parameters",
        required=True,
        format_func=lambda name: COSTS[name],
        key="cost",
        bind="query-params",
    )
    try:
        chart = front_chart(studio, runs, looks, cost)
    except StudioError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    if not chart.costs:
        st.caption("The chart appears when the child of an epoch has been measured.")
        return
    st.plotly_chart(
        front_figure(chart, dark=st.context.theme.type == "dark"),
        key=f"front-{cost}",
        config={"displayModeBar": False},
    )
    st.caption(
        f"{len(chart.costs):,} architectures, one for the end of each epoch of each search: the "
        "figure of the child with inherited weights on validation data, against what its network "
        f"costs. The ring marks the {len(chart.front)} that no other one beats in both at once; "
        "trainings from scratch have other weights and are not among them."
    )


def front_chart(
    studio: Studio, runs: Sequence[Run], looks: Sequence[Look], cost: str
) -> FrontChart:
    """Gather the chart.

    Args:
        studio: The use cases.
        runs: Of one task.
        looks: One a run.
        cost: ``parameters`` or ``multiply_adds``.
    """
    main = main_figure(runs[0].config.task)
    points = [
        (number, getattr(point, cost) / SCALES[cost], point.figure, _words(looks[number], point))
        for number, run in enumerate(runs)
        for point in front_points(studio, run)
    ]
    better: Better = metric(f"child_{main.name}").better or "higher"
    label = f"child {main.label}" + (f" ({main.unit.strip()})" if main.unit else "")
    return gather_front(points, looks, better, cost_label=COST_AXES[cost], figure_label=label)


def _words(look: Look, point: FrontPoint) -> str:
    name = look.label.replace("<", "‹").replace(">", "›").replace("&", "＆")
    return (
        f"{name}, epoch {point.epoch}<br>{point.figure:.2f}, {point.parameters / 1e3:,.1f} k "
        f"parameters, {point.multiply_adds / 1e6:,.2f} M multiply-adds"
    )


def parallel_section(
    studio: Studio, runs: Sequence[Run], genotypes: Mapping[int, Genotype]
) -> None:
    """Settings that differ and final figures, one line a run."""
    st.subheader("Settings against figures", anchor=False)
    axes = parallel_axes(studio, runs, genotypes)
    figures = [axis for axis in axes if axis.label.startswith("→")]
    whole = complete_runs(axes)
    if len(whole) < 2 or not figures:
        st.caption("The chart appears when two of the runs have been measured.")
        return
    st.plotly_chart(
        parallel_figure(axes, figures[0], dark=st.context.theme.type == "dark"),
        key="parallel",
        config={"displayModeBar": False},
    )
    left = len(runs) - len(whole)
    st.caption(
        "One line is one run: settings that differ at the left, and what came of them (→) at the "
        "right; the more orange, the larger the first figure. Drag along an axis to keep only the "
        "runs that pass there"
        + (f"; {left} run(s) that lack a value are left out." if left else ".")
    )


def parallel_axes(
    studio: Studio, runs: Sequence[Run], genotypes: Mapping[int, Genotype]
) -> list[Axis]:
    """Settings that differ, the seed last, then main figure, gap, parameters and time."""
    diffs = sorted(config_diff([run.config for run in runs]), key=lambda one: one.name == "seed")
    settings = [
        axis_of(diff.label, [_plain(diff.name, value) for value in diff.values])
        for diff in diffs[:MOST_AXES]
    ]
    figures: dict[str, list[Any]] = {
        **_scores(runs),
        "→ k parameters": [_parameters(studio, run, genotypes) for run in runs],
        "→ minutes": [run.progress.seconds / 60 or None for run in runs],
    }
    told = {
        label: values
        for label, values in figures.items()
        if sum(value is not None for value in values) > 1
    }
    return settings + [axis_of(label, values) for label, values in told.items()]


def _scores(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Main figure and gap, where all runs measure them on one scale.

    Tasks have other units, and a child with inherited weights is no trained network.
    """
    if len({run.config.task for run in runs}) > 1:
        return {}
    gaps = {"→ gap": [run.progress.gap for run in runs]}
    names = {run.progress.score_name for run in runs if run.progress.score_name}
    if len(names) != 1:
        return gaps
    label = metric(names.pop()).label
    return {f"→ {label[0].lower()}{label[1:]}": [run.progress.score for run in runs], **gaps}


def _plain(name: str, value: Any) -> Any:
    if value is ABSENT:
        return "–"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return setting_text(name, value)


def _parameters(studio: Studio, run: Run, genotypes: Mapping[int, Genotype]) -> float | None:
    if run.id not in genotypes:
        return None
    try:
        return studio.cost(run.id, genotypes[run.id]).parameters / 1e3
    except StudioError:
        return None
