"""Which settings of several runs differ."""

from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.config_diff import ABSENT, config_diff, setting_text
from tests.contracts.samples import GENOTYPE_TEXT


def test_only_settings_that_are_not_the_same_everywhere_are_listed() -> None:
    configs = [SearchConfig(seed=1), SearchConfig(seed=1, draws=3), SearchConfig(seed=1)]
    (only,) = config_diff(configs)
    assert only.name == "draws"
    assert only.values == tuple(config.draws for config in configs)
    assert only.label == SearchConfig.model_fields["draws"].title


def test_same_settings_or_a_single_run_have_no_difference() -> None:
    assert config_diff([SearchConfig(), SearchConfig()]) == []
    assert config_diff([SearchConfig(seed=3)]) == []
    assert config_diff([]) == []


def test_what_one_kind_of_run_lacks_is_absent_there() -> None:
    search, training = SearchConfig(), TrainingConfig(genotype=GENOTYPE_TEXT)
    diffs = {diff.name: diff.values for diff in config_diff([search, training])}
    assert diffs["draws"] == (search.draws, ABSENT)
    assert diffs["genotype"] == (ABSENT, GENOTYPE_TEXT)
    everything = {**search.model_dump(), **training.model_dump()}
    same = {n for n in everything if getattr(search, n, None) == getattr(training, n, ABSENT)}
    assert set(diffs) == set(everything) - same


def test_settings_are_written_for_people_without_folders_and_long_texts() -> None:
    assert setting_text("data", "/home/me/cells.npz") == "cells.npz"
    assert setting_text("genotype", GENOTYPE_TEXT).startswith("genotype ")
    assert len(setting_text("genotype", GENOTYPE_TEXT)) == 17
    assert setting_text("flip", True) == "yes"
    assert setting_text("learning_rate", 0.0250000001) == "0.025"
    assert setting_text("draws", ABSENT) == "–"
