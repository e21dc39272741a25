"""How far alphas move, against the sum of the learning rates of a real schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.alpha_pace import draws_needed, fewest_updates, path_length, path_of, rate_for
from engine.domain.config import Route, make_config
from engine.domain.presets import preset_config
from engine.domain.proposal_limits import DRAWS_PER_OPERATION, LARGEST_RATE, PATH_LENGTHS
from engine.domain.space import Scope
from engine.optimisation.schedules import learning_rate_at
from engine.spaces import SPACES


@pytest.mark.parametrize("schedule", ["constant", "cosine", "poly"])
def test_path_is_the_sum_of_the_rates_of_all_updates(schedule):
    config = make_config({"alpha_learning_rate": 0.03, "alpha_learning_rate_schedule": schedule})
    steps = 5000
    rates = [
        learning_rate_at(step / steps, start=0.03, end=0.0, schedule=schedule)
        for step in range(steps)
    ]
    assert path_of(config, steps) == pytest.approx(sum(rates), rel=1e-3)


@given(updates=st.integers(100, 10**6), schedule=st.sampled_from(["constant", "cosine", "poly"]))
def test_rate_gives_the_path_length_whatever_the_number_of_updates(updates, schedule):
    config = make_config({"alpha_learning_rate_schedule": schedule})
    proposed = config.model_copy(update={"alpha_learning_rate": rate_for(config, updates)})
    assert path_of(proposed, updates) == pytest.approx(path_length(config), rel=0.05)


def test_every_route_and_scope_has_a_path_length():
    pairs = {(route, scope) for route in Route.__args__ for scope in Scope.__args__}
    assert set(PATH_LENGTHS) == pairs


def test_nb201_and_the_small_presets_lie_near_their_path_lengths():
    nb201 = preset_config("nb201-cpu")
    assert path_of(nb201, 195 * 30) == pytest.approx(path_length(nb201), rel=0.2)
    digits, cifar10 = preset_config("digits"), preset_config("cifar10-cpu")
    assert path_of(digits, 340) < path_length(digits) < path_of(cifar10, 1750)


@pytest.mark.parametrize("space", ["darts", "rnn", "nb201"])
@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_fewest_updates_suffice_for_weights_and_alphas(space, scope):
    config = make_config({"scope": scope, "alpha_learning_rate_schedule": "cosine"})
    fewest = fewest_updates(config, SPACES[space])
    assert fewest >= draws_needed(config, SPACES[space]) >= DRAWS_PER_OPERATION
    assert rate_for(config, fewest) <= LARGEST_RATE


def test_more_draws_need_fewer_steps_for_the_weights():
    few, many = (draws_needed(make_config({"draws": draws}), SPACES["darts"]) for draws in (1, 7))
    assert many < few


def test_a_random_search_needs_training_for_each_candidate():
    config = make_config({"method": "random", "candidates": 5, "update": "joint"})
    assert fewest_updates(config, SPACES["darts"]) == 5 * DRAWS_PER_OPERATION


def test_a_mixture_has_a_path_length_of_its_own():
    darts = make_config({"method": "darts", "scope": "edge"})
    assert path_length(darts) < path_length(make_config({"scope": "edge"}))
