"""What presets, other data and a person's settings fix, and what is left to be proposed."""

import pytest

from app.starting_points import starting_point
from engine.domain.config import make_config
from engine.domain.errors import InvalidConfig
from engine.domain.method_presets import METHOD_PRESETS, laid_over
from engine.domain.presets import PRESETS, preset, preset_config
from engine.domain.proposed import FOLLOWS_DATA


@pytest.mark.parametrize("name", [one.name for one in PRESETS])
def test_a_preset_stays_as_it_is_on_its_own_data(name):
    start = starting_point([name], None, {})
    assert start.minutes is None
    assert make_config(start.given) == preset_config(name)
    data = str(preset(name).settings["data"])
    for own in (data, f"/somewhere/{data}", f"/somewhere/{data}.npz"):
        assert starting_point([name], own, {}).minutes is None


@pytest.mark.parametrize("name", [one.name for one in PRESETS])
def test_a_budget_adapts_a_preset_on_its_own_data_too(name):
    start = starting_point([name], None, {}, 5.0)
    assert start.minutes == 5.0
    kept = preset(name).settings.keys() - FOLLOWS_DATA
    assert start.given.keys() == kept | (preset(name).settings.keys() & {"ignore_index"})


def test_the_same_data_are_written_in_the_same_way():
    assert starting_point(["camvid-cpu"], None, {}, 5.0).given["ignore_index"] == 11
    assert "ignore_index" not in starting_point(["camvid-cpu"], "mine", {}).given


@pytest.mark.parametrize("name", [one.name for one in PRESETS])
def test_on_other_data_a_preset_keeps_its_method_only(name):
    start = starting_point([name], "mine", {})
    assert start.minutes == preset(name).minutes
    assert not FOLLOWS_DATA & set(start.given)
    settings = preset(name).settings
    kept = {key: value for key, value in settings.items() if key not in FOLLOWS_DATA}
    assert start.given == {**kept, "data": "mine"}


def test_what_a_person_sets_stays_whether_or_not_it_follows_the_data():
    start = starting_point(["cifar10-cpu"], "mine", {"epochs": "7"}, 3.0)
    assert start.given["epochs"] == "7"
    assert start.own == {"data", "epochs"}
    assert start.minutes == 3.0


@pytest.mark.parametrize("method", METHOD_PRESETS, ids=lambda one: one.name)
def test_settings_of_a_method_are_never_proposed(method):
    start = starting_point([method.name, "cifar10-cpu"], "mine", {})
    assert method.settings.items() <= start.given.items()


def test_other_data_may_also_be_set_like_any_setting():
    assert starting_point(["digits"], None, {"data": "mine"}).minutes == preset("digits").minutes


def test_without_a_preset_only_a_budget_proposes():
    assert starting_point([], "mine", {"epochs": 3}).minutes is None
    start = starting_point([], "mine", {"epochs": 3}, 20.0)
    assert (start.minutes, start.given) == (20.0, {"data": "mine", "epochs": 3})
    random = starting_point(["random"], "mine", {})
    assert (random.minutes, random.given) == (None, {**laid_over(["random"]), "data": "mine"})


def test_two_presets_of_one_kind_are_refused():
    with pytest.raises(InvalidConfig):
        starting_point(["digits", "topics"], "mine", {})


def test_every_preset_for_data_says_how_long_it_takes():
    assert all(one.minutes for one in PRESETS)
