"""Codes against their probabilities: by hand, by another library, and by real draws."""

import random

import pytest
from scipy.stats import binom

from engine.domain.config import SearchConfig, make_config
from engine.domain.draws import binomial_band, inclusion, record_draws
from engine.domain.rules import drawn_set
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace

SPACE = SearchSpace("two", "Two nodes", ("normal",), 2, 2, ("none", "skip_connect", "conv"))


def config(draws: int = 3, **changes: object) -> SearchConfig:
    return make_config({"draws": draws, "scope": "edge", **changes})


def snapshot(step: int, row: tuple[float, ...], masks: tuple[int, ...]) -> Snapshot:
    edges = len(SPACE.edges)
    return Snapshot(step, 0, SnapshotKind.STEP, 1.0, {"normal": (row,) * edges}, {"normal": masks})


@pytest.mark.parametrize("trials", [1, 7, 100, 400])
@pytest.mark.parametrize("q", [0.0, 1e-6, 0.03, 0.5, 0.97, 1.0])
def test_the_band_is_that_of_scipys_binomial(trials: int, q: float):
    low, high = binom.interval(0.95, trials, q)
    assert binomial_band(trials, q) == (low, high)


def test_counts_and_expectations_by_hand():
    first = snapshot(10, (0.5, 0.25, 0.25), (1, 2, 4, 1, 1))
    second = snapshot(20, (0.2, 0.2, 0.6), (3, 6, 4, 1, 2))
    (record,) = record_draws(SPACE, config(draws=2, sound=False), [second, first])
    assert (record.snapshots, record.first_step, record.last_step) == (2, 10, 20)
    entry = record.edges[0][1]
    assert entry.count == 1
    assert entry.expected == pytest.approx((1 - 0.75**2) + (1 - 0.8**2))
    assert [node.drawn for node in record.nodes] == [(2 + 4) / 2, (3 + 3) / 2]
    sizes = [3 - sum((1 - p) ** 2 for p in row) for row in ((0.5, 0.25, 0.25), (0.2, 0.2, 0.6))]
    assert record.nodes[0].expected == pytest.approx(2 * sum(sizes) / 2)
    assert record.nodes[1].expected == pytest.approx(3 * sum(sizes) / 2)


def test_real_draws_lie_in_their_bands_and_others_do_not():
    row, draws, stream = (0.1, 0.6, 0.3), 3, random.Random(5)

    def code() -> tuple[int, ...]:
        return tuple(sum(1 << k for k in drawn_set(row, draws, stream)) for _ in SPACE.edges)

    codes = [snapshot(step, row, code()) for step in range(300)]
    (record,) = record_draws(SPACE, config(draws), codes)
    assert record.entries == 15
    assert record.inside >= 13
    (wrong,) = record_draws(SPACE, config(draws + 3), codes)
    assert wrong.inside <= 3


def test_there_is_nothing_to_compare_without_codes_that_are_drawn():
    moment = snapshot(1, (0.2, 0.3, 0.5), (1,) * 5)
    assert record_draws(SPACE, config(), []) == ()
    darts = config(method="darts", update="alternating")
    assert record_draws(SPACE, darts, [moment]) == ()


def test_an_operation_is_on_unless_every_draw_misses_it():
    assert inclusion(0.25, 1) == 0.25
    assert inclusion(0.5, 3) == 1 - 0.5**3
