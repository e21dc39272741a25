"""Configurations that an earlier version stored keep doing what they did."""

import json

import pytest

from engine.domain.config import SearchConfig, TrainingConfig, parse_config
from engine.domain.errors import InvalidConfig
from engine.domain.stored_config import VALUES_BEFORE, completed, read_config
from storage.mapping import config_of

STORED = {"search": {}, "training": {"genotype": "{}"}}
KINDS = {"search": SearchConfig, "training": TrainingConfig}


@pytest.mark.parametrize("purpose", STORED)
def test_a_setting_that_did_not_exist_takes_its_value_from_before(purpose):
    config = read_config(purpose, STORED[purpose])
    changed = {
        name
        for name, value in parse_config(purpose, STORED[purpose]).model_dump().items()
        if getattr(config, name) != value
    }
    assert changed == set(VALUES_BEFORE[purpose])
    assert all(getattr(config, name) == value for name, value in VALUES_BEFORE[purpose].items())


@pytest.mark.parametrize("purpose", STORED)
def test_what_was_stored_is_read_again(purpose):
    config = parse_config(purpose, STORED[purpose])
    assert config_of(purpose, config.model_dump_json()) == config
    assert completed(purpose, config.model_dump()) == config.model_dump()


@pytest.mark.parametrize("purpose", STORED)
def test_every_value_from_before_is_one_of_a_setting_and_not_its_default(purpose):
    fields = KINDS[purpose].model_fields
    assert all(fields[name].default != value for name, value in VALUES_BEFORE[purpose].items())


def test_an_old_training_keeps_its_dead_parts():
    text = json.dumps({"genotype": "{}", "a setting of another version": 1})
    assert config_of("training", text).leave_out_dead is False
    assert config_of("training", '{"genotype": "{}", "leave_out_dead": true}').leave_out_dead


def test_a_value_that_is_not_allowed_is_rejected():
    with pytest.raises(InvalidConfig):
        read_config("training", {"genotype": "{}", "epochs": 0})
