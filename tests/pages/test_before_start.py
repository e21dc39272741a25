"""New search before it starts: the data examined, the first steps tried."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from streamlit.testing.v1 import AppTest

from app.checks import data_question, preflight_question
from app.studio import Studio
from engine.data.doctor import examine_images
from engine.data.sources import load_images
from engine.domain.config import SearchConfig
from engine.domain.jobs import Job, JobState
from engine.domain.presets import preset_config
from tests.pages.conftest import OpenPage, words

FLIGHT: dict[str, Any] = {
    "fits": True,
    "device": "cpu",
    "device_label": "x86_64, 2 cores",
    "memory_bytes": 16 * 2**30,
    "others": 0,
    "load_seconds": 1.25,
    "batch_size": 64,
    "epochs": 20,
    "largest": 510,
    "largest_limit": "memory",
    "largest_estimated": True,
    "steps": 6,
    "first_step_seconds": 1.5,
    "step_seconds": 0.5,
    "steps_per_epoch": 32,
    "evaluation_seconds": 2.0,
    "total_seconds": 360.0,
    "peak_bytes": 2**30,
    "parameters": 346_818,
    "alphas": 224,
}


def buttons(test: AppTest) -> dict[str, str]:
    return {str(button.key): button.label for button in test.button}


def answer(studio: Studio, job: Job, result: dict[str, Any]) -> None:
    taken = studio.store.take_job("m1", job.id)
    assert taken is not None
    studio.store.finish_job(job.id, taken.attempt, result=result)


def images_with_a_leak(folder: Path) -> str:
    random = numpy.random.default_rng(0)
    train, val, test = (random.integers(0, 256, (n, 8, 8), dtype=numpy.uint8) for n in (24, 6, 6))
    test[:2] = train[:2]
    path = folder / "leak.npz"
    numpy.savez(
        path,
        train_images=train,
        train_labels=numpy.arange(24) % 2,
        val_images=val,
        val_labels=numpy.arange(6) % 2,
        test_images=test,
        test_labels=numpy.arange(6) % 2,
    )
    return str(path)


def known(test: AppTest, text: str) -> AppTest:
    """Tell AppTest of what is not among the suggestions; it has to be told before each run."""
    test.selectbox(key="digits-data").options.append(text)
    return test


def type_data(test: AppTest, text: str) -> AppTest:
    known(test, text).selectbox(key="digits-data").set_value(text).run()
    return known(test, text)


def test_pressed_button_asks_about_the_settings_of_the_form(studio: Studio, page: OpenPage) -> None:
    test = page("new")
    assert buttons(test)["examine"] == "Examine the data"
    assert studio.store.jobs() == []
    test.button(key="examine").click().run()
    test.button(key="preflight").click().run()
    assert not test.exception
    preset = preset_config("digits")
    flight, data = studio.store.jobs()
    assert (flight.run_id, flight.kind, flight.arguments) == (
        None,
        "preflight",
        {"config": preset.model_dump(mode="json"), "device": "auto"},
    )
    assert (data.run_id, data.kind) == (None, "data")
    assert data.arguments == data_question(preset).arguments
    assert "This waits for an engine, and none is running." in words(test)


def test_findings_are_listed_with_icon_and_word(
    studio: Studio, page: OpenPage, tmp_path: Path
) -> None:
    data = images_with_a_leak(tmp_path)
    test = type_data(page("new"), data)
    test.button(key="examine").click().run()
    (job,) = studio.store.jobs()
    config = SearchConfig.model_validate(job.arguments["config"])
    found = examine_images(load_images(config), refuses_broken=True)
    answer(studio, job, {**found.to_plain(), "sheet": None})
    known(test, data).run()
    assert not test.exception
    shown = words(test).replace("\\", "")
    assert (
        ":orange[:material/warning:] **Warning.** 2 of 6 test images (33 %) are the same" in shown
    )
    assert ":green[:material/check_circle:] **Good.**" in shown
    assert "Found just now." in shown
    assert buttons(test)["examine-again"] == "Examine again"
    assert "examine" not in buttons(test)


def test_answer_belongs_to_its_settings_only(studio: Studio, page: OpenPage) -> None:
    test = page("new")
    question = preflight_question(preset_config("digits"))
    answer(studio, studio.store.ask_job(None, question.kind, question.arguments), FLIGHT)
    test.run()
    assert "About 6 min on this CPU" in words(test)
    assert "preflight" not in buttons(test)
    test.number_input(key="digits-epochs").set_value(7).run()
    assert "About 6 min" not in words(test)
    assert buttons(test)["preflight"] == "Try the first steps"
    test.number_input(key="digits-epochs").set_value(20).run()
    assert "About 6 min on this CPU" in words(test)


def test_four_figures_and_a_sentence(studio: Studio, page: OpenPage) -> None:
    question = preflight_question(preset_config("digits"))
    answer(studio, studio.store.ask_job(None, question.kind, question.arguments), FLIGHT)
    test = page("new")
    assert [(one.label, one.value) for one in test.metric] == [
        ("The whole search", "6 min"),
        ("A step", "500 ms"),
        ("Memory", "1.0 GiB"),
        ("Largest batch", "≈ 510"),
    ]
    shown = words(test).replace("\\", "")
    assert (
        "About 6 min on this CPU (x86_64, 2 cores); the largest batch that fits is about 510, "
        "by an estimate." in shown
    )
    assert "346,818 weights and 224 architecture parameters" in shown


def test_too_little_memory_is_shown_as_an_answer(studio: Studio, page: OpenPage) -> None:
    question = preflight_question(preset_config("digits"))
    small = {**FLIGHT, "fits": False, "largest": 8, "largest_estimated": False}
    answer(studio, studio.store.ask_job(None, question.kind, question.arguments), small)
    test = page("new")
    assert not test.exception
    assert "a batch of 8 does, so set batch_size to that" in test.error[0].value.replace("\\", "")
    test.button(key="preflight-again").click().run()
    (job,) = studio.store.jobs()
    assert (job.state, job.result) == (JobState.WAITING, None)
    assert not test.error


def test_settings_that_do_not_fit_have_nothing_to_look_at(studio: Studio, page: OpenPage) -> None:
    test = page("new")
    test.number_input(key="digits-learning_rate_end").set_value(0.5).run()
    assert not test.exception
    assert "can be looked at once the settings fit" in words(test)
    assert not {"examine", "preflight"} & set(buttons(test))


def test_data_that_may_not_be_read_are_refused_before_an_engine_looks(
    studio: Studio, page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "data_roots", (tmp_path / "allowed",))
    test = type_data(page("new"), images_with_a_leak(tmp_path))
    test.button(key="examine").click().run()
    assert not test.exception
    assert "outside the folders that may be read" in test.toast[0].value
    assert studio.store.jobs() == []
