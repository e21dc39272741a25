"""How verdicts are set against the published accuracy of what was found."""

from benchmarks.health_calibration import (
    better,
    config_of,
    judged,
    packed,
    settings_of,
    table,
    unpacked,
)
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.spaces import SPACES


def recorded(number, sharpness, rank):
    """A search whose rows are that sharp in each of its epochs."""
    space = SPACES["nb201"]
    settings = {"seed": number, "epochs": 8, "draws": 1, "alpha_learning_rate": 0.1}
    rest = (1 - sharpness) / 4
    row = (rest, rest, rest, sharpness, rest)
    epochs = [
        packed(
            Snapshot(
                step=100 * epoch,
                epoch=epoch,
                kind=SnapshotKind.EPOCH,
                temperature=1.0,
                probabilities={"cell": (row,) * len(space.edges)},
                codes={"cell": (1 << 3,) * len(space.edges)},
                derived={"cell": (1 << 3,) * len(space.edges)},
                metrics={"child_accuracy": 50.0, "unknown": 1.0},
            )
        )
        for epoch in range(1, 9)
    ]
    return {
        "number": number,
        "settings": settings,
        "epochs": epochs,
        "accuracy": 94.0 - rank / 10_000,
        "rank": rank,
    }


def test_pairs_are_won_by_the_better_rank_and_shared_at_a_tie():
    assert better([1, 2], [3, 4]) == 1
    assert better([4], [1]) == 0
    assert better([2, 9], [2, 9]) == 0.5
    assert better([], [1]) == 0.5


def test_a_recorded_epoch_comes_back_as_it_was_judged():
    again = unpacked(recorded(0, 0.9, 5)["epochs"][-1])
    assert again.probabilities["cell"][0] == (0.025, 0.025, 0.025, 0.9, 0.025)
    assert again.derived == {"cell": (8,) * 6}
    assert again.metrics == {"child_accuracy": 50.0}


def test_verdicts_are_grouped_the_best_rank_first():
    rows = [recorded(0, 0.9, 10), recorded(1, 0.95, 30), recorded(2, 0.3, 9000)]
    good, undecided = list(table(rows))[2:]
    assert good.startswith("| On track | 2 |")
    assert good.endswith("| 20 | 100% | 0% |")
    assert undecided.startswith("| Undecided | 1 |")
    assert judged(rows[2]).verdict.label == "Undecided"


def test_settings_of_all_searches_are_valid_and_differ():
    settings = [settings_of(number) for number in range(40)]
    assert all(config_of(one).space == "nb201" for one in settings)
    assert len({str(sorted(one.items())) for one in settings}) == 40
