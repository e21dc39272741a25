"""A search that goes on with other settings, and one that starts from given probabilities."""

import io
from itertools import islice

import pytest
import torch

from engine.domain.snapshot import SnapshotKind
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.search.forking import SMALLEST, alphas_for

AFTER = {
    "draws": 2,
    "banned": "*:*:sep_conv_5x5",
    "frozen": "normal:2:none",
    "weight_decay": 0.01,
    "alpha_weight_decay": 0.1,
    "momentum": 0.5,
    "learning_rate": 0.1,
    "gradient_clip": 1.0,
    "temperature_end": 0.5,
    "gradient": "sampled",
    "route": "or",
    "snapshot_interval": 2,
    "epochs": 3,
}


def after(loop, **changes):
    return loop.config.model_copy(update=changes or AFTER)


def values(snapshots):
    clock = {"step_seconds"}
    return [
        (
            *(s.step, s.kind, s.temperature, dict(s.probabilities), dict(s.codes), s.derived),
            *((name, value) for name, value in s.metrics.items() if name not in clock),
        )
        for s in snapshots
    ]


@pytest.mark.parametrize("step", [0, 2, 4, 5])
def test_a_change_acts_from_its_step_on_and_not_before(make_loop, step):
    """Four updates are an epoch: 4 is its boundary, whose figures are those of before."""
    plain, steered = make_loop(), make_loop()
    steered.steer(step, after(steered))
    before, found = values(plain), values(steered)
    same = [a for a, b in zip(before, found, strict=False) if a == b]
    shared = [one for one in before if one[0] < step or (one[0] == step and one[1] == "epoch")]
    assert same == shared
    assert steered.progress.step == steered.progress.total_steps == 12
    assert found[-1][1] is SnapshotKind.EPOCH


@pytest.mark.parametrize("step", [3, 4, 5])
@pytest.mark.parametrize("broken_at", [2, 3, 4, 6, 8, 9, 12])
def test_a_changed_search_continues_from_any_checkpoint_as_if_never_broken_off(
    make_loop, step, broken_at
):
    straight = make_loop()
    straight.steer(step, after(straight))
    expected = values(straight)

    first = make_loop()
    first.steer(step, after(first))
    seen = [s for s in islice(first.steps(), broken_at) if s is not None]
    file = io.BytesIO()
    save_checkpoint(first, file)
    file.seek(0)
    second = make_loop()
    load_checkpoint(second, file, changed=frozenset(AFTER))
    second.steer(step, after(second))
    assert values(seen + list(second)) == expected
    for name, tensor in straight.supernet.state_dict().items():
        assert torch.equal(tensor, second.supernet.state_dict()[name]), name


def test_the_later_of_two_changes_at_one_step_counts(make_loop):
    loop = make_loop()
    for draws in (1, 2):
        loop.steer(1, after(loop, draws=draws))
    list(islice(loop.steps(), 2))
    assert loop.config.draws == 2


def test_a_search_at_its_end_goes_on_when_it_is_given_more_epochs(make_loop):
    loop = make_loop(epochs=1)
    seen = []
    for snapshot in loop.steps():
        seen.append(snapshot)
        if snapshot is not None and snapshot.kind is SnapshotKind.EPOCH and snapshot.epoch == 1:
            loop.steer(loop.progress.step, after(loop, epochs=2))
    assert loop.progress.epoch == 2
    assert loop.progress.step == 8


@pytest.mark.parametrize("normalisation", ["softmax", "relu"])
@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_a_search_starts_from_the_probabilities_that_another_one_recorded(
    make_loop, scope, normalisation
):
    settings = {"scope": scope, "normalisation": normalisation, "alpha_learning_rate": 0.2}
    parent = make_loop(banned="*:*:none", **settings)
    last = list(parent)[-1]
    banned = dict.fromkeys(parent.space.cell_kinds, (1,) * 5)
    alphas = alphas_for(
        parent.space,
        last.probabilities,
        banned=banned,
        scope=scope,
        normalisation=normalisation,
    )
    child = make_loop(banned="*:*:none", **settings)
    child.start_from(alphas, {})
    for kind, rows in child.probabilities().items():
        torch.testing.assert_close(torch.tensor(rows), torch.tensor(last.probabilities[kind]))

    free = make_loop(**settings)
    free.start_from(alphas, {})
    for kind, rows in free.probabilities().items():
        found, before = torch.tensor(rows), torch.tensor(last.probabilities[kind])
        assert (found[:, 0] > 0).all()
        for edges in parent.space.rows(scope):
            part = slice(edges.start, edges.stop)
            rest = found[part, 1:] / found[part, 1:].sum()
            torch.testing.assert_close(rest, before[part, 1:])


def test_a_probability_that_was_recorded_as_zero_keeps_a_chance_under_softmax(make_loop):
    space = make_loop().space
    rows = ((0.0, 1.0, *(0.0,) * 6),) * 5
    settings = {"banned": {"normal": (0,) * 5}, "scope": "edge"}
    alphas = alphas_for(space, {"normal": rows}, normalisation="softmax", **settings)["normal"]
    p = alphas.softmax(dim=1)
    torch.testing.assert_close(p[:, 0], torch.full((5,), SMALLEST), rtol=1e-3, atol=0.0)
    assert torch.equal(
        alphas_for(space, {"normal": rows}, normalisation="relu", **settings)["normal"],
        torch.tensor(rows),
    )
