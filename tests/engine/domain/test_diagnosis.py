"""Verdicts on searches, from histories that are made for one question each."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.config import SearchConfig, make_config
from engine.domain.derivation import derive
from engine.domain.diagnosis import examine, settled_since, window_of, window_size
from engine.domain.epoch_facts import skip_share, steadiness
from engine.domain.findings import chance_to_be_drawn, clear_lead, slope
from engine.domain.health import SEVERITY, Finding, Health, Phase, Verdict
from engine.domain.health_limits import FEWEST_DRAWS, STEADY, UNDECIDED_ENTROPY
from engine.domain.snapshot import Masks, Rows, Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.spaces import SPACES

DARTS, NB201, RNN = SPACES["darts"], SPACES["nb201"], SPACES["rnn"]
STEPS_PER_EPOCH = 100
Code = Mapping[str, Masks]


def settings(**changes: Any) -> SearchConfig:
    return make_config({"scope": "node", "draws": 2, "epochs": 20, "cells": 6, **changes})


def code(space: SearchSpace, *chosen: tuple[int, int, str], kinds: Sequence[str] = ()) -> Code:
    """A code from (source, target, operation), in the given cell kinds or in all."""
    masks = [0] * len(space.edges)
    for number, edge in enumerate(space.edges):
        for source, target, name in chosen:
            if (edge.source, edge.target) == (source, target):
                masks[number] |= 1 << space.operations.index(name)
    return {kind: tuple(masks) for kind in kinds or space.cell_kinds}


SOUND = code(
    DARTS,
    (0, 2, "sep_conv_3x3"),
    (1, 2, "skip_connect"),
    (1, 3, "sep_conv_3x3"),
    (2, 3, "dil_conv_3x3"),
    (2, 4, "sep_conv_3x3"),
    (3, 4, "skip_connect"),
    (0, 5, "sep_conv_5x5"),
    (4, 5, "max_pool_3x3"),
)
OLDER_ONLY = code(DARTS, *((0, target, "sep_conv_3x3") for target in (2, 3, 4, 5)))
CHAIN = code(RNN, *((n, n + 1, "tanh") for n in range(8)))
ALL_ON_STATE = code(RNN, *((0, n + 1, "tanh") for n in range(8)))
GOOD_CELL = code(
    NB201,
    *((0, 1, "nor_conv_3x3"), (1, 2, "nor_conv_3x3"), (2, 3, "nor_conv_3x3")),
    *((0, 2, "skip_connect"), (0, 3, "skip_connect"), (1, 3, "nor_conv_1x1")),
)


def rows_toward(space: SearchSpace, config: SearchConfig, masks: Masks, share: float) -> Rows:
    """Rows with this share of probability on the items of a code, and the rest spread evenly."""
    rows: list[tuple[float, ...]] = []
    columns = range(len(space.operations))
    for edges in space.rows(config.scope):
        wanted = sum(masks[edge].bit_count() for edge in edges)
        size = len(edges) * len(space.operations)
        for edge in edges:
            rows.append(
                tuple(
                    (1 - share if wanted else 1) / size
                    + (share / wanted if masks[edge] >> k & 1 else 0.0)
                    for k in columns
                )
            )
    return tuple(rows)


def moment(
    space: SearchSpace,
    config: SearchConfig,
    epoch: int,
    toward: Code,
    share: float,
    derived: Code | None = None,
    **metrics: float,
) -> Snapshot:
    tables = {kind: rows_toward(space, config, masks, share) for kind, masks in toward.items()}
    return Snapshot(
        step=STEPS_PER_EPOCH * epoch,
        epoch=epoch,
        kind=SnapshotKind.EPOCH,
        temperature=1.0,
        probabilities=tables,
        codes=toward,
        metrics=metrics,
        derived=toward if derived is None else derived,
    )


def history(
    toward: Code,
    *,
    space: SearchSpace = DARTS,
    config: SearchConfig | None = None,
    count: int | None = None,
    end: float = 0.9,
) -> list[Snapshot]:
    """A search that comes to favour a code evenly, and derives it from the start."""
    config = config or settings()
    shares = numpy.linspace(0, end, config.epochs)[: count or config.epochs]
    return [
        moment(space, config, epoch, toward, share)
        for epoch, share in enumerate(shares.tolist(), start=1)
    ]


def seen(
    epochs: Sequence[Snapshot],
    config: SearchConfig | None = None,
    *,
    space: SearchSpace = DARTS,
    ended: bool = False,
) -> Health:
    health = examine(space, config or settings(), epochs, ended=ended)
    assert health is not None
    return health


def texts(health: Health) -> str:
    return " ".join(f"{one.text} {one.advice}" for one in health.findings)


# Nothing to judge, and too little of it


def test_nothing_is_said_before_the_first_epoch_or_of_random_search():
    assert examine(DARTS, settings(), []) is None
    chance = settings(method="random", update="joint", candidates=3)
    assert examine(DARTS, chance, history(SOUND, count=4)) is None


def test_until_the_first_window_is_full_it_is_too_early():
    for count in (1, 2):
        health = seen(history(OLDER_ONLY, count=count))
        assert (health.verdict, health.phase) == (Verdict.EARLY, Phase.WARMING_UP)
        assert health.findings == ()
    assert seen(history(SOUND, count=3)).verdict is Verdict.DECIDING


def test_nothing_is_judged_while_alpha_rests():
    config = settings(alpha_warmup_epochs=12)
    flat = [moment(DARTS, config, epoch, SOUND, 0.0) for epoch in range(1, 15)]
    for count in (1, 12, 14):
        assert seen(flat[:count], config).verdict is Verdict.EARLY
    assert seen(flat, config).trend == pytest.approx(0.0)


@pytest.mark.parametrize("epochs", [1, 3, 5])
def test_a_search_of_few_epochs_is_too_short_to_tell_at_any_time(epochs):
    config = settings(epochs=epochs)
    for count in range(1, epochs + 1):
        health = seen(history(SOUND, config=config, count=count), config)
        assert health.verdict is Verdict.SHORT
        assert "at least 6 epochs" in texts(health)


def test_a_search_of_few_steps_is_too_short_to_tell():
    """Uniform rows of 40 items give each of them a chance of 0.049 in two draws."""
    config = settings()
    share = chance_to_be_drawn(DARTS, config)
    assert share == pytest.approx(1 - (39 / 40) ** 2)
    few = [
        Snapshot(**{**vars(one), "step": 5 * one.epoch}) for one in history(SOUND, config=config)
    ]
    health = seen(few, config)
    assert health.verdict is Verdict.SHORT
    assert f"drawn only about {100 * share:.0f} times" in texts(health)
    wanted = -(-FEWEST_DRAWS // (5 * share))
    assert f"at least {wanted:.0f} epochs" in texts(health)


def test_a_search_that_was_stopped_early_is_judged_by_what_there_is():
    early = history(SOUND, count=4)
    assert seen(early).verdict is Verdict.DECIDING
    assert seen(early, ended=True).verdict is Verdict.SHORT


def test_a_search_that_was_stopped_while_alpha_rested_is_too_short():
    config = settings(alpha_warmup_epochs=12)
    health = seen(history(SOUND, config=config, count=4), config, ended=True)
    assert health.verdict is Verdict.SHORT
    assert "0 epochs of search are too few" in texts(health)
    assert "at least 18 epochs" in texts(health)


# Decided or not


def test_a_search_that_decides_on_sound_cells_is_on_track():
    health = seen(history(SOUND))
    assert (health.verdict, health.phase) == (Verdict.GOOD, Phase.NARROWING)
    assert (health.is_over, health.findings, health.steady) == (True, (), 1.0)
    assert health.verdict.label == "On track"


def test_a_search_that_has_not_decided_yet_is_still_deciding():
    health = seen(history(SOUND, count=8))
    assert (health.verdict, health.phase) == (Verdict.DECIDING, Phase.NARROWING)
    assert health.entropy > UNDECIDED_ENTROPY


def test_a_high_entropy_at_the_end_is_undecided():
    epochs = history(SOUND, end=0.35)
    health = seen(epochs)
    assert health.entropy > UNDECIDED_ENTROPY
    assert health.verdict is Verdict.UNDECIDED
    assert f"ended at {health.entropy:.2f}" in texts(health)


def test_an_architecture_that_still_changes_at_the_end_is_undecided():
    other = code(DARTS, (1, 2, "max_pool_3x3"), (2, 3, "sep_conv_3x3"), (3, 4, "sep_conv_3x3"))
    epochs = history(SOUND)
    config = settings()
    epochs[-2] = moment(DARTS, config, 19, SOUND, 0.85, {kind: other[kind] for kind in other})
    health = seen(epochs)
    assert health.steady is not None
    assert health.steady < STEADY
    assert health.verdict is Verdict.UNDECIDED
    assert f"Only {health.steady:.0%} of the kept operations" in texts(health)


def test_flat_probabilities_are_not_deciding_from_half_of_the_search_on():
    flat = history(SOUND, end=0.05)
    assert seen(flat[:9]).verdict is Verdict.DECIDING
    health = seen(flat[:10])
    assert (health.verdict, health.phase) == (Verdict.STUCK, Phase.EXPLORING)
    assert "10 of 20 epochs" in texts(health)
    assert seen(flat).verdict is Verdict.UNDECIDED


def test_a_pace_that_is_too_slow_is_told_while_there_is_time():
    slow = history(SOUND, end=0.45)
    health = seen(slow[:12])
    assert (health.verdict, health.phase) == (Verdict.WATCH, Phase.NARROWING)
    assert "will end undecided" in texts(health)


def test_advice_says_whether_alpha_could_get_there_at_all():
    config = settings(alpha_learning_rate=3e-4)
    health = seen(history(SOUND, config=config, end=0.1), config)
    reach = 2 * 3e-4 * 2000
    lead = clear_lead(5 * 8)
    assert f"a lead of {reach:.2g}" in texts(health)
    assert f"takes about {lead:.1f}" in texts(health)
    assert f"{3e-4 * lead / reach:.1g} or higher" in texts(health)
    fast = settings(alpha_learning_rate=0.1)
    assert "Raise the learning rate" in texts(seen(history(SOUND, end=0.1), fast))


@pytest.mark.parametrize("items", [2, 5, 40])
def test_a_clear_lead_gives_a_row_the_entropy_of_a_clear_choice(items):
    logits = numpy.array([clear_lead(items), *[0.0] * (items - 1)])
    row = numpy.exp(logits) / numpy.exp(logits).sum()
    assert -(row * numpy.log(row)).sum() / log(items) == pytest.approx(UNDECIDED_ENTROPY)


def test_windows_count_in_shares_of_the_planned_search():
    assert [window_size(settings(epochs=n)) for n in (3, 20, 30, 31, 100, 1000)] == [
        3,
        3,
        3,
        4,
        10,
        100,
    ]
    config = settings(epochs=60, alpha_warmup_epochs=20)
    epochs = history(SOUND, config=config)
    assert [one.epoch for one in window_of(config, epochs)] == [57, 58, 59, 60]
    assert [one.epoch for one in window_of(config, epochs[:22])] == [21, 22]


def test_the_trend_does_not_depend_on_the_number_of_epochs():
    """The same way in 20 and in 200 epochs: the same fall per tenth of the search."""
    few, many = settings(epochs=20), settings(epochs=200)
    short, long = (seen(history(SOUND, config=one), one) for one in (few, many))
    assert short.trend == pytest.approx(long.trend, rel=0.15)
    assert short.verdict is long.verdict is Verdict.GOOD


# Collapsed


def test_cells_that_read_only_the_older_input_have_collapsed():
    health = seen(history(OLDER_ONLY))
    assert health.verdict is Verdict.COLLAPSED
    assert (health.dead.cells, health.dead.of_cells) == (3, 6)
    assert "3 of 6 cells are dead" in health.findings[0].text
    assert "the normal cell or the reduction cell reads cₖ₋₁" in health.findings[0].text
    assert "older input cₖ₋₂" in texts(health)
    assert health.alternative is None


def test_early_dead_cells_are_a_warning_only():
    health = seen(history(OLDER_ONLY, count=5))
    assert health.verdict is Verdict.WATCH
    assert "would be dead if the search ended now" in texts(health)


def test_what_undecided_probabilities_derive_is_no_collapse():
    health = seen(history(OLDER_ONLY, end=0.02))
    assert health.entropy > 0.97
    assert health.verdict is Verdict.UNDECIDED
    assert "3 of 6 cells are dead" in texts(health)


def test_after_a_collapse_the_last_sound_epoch_is_named():
    epochs = history(SOUND)[:8] + history(OLDER_ONLY)[8:]
    health = seen(epochs)
    assert health.verdict is Verdict.COLLAPSED
    assert health.alternative is not None
    assert (health.alternative.epoch, health.alternative.step) == (8, 8 * STEPS_PER_EPOCH)


def test_all_on_the_older_input_is_a_collapse_although_every_cell_is_alive():
    one_reading = {
        kind: tuple(
            mask | (DARTS.edges[e].source == 1 and DARTS.edges[e].target == 5) * 8
            for e, mask in enumerate(masks)
        )
        for kind, masks in OLDER_ONLY.items()
    }
    config = settings()
    epochs = [
        moment(DARTS, config, one.epoch, OLDER_ONLY, share, one_reading)
        for one, share in zip(history(OLDER_ONLY), numpy.linspace(0, 0.95, 20), strict=True)
    ]
    health = seen(epochs)
    assert health.dead.cells == 0
    assert health.verdict is Verdict.COLLAPSED
    assert "(uniform: 32%)" in texts(health)


def test_a_drift_to_the_older_input_is_told_while_it_grows():
    epochs = history(OLDER_ONLY)
    drifting = [
        moment(DARTS, settings(), one.epoch, OLDER_ONLY, 0.05 * one.epoch, SOUND) for one in epochs
    ]
    health = seen(drifting[:8])
    assert "cₖ₋₂, and rising" in texts(health)
    assert health.verdict is Verdict.WATCH


def test_a_recurrent_cell_that_reads_the_first_state_only_has_collapsed():
    config = settings(task="language_modelling", space="rnn", data="python_topics")
    health = seen(history(ALL_ON_STATE, space=RNN, config=config), config, space=RNN)
    assert health.verdict is Verdict.COLLAPSED
    assert "first state s₀" in texts(health)
    assert (health.cells[0].shape.depth, health.cells[0].shape.width) == (1, 8)
    chain = seen(history(CHAIN, space=RNN, config=config), config, space=RNN)
    assert (chain.verdict, chain.cells[0].shape.depth) == (Verdict.GOOD, 8)


def test_only_skips_are_usual_early_and_a_collapse_late():
    config = settings(space="nb201", scope="edge", draws=1)
    edges = [(edge.source, edge.target, "skip_connect") for edge in NB201.edges]
    skips = history(code(NB201, *edges), space=NB201, config=config)
    early = seen(skips[:6], config, space=NB201)
    late = seen(skips, config, space=NB201)
    assert (early.verdict, late.verdict) == (Verdict.WATCH, Verdict.COLLAPSED)
    assert "Wait" in texts(early)
    recovered = [*skips[:-1], history(GOOD_CELL, space=NB201, config=config)[-1]]
    assert seen(recovered, config, space=NB201).verdict is not Verdict.COLLAPSED


# Dead parts, empty nodes, shallow cells


def test_an_empty_node_is_never_on_track():
    missing = {
        kind: tuple(0 if DARTS.edges[edge].target == 3 else mask for edge, mask in enumerate(masks))
        for kind, masks in SOUND.items()
    }
    health = seen(history(missing))
    assert health.verdict is not Verdict.GOOD
    assert "Node 1 of the normal cell keeps no operation" in texts(health)


def test_dead_operations_in_living_cells_are_told():
    config = settings(space="nb201", scope="edge", draws=1)
    partly = code(NB201, (0, 1, "nor_conv_3x3"), (0, 3, "nor_conv_3x3"), (0, 2, "skip_connect"))
    health = seen(history(partly, space=NB201, config=config), config, space=NB201)
    assert health.verdict is Verdict.WATCH
    assert "2 of 3 operations are dead" in texts(health)


def test_shallow_cells_are_told():
    flat = code(
        DARTS,
        *((source, target, "sep_conv_3x3") for source in (0, 1) for target in (2, 3, 4, 5)),
    )
    health = seen(history(flat))
    assert health.verdict is Verdict.WATCH
    assert "The normal cell and the reduction cell are one operation deep" in texts(health)


# None and figures


def test_none_on_top_a_large_gap_and_a_falling_child_need_attention():
    config = settings(space="nb201", scope="edge", draws=1)
    nones = code(NB201, *((e.source, e.target, "none") for e in NB201.edges))
    epochs = [
        moment(NB201, config, one.epoch, nones, 0.6, GOOD_CELL)
        for one in history(nones, space=NB201, config=config)
    ]
    assert "`none` holds 68%" in texts(seen(epochs, config, space=NB201))
    good = history(SOUND)
    gap = [*good[:-1], Snapshot(**{**vars(good[-1]), "metrics": {"gap": 7.25}})]
    assert "7.2 points" in texts(seen(gap))
    scores = [*numpy.linspace(50, 80, 18), 79.0, 75.5]
    falling = [
        Snapshot(**{**vars(one), "metrics": {"child_accuracy": score}})
        for one, score in zip(good, scores, strict=True)
    ]
    health = seen(falling)
    assert [finding.verdict for finding in health.findings] == [Verdict.WATCH]
    assert "4.5 points below its best" in texts(health)


# Rules that hold for every search


def test_the_worst_finding_is_the_verdict():
    health = seen(history(OLDER_ONLY, end=0.35))
    found = [SEVERITY.index(one.verdict) for one in health.findings]
    assert found == sorted(found)
    assert health.verdict is health.findings[0].verdict


codes = st.lists(
    st.lists(st.integers(0, 255), min_size=14, max_size=14).map(tuple), min_size=2, max_size=2
).map(lambda pair: dict(zip(DARTS.cell_kinds, pair, strict=True)))


@given(
    toward=codes,
    end=st.floats(0, 0.99),
    epochs=st.integers(1, 12),
    warmup=st.integers(0, 3),
    count=st.integers(1, 12),
    ended=st.booleans(),
    sound=st.booleans(),
    scope=st.sampled_from(["node", "source", "edge"]),
)
def test_only_decided_connected_searches_are_on_track(
    toward, end, epochs, warmup, count, ended, sound, scope
):
    """The rules of the project, and texts that agree with each other, for any history."""
    config = settings(
        epochs=epochs, alpha_warmup_epochs=min(warmup, epochs - 1), scope=scope, sound=sound
    )
    shares = numpy.linspace(0, end, epochs)[: min(count, epochs)]
    made = []
    for epoch, share in enumerate(shares.tolist(), start=1):
        rows = {kind: rows_toward(DARTS, config, toward[kind], share) for kind in toward}
        derived = derive(DARTS, rows, config.rule)
        made.append(moment(DARTS, config, epoch, toward, share, derived))
    health = seen(made, config, ended=ended)
    if health.is_over and health.verdict is Verdict.GOOD:
        assert health.entropy <= UNDECIDED_ENTROPY
        assert health.steady is not None
        assert health.steady >= STEADY
        assert (health.dead.cells, health.dead.operations) == (0, 0)
        assert not any(cell.empty_nodes for cell in health.cells)
        assert epochs - config.alpha_warmup_epochs >= 6
    check_consistent(health)


def check_consistent(health: Health) -> None:
    """No text of a health contradicts another one."""
    if health.findings:
        assert health.verdict is health.findings[0].verdict
    assert (health.verdict is Verdict.GOOD) <= (not health.findings)
    assert (health.verdict is Verdict.GOOD) <= (
        health.phase in {Phase.NARROWING, Phase.SETTLED} or health.is_over
    )
    assert (health.verdict is Verdict.STUCK) <= (health.phase is Phase.EXPLORING)
    assert (health.verdict is Verdict.EARLY) <= (health.phase is Phase.WARMING_UP)
    running = {Verdict.EARLY, Verdict.DECIDING, Verdict.STUCK}
    assert (health.verdict in running) <= (not health.is_over)
    assert (health.verdict is Verdict.UNDECIDED) <= health.is_over
    advice = " ".join(one.advice for one in health.findings)
    assert not ("aise the learning rate" in advice and "lower" in advice)
    assert health.summary.startswith(health.verdict.label)


# Pieces


@pytest.mark.parametrize(
    ("names", "share"),
    [
        (("skip_connect",), 1.0),
        (("skip_connect", "sep_conv_3x3"), 0.5),
        (("skip_connect", "none"), 1.0),
        (("none",), 0.0),
        ((), 0.0),
    ],
)
def test_none_does_not_count_among_what_is_kept(names, share):
    assert skip_share(DARTS, code(DARTS, *((0, 2, name) for name in names))) == share


def test_settled_since_is_the_start_of_the_last_unbroken_stretch():
    config = settings()
    epochs = [
        moment(DARTS, config, epoch, SOUND if kept else OLDER_ONLY, 0.5)
        for epoch, kept in enumerate([True, False, True, True, True], start=1)
    ]
    assert settled_since(epochs) == 3
    assert settled_since(epochs[:1]) == 1


def test_steadiness_is_intersection_over_union():
    one, two = {"cell": (0b011, 0b100)}, {"cell": (0b010, 0b101)}
    assert steadiness([one]) is None
    assert steadiness([one, one]) == 1.0
    assert steadiness([one, two]) == pytest.approx(2 / 4)
    assert steadiness([one, two, {"cell": (0, 0)}]) == 0.0
    assert steadiness([{"cell": (0,)}, {"cell": (0,)}]) == 1.0


def test_the_slope_is_that_of_a_least_squares_line():
    values = [0.9, 0.7, 0.75, 0.4]
    assert slope(values) == pytest.approx(numpy.polyfit(range(4), values, 1)[0])


def test_every_verdict_has_a_label_and_keeps_its_stored_name():
    assert {one.value for one in Verdict} >= {"early", "good", "watch", "stuck", "collapsed"}
    assert len({one.label for one in Verdict}) == len(Verdict)
    assert Verdict("stuck").label == "Not deciding"
    assert Finding(Verdict.WATCH, "a", "b").verdict in SEVERITY
