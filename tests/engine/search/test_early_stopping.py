"""Operation-level early stopping: against plain arithmetic, and in whole searches."""

import io
from itertools import islice

import pytest
import torch
from torch.nn import functional

from engine.domain.snapshot import SnapshotKind
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.search.early_stopping import Agreements, EarlyStopping
from engine.search.updates import alpha_step

ON = {"update": "alternating", "early_stop_agreement": 0.6, "early_stop_window": 1}


def operations_of(*sizes):
    """Per operation, weights of these sizes."""
    return [[torch.nn.Parameter(torch.ones(size)) for size in own] for own in sizes]


def give(operations, gradients):
    for weights, own in zip(operations, gradients, strict=True):
        for weight, gradient in zip(weights, own or [None] * len(weights), strict=True):
            weight.grad = gradient


def random_gradients(operations):
    return [[torch.randn_like(weight) for weight in weights] for weights in operations]


def cosine(one, other):
    one, other = (torch.cat([part.flatten() for part in own]) for own in (one, other))
    return functional.cosine_similarity(one, other, dim=0).item()


def step(rule, operations, validation, training):
    give(operations, validation)
    rule.note_validation()
    give(operations, training)
    rule.apply()


def test_an_operation_stops_when_the_mean_cosine_of_a_window_is_below_the_threshold():
    operations = operations_of([3, 4], [5], [2, 2, 2])
    for threshold in (0.05, 0.3):
        seen = Agreements.of(3)
        rule = EarlyStopping(operations, seen, threshold=threshold, window=4)
        means = torch.zeros(3)
        for _ in range(4):
            assert not any(seen.stopped)
            validation, training = random_gradients(operations), random_gradients(operations)
            pairs = zip(validation, training, strict=True)
            means += torch.tensor([cosine(*pair) for pair in pairs]) / 4
            step(rule, operations, validation, training)
        assert seen.stopped == [mean < threshold for mean in means.tolist()]
        assert seen.sums == [0.0] * 3
        assert seen.counts == [0] * 3
        assert seen.stopped_share == pytest.approx(sum(seen.stopped) / 3)


def test_windows_follow_each_other_and_do_not_overlap():
    operations = operations_of([2])
    seen = Agreements.of(1)
    rule = EarlyStopping(operations, seen, threshold=0.5, window=2)
    along, across = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    for other, stopped in ((along, False), (along, False), (along, False), (along, False)):
        step(rule, operations, [[along]], [[other]])
        assert seen.stopped == [stopped]
    step(rule, operations, [[along]], [[across]])
    assert seen.stopped == [False]
    step(rule, operations, [[along]], [[across]])
    assert seen.stopped == [True]


@pytest.mark.parametrize("nothing", [None, [torch.zeros(2)]])
def test_steps_count_only_where_both_gradients_say_something(nothing):
    operations = operations_of([2])
    seen = Agreements.of(1)
    rule = EarlyStopping(operations, seen, threshold=0.5, window=1)
    one = [torch.tensor([1.0, 2.0])]
    step(rule, operations, [nothing], [one])
    step(rule, operations, [one], [nothing])
    give(operations, [one])
    rule.apply()
    assert seen == Agreements.of(1)


def test_what_has_stopped_loses_its_gradient_and_the_others_keep_theirs():
    operations = operations_of([2], [2])
    seen = Agreements([0.0, 0.0], [0, 0], [True, False])
    rule = EarlyStopping(operations, seen, threshold=0.5, window=9)
    assert rule.watched() == set(operations[1])
    step(rule, operations, random_gradients(operations), random_gradients(operations))
    assert operations[0][0].grad is None
    assert operations[1][0].grad is not None
    assert seen.counts == [0, 1]


def test_its_validation_gradient_is_that_of_the_alpha_batch_and_the_codes(make_loop):
    """And alphas move as they would without it."""
    loop, plain = make_loop(**ON), make_loop(update="alternating")
    codes = loop._draw()
    loop._optimisers = loop._optimisers.__class__(
        **{**vars(loop._optimisers), "stopping": loop._early_stopping()}
    )
    inputs, targets = loop.task.alpha_batch(0, 0)
    loss = loop.task.loss
    alpha_step(loop.supernet, loop._optimisers, (inputs, targets), codes, loss, None)
    found = loop._optimisers.stopping._validation
    alpha_step(plain.supernet, plain._optimisers, (inputs, targets), plain._draw(), loss, None)
    for kind, alpha in plain.supernet.alphas.items():
        assert torch.equal(alpha, loop.supernet.alphas[kind])

    loop.supernet.zero_grad()
    fixed = {kind: code.detach() for kind, code in codes.items()}
    loss(loop.supernet(inputs, fixed), targets).backward()
    on = [n for n, weights in enumerate(loop._operations) if weights[0].grad is not None]
    assert sorted(found) == on
    assert 0 < len(on) < len(loop._operations)
    for number in on:
        expected = torch.cat([weight.grad.flatten() for weight in loop._operations[number]])
        torch.testing.assert_close(found[number], expected)


def test_each_operation_of_a_cell_and_edge_that_has_weights_is_one(make_loop):
    """Of 3 cells with 5 edges: 4 convolutions each, and skips that halve the resolution."""
    loop = make_loop()
    reducing = 2 * 4
    assert len(loop._operations) == 3 * 5 * 4 + reducing
    weights = [weight for own in loop._operations for weight in own]
    assert len(weights) == len(set(weights))


def values(snapshots):
    clock = {"step_seconds"}
    return [
        (
            *(s.step, s.kind, s.probabilities, s.codes, s.derived),
            *((name, value) for name, value in s.metrics.items() if name not in clock),
        )
        for s in snapshots
    ]


def test_stopped_operations_stay_as_they_are_and_their_share_is_recorded(make_loop):
    loop = make_loop(**ON)
    shares, before = [], {}
    for snapshot in loop.steps():
        for number, stopped in enumerate(loop._agreements.stopped):
            if stopped:
                now = [weight.detach().clone() for weight in loop._operations[number]]
                for one, other in zip(before.setdefault(number, now), now, strict=True):
                    assert torch.equal(one, other)
        if snapshot is not None and snapshot.kind is SnapshotKind.EPOCH:
            shares.append(snapshot.metrics["stopped_operations"])
    assert 0 < shares[0] <= shares[1] <= 100
    assert shares[1] == 100 * sum(loop._agreements.stopped) / len(loop._agreements.stopped)


def test_a_threshold_that_nothing_falls_below_leaves_the_search_as_it_is(make_loop):
    """Gradients of a window that never fills are looked at, and nothing else happens."""
    plain = make_loop(update="alternating")
    watched = make_loop(update="alternating", early_stop_agreement=1.0, early_stop_window=1000)
    expected, found = list(plain), list(watched)
    assert sum(watched._agreements.counts) > 0
    assert [one.metrics.get("stopped_operations") for one in expected if one.derived] == [None] * 2
    for one in found:
        one.metrics.pop("stopped_operations", None)
    assert values(found) == values(expected)
    for name, tensor in plain.supernet.state_dict().items():
        assert torch.equal(tensor, watched.supernet.state_dict()[name]), name


@pytest.mark.parametrize(
    "settings", [ON, {"cell_harmony": 0.5}, {**ON, "cell_harmony": 0.5, "early_stop_window": 2}]
)
@pytest.mark.parametrize("broken_at", [3, 6])
def test_a_search_continues_from_a_checkpoint_as_if_never_broken_off(
    make_loop, settings, broken_at
):
    straight = make_loop(**settings)
    expected = values(straight)
    first = make_loop(**settings)
    seen = [s for s in islice(first.steps(), broken_at) if s is not None]
    file = io.BytesIO()
    save_checkpoint(first, file)
    file.seek(0)
    second = make_loop(**settings)
    load_checkpoint(second, file)
    assert values(seen + list(second)) == expected
    assert second._agreements == straight._agreements
    for name, tensor in straight.supernet.state_dict().items():
        assert torch.equal(tensor, second.supernet.state_dict()[name]), name


def test_a_checkpoint_from_before_it_existed_is_taken(make_loop):
    loop = make_loop()
    state = loop.state_dict()
    del state["agreements"]
    make_loop().load_state_dict(state)


def test_switched_off_by_a_change_it_lets_everything_move_again(make_loop):
    loop = make_loop(**ON)
    steps = loop.steps()
    list(islice(steps, 3))
    stopped = [n for n, is_stopped in enumerate(loop._agreements.stopped) if is_stopped]
    before = [loop._operations[n][0].detach().clone() for n in stopped]
    loop.steer(3, loop.config.model_copy(update={"early_stop_agreement": 0.0}))
    list(steps)
    after = [loop._operations[n][0].detach() for n in stopped]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_fork_begins_with_nothing_stopped_as_with_new_optimisers(make_loop):
    parent = make_loop(**ON)
    list(parent)
    assert any(parent._agreements.stopped)
    weights = {k: v for k, v in parent.supernet.state_dict().items() if "alphas." not in k}
    forks = [make_loop(**ON, seed=0) for _ in range(2)]
    for fork in forks:
        fork.start_from(dict(parent.supernet.alphas), weights)
        assert fork._agreements == Agreements.of(len(fork._operations))
    assert values(forks[0]) == values(forks[1])


@pytest.mark.parametrize("off", [{"early_stop_window": 1}, {"cell_harmony": 0.0}])
@pytest.mark.parametrize("update", ["joint", "alternating"])
def test_off_nothing_is_looked_at(make_loop, off, update):
    """Neither gradients of the alpha batch nor further passes: the search is that of before."""
    plain, own = make_loop(update=update), make_loop(update=update, **off)
    passes = []
    for loop in (plain, own):
        calls = []
        loop.supernet.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        for _ in islice(loop.steps(), 2):
            assert loop._optimisers.stopping is None
            assert loop._optimisers.harmony is None
        passes.append(len(calls))
        assert loop._agreements == Agreements.of(len(loop._operations))
    assert passes == [2 * (1 if update == "joint" else 2)] * 2
    for name, tensor in plain.supernet.state_dict().items():
        assert torch.equal(tensor, own.supernet.state_dict()[name]), name
