import pytest

from engine.domain.config import make_config
from engine.domain.errors import InvalidConfig
from engine.domain.method_presets import METHOD_PRESETS, laid_over
from engine.domain.presets import PRESETS, preset


@pytest.mark.parametrize("method", [one.name for one in METHOD_PRESETS])
@pytest.mark.parametrize("data", [one.name for one in PRESETS])
def test_every_method_can_be_laid_over_every_preset_for_data(data, method):
    config = make_config(laid_over([data, method]))
    plain = make_config(laid_over([data]))
    budget = ("data", "epochs", "learning_rate", "alpha_learning_rate", "batch_size", "train_limit")
    assert {key: getattr(config, key) for key in budget} == {
        key: getattr(plain, key) for key in budget
    }


def test_the_method_counts_whatever_the_order():
    assert preset("cifar10").settings["draws"] == 7
    for names in (["cifar10", "gdas-like"], ["gdas-like", "cifar10"]):
        assert laid_over(names)["draws"] == 1


def test_the_methods_are_those_of_the_literature():
    darts, snas, gdas, random = (
        make_config(laid_over(["digits", one.name])) for one in METHOD_PRESETS
    )
    assert (darts.method, darts.update, darts.rule.name) == ("darts", "alternating", "top2")
    assert (snas.draws, snas.scope, snas.update) == (1, "edge", "joint")
    assert snas.temperature_start > snas.temperature_end
    assert (gdas.draws, gdas.scope, gdas.update) == (1, "edge", "alternating")
    assert (gdas.gradient, gdas.rule.draws) == ("sampled", 1)
    assert random.method == "random"


def test_two_presets_of_a_kind_are_refused_in_one_sentence():
    with pytest.raises(InvalidConfig) as refusal:
        laid_over(["digits", "snas-like", "gdas-like"])
    assert str(refusal.value) == (
        "Asked for the presets 'digits' and 'snas-like' and 'gdas-like' together; found several "
        "of the same kind; allowed is one preset for the data and one for the method; leave the "
        "others out."
    )
    with pytest.raises(InvalidConfig, match="several of the same kind"):
        laid_over(["digits", "topics"])


def test_an_unknown_preset_is_refused_with_all_names():
    with pytest.raises(InvalidConfig, match=r"one of digits, .*, darts, snas-like, gdas-like"):
        laid_over(["digit"])


def test_names_of_presets_are_unique():
    names = [one.name for one in (*PRESETS, *METHOD_PRESETS)]
    assert len(set(names)) == len(names)
    assert all(one.description.endswith(".") for one in METHOD_PRESETS)
