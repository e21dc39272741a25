from datetime import UTC, datetime

import pytest

from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig, WrongState
from engine.domain.run import Run, RunState
from engine.domain.steering import (
    FIXED,
    Change,
    changed,
    check_origin,
    config_after,
    first_config,
    forkable,
    forked,
    named_values,
    refuse_late_end,
    steerable,
)

NOW = datetime(2026, 5, 4, tzinfo=UTC)
CONFIG = make_config({"draws": 5, "epochs": 10})


def run_of(config=CONFIG, run_id=3, uid="ab"):
    return Run(run_id, uid, "r", RunState.RUNNING, config, NOW)


def changes_of(*steps_and_settings):
    """The changes with these steps in a row, and the settings in force at the end."""
    config, changes = CONFIG, []
    for number, (step, settings) in enumerate(steps_and_settings, start=1):
        before = named_values(config, settings)
        changes.append(Change(number, NOW, settings, before, step))
        config = make_config({**dict(config), **settings})
    return config, changes


def test_every_setting_is_either_fixed_in_a_fork_or_free():
    assert set(forkable()) | set(FIXED) | {"origin", "origin_step"} == set(
        SearchConfig.model_fields
    )
    assert not set(forkable()) & set(FIXED)
    assert set(steerable(CONFIG)) <= set(forkable())


def test_a_fork_has_the_settings_of_then_with_what_was_changed_and_its_origin():
    config = forked(CONFIG, run_of(), 40, {"draws": "2", "origin_weights": "fresh", "seed": 8})
    assert config == make_config(
        {
            "draws": 2,
            "epochs": 10,
            "seed": 8,
            "origin": "ab",
            "origin_step": 40,
            "origin_weights": "fresh",
        }
    )


def test_a_fork_of_a_fork_names_the_nearer_one():
    first = forked(CONFIG, run_of(), 40, {"origin_weights": "fresh"})
    second = forked(first, run_of(first, 4, "cd"), 7, {})
    assert (second.origin, second.origin_step, second.origin_weights) == ("cd", 7, "checkpoint")


@pytest.mark.parametrize("name", [*FIXED, "origin"])
def test_a_fork_keeps_what_its_state_depends_on(name):
    with pytest.raises(InvalidConfig, match=f"a fork of run 3 with another {name}; found"):
        forked(CONFIG, run_of(), 40, {name: "x"})


@pytest.mark.parametrize("name", ["seed", "scope", "batch_size", "origin", "cells", "draw"])
def test_a_search_that_goes_on_keeps_what_it_rests_on(name):
    with pytest.raises(InvalidConfig, match=f"another {name} in a search that has begun"):
        changed(CONFIG, {name: 1})


def test_a_change_is_checked_like_any_setting():
    assert changed(CONFIG, {"draws": "3"}).draws == 3
    with pytest.raises(InvalidConfig, match="draws = 99"):
        changed(CONFIG, {"draws": 99})
    with pytest.raises(InvalidConfig, match="learning_rate_end is above learning_rate"):
        changed(CONFIG, {"learning_rate": 1e-5})
    with pytest.raises(InvalidConfig) as caught:
        changed(CONFIG, {"draws": 5})
    assert str(caught.value) == (
        "Asked for a change; found the settings that are in force already; allowed is at least one "
        "other value; change a setting."
    )


def test_what_can_be_steered_depends_on_the_method():
    darts = make_config({"method": "darts", "scope": "edge"})
    chance = make_config({"method": "random"})
    assert "draws" in steerable(CONFIG)
    assert "draws" not in steerable(darts)
    assert "cell_codes" in steerable(CONFIG)
    assert "cell_codes" not in (*steerable(darts), *steerable(chance))
    assert "banned" in steerable(darts)
    assert not {"banned", "epochs", "draws"} & set(steerable(chance))
    assert {"early_stop_agreement", "cell_harmony"} <= set(steerable(darts))
    assert not {"early_stop_agreement", "cell_harmony"} & set(steerable(chance))
    assert "learning_rate" in steerable(chance)


def test_epochs_that_are_done_cannot_be_taken_back():
    fewer = make_config({"draws": 5, "epochs": 4})
    refuse_late_end(CONFIG, fewer, step=32, total=80)
    with pytest.raises(InvalidConfig) as caught:
        refuse_late_end(CONFIG, fewer, step=36, total=80)
    assert str(caught.value) == (
        "Asked for epochs = 4; found 4.5 epochs that are done; allowed is at least 5; choose more "
        "epochs, or stop the search."
    )


def test_the_settings_of_every_moment_can_be_told_from_those_in_force():
    config, changes = changes_of(
        (10, {"draws": 4, "banned": "*:*:none"}), (10, {"draws": 3}), (25, {"banned": ""})
    )
    changes.append(Change(4, NOW, {"draws": 1}))
    changes.append(Change(5, NOW, {"draws": 2}, refused="too late"))
    assert first_config(config, changes) == CONFIG
    expected = {9: (5, ""), 10: (3, "*:*:none"), 24: (3, "*:*:none"), 25: (3, ""), 99: (3, "")}
    for step, found in expected.items():
        then = config_after(config, changes, step)
        assert (then.draws, then.banned) == found
    assert config_after(config, changes, 25) == config


def test_a_change_says_what_it_does():
    _, (change,) = changes_of((10, {"draws": 4, "banned": "*:*:none"}))
    assert change.words == "draws 5 → 4, banned '' → '*:*:none'"
    assert Change(1, NOW, {"draws": 4}).words == "draws → 4"


def test_an_origin_has_to_be_a_search_that_is_the_same_in_what_is_fixed():
    child = make_config({"draws": 2, "origin": "ab"})
    assert check_origin(CONFIG, []) is None
    assert check_origin(child, [run_of()]) == run_of()
    with pytest.raises(InvalidConfig, match="origin = 'ab'; found no search of that identity"):
        check_origin(child, [run_of(uid="other")])
    with pytest.raises(InvalidConfig, match="cells = 8 in a fork of run 3; found cells = 4 there"):
        check_origin(child, [run_of(make_config({"cells": 4}))])


def test_random_cells_leave_nothing_to_inherit():
    chance = run_of(make_config({"method": "random"}))
    expected = (
        "Asked for a fork of run 3; found a random search, which has no probabilities to start "
        "from; allowed is a search that trains probabilities; start a new search with its "
        "settings and another seed."
    )
    with pytest.raises(WrongState) as caught:
        forked(chance.search, chance, 10, {})
    assert str(caught.value) == expected
    with pytest.raises(WrongState) as caught:
        check_origin(make_config({"method": "random", "origin": "ab"}), [chance])
    assert str(caught.value) == expected
