"""The list of runs, empty and full."""

from datetime import UTC, datetime, timedelta

from app.studio import Studio
from engine.domain.metrics import main_figure
from engine.domain.run import RunState
from pages.runs import run_rows
from tests.e2e.seeding import alive, seed_run
from tests.pages.conftest import OpenPage, words

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_empty_list_offers_one_sentence_and_one_button(studio: Studio, page: OpenPage):
    test = page()
    assert not test.exception
    assert "handwritten digits" in words(test)
    assert [button.label for button in test.button if button.key == "first"] == [
        "Start the digits search"
    ]


def test_first_button_queues_the_digits_search_and_opens_it(studio: Studio, page: OpenPage):
    test = page()
    test.button(key="first").click().run()
    assert not test.exception
    assert [run.config.data for run in studio.runs()] == ["digits"]
    assert studio.runs()[0].state is RunState.QUEUED
    assert test.query_params["run"] == "1"
    assert studio.runs()[0].name in test.title[0].value.replace("\\", "")


def test_missing_engine_is_named_with_the_command_that_starts_it(studio, page):
    assert "egs engine" in words(page())


def test_living_engine_needs_no_notice(studio: Studio, page: OpenPage):
    alive(studio.store)
    assert "egs engine" not in words(page())


def test_every_state_has_a_row(studio: Studio, page: OpenPage):
    for seed, state in enumerate(RunState):
        seed_run(studio.store, studio.artifacts, count=20, upto=5, state=state, seed=seed)
    test = page()
    assert not test.exception
    rows = run_rows(studio.runs(), studio.catalog(), NOW)
    assert [row["state"][0] for row in rows] == [state.value for state in reversed(RunState)]
    assert rows[0]["task"] == "Image classification"


def test_row_shows_progress_accuracy_and_gap(studio: Studio):
    seed_run(studio.store, studio.artifacts, count=40, upto=20, state=RunState.RUNNING)
    run = studio.runs()[0]
    row = run_rows([run], studio.catalog(), run.started_at + timedelta(minutes=5))[0]
    assert row["progress"] == ["epoch 10 of 20, 1 min 30 s left", 0.5]
    assert row["score"] == [f"Child {run.progress.score:.1f} %", run.progress.score]
    assert row["gap"] == [f"{run.progress.gap:+.1f} points", run.progress.gap]
    assert row["started"][0] == "5 min ago"


def test_queued_row_says_why_it_waits(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=10, state=RunState.QUEUED)
    studio.store.set_waiting(run.id, "the CPU is taken by run 7")
    row = run_rows(studio.runs(), studio.catalog(), NOW)[0]
    assert row["progress"][0] == "the CPU is taken by run 7"


def test_unmeasured_figures_are_dashes(studio: Studio):
    seed_run(studio.store, studio.artifacts, count=10, state=RunState.QUEUED)
    row = run_rows(studio.runs(), studio.catalog(), NOW)[0]
    assert (row["score"], row["gap"]) == (["–", None], ["–", None])


def test_a_text_is_judged_by_its_perplexity_on_every_page():
    main = main_figure("language_modelling")
    assert main.text(296.31) == "296.3"
    assert main.gap_text(-7.53) == "-7.5"
    assert main_figure("semantic_segmentation").text(41.26) == "41.3 %"
    assert main_figure("image_classification").gap_text(0.3) == "+0.3 points"
    assert main_figure("gone").text(None) == "–"
