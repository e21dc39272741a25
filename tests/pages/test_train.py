"""From an architecture to its training, and what the pages show of one."""

import pytest
from streamlit.testing.v1 import AppTest

from app.components.curves import training_charts
from app.evaluations import outcome
from app.forms import field_groups
from app.standing import latest_figures, training_figures
from app.studio import Studio
from app.widgets import plain
from app.wire import temperature_series
from engine.domain.config import TrainingConfig
from engine.domain.genotype import from_json, to_darts
from engine.domain.metrics import MAIN_FIGURES, METRICS
from engine.domain.run import Run, RunState
from engine.domain.run_list import summary_of
from engine.domain.training_presets import training_preset
from pages.run_rows import figure_words, run_rows
from pages.take_home import question
from pages.train import COLUMNS, training_rows
from pages.training import seed_rows
from tests.e2e.seeding import alive, seed_run
from tests.e2e.trainings import seed_training
from tests.pages.conftest import tiles, words
from tests.pages.test_runs import NOW


@pytest.fixture
def search(studio: Studio) -> Run:
    """The recorded search whose architectures are trained."""
    return seed_run(studio.store, studio.artifacts, count=20)


def type_data(test: AppTest, key: str, text: str) -> None:
    """Enter what is not among the suggestions, which AppTest refuses without being told of it."""
    box = test.selectbox(key=key)
    box.options.append(text)
    box.set_value(text)


def trained(studio: Studio) -> list[Run]:
    return studio.store.runs(purpose="training")


def test_untouched_form_trains_what_is_shown_with_the_preset_for_its_data(studio, page, search):
    test = page("architecture", run=search.id, step=100, rule="top2")
    test.button(key="train").click().run()
    assert not test.exception
    (run,) = trained(studio)
    wanted = training_preset("digits-train").settings
    assert {name: getattr(run.config, name) for name in wanted} == dict(wanted)
    genotype = from_json(run.config.genotype)
    assert genotype.lineage["run"] == search.uid
    assert genotype.lineage["step"] == 100
    assert genotype.rule is not None
    assert genotype.rule.name == "top2"
    assert test.query_params["run"] == str(run.id)
    assert run.name in test.title[0].value.replace("\\", "")


def test_one_run_a_seed_is_queued_and_the_first_is_opened(studio, page, search):
    test = page("architecture", run=search.id)
    test.number_input(key=f"train-{search.id}-seeds").set_value(3).run()
    assert test.button(key="train").label == "Start 3 trainings"
    test.number_input(key=f"train-{search.id}-digits-train-digits-epochs").set_value(2)
    test.button(key="train").click().run()
    assert not test.exception
    runs = sorted(trained(studio), key=lambda run: run.id)
    assert [(run.config.seed, run.config.epochs) for run in runs] == [(0, 2), (1, 2), (2, 2)]
    assert test.query_params["run"] == str(runs[0].id)


def test_other_data_bring_the_preset_that_fits_them(studio, page, search):
    test = page("architecture", run=search.id)
    test.selectbox(key=f"train-{search.id}-image_classification-data").select("CIFAR-10").run()
    assert not test.exception
    preset = test.selectbox(key=f"train-{search.id}-image_classification-cifar10-preset")
    assert preset.value == "cifar10-cpu-train"
    assert plain(training_preset("cifar10-cpu-train").description) in words(test)


def test_cells_for_images_can_be_trained_on_scenes(studio, page, search):
    test = page("architecture", run=search.id)
    test.segmented_control(key=f"train-{search.id}-task").set_value("semantic_segmentation").run()
    test.button(key="train").click().run()
    assert not test.exception
    (run,) = trained(studio)
    assert (run.config.task, run.config.data) == ("semantic_segmentation", "digit_scenes")


def test_missing_data_are_one_sentence_and_queue_nothing(studio, page, search):
    test = page("architecture", run=search.id)
    key = f"train-{search.id}-image_classification-data"
    type_data(test, key, "/nowhere/at-all")
    test.run()
    type_data(test, key, "/nowhere/at-all")
    test.button(key="train").click().run()
    assert not test.exception
    assert "nowhere" in test.error[0].value
    assert trained(studio) == []


def test_form_has_every_setting_of_a_training_but_those_above_it(studio, page, search):
    test = page("architecture", run=search.id)
    start = f"train-{search.id}-digits-train-digits-"
    widgets = (*test.number_input, *test.selectbox, *test.toggle, *test.text_input)
    shown = {w.key.removeprefix(start) for w in widgets if (w.key or "").startswith(start)}
    groups = field_groups(TrainingConfig, "image_classification")
    wanted = {name for names in groups.values() for name in names}
    assert shown == wanted - {"genotype", "task", "data"}


def test_a_completed_training_of_the_cells_can_lend_its_weights(studio, page, search):
    done = seed_training(studio, search)
    test = page("architecture", run=search.id)
    box = test.selectbox(key=f"train-{search.id}-digits-train-digits-start_from")
    assert box.options == ["From scratch", f"{done.name} (run {done.id})"]
    box.set_value(done.uid)
    test.button(key="train").click().run()
    assert not test.exception
    assert trained(studio)[0].config.start_from == done.uid


def test_page_of_a_training_shows_what_it_trains_without_a_bench(studio, page, search):
    run = seed_training(studio, search)
    test = page("architecture", run=run.id)
    assert not test.exception
    assert test.code[0].value == to_darts(studio.derive(search.id))
    metrics = {metric.label: metric.value for metric in test.metric}
    assert metrics["Validation accuracy"] == "96.4 %"
    assert metrics["Test accuracy"] == "96.5 %"
    keys = {widget.key for widget in (*test.selectbox, *test.button)}
    assert "measure-child" not in keys
    assert not [key for key in keys if key and key.startswith(("moment-", "rule-"))]
    assert "train" in keys
    links = [link.proto.query_string for link in test.get("page_link")]
    assert f"run={search.id}&step={studio.derive(search.id).lineage['step']}" in links


def test_files_of_a_training_hold_its_own_latest_weights(studio, search):
    run, genotype = seed_training(studio, search), studio.derive(search.id)
    assert question("onnx", run, genotype)["step"] is None
    assert question("onnx", search, genotype)["step"] == genotype.lineage["step"]


def test_a_training_whose_search_is_gone_says_so(studio, page, search):
    run = seed_training(studio, search)
    studio.delete(search.id)
    test = page("architecture", run=run.id)
    assert not test.exception
    assert "is not among the runs" in words(test)


@pytest.mark.parametrize("state", list(RunState))
def test_live_draws_every_state_of_a_training(studio, page, search, board, state):
    upto = 15 if state is RunState.COMPLETED else 7
    run = seed_training(studio, search, upto=upto, state=state)
    alive(studio.store)
    test = page("live", run=run.id)
    assert not test.exception
    assert state.value in words(test)
    latest = latest_figures(studio, run, studio.snapshot(run.id))
    shown = tiles(board)
    assert shown == training_figures(run, latest)
    assert ("Test accuracy" in shown) is (state is RunState.COMPLETED)
    assert "All seeds" not in words(test)


def test_figures_of_a_training_are_the_latest_of_each_kind(studio, search):
    run = seed_training(studio, search, upto=3, state=RunState.RUNNING)
    end = studio.snapshot(run.id)
    moved = studio.snapshot(run.id, 55)
    figures = training_figures(run, latest_figures(studio, run, end))
    assert figures == {
        "Epoch": "3 / 15",
        "Step": "60",
        "Validation accuracy": f"{end.metrics['validation_accuracy']:.1f} %",
        "Training loss": f"{moved.metrics['train_loss']:.3f}",
        "Learning rate": f"{end.metrics['learning_rate']:.3g}",
    }
    assert training_figures(run, {})["Training loss"] == "–"


def test_seeds_of_a_training_are_listed_with_mean_and_spread(studio, page, search):
    runs = [
        seed_training(studio, search, seed=n, test=value) for n, value in ((0, 96.0), (1, 98.0))
    ]
    test = page("live", run=runs[0].id)
    assert not test.exception
    assert "All seeds" in words(test)
    assert plain("Test accuracy 97.00 ± 1.41 % over 2 seeds.") in words(test)
    rows = seed_rows(runs, {runs[0].id: 96.0})
    assert [row["test"] for row in rows] == [["96.0 %", 96.0], ["–", None]]


def test_a_training_that_failed_does_not_show_the_figure_of_its_second_try(studio, search):
    failed = seed_training(studio, search, seed=0, upto=7, state=RunState.FAILED)
    again = seed_training(studio, search, seed=0, test=91.0)
    other = seed_training(studio, search, seed=1, test=93.0)
    found = outcome(studio, [failed, again, other])
    assert found.values == {again.id: 91.0, other.id: 93.0}
    assert (found.spread.mean, found.spread.count) == (92.0, 2)
    assert seed_rows([failed, again], found.values)[0]["test"] == ["–", None]


def test_a_search_lists_its_trainings_with_their_figures(studio, page, search):
    assert "Trainings of this search" not in words(page("architecture", run=search.id))
    runs = [
        seed_training(studio, search),
        seed_training(studio, search, upto=7, state=RunState.RUNNING),
        seed_training(studio, search, state=RunState.QUEUED),
    ]
    test = page("architecture", run=search.id)
    assert not test.exception
    assert "Trainings of this search" in words(test)
    rows = training_rows(runs)
    assert [row["figure"][0] for row in rows] == ["Test 96.5 %", "Validation 88.6 %", "–"]
    assert set(rows[0]) == {"id", *(column.key for column in COLUMNS)}


def test_list_of_runs_tells_trainings_from_searches(studio, page, search):
    run = seed_training(studio, search)
    assert not page().exception
    first, second = run_rows([summary_of(run), summary_of(search)], studio.catalog(), NOW)
    assert (first["kind"], second["kind"]) == ("Training", "Search")
    assert first["score"] == ["Test 96.5 %", 96.5]
    assert first["gap"] == ["", None]
    assert figure_words(search).startswith("Child ")


def test_curves_of_a_training_name_figures_that_are_recorded():
    known = {metric.name for metric in METRICS}
    for task in MAIN_FIGURES:
        lines = [line for chart in training_charts(task) for line in chart.lines]
        assert {line.metric for line in lines} <= known


def test_a_training_has_no_temperature(studio, search):
    run = seed_training(studio, search)
    assert temperature_series(studio.snapshots(run.id)).steps == []
    assert temperature_series(studio.snapshots(search.id)).steps != []
