import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.data.text import TextData
from engine.domain.errors import DataError
from engine.operations.text import Predictions
from engine.tasks.language_modelling import LanguageModelling, TextTally

VOCABULARY = tuple("abcdefg")


def make_task(train=200, validation=50, test=30, **changes) -> LanguageModelling:
    """A text whose tokens count up, so that each says where it stands."""
    texts = [np.arange(n, dtype=np.int32) for n in (train, validation, test)]
    arguments = {
        "batch_size": 4,
        "bptt": 5,
        "hidden": 3,
        "temporal_regularisation": 0.0,
        "seed": 0,
        "halved": False,
        "device": torch.device("cpu"),
    } | changes
    return LanguageModelling(TextData(*texts, vocabulary=VOCABULARY), **arguments)


def answer(logits: torch.Tensor, hidden: torch.Tensor | None = None) -> Predictions:
    hidden = torch.zeros(*logits.shape[:2], 3) if hidden is None else hidden
    return Predictions(logits, hidden[-1], hidden, hidden)


def test_targets_are_the_tokens_that_follow_and_windows_follow_each_other():
    task = make_task()
    end = None
    for index in range(task.steps_per_epoch):
        text, targets = task.weight_batch(0, index)
        assert text.tokens.shape == targets.shape == (5, 4)
        assert torch.equal(targets, text.tokens + 1)
        assert torch.equal(text.tokens.diff(dim=1), torch.full((5, 3), 50))
        if end is not None:
            assert torch.equal(text.tokens[0], end)
        end = targets[-1]


def test_passes_start_at_different_places_and_together_reach_every_token():
    task = make_task()
    starts = [int(task.weight_batch(epoch, 0)[0].tokens[0, 0]) for epoch in range(40)]
    assert set(starts) == set(range(5))
    seen = {
        int(token)
        for epoch in range(40)
        for index in range(task.steps_per_epoch)
        for token in task.weight_batch(epoch, index)[1].flatten()
    }
    assert seen == set(range(200)) - {0, 50, 100, 150}


def test_the_same_place_serves_the_same_window_again_in_another_process():
    one, other = make_task(), make_task()
    other.weight_batch(0, 0)
    for task in (one, other):
        text, _ = task.weight_batch(3, 2)
        assert int(text.tokens[0, 0]) == int(one.weight_batch(3, 2)[0].tokens[0, 0])
        assert torch.rand(1, generator=text.random) == torch.rand(
            1, generator=one.weight_batch(3, 2)[0].random
        )


def test_a_state_is_carried_to_the_next_window_of_its_purpose_and_not_to_the_next_pass():
    task = make_task(halved=True)
    state = torch.randn(4, 3, requires_grad=True)
    hidden = state.expand(5, 4, 3)
    assert task.weight_batch(0, 0)[0].state.abs().sum() == 0
    task.carry("weights", Predictions(torch.zeros(5, 4, 7), state, hidden, hidden))
    carried = task.weight_batch(0, 1)[0].state
    assert torch.equal(carried, state)
    assert not carried.requires_grad
    assert task.alpha_batch(0, 1)[0].state.abs().sum() == 0

    continued = make_task(halved=True)
    continued.load_state_dict(task.state_dict())
    assert torch.equal(continued.weight_batch(0, 1)[0].state, state)
    assert task.weight_batch(1, 0)[0].state.abs().sum() == 0
    assert task.weight_batch(1, 1)[0].state.abs().sum() == 0


def test_an_alternating_search_halves_the_training_text():
    task = make_task(halved=True)
    places = {"weights": set(), "alphas": set()}
    for epoch in range(30):
        for index in range(task.steps_per_epoch):
            places["weights"] |= set(task.weight_batch(epoch, index)[1].flatten().tolist())
            places["alphas"] |= set(task.alpha_batch(epoch, index)[1].flatten().tolist())
    assert max(places["weights"]) < 100 <= min(places["alphas"])


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_evaluation_predicts_every_token_of_its_streams_once_without_dropout(split):
    task = make_task()
    batches = task.validation_batches if split == "validation" else task.test_batches
    windows = []
    for text, targets in batches():
        assert text.random is None
        assert torch.equal(targets, text.tokens + 1)
        assert (text.state.abs().sum() == 0) == (not windows)
        task.carry(split, answer(torch.zeros(*targets.shape, 7), torch.ones(*targets.shape, 3)))
        windows.append(targets)
    found = torch.cat(windows).T
    length = 50 // 4 if split == "validation" else 30 // 4
    assert found.tolist() == [list(range(s * length + 1, (s + 1) * length)) for s in range(4)]
    assert next(iter(batches()))[0].state.abs().sum() == 0
    assert task.state_dict() == {}


def test_a_short_evaluation_text_gets_fewer_streams_but_two_at_least():
    assert next(make_task(validation=13).validation_batches())[0].tokens.shape[1] == 2
    assert next(make_task(validation=4).validation_batches())[0].tokens.shape == (1, 2)
    assert next(make_task(evaluation_streams=3).validation_batches())[0].tokens.shape[1] == 3


def test_perplexities_of_parts_add_up_to_that_of_the_whole():
    task = make_task()
    targets = torch.randint(7, (6, 4))
    logits = torch.randn(6, 4, 7)
    parts = [task.tally(answer(logits[rows]), targets[rows]) for rows in (slice(0, 2), slice(2, 6))]
    whole = parts[0] + parts[1]
    chances = logits.softmax(-1).gather(-1, targets[..., None]).double()
    expected = float(chances.prod()) ** (-1 / targets.numel())
    assert whole.score == whole.error == pytest.approx(expected, rel=1e-5)
    assert whole.loss == pytest.approx(math.log(expected), rel=1e-5)


def test_a_uniform_guess_has_the_vocabulary_as_its_perplexity_and_a_hopeless_one_infinity():
    task = make_task()
    tally = task.tally(answer(torch.zeros(5, 4, 7)), torch.randint(7, (5, 4)))
    assert tally.score == pytest.approx(7, rel=1e-6)
    assert TextTally(1e6, 1).score == math.inf


def test_the_loss_adds_beta_times_the_squared_change_of_the_state():
    logits, targets = torch.randn(5, 4, 7), torch.randint(7, (5, 4))
    hidden = torch.randn(5, 4, 3)
    plain = functional.cross_entropy(logits.reshape(20, 7), targets.reshape(20))
    assert make_task().loss(answer(logits, hidden), targets).item() == pytest.approx(plain.item())
    found = make_task(temporal_regularisation=2.0).loss(answer(logits, hidden), targets)
    change = sum(((hidden[t + 1] - hidden[t]) ** 2).sum() for t in range(4)) / (4 * 4 * 3)
    assert found.item() == pytest.approx((plain + 2.0 * change).item(), rel=1e-5)


def test_texts_that_are_too_short_are_refused_in_one_sentence():
    with pytest.raises(DataError) as refusal:
        make_task(train=20)
    assert str(refusal.value) == (
        "Asked for batch_size = 4 and bptt = 5; found 20 tokens to train on; allowed is a text of "
        "24 tokens at least; lower batch_size or bptt."
    )
    assert make_task(train=24).steps_per_epoch == 1
    with pytest.raises(DataError, match="found a text of 3 tokens"):
        make_task(validation=3)
