"""The form over the config's own fields."""

from dataclasses import replace

import numpy
import pytest
from streamlit.testing.v1 import AppTest

from app.clone import clone
from app.forms import field_groups, field_help, field_label
from app.studio import Studio
from engine.catalog import gather_catalog
from engine.data.summaries import DataSummary, TextSummary
from engine.domain.config import SearchConfig, make_config
from engine.domain.method_presets import METHOD_PRESETS, laid_over
from engine.domain.ports import Device
from engine.domain.presets import PRESETS, preset, preset_config
from engine.domain.run import RunState
from engine.domain.steering import forked
from pages.new_search import TASK_WORDS, device_choices, summary_words, task_of
from tests.e2e.seeding import alive, seed_run
from tests.e2e.trainings import seed_training
from tests.pages.conftest import OpenPage, words


def type_data(test: AppTest, text: str) -> None:
    """Enter what is not among the suggestions, which AppTest refuses without being told of it."""
    box = test.selectbox(key="digits-data")
    box.options.append(text)
    box.set_value(text)


def start_from(test: AppTest, name: str) -> AppTest:
    """Choose a preset, and before it its task."""
    task = task_of(preset(name))
    test.segmented_control(key="for").set_value(task).run()
    return test.segmented_control(key=f"preset-{task}").set_value(name).run()


def test_form_has_every_field_of_the_config_once():
    names = [name for group in field_groups().values() for name in group]
    assert sorted(names) == sorted(SearchConfig.model_fields)


def test_field_says_unit_bounds_and_stored_name():
    assert field_label("epochs") == "Epochs"
    assert field_label("stop_settled_epochs").endswith(" (epochs)")
    assert "at least 1" in field_help("epochs")
    assert "`epochs`" in field_help("epochs")


@pytest.mark.parametrize("name", [candidate.name for candidate in PRESETS])
def test_untouched_form_starts_exactly_the_preset(studio, page, name: str, monkeypatch):
    made = []
    monkeypatch.setattr(Studio, "create", lambda self, config, **rest: made.append(config))
    test = page("new")
    start_from(test, name)
    assert not test.exception
    test.button(key="start").click().run()
    assert made == [preset_config(name)]


@pytest.mark.parametrize("method", [one.name for one in METHOD_PRESETS])
def test_a_method_to_compare_with_is_a_search_like_any(studio, page, method: str):
    test = page("new")
    test.segmented_control(key="method").set_value(method).run()
    assert not test.exception
    test.number_input(key=f"digits-{method}-epochs").set_value(4)
    test.button(key="start").click().run()
    assert studio.runs()[0].config == make_config({**laid_over(["digits", method]), "epochs": 4})


def test_every_task_has_presets_and_words():
    catalog = gather_catalog()
    assert set(TASK_WORDS) == {card.name for card in catalog.tasks}
    assert {task_of(one) for one in PRESETS} == set(TASK_WORDS)


def test_start_queues_the_search_and_opens_it(studio: Studio, page: OpenPage):
    test = page("new")
    test.text_input(key="name").set_value("My search")
    test.number_input(key="digits-epochs").set_value(3)
    test.button(key="start").click().run()
    assert not test.exception
    run = studio.runs()[0]
    assert (run.name, run.config.epochs, run.config.channels) == ("My search", 3, 8)
    assert test.query_params["run"] == str(run.id)


def test_missing_data_are_one_sentence_and_queue_nothing(studio: Studio, page: OpenPage):
    test = page("new")
    type_data(test, "/nowhere/at-all")
    test.button(key="start").click().run()
    assert not test.exception
    assert "at" in test.error[0].value
    assert studio.runs() == []


def test_settings_that_do_not_fit_together_are_one_sentence(studio: Studio, page: OpenPage):
    test = page("new")
    test.number_input(key="digits-learning_rate_end").set_value(0.5)
    test.button(key="start").click().run()
    assert "learning" in test.error[0].value
    assert studio.runs() == []


def test_check_tells_what_the_data_are(studio: Studio, page: OpenPage, tmp_path):
    images = numpy.zeros((12, 8, 8, 3), dtype=numpy.uint8)
    path = tmp_path / "mine.npz"
    numpy.savez(path, train_images=images, train_labels=numpy.arange(12) % 3)
    test = page("new")
    type_data(test, str(path))
    test.button(key="check").click().run()
    assert not test.exception
    shown = test.success[0].value.replace("\\", "")
    assert "12 training images" in shown
    assert "3 classes" in shown
    assert "8x8 pixels, colour" in shown


def test_devices_are_those_of_living_engines(studio: Studio, page: OpenPage):
    card = Device("GPU-1234", 0, "Some GPU", 80 * 2**30)
    assert device_choices([card]) == {
        "auto": "Any free device",
        "cpu": "CPU",
        "GPU-1234": "Some GPU (80 GiB, cuda:0)",
    }
    twin, elsewhere = replace(card, id="GPU-5678", index=1), replace(card, id="GPU-9abc")
    labels = device_choices([card, twin, elsewhere])
    assert len(set(labels.values())) == len(labels) == 5
    assert labels["GPU-5678"] == "Some GPU (80 GiB, cuda:1)"
    assert labels["GPU-9abc"] == "Some GPU (80 GiB, cuda:0), GPU-9abc"
    alive(studio.store)
    options = page("new").selectbox(key="digits-device").options
    assert options == ["Any free device", "CPU"]


def test_page_says_when_no_engine_runs(studio: Studio, page: OpenPage):
    assert "egs engine" in words(page("new"))


def test_what_was_found_reads_well_for_each_kind_of_data():
    images = DataSummary("digits", 1, 10, 8, 8, 1797)
    assert summary_words(images) == (
        "1,797 training images, validation split off from them, test split off from them, "
        "10 classes, 8x8 pixels, grey"
    )
    scenes = DataSummary("roads", 3, 11, 360, 480, 367, 101, 233, kind="scenes", ignore_index=11)
    assert summary_words(scenes) == (
        "367 training scenes, 101 for validation, 233 for the test, 11 classes, "
        "360x480 pixels, colour, mask value 11 ignored"
    )
    text = TextSummary("book", 5000, 90_000, 800, 700, unknown_validation=4, unknown_test=3)
    assert summary_words(text) == (
        "90,000 training tokens (words), 800 for validation, 700 for the test, "
        "a vocabulary of 5,000, 7 tokens outside it become <unk>"
    )
    assert "counted when the search starts" in summary_words(TextSummary("long", 0, 0, 0, 0))


def test_only_what_means_something_for_the_task_is_asked(studio: Studio, page: OpenPage):
    test = page("new")
    assert [w.key for w in test.number_input if w.key == "digits-bptt"] == []
    start_from(test, "topics")
    keys = {w.key for w in test.number_input}
    assert "topics-bptt" in keys
    assert "topics-channels" not in keys


def test_spaces_and_data_are_those_of_the_task(studio: Studio, page: OpenPage):
    studio.store.publish(gather_catalog())
    test = page("new")
    labels = {space.name: space.label for space in gather_catalog().spaces}
    assert test.selectbox(key="digits-space").options == [labels["darts"], labels["nb201"]]
    assert "CIFAR-10" in test.selectbox(key="digits-data").options
    start_from(test, "topics")
    assert test.selectbox(key="topics-space").options == [labels["rnn"]]
    assert test.selectbox(key="topics-data").options == ["Python's reference manual"]


def test_data_of_another_task_are_one_sentence(studio: Studio, page: OpenPage):
    test = page("new")
    type_data(test, "python_topics")
    test.button(key="start").click().run()
    assert "python_topics is language_modelling data" in test.error[0].value.replace("\\", "")
    assert studio.runs() == []


def test_a_clone_is_an_ordinary_search_with_all_settings_of_the_old_one(studio, page: OpenPage):
    old = seed_run(
        studio.store,
        studio.artifacts,
        count=10,
        name="A *good* one",
        draws=3,
        channels=12,
        flip=True,
        banned="*:*:max_pool_3x3",
    )
    test = page("new", clone=old.id)
    assert not test.exception
    assert f"From run {old.id}, **A \\*good\\* one**; change what you like." in words(test)
    test.number_input(key=f"clone-{old.id}-epochs").set_value(7)
    test.button(key="start").click().run()
    assert not test.exception
    new = studio.runs()[0]
    assert new.config == old.config.model_copy(update={"epochs": 7})
    assert (new.parent_id, new.state) == (None, RunState.QUEUED)


def test_a_clone_of_a_fork_starts_anew_and_says_so(studio: Studio, page: OpenPage):
    first = seed_run(studio.store, studio.artifacts, count=10)
    step = studio.snapshots(first.id)[2].step
    fork = studio.create(forked(first.search, first, step, {"draws": 2}))
    assert fork.parent_id == first.id
    test = page("new", clone=fork.id)
    assert "starts from nothing" in words(test)
    test.button(key="start").click().run()
    new = studio.runs()[0]
    assert (new.parent_id, new.search.origin, new.search.draws) == (None, "", 2)
    assert new.search == make_config({**dict(first.search), "draws": 2})


def test_what_is_not_to_be_had_any_more_is_left_out_with_a_sentence(studio, page: OpenPage):
    alive(studio.store)
    config = preset_config("digits", device="GPU-gone", banned="normal:*:shake_shake, *:*:none")
    old = studio.store.create(config, name="old").id
    space = studio.store.create(preset_config("digits", space="cells_of_1998"), name="older").id
    assert (
        "Not to be had here any more, and therefore left out: Device = GPU-gone, "
        "Banned operations = normal:*:shake_shake, *:*:none."
    ) in words(page("new", clone=old)).replace("\\", "")
    left = clone(studio, studio.run(old)).config
    assert left == preset_config("digits")
    assert clone(studio, studio.run(space)).config == preset_config("digits")


def test_what_cannot_be_cloned_is_a_sentence_above_the_usual_form(studio: Studio, page: OpenPage):
    search = seed_run(studio.store, studio.artifacts, count=10)
    training = seed_training(studio, search)
    for asked, said in (("99", "run 99"), ("x", "no number"), (training.id, "training")):
        test = page("new", clone=asked)
        assert not test.exception
        assert said in test.error[0].value.replace("\\", "")
        assert test.number_input(key="digits-epochs").value == 20
    test = page("new", clone=search.id)
    test.button(key="no-clone").click().run()
    assert test.number_input(key="digits-epochs").value == 20
    assert "clone" not in test.query_params
