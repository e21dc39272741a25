"""New search: the time budget and the button that proposes settings."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.studio import Studio
from engine.domain.config import make_config
from engine.domain.presets import preset, preset_config
from tests.e2e.seeding import NODE, catalog
from tests.pages.conftest import OpenPage, words
from tests.pages.test_new_search import start_from

KEPT = "The form keeps the last proposal."
OTHER_DATA = "These settings suit other data."


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "mine.npz"
    count = 2500
    np.savez(
        path,
        train_images=np.zeros((count, 32, 32, 3), np.uint8),
        train_labels=np.arange(count) % 3,
        class_names=np.array(["cat", "dog", "owl"]),
    )
    return path


@pytest.fixture
def new_search(studio: Studio, page: OpenPage) -> AppTest:
    studio.store.publish(catalog())
    return page("new")


def said(test: AppTest) -> str:
    """What the page says, without the signs that keep Markdown from acting."""
    return words(test).replace("\\", "")


def run(test: AppTest) -> AppTest:
    """Run again; AppTest refuses data that are not among the suggestions unless they are added."""
    for box in test.selectbox:
        if box.label == "Data" and box.value not in box.options:
            box.options.append(box.value)
    return test.run()


def type_data(test: AppTest, preset_name: str, data: Path) -> None:
    box = test.selectbox(key=f"{preset_name}-data")
    box.options.append(str(data))
    box.set_value(str(data))
    run(test)


def propose(test: AppTest, preset_name: str, minutes: float) -> AppTest:
    test.number_input(key=f"{preset_name}-minutes").set_value(minutes)
    run(test)
    test.button(key="propose").click()
    return run(test)


def test_budget_at_first_is_that_of_the_preset(new_search: AppTest):
    assert new_search.number_input(key="digits-minutes").value == preset("digits").minutes
    start_from(new_search, "cifar10-cpu")
    assert new_search.number_input(key="cifar10-cpu-minutes").value == 20


def test_button_fills_the_form_and_says_why(studio: Studio, new_search: AppTest, images: Path):
    start_from(new_search, "cifar10-cpu")
    type_data(new_search, "cifar10-cpu", images)
    test = propose(new_search, "cifar10-cpu", 60.0)
    assert not test.exception
    assert "budget: 60 minutes" in said(test)
    assert "A training from scratch takes about" in said(test)
    assert "32x32 images become 16x16 for the first cell" in said(test)
    assert "Mirrored photographs keep their meaning" in said(test)
    assert test.toggle(key="cifar10-cpu-1-flip").value
    epochs = test.number_input(key="cifar10-cpu-1-epochs").value
    assert epochs > 4
    test.button(key="start").click()
    run(test)
    config = studio.runs()[0].config
    assert (config.data, config.epochs, config.gradient) == (str(images), epochs, "probed")


def test_changed_fields_stay_through_several_proposals(new_search: AppTest, images: Path):
    start_from(new_search, "cifar10-cpu")
    type_data(new_search, "cifar10-cpu", images)
    new_search.number_input(key="cifar10-cpu-batch_size").set_value(32)
    test = propose(new_search, "cifar10-cpu", 60.0)
    assert test.number_input(key="cifar10-cpu-1-batch_size").value == 32
    test.number_input(key="cifar10-cpu-1-channels").set_value(20)
    before = test.number_input(key="cifar10-cpu-1-epochs").value
    test = propose(test, "cifar10-cpu", 500.0)
    assert test.number_input(key="cifar10-cpu-2-batch_size").value == 32
    assert test.number_input(key="cifar10-cpu-2-channels").value == 20
    assert test.number_input(key="cifar10-cpu-2-epochs").value != before


def test_a_field_that_was_changed_afterwards_shows_no_reason(new_search: AppTest):
    test = propose(new_search, "digits", 60.0)
    reason = "8x8 images are small enough"
    assert reason in said(test)
    test.selectbox(key="digits-1-stem_stride").set_value(2).run()
    assert reason not in said(test)


def test_too_small_a_budget_is_said_and_changes_nothing(studio: Studio, new_search: AppTest):
    test = propose(new_search, "digits", 1.0)
    assert "1 minute is too short: the smallest network needs " in said(test)
    assert KEPT not in said(test)
    test.button(key="start").click().run()
    assert studio.runs()[0].config == preset_config("digits")


def test_form_keeps_the_last_proposal_if_the_next_one_fails(new_search: AppTest):
    epochs = propose(new_search, "digits", 60.0).number_input(key="digits-1-epochs").value
    test = propose(new_search, "digits", 1.0)
    assert KEPT in said(test)
    assert test.number_input(key="digits-1-epochs").value == epochs != 20
    test = propose(test, "digits", 60.0)
    assert not test.error
    assert test.number_input(key="digits-2-epochs").value == epochs


def test_settings_for_other_data_are_said_to_be_so(new_search: AppTest, images: Path):
    assert OTHER_DATA not in said(new_search)
    start_from(new_search, "cifar10-cpu")
    type_data(new_search, "cifar10-cpu", images)
    assert OTHER_DATA in said(new_search)
    test = propose(new_search, "cifar10-cpu", 60.0)
    assert OTHER_DATA not in said(test)
    type_data(test, "cifar10-cpu-1", Path("digits"))
    assert OTHER_DATA in said(test)


def test_settings_of_a_cloned_method_stay(studio: Studio, page: OpenPage):
    studio.store.publish(catalog())
    config = make_config({**preset_config("digits").model_dump(), "draws": 7, "route": "or"})
    run = studio.create(config)
    test = page("new", clone=run.id)
    test = propose(test, f"clone-{run.id}", 60.0)
    test.button(key="start").click().run()
    latest = studio.runs()[0].search
    assert (latest.draws, latest.route, latest.epochs > 20) == (7, "or", True)


def test_another_preset_forgets_what_was_proposed(new_search: AppTest):
    propose(new_search, "digits", 60.0)
    test = start_from(new_search, "cifar10-cpu")
    assert "8x8 images are small enough" not in said(test)
    assert test.number_input(key="cifar10-cpu-epochs").value == 4


def test_a_method_stays_what_it_is(studio: Studio, new_search: AppTest):
    new_search.segmented_control(key="method").set_value("snas-like").run()
    test = propose(new_search, "digits-snas-like", 600.0)
    assert not test.error
    test.button(key="start").click().run()
    config = studio.runs()[0].config
    assert (config.draws, config.scope, config.gradient) == (1, "edge", "exact")


def test_unknown_speed_can_be_measured_by_an_engine(studio: Studio, new_search: AppTest):
    studio.store.register_node(NODE, stale_seconds=0.0)
    studio.store.beat_node(NODE.name, NODE.process)
    test = propose(new_search, "digits", 60.0)
    assert "a guess, since nothing has been measured" in said(test)
    test.button(key="speed").click().run()
    [job] = studio.store.jobs()
    assert job.kind == "speed"
    studio.store.take_job(NODE.name, job.id)
    studio.store.finish_job(job.id, 1, result={"call": 1e-5})
    assert "Propose settings again" in said(test.run())


def test_scenes_and_texts_are_proposed_too(new_search: AppTest):
    for name in ("digit-scenes", "topics"):
        start_from(new_search, name)
        test = propose(new_search, name, 60.0)
        assert not test.exception
        assert not test.error


def test_without_a_catalogue_the_page_says_what_to_do(page: OpenPage):
    test = propose(page("new"), "digits", 20.0)
    assert "start an engine once" in test.error[0].value
