"""What is gathered and drawn to compare runs."""

import random
from pathlib import Path

import pytest

from app.compare import (
    front_points,
    genotypes_of,
    moments_of,
    runs_named,
    runs_of_study,
    studies_in,
    study_name,
)
from app.components.derived_cell import difference_data
from app.components.overlay import smoothed
from app.figures.compare import (
    axis_of,
    complete_runs,
    front_figure,
    gather_front,
    looks_of,
    parallel_figure,
)
from app.studio import Studio
from app.wiring import SystemClock
from engine.catalog import gather_catalog
from engine.domain.errors import InvalidConfig, NotFound
from engine.domain.genotype import Gene, Genotype, from_masks
from engine.domain.genotype_diff import genotype_diff
from engine.domain.pruning import pruning_of
from engine.domain.run import RunState
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run
from tests.engine.domain.genotypes import older_input_only


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path), SystemClock())


def seeded(studio: Studio, **changes: object):
    return seed_run(studio.store, studio.artifacts, count=40, **changes)


def test_runs_in_an_address_keep_their_order_and_count_once(studio: Studio) -> None:
    first, second = seeded(studio, seed=1), seeded(studio, seed=2)
    assert [run.id for run in runs_named(studio, f"{second.id}, {first.id},{second.id}")] == [
        second.id,
        first.id,
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1", r"1 run\(s\)"),
        ("", r"0 run\(s\)"),
        ("1,x", "'x', which is no number"),
        ("1,-2", "'-2', which is no number"),
        (",".join(map(str, range(1, 10))), r"9 run\(s\)"),
    ],
)
def test_addresses_that_name_no_comparison_are_refused(
    studio: Studio, text: str, found: str
) -> None:
    with pytest.raises(InvalidConfig, match=f"{found}; allowed is 2 to 8 numbers"):
        runs_named(studio, text)
    with pytest.raises(NotFound, match="run 99"):
        runs_named(studio, "99,98")


def test_study_is_known_by_the_three_parts_of_its_names(studio: Studio) -> None:
    for seed in (10, 2):
        for name in ("b", "a"):
            seeded(studio, seed=seed, name=f"Draws / {name} / seed {seed}")
    seeded(studio, state=RunState.FAILED, seed=2, name="Draws / a / seed 2")
    seeded(studio, name="Lonely / a / seed 1")
    seeded(studio, name="no / study")
    assert study_name("Draws / a / seed 2").configuration == "a"  # type: ignore[union-attr]
    assert study_name("Draws / a / b") is None
    assert set(studies_in(studio.summaries())) == {"Draws"}
    runs = runs_of_study(studio, "Draws")
    assert [run.name for run in runs] == [
        "Draws / a / seed 2",
        "Draws / a / seed 10",
        "Draws / b / seed 2",
        "Draws / b / seed 10",
    ]
    assert {run.state for run in runs} == {RunState.COMPLETED}
    with pytest.raises(NotFound, match="one of 'Draws'"):
        runs_of_study(studio, "Nothing")


def test_front_points_cost_what_the_studio_says_and_have_the_childs_figure(studio: Studio) -> None:
    run = seeded(studio, seed=3, epochs=5)
    points = front_points(studio, run)
    epochs = studio.snapshots(run.id, epochs_only=True)
    assert [point.step for point in points] == [snapshot.step for snapshot in epochs]
    for point, snapshot in zip(points, epochs, strict=True):
        assert point.figure == snapshot.metrics["child_accuracy"]
        cost = studio.cost(run.id, from_masks(studio.space(run), snapshot.derived or {}))
        assert (point.parameters, point.multiply_adds) == (cost.parameters, cost.multiply_adds)
    assert front_points(studio, run) == points


def test_moments_of_a_running_search_are_read_anew(studio: Studio) -> None:
    run = seeded(studio, upto=20, state=RunState.RUNNING, epochs=4)
    assert [one.epoch for one in moments_of(studio, run)] == [1, 2]
    ended = studio.store.transition(run.id, RunState.STOPPED, why="test")
    assert moments_of(studio, ended) is moments_of(studio, ended)


def test_run_without_a_snapshot_has_no_cell_and_hinders_none(studio: Studio) -> None:
    run, waiting = seeded(studio), seeded(studio, state=RunState.QUEUED)
    assert set(genotypes_of(studio, [run, waiting])) == {run.id}
    assert front_points(studio, waiting) == []


def test_difference_is_drawn_with_everything_of_both_cells(studio: Studio) -> None:
    first, second = seeded(studio, seed=1), seeded(studio, seed=2)
    diff = genotype_diff(studio.derive(first.id), studio.derive(second.id))
    catalog = studio.catalog()
    assert catalog is not None
    data = difference_data(diff, catalog, cells=4)
    marks = [mark for cell in data["cells"] for edge in cell["marks"] for mark in edge]
    assert marks.count("") == sum(len(edge.kept) for edge in diff.edges)
    assert marks.count("+") == sum(len(edge.added) for edge in diff.edges)
    assert marks.count("−") == sum(len(edge.removed) for edge in diff.edges)
    for cell in data["cells"]:
        assert [len(edge) for edge in cell["kept"]] == [len(edge) for edge in cell["marks"]]
        assert len(cell["kept"]) == len(diff.space.edges)


def test_a_difference_is_dead_where_it_is_dead_in_every_cell_that_keeps_it() -> None:
    """The second keeps more than the first, which is dead in all its reduction cells."""
    first = older_input_only()
    more = tuple(node | {Gene(1, "max_pool_3x3")} for node in first.cells["normal"])
    second = Genotype(first.space, {**first.cells, "normal": more})
    pruned = pruning_of(first, 6).kinds, pruning_of(second, 6).kinds
    data = difference_data(genotype_diff(first, second), gather_catalog(), cells=6, pruned=pruned)
    normal, reduction = data["cells"]
    assert not any(any(reasons) for reasons in (*normal["dead"], *reduction["dead"]))
    same = difference_data(
        genotype_diff(first, first), gather_catalog(), cells=6, pruned=(pruned[0], pruned[0])
    )
    assert sum(map(len, same["cells"][1]["dead"])) == 8
    assert all(all(reasons) for reasons in same["cells"][1]["dead"] if reasons)
    for cell in (*data["cells"], *same["cells"]):
        assert [len(edge) for edge in cell["kept"]] == [len(edge) for edge in cell["dead"]]


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9])
def test_smoothing_is_the_weighted_mean_of_all_values_so_far(weight: float) -> None:
    draw = random.Random(2)
    values = [draw.gauss(5, 3) for _ in range(30)]
    for place, mean in enumerate(smoothed(values, weight)):
        weights = [weight ** (place - i) for i in range(place + 1)]
        weighted = sum(w * v for w, v in zip(weights, values, strict=False))
        assert mean == pytest.approx(weighted / sum(weights), rel=1e-9)


def test_every_run_looks_different_and_configurations_share_a_colour() -> None:
    looks = looks_of([f"run {n}" for n in range(8)])
    assert len({(look.colour, look.dash) for look in looks}) == 8
    assert len({look.symbol for look in looks}) == 8
    grouped = looks_of(["a1", "a2", "b1", "b2"], ["a", "a", "b", "b"])
    assert grouped[0].colour == grouped[1].colour != grouped[2].colour == grouped[3].colour
    assert grouped[0].dash != grouped[1].dash


def test_front_is_drawn_through_its_points_cheapest_first() -> None:
    looks = looks_of(["one", "two"])
    points = [(0, 3.0, 90.0, "a"), (1, 1.0, 80.0, "b"), (0, 2.0, 70.0, "c")]
    chart = gather_front(points, looks, "higher", cost_label="cost", figure_label="figure")
    assert [chart.words[i] for i in chart.front] == ["b", "a"]
    figure = front_figure(chart, dark=True)
    assert list(figure.data[-1].x) == [1.0, 3.0]
    assert [trace.name for trace in figure.data] == ["one", "two", "not beaten by any other"]


def test_words_become_places_on_an_axis_and_gaps_leave_a_run_out() -> None:
    numbers, words = axis_of("lr", [0.1, None, 2]), axis_of("task", ["b", "a", True])
    assert (numbers.values, numbers.ticks) == ((0.1, None, 2.0), ())
    assert words.ticks == ("True", "a", "b")
    assert words.values == (2.0, 1.0, 0.0)
    assert complete_runs([numbers, words]) == [0, 2]
    assert complete_runs([]) == []


def test_parallel_axes_have_a_tick_for_each_of_a_few_numbers_and_for_each_word() -> None:
    axes = [
        axis_of("draws", [2, 7, 2]),
        axis_of("task", ["b", "a", "b"]),
        axis_of("→ gap", [0.123456, 1.0, None]),
    ]
    (lines,) = parallel_figure(axes, axes[2], dark=False).data
    draws, task, gap = lines.dimensions
    assert draws.tickvals == (2.0, 7.0)
    assert (task.ticktext, task.values) == (("a", "b"), (1.0, 0.0))
    assert gap.values == (0.1235, 1.0)
    assert lines.line.color == (0.123456, 1.0)
