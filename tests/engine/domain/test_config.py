import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.config import SearchConfig, allowed_values, bounds_of, make_config
from engine.domain.derivation import DerivationRule
from engine.domain.errors import InvalidConfig
from engine.domain.presets import PRESETS, preset, preset_config
from engine.spaces import SPACES

FIELDS = SearchConfig.model_fields
BOUNDED = [name for name, field in FIELDS.items() if bounds_of(field) != (None, None)]


def refusal_of(values) -> str:
    with pytest.raises(InvalidConfig) as refusal:
        make_config(values)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"drows": 3},
            "Asked for the setting 'drows'; found no such setting; allowed is one of "
            f"{', '.join(FIELDS)}; correct its name.",
        ),
        (
            {"draws": 0},
            "Asked for draws = 0; found input should be greater than or equal to 1; allowed is "
            "int and at least 1 and at most 32; choose another value of draws.",
        ),
        (
            {"epochs": "many"},
            "Asked for epochs = 'many'; found input should be a valid integer, unable to parse "
            "string as an integer; allowed is int and at least 1 and at most 10000; choose "
            "another value of epochs.",
        ),
        (
            {"route": "odd"},
            "Asked for route = 'odd'; found input should be 'even', 'first', 'or', 'zgr' or "
            "'inclusion'; allowed is one of 'even', 'first', 'or', 'zgr', 'inclusion'; choose "
            "another value of route.",
        ),
        (
            {"learning_rate": 0.1, "learning_rate_end": 0.2},
            "Asked for these settings together; found learning_rate_end is above learning_rate; "
            "allowed is settings that fit together; change one of the two.",
        ),
        (
            {"epochs": 3, "alpha_warmup_epochs": 3},
            "Asked for these settings together; found alpha_warmup_epochs leaves no epoch for the "
            "alphas; allowed is settings that fit together; change one of the two.",
        ),
        (
            {"early_stop_agreement": 0.1},
            "Asked for these settings together; found early_stop_agreement needs held-out data in "
            "each step, and update is not alternating; allowed is settings that fit together; "
            "change one of the two.",
        ),
        (
            {"cell_harmony": 0.1, "method": "random"},
            "Asked for these settings together; found cell_harmony aligns cells that learn a code, "
            "and method = random learns none; allowed is settings that fit together; change one of "
            "the two.",
        ),
        (
            {"cell_codes": "own", "method": "random"},
            "Asked for these settings together; found cell_codes = own draws codes from "
            "probabilities that learn, and method = random does not; allowed is settings that fit "
            "together; change one of the two.",
        ),
        (
            {"cell_codes": "own", "cell_harmony": 0.1},
            "Asked for these settings together; found cell_harmony aligns cells that share a code, "
            "and cell_codes is own; allowed is settings that fit together; change one of the two.",
        ),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(values, sentence):
    assert refusal_of(values) == sentence


@pytest.mark.parametrize("name", BOUNDED)
def test_no_number_outside_its_bounds_is_accepted(name):
    low, high = bounds_of(FIELDS[name])
    for bound, beyond in ((low, -1), (high, +1)):
        if bound is not None:
            assert f"{name} = {bound + beyond!r}" in refusal_of({name: bound + beyond})
    for value in (float("nan"), float("inf"), "", None):
        assert name in refusal_of({name: value})


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_has_a_title_a_sentence_and_a_group(name):
    field = FIELDS[name]
    assert field.title
    assert field.description.endswith(".")
    assert field.json_schema_extra["group"]
    assert allowed_values(name)


def test_text_from_a_command_line_becomes_numbers_and_truth_values():
    config = make_config({"draws": "4", "flip": "true", "learning_rate": "0.1"})
    assert (config.draws, config.flip, config.learning_rate) == (4, True, 0.1)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(), min_size=1))
def test_settings_that_do_not_exist_are_always_refused(values):
    assert "no such setting" in refusal_of(values)


def test_a_configuration_cannot_be_changed_and_comes_back_from_its_json():
    config = make_config({"draws": 4, "data": "a/b.npz"})
    with pytest.raises(ValueError, match="frozen"):
        config.draws = 5
    assert SearchConfig.model_validate_json(config.model_dump_json()) == config


def test_the_rule_of_a_search_is_its_own_scope_and_draws():
    config = make_config({"draws": 4, "scope": "edge", "none_pooled": False})
    assert config.rule == DerivationRule("map", 4, "edge", False, sound=True)


@pytest.mark.parametrize("name", [p.name for p in PRESETS])
def test_every_preset_is_valid_and_names_a_space(name):
    config = preset_config(name, seed=3)
    assert config.seed == 3
    assert config.space in SPACES
    assert preset(name).description.endswith(".")


def test_an_unknown_preset_is_refused_in_one_sentence():
    with pytest.raises(InvalidConfig) as refusal:
        preset("imagenet")
    assert str(refusal.value) == (
        "Asked for the preset 'imagenet'; found no such preset; allowed is one of "
        f"{', '.join(p.name for p in PRESETS)}; choose one of these."
    )
