import io
from itertools import islice

import pytest
import torch

from engine.domain.derivation import derive
from engine.domain.errors import CheckpointError, NotANumber
from engine.domain.snapshot import SnapshotKind
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.search.observe import observe_codes
from engine.tasks.randomness import generator

CLOCK_FIGURES = {"step_seconds"}


def _without_clock(snapshot):
    """A snapshot as a comparable value, without what a clock has measured."""
    metrics = {k: v for k, v in snapshot.metrics.items() if k not in CLOCK_FIGURES}
    return (
        snapshot.step,
        snapshot.epoch,
        snapshot.kind,
        snapshot.temperature,
        snapshot.probabilities,
        snapshot.codes,
        metrics,
        snapshot.derived,
    )


def _saved(loop):
    file = io.BytesIO()
    save_checkpoint(loop, file)
    file.seek(0)
    return file


def test_snapshots_come_at_the_interval_and_at_each_epoch_s_end(make_loop):
    loop = make_loop()
    snapshots = list(loop)
    per_epoch = loop.task.steps_per_epoch
    steps = [(s.step, s.kind) for s in snapshots]
    assert [step for step, kind in steps if kind is SnapshotKind.EPOCH] == [
        per_epoch,
        2 * per_epoch,
    ]
    assert [step for step, kind in steps if kind is SnapshotKind.STEP] == [
        step for step in range(0, 2 * per_epoch, 3) if step != per_epoch
    ]
    assert len({step for step, _ in steps}) == len(steps)
    assert steps == sorted(steps)
    assert loop.progress.step == loop.progress.total_steps == 2 * per_epoch


def test_codes_were_drawn_from_the_probabilities_beside_them(make_loop):
    loop = make_loop()
    for snapshot in islice(loop, 4):
        log_p = {kind: torch.tensor(rows).log() for kind, rows in snapshot.probabilities.items()}
        random = generator(loop.config.seed, "codes", snapshot.step)
        redrawn = {
            kind: loop._code(kind, log_p[kind], snapshot.temperature, random)
            for kind in loop.supernet.alphas
        }
        assert observe_codes(redrawn) == dict(snapshot.codes)


def test_the_first_snapshot_is_almost_uniform(make_loop):
    first = next(iter(make_loop()))
    assert first.step == 0
    assert first.metrics["entropy"] > 0.9999


@pytest.mark.parametrize("update", ["joint", "alternating"])
def test_a_search_carried_from_checkpoint_to_checkpoint_is_the_uninterrupted_one(make_loop, update):
    """Broken off within an epoch, while measuring, between epochs, and within the next."""
    straight = make_loop(update=update)
    expected = [_without_clock(s) for s in straight]
    per_epoch, measuring = straight.task.steps_per_epoch, 4

    second = make_loop(update=update)
    seen = []
    for elements in (1, per_epoch, measuring, measuring + 1, 1):
        seen += [s for s in islice(second.steps(), elements) if s is not None]
        file = _saved(second)
        second = make_loop(update=update)
        load_checkpoint(second, file)
    seen += list(second)

    assert [_without_clock(s) for s in seen] == expected
    for name, tensor in straight.supernet.state_dict().items():
        assert torch.equal(tensor, second.supernet.state_dict()[name]), name


def test_another_seed_gives_another_search(make_loop):
    one, other = (next(islice(make_loop(seed=seed), 1, None)) for seed in (0, 1))
    assert one.probabilities != other.probabilities
    assert one.codes != other.codes


def test_the_derived_code_is_the_map_code_of_the_probabilities_beside_it(make_loop):
    loop = make_loop()
    for snapshot in loop:
        if snapshot.kind is SnapshotKind.EPOCH:
            assert snapshot.derived == derive(loop.space, snapshot.probabilities, loop.config.rule)


@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_the_gap_is_zero_when_every_row_is_decided(make_loop, scope):
    loop = make_loop(scope=scope, epochs=1)
    list(islice(loop.steps(), loop.task.steps_per_epoch))
    with torch.no_grad():
        for alpha in loop.supernet.alphas.values():
            alpha.zero_()
            for edges in loop.space.rows(scope):
                alpha[edges[min(1, len(edges) - 1)], 4] = 1000.0
    snapshot = next(s for s in loop if s.kind is SnapshotKind.EPOCH)
    assert snapshot.metrics["gap"] == 0.0
    assert snapshot.metrics["child_loss"] == snapshot.metrics["supernet_loss"]


def test_the_gap_is_child_error_minus_supernet_error(make_loop):
    snapshot = next(s for s in make_loop() if s.kind is SnapshotKind.EPOCH)
    child_error = 100 - snapshot.metrics["child_accuracy"]
    supernet_error = 100 - snapshot.metrics["supernet_accuracy"]
    assert snapshot.metrics["gap"] == pytest.approx(child_error - supernet_error)


def test_alphas_rest_while_they_warm_up_and_move_afterwards(make_loop):
    loop = make_loop(alpha_warmup_epochs=1)
    start = {kind: alpha.detach().clone() for kind, alpha in loop.supernet.alphas.items()}
    steps = loop.steps()
    for _ in range(loop.task.steps_per_epoch):
        next(steps)
    assert all(torch.equal(alpha, start[kind]) for kind, alpha in loop.supernet.alphas.items())
    for _ in steps:
        pass
    assert not any(torch.equal(alpha, start[kind]) for kind, alpha in loop.supernet.alphas.items())


def test_an_alternating_search_trains_weights_and_alphas_on_disjoint_images(make_loop):
    task = make_loop(update="alternating").task
    weights, alphas = (set(part.tolist()) for part in task.batches.parts.values())
    assert not weights & alphas
    assert len(weights) == len(alphas) == 64


def test_every_image_of_an_epoch_is_used_at_most_once(make_loop):
    batches = make_loop().task.batches

    def order(epoch):
        return [i for b in range(4) for i in batches.chosen("weight", epoch, b).tolist()]

    assert batches.steps_per_epoch == 4
    assert sorted(order(4)) == list(range(128))
    assert order(4) != order(5)


def test_a_loss_that_is_no_number_ends_the_search_with_a_sentence(make_loop):
    loop = make_loop(learning_rate=10.0, gradient_clip=0, epochs=8)
    with torch.no_grad():
        next(iter(loop.supernet.weight_parameters())).fill_(float("nan"))
    with pytest.raises(NotANumber) as caught:
        list(loop)
    assert str(caught.value) == (
        "Asked for step 1 of the search; found a training loss of nan; allowed is a finite loss; "
        "lower learning_rate or set gradient_clip and start again."
    )


def test_a_checkpoint_of_another_search_is_refused(make_loop):
    with pytest.raises(CheckpointError, match="draws = 3 in it; allowed is draws = 2"):
        load_checkpoint(make_loop(draws=2), _saved(make_loop()))


def test_a_damaged_checkpoint_is_refused(make_loop):
    content = _saved(make_loop()).getvalue()
    for damaged in (content[: len(content) // 2], b"", b"no checkpoint at all"):
        with pytest.raises(CheckpointError, match="a damaged file"):
            load_checkpoint(make_loop(), io.BytesIO(damaged))


@pytest.mark.parametrize("gradient", ["exact", "probed", "sampled"])
@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_every_kind_of_gradient_searches_in_every_scope(make_loop, gradient, scope):
    for probe in ("batch", "operations", "steps") if gradient == "probed" else ("batch",):
        loop = make_loop(gradient=gradient, scope=scope, probe=probe, epochs=1)
        last = list(loop)[-1]
        assert last.kind is SnapshotKind.EPOCH
        for rows in last.probabilities.values():
            for edges in loop.space.rows(scope):
                assert sum(sum(rows[edge]) for edge in edges) == pytest.approx(1.0, abs=1e-5)


def test_a_search_with_relu_probabilities_starts_almost_uniform_with_every_alpha_alive(make_loop):
    loop = make_loop(normalisation="relu")
    assert all((alpha > 0).all() for alpha in loop.supernet.alphas.values())
    assert next(iter(loop)).metrics["entropy"] > 0.9999


def test_a_checkpoint_of_another_run_is_refused_even_with_the_same_settings(make_loop):
    file = io.BytesIO()
    save_checkpoint(make_loop(), file, run="one")
    for run in ("one", None):
        file.seek(0)
        load_checkpoint(make_loop(), file, run=run)
    file.seek(0)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(make_loop(), file, run="two")
    assert str(caught.value) == (
        "Asked for a continuation of this checkpoint; found a checkpoint of the run one; allowed "
        "is one of the run two; choose another checkpoint or start a new search."
    )


def test_a_checkpoint_from_before_it_named_its_run_is_still_taken(make_loop):
    load_checkpoint(make_loop(), _saved(make_loop()), run="two")


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("constant", (1.0, 1.0, 1.0)), ("cosine", (1.0, 0.5, 0.0)), ("poly", (1.0, 0.5**0.9, 0.0))],
)
def test_alphas_learn_at_the_rate_of_their_schedule(make_loop, schedule, shares):
    loop = make_loop(alpha_learning_rate_schedule=schedule, alpha_learning_rate=0.2)
    snapshots = list(loop)
    rates = {one.step: one.metrics["alpha_learning_rate"] for one in snapshots}
    half = loop.total_steps // 2
    seen = [rates[step] for step in (0, half, loop.total_steps)]
    assert seen == pytest.approx([0.2 * share for share in shares])


def test_alphas_stand_still_where_their_rate_has_come_to_zero(make_loop):
    first, second = (
        list(make_loop(alpha_learning_rate_schedule=schedule, snapshot_interval=1))
        for schedule in ("constant", "cosine")
    )

    def last_move(snapshots):
        before, after = (one.probabilities["normal"] for one in snapshots[-2:])
        return max(
            abs(a - b)
            for x, y in zip(before, after, strict=True)
            for a, b in zip(x, y, strict=True)
        )

    assert 0 < last_move(second) < 0.2 * last_move(first)
