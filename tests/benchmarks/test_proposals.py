"""The searches whose predicted and measured times are compared."""

from benchmarks.proposals import CATALOG, searches, sizes
from engine.data.facts import facts_of
from engine.data.inspection import inspect_data
from engine.domain.proposal_limits import GUESSED_SPEEDS
from engine.domain.search_time import duration, steps_per_epoch


def test_every_search_has_a_predicted_time():
    for _, config in sizes("cifar10"):
        facts = facts_of(config, inspect_data(config))
        assert duration(config, facts, CATALOG, GUESSED_SPEEDS["cpu"]).step_seconds > 0


def test_sets_of_different_sizes_are_searched_in_about_as_many_steps():
    steps = [
        config.epochs * steps_per_epoch(config, facts_of(config, inspect_data(config)))
        for _, config in searches("cifar10")
    ]
    assert max(steps) < 1.5 * min(steps)


def test_without_cifar10_only_data_that_are_built_in_are_used():
    data = {config.data for table in (sizes, searches) for _, config in table(None)}
    assert data == {"digits", "digit_scenes", "python_topics"}
