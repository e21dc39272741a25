"""The list of runs, empty and full."""

import json
from datetime import UTC, datetime, timedelta

from streamlit.testing.v1 import AppTest

from app.family import family_tree
from app.studio import Studio
from engine.domain.metrics import main_figure
from engine.domain.presets import preset_config
from engine.domain.run import RunState
from engine.domain.steering import forked
from pages.run_dialogs import ASKED, delete_all, family_rows
from pages.run_rows import columns_of, run_rows
from pages.runs import ROWS_ON_A_PAGE
from tests.e2e.seeding import alive, seed_run
from tests.e2e.trainings import seed_training
from tests.pages.conftest import OpenPage, words
from tests.waiting import PATIENCE_SECONDS

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
    rows = run_rows(studio.summaries(), studio.catalog(), NOW)
    assert [row["state"][0] for row in rows] == [state.value for state in reversed(RunState)]
    assert rows[0]["task"] == "Images"


def test_row_shows_progress_accuracy_and_gap(studio: Studio):
    seed_run(studio.store, studio.artifacts, count=40, upto=20, state=RunState.RUNNING)
    run = studio.summaries()[0]
    row = run_rows([run], studio.catalog(), run.started_at + timedelta(minutes=5))[0]
    assert row["progress"] == ["epoch 10 of 20, 1 min 30 s left", 0.5]
    assert row["score"] == [f"Child {run.progress.score:.1f} %", run.progress.score]
    assert row["gap"] == [f"{run.progress.gap:+.1f} points", run.progress.gap]
    assert row["started"][0] == "5 min ago"


def test_queued_row_says_why_it_waits(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=10, state=RunState.QUEUED)
    studio.store.set_waiting(run.id, "the CPU is taken by run 7")
    row = run_rows(studio.summaries(), studio.catalog(), NOW)[0]
    assert row["progress"][0] == "the CPU is taken by run 7"


def test_unmeasured_figures_are_dashes(studio: Studio):
    seed_run(studio.store, studio.artifacts, count=10, state=RunState.QUEUED)
    row = run_rows(studio.summaries(), studio.catalog(), NOW)[0]
    assert (row["score"], row["gap"]) == (["–", None], ["–", None])


def test_a_text_is_judged_by_its_perplexity_on_every_page():
    main = main_figure("language_modelling")
    assert main.text(296.31) == "296.3"
    assert main.gap_text(-7.53) == "-7.5"
    assert main_figure("semantic_segmentation").text(41.26) == "41.3 %"
    assert main_figure("image_classification").gap_text(0.3) == "+0.3 points"
    assert main_figure("gone").text(None) == "–"


def listed(test: AppTest) -> list[str]:
    """Names in the rows of the table that the page sends to the browser."""
    (table,) = [
        element.proto
        for element in test.main.get("bidi_component")
        if element.proto.component_name.endswith("egs_table")
    ]
    return [row["name"] for row in json.loads(table.json)[0]["rows"]]


def named(studio: Studio, *names: str) -> list[int]:
    """Stopped runs of these names."""
    made = [
        studio.create(preset_config("digits", seed=n), name=name) for n, name in enumerate(names)
    ]
    return [studio.stop(run.id).id for run in made]


def test_address_narrows_and_orders_the_list(studio: Studio, page: OpenPage):
    alpha, beta, gamma = named(studio, "alpha", "beta", "gamma")
    studio.annotate(alpha, tags=["fast"])
    studio.annotate(beta, tags=["fast", "odd"], notes="worth a look")
    studio.annotate(gamma, archived=True)
    assert listed(page()) == ["beta", "alpha"]
    assert listed(page(sort="name")) == ["alpha", "beta"]
    assert listed(page(sort="nonsense")) == ["beta", "alpha"]
    assert listed(page(find="LOOK")) == ["beta"]
    assert listed(page(tag="fast", sort="name")) == ["alpha", "beta"]
    assert listed(page(shelf="Archived")) == ["gamma"]
    assert listed(page(shelf="All", sort="-name")) == ["gamma", "beta", "alpha"]
    assert "No run fits" in words(page(state="running"))


def test_only_one_page_of_a_long_list_goes_to_the_browser(studio: Studio, page: OpenPage):
    named(studio, *(f"run {n:02d}" for n in range(ROWS_ON_A_PAGE + 3)))
    test = page(sort="name")
    assert len(listed(test)) == ROWS_ON_A_PAGE
    assert "53 runs, page 1 of 2" in words(test)
    test.button(key="page-Next page").click().run()
    assert not test.exception
    assert listed(test) == ["run 50", "run 51", "run 52"]
    assert test.query_params["page"] in ("2", ["2"])
    assert test.button(key="page-Next page").disabled


def asked(page: OpenPage, dialog: str, ids: list[int]) -> AppTest:
    """The page with a dialog that its tools have just asked for."""
    test = page()
    test.session_state[ASKED] = [dialog, ids]
    return test.run()


def test_tags_and_notes_are_written_in_a_dialog(studio: Studio, page: OpenPage):
    (run_id,) = named(studio, "alpha")
    studio.annotate(run_id, tags=["old"])
    test = asked(page, "words", [run_id])
    test.text_area(key="words-notes").set_value("first try")
    test.multiselect(key="words-tags").set_value([])
    test.button(key="words-save").click().run()
    assert not test.exception
    assert (studio.run(run_id).tags, studio.run(run_id).notes) == ((), "first try")


def test_tags_of_several_runs_keep_what_only_some_have(studio: Studio, page: OpenPage):
    first, second = named(studio, "alpha", "beta")
    studio.annotate(first, tags=["both", "one"])
    studio.annotate(second, tags=["both"])
    test = asked(page, "words", [first, second])
    assert test.multiselect(key="words-tags").value == ["both"]
    test.multiselect(key="words-tags").set_value(["one"])
    test.button(key="words-save").click().run()
    assert [studio.run(run).tags for run in (first, second)] == [("one",), ("one",)]


def test_deletion_asks_first_and_spares_what_is_queued(studio: Studio, page: OpenPage):
    (stopped,) = named(studio, "alpha")
    queued = studio.create(preset_config("digits"), name="waiting").id
    test = asked(page, "delete", [stopped, queued])
    assert "cannot be deleted while queued or running" in words(test)
    assert "cannot be undone" in words(test)
    test.button(key="delete-keep").click().run()
    assert len(studio.runs()) == 2
    test = asked(page, "delete", [stopped, queued])
    test.button(key="delete-sure").click().run()
    assert not test.exception
    assert [run.id for run in studio.runs()] == [queued]


def test_one_refusal_does_not_keep_the_others(studio: Studio):
    first, gone, held, last = (
        seed_run(studio.store, studio.artifacts, count=20, seed=seed) for seed in range(4)
    )
    step = studio.snapshots(held.id)[2].step
    fork = studio.create(forked(held.search, held, step, {}), name="fork")
    studio.delete(gone.id)
    (refusal,) = delete_all(studio, [first, gone, held, last])
    assert f"its fork, run {fork.id}, which has not started yet" in refusal
    assert {run.id for run in studio.runs()} == {held.id, fork.id}


def test_family_shows_who_came_from_whom_and_what_changed(studio: Studio, page: OpenPage):
    config = preset_config("digits", seed=1)
    root = studio.store.create(config, name="root")
    child = studio.store.create(
        config.model_copy(update={"draws": 7}), name="child", parent_id=root.id
    )
    studio.store.create(config, name="stranger")
    rows = family_rows(studio, family_tree(studio.summaries(), child.id), child.id)
    assert [row["name"] for row in rows] == ["root (run 1)", "└ child (run 2, chosen)"]
    assert rows[1]["changed"].endswith(f"{config.draws} → 7")
    assert not asked(page, "family", [child.id]).exception


def test_columns_in_which_all_runs_are_alike_are_left_out(studio: Studio):
    def keys() -> set[str]:
        return {column.key for column in columns_of(studio.summaries())}

    (run_id,) = named(studio, "alpha")
    assert not {"kind", "task", "parent", "tags"} & keys()
    studio.annotate(run_id, tags=["a"])
    studio.store.create(preset_config("topics"), name="text", parent_id=run_id)
    assert {"task", "parent", "tags"} <= keys()
    assert "kind" not in keys()


def _ticked(ids: list[int]) -> None:
    from app.frontend import open_frontend
    from app.settings import Settings
    from pages.runs import _tools

    studio = open_frontend(Settings.from_environment()).studio
    runs = studio.summaries()
    _tools(studio, runs, [run for run in runs if run.id in ids])


def test_a_single_search_can_be_cloned(studio: Studio):
    first, second = named(studio, "alpha", "beta")
    search = seed_run(studio.store, studio.artifacts, count=10)
    training = seed_training(studio, search)

    def offered(*ids: int) -> bool:
        test = AppTest.from_function(
            _ticked, args=(list(ids),), default_timeout=PATIENCE_SECONDS
        ).run()
        assert not test.exception
        return "Clone" in [button.label for button in test.button]

    assert offered(first)
    assert not offered(first, second)
    assert not offered(training.id)
