"""Questions about settings, and their answers in words."""

import pytest

from app.checks import (
    bytes_words,
    data_question,
    figures_of,
    preflight_question,
    preflight_words,
    step_words,
    time_words,
)
from app.components.examination import examination_data
from engine.data.examination import Bar, Examination, Finding, unreadable
from engine.domain.config import SearchConfig, make_config
from engine.domain.jobs import question_digest
from engine.domain.presets import preset_config

MEASURED = {
    "fits": True,
    "device": "cuda",
    "device_label": "Some GPU",
    "memory_bytes": 80 * 2**30,
    "others": 0,
    "load_seconds": 1.0,
    "batch_size": 64,
    "epochs": 2,
    "largest": 4096,
    "largest_limit": "memory",
    "largest_estimated": False,
    "steps": 6,
    "first_step_seconds": 3.0,
    "step_seconds": 0.05,
    "steps_per_epoch": 100,
    "evaluation_seconds": 1.0,
    "total_seconds": 7260.0,
    "peak_bytes": 300 * 2**20,
    "parameters": 10,
    "alphas": 2,
}


def test_question_about_data_depends_on_what_says_how_they_are_read() -> None:
    def digest(**settings: object) -> str:
        question = data_question(make_config(settings))
        return question_digest(question.kind, question.arguments)

    assert digest() == digest(epochs=3, channels=32, batch_size=8, device="cpu")
    differing = [
        digest(),
        digest(data="mnist"),
        digest(seed=5),
        digest(train_limit=9),
        digest(broken_images="skip"),
        digest(task="language_modelling", space="rnn", data="python_topics"),
        digest(task="language_modelling", space="rnn", data="python_topics", bptt=7),
    ]
    assert len(set(differing)) == len(differing)


@pytest.mark.parametrize("name", ["digits", "topics", "digit-scenes"])
def test_questions_hold_settings_that_can_be_read_back(name: str) -> None:
    config = preset_config(name)
    flight = preflight_question(config).arguments
    assert make_config(flight["config"]) == config
    assert flight["device"] == config.device
    known = make_config(data_question(config).arguments["config"])
    assert (known.task, known.data, known.seed) == (config.task, config.data, config.seed)


def test_sentence_says_time_device_and_batch() -> None:
    assert preflight_words(MEASURED) == (
        "About 2.0 h on this GPU (Some GPU); the largest batch that was tried and fits is 4,096."
    )
    assert preflight_words({**MEASURED, "largest_limit": "time", "others": 2}) == (
        "About 2.0 h on this GPU (Some GPU); a batch of 4,096 fits, and larger ones were not "
        "tried. 2 other run(s) used it meanwhile; alone the search may be faster."
    )
    by_data = {**MEASURED, "device": "cpu", "device_label": "CPU", "largest_limit": "data"}
    assert preflight_words(by_data).endswith(
        "every batch up to 4,096, the most that the data allow, fits."
    )
    assert preflight_words({**MEASURED, "fits": False, "largest": 0}) == (
        "A batch of 64 does not fit into the memory of this GPU (Some GPU), and no smaller one "
        "does; lower channels or cells, or set gradient = 'sampled'."
    )


def test_four_figures_say_what_they_include() -> None:
    labels = [label for label, _, _ in figures_of(MEASURED)]
    values = [value for _, value, _ in figures_of(MEASURED)]
    assert labels == ["The whole search", "A step", "Memory", "Largest batch"]
    assert values == ["2.0 h", "50 ms", "300 MiB", "4,096"]
    assert "not loading the data and checkpoints" in figures_of(MEASURED)[0][2]


def test_figures_have_the_digits_that_they_are_worth() -> None:
    seconds = (0.2, 8.4, 89, 366, 7200, 3 * 86_400)
    assert [time_words(each) for each in seconds] == [
        "under a second",
        "about 8 s",
        "about 89 s",
        "about 6 min",
        "about 2.0 h",
        "about 3.0 days",
    ]
    assert [step_words(each) for each in (0.0123, 0.9, 1.25)] == ["12 ms", "900 ms", "1.2 s"]
    assert [bytes_words(each) for each in (5 * 2**20, 3 * 2**29)] == ["5 MiB", "1.5 GiB"]


def test_rows_are_drawn_against_the_largest_and_read_aloud() -> None:
    found = Examination(
        "images",
        (Finding("ok", "Fine."),),
        {"training": 7},
        bars=(Bar("cat", (4, 1, 0)), Bar("dog", (3, 1, 1))),
        bars_of="images",
        left_out=5,
    )
    drawn = examination_data({**found.to_plain(), "sheet": None})
    assert drawn is not None
    assert drawn["largest"] == 4
    assert drawn["rows"][0] == {
        "name": "cat",
        "counts": [4, 1, 0],
        "words": "cat: 4 in training, 1 in validation, 0 in test (images)",
    }
    assert drawn["rest"] == "5 more are not shown."
    assert examination_data({**unreadable("No.").to_plain(), "sheet": None}) is None


def test_every_setting_of_a_data_question_is_one() -> None:
    for name in ("digits", "topics", "digit-scenes"):
        names = set(data_question(preset_config(name)).arguments["config"])
        assert names <= set(SearchConfig.model_fields)
