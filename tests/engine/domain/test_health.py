"""Verdicts on searches, from snapshots that are made for one question each."""

from collections.abc import Sequence

import numpy
import pytest

from engine.domain.config import SearchConfig, make_config
from engine.domain.health import Health, Phase, Verdict, examine, settled_since, skip_share, slope
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace

SPACE = SearchSpace("one", "One edge", ("cell",), 1, 1, ("none", "skip_connect", "conv"))
NONE, SKIP, CONV = 1, 2, 4


def config(epochs: int = 20) -> SearchConfig:
    return make_config({"scope": "edge", "draws": 1, "epochs": epochs})


def moment(epoch: int, row: tuple[float, ...], derived: int = CONV, **metrics: float) -> Snapshot:
    return Snapshot(
        step=10 * epoch,
        epoch=epoch,
        kind=SnapshotKind.EPOCH,
        temperature=1.0,
        probabilities={"cell": (row,)},
        codes={"cell": (derived,)},
        metrics=metrics,
        derived={"cell": (derived,)},
    )


def deciding(count: int, derived: int = CONV) -> list[Snapshot]:
    """A search that comes to favour the last operation, evenly from epoch to epoch."""
    shares = numpy.linspace(1 / 3, 0.9, count)
    return [
        moment(epoch, ((1 - share) / 2, (1 - share) / 2, share), derived)
        for epoch, share in enumerate(shares.tolist(), start=1)
    ]


def seen(epochs: Sequence[Snapshot], settings: SearchConfig | None = None) -> Health:
    health = examine(SPACE, settings or config(), epochs)
    assert health is not None
    return health


def test_nothing_is_said_before_the_first_epoch_or_of_random_search():
    assert examine(SPACE, config(), []) is None
    chance = make_config({"method": "random", "update": "joint", "candidates": 3})
    assert examine(SPACE, chance, deciding(4)) is None


def test_after_one_epoch_it_is_too_early():
    health = seen(deciding(4)[:1])
    assert (health.verdict, health.phase, health.trend) == (Verdict.EARLY, Phase.WARMING_UP, None)


def test_a_search_that_decides_is_good_and_narrows():
    epochs = deciding(10)
    epochs[-3] = moment(8, epochs[-3].probabilities["cell"][0], SKIP)
    health = seen(epochs)
    assert (health.verdict, health.phase) == (Verdict.GOOD, Phase.NARROWING)
    assert health.trend is not None
    assert health.trend < 0
    assert (health.settled_since, health.settled_for) == (9, 1)


def test_a_search_whose_architecture_stays_has_settled():
    health = seen(deciding(12))
    assert (health.phase, health.settled_since) == (Phase.SETTLED, 1)


def test_flat_probabilities_are_stuck_from_half_of_the_epochs_on():
    flat = [moment(epoch, (0.33, 0.33, 0.34)) for epoch in range(1, 12)]
    assert seen(flat[:9]).verdict is Verdict.GOOD
    health = seen(flat)
    assert health.verdict is Verdict.STUCK
    assert "11 of 20 epochs" in health.findings[0].text
    assert "learning rate" in health.findings[0].advice


def test_flat_probabilities_that_begin_to_move_fast_enough_are_not_stuck():
    shares = [1 / 3, 1 / 3, 1 / 3, 1 / 3, 0.36, 0.39, 0.42]
    moving = [
        moment(epoch, (share, (1 - share) / 2, (1 - share) / 2))
        for epoch, share in enumerate(shares, start=1)
    ]
    assert seen(moving, config(epochs=14)).verdict is Verdict.GOOD


def test_only_skips_are_usual_early_and_a_collapse_late():
    skipping = deciding(12, derived=SKIP)
    early, late = seen(skipping[:6]), seen(skipping)
    assert (early.verdict, late.verdict) == (Verdict.WATCH, Verdict.COLLAPSED)
    assert late.skip_share == 1.0
    recovered = [*skipping[:-1], deciding(12)[-1]]
    assert seen(recovered).verdict is Verdict.GOOD


def test_none_on_top_a_large_gap_and_a_falling_child_are_worth_a_look():
    ends = [moment(epoch, (0.6, 0.2, 0.2)) for epoch in (1, 2)]
    assert "`none` holds 60%" in seen(ends).findings[0].text
    gap = [*deciding(3)[:2], moment(3, (0.1, 0.1, 0.8), gap=7.25)]
    assert "7.2 points" in seen(gap).findings[0].text
    scores = [50.0, 70.0, 80.0, 79.0, 78.0, 75.5]
    falling = [
        moment(one.epoch, one.probabilities["cell"][0], child_accuracy=score)
        for one, score in zip(deciding(6), scores, strict=True)
    ]
    assert [finding.verdict for finding in seen(falling).findings] == [Verdict.WATCH]
    assert "4.5 points below its best" in seen(falling).findings[0].text


def test_the_worst_finding_is_the_verdict():
    skipping = [moment(epoch, (0.6, 0.3, 0.1), SKIP) for epoch in range(1, 13)]
    health = seen(skipping)
    assert [one.verdict for one in health.findings] == [Verdict.COLLAPSED, Verdict.WATCH]
    assert health.verdict is Verdict.COLLAPSED


@pytest.mark.parametrize(
    ("masks", "share"),
    [((SKIP,), 1.0), ((SKIP | CONV,), 0.5), ((SKIP | NONE,), 1.0), ((NONE,), 0.0), ((0,), 0.0)],
)
def test_none_does_not_count_among_what_is_kept(masks, share):
    assert skip_share(SPACE, {"cell": masks}) == share


def test_settled_since_is_the_start_of_the_last_unbroken_stretch():
    kinds = [CONV, SKIP, CONV, CONV, CONV]
    epochs = [moment(epoch, (0.2, 0.3, 0.5), kind) for epoch, kind in enumerate(kinds, start=1)]
    assert settled_since(epochs) == 3
    assert settled_since(epochs[:1]) == 1


def test_the_slope_is_that_of_a_least_squares_line():
    values = [0.9, 0.7, 0.75, 0.4]
    assert slope(values) == pytest.approx(numpy.polyfit(range(4), values, 1)[0])
