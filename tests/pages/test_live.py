"""One search in each of its states."""

from typing import Any

import pytest

from app.standing import key_figures, latest_epoch, progress_words
from app.studio import Studio
from engine.domain.run import Request, RunState
from engine.domain.snapshot import SnapshotKind
from pages.live import log_rows
from pages.moments import moment_to_show
from tests.e2e.seeding import alive, seed_run
from tests.pages.conftest import OpenPage, tiles, words


def labels(test) -> list[str]:
    return [button.label for button in test.button]


def test_page_without_any_run_leads_to_the_list(studio: Studio, page: OpenPage):
    test = page("live")
    assert not test.exception
    assert "no search to watch" in words(test)


def test_unknown_run_is_one_sentence(studio: Studio, page: OpenPage):
    test = page("live", run=77)
    assert not test.exception
    assert "77" in test.error[0].value


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "9" * 30])
def test_address_without_a_number_is_one_sentence(studio: Studio, page: OpenPage, text: str):
    test = page("live", run=text)
    assert not test.exception
    assert "choose a run" in test.error[0].value


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_draws_and_offers_what_it_allows(
    studio: Studio, page: OpenPage, state: RunState
):
    run = seed_run(studio.store, studio.artifacts, count=20, upto=7, state=state)
    alive(studio.store)
    test = page("live", run=run.id)
    assert not test.exception
    expected = {
        RunState.QUEUED: {"Stop", "Change"},
        RunState.RUNNING: {"Pause", "Stop", "Change", "Fork"},
        RunState.PAUSED: {"Resume", "Stop", "Change", "Fork"},
        RunState.FAILED: {"Resume", "Change", "Fork"},
        RunState.COMPLETED: {"Fork"},
        RunState.STOPPED: {"Fork"},
    }[state]
    assert set(labels(test)) == expected
    assert state.value in words(test)


def test_pause_button_asks_and_then_says_pausing(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, upto=7, state=RunState.RUNNING)
    test = page("live", run=run.id)
    test.button(key="live-pause").click().run()
    assert not test.exception
    assert studio.run(run.id).request is Request.PAUSE
    assert "Pausing…" in labels(test)
    assert "pausing…" in words(test)
    assert test.button(key="live-pause").disabled


def test_stop_replaces_a_pause_and_says_stopping(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, upto=7, state=RunState.RUNNING)
    studio.pause(run.id)
    test = page("live", run=run.id)
    test.button(key="live-stop").click().run()
    assert studio.run(run.id).request is Request.STOP
    assert "Stopping…" in labels(test)


def test_resume_button_queues_the_run_again(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, upto=7, state=RunState.PAUSED)
    page("live", run=run.id).button(key="live-resume").click().run()
    assert studio.run(run.id).state is RunState.QUEUED


def test_failed_run_shows_reason_and_sentence(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, upto=7, state=RunState.FAILED)
    test = page("live", run=run.id)
    assert "Out of memory" in test.error[0].value
    assert "choose a smaller batch" in test.error[0].value


def test_queued_run_says_why_it_waits(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    studio.store.set_waiting(run.id, "the CPU is taken by run 9")
    alive(studio.store)
    assert "the CPU is taken by run 9" in page("live", run=run.id).info[0].value


def test_figures_are_those_of_the_store(studio: Studio, page: OpenPage, board):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=21, state=RunState.RUNNING)
    latest, epoch = studio.snapshot(run.id), latest_epoch(studio, run)
    assert latest is not None
    assert latest.kind is SnapshotKind.STEP
    assert epoch is not None
    assert epoch.epoch == 10
    figures = key_figures(run, latest, epoch)
    assert figures["Epoch"] == "10 / 20"
    assert figures["Supernet"] == f"{epoch.metrics['supernet_accuracy']:.1f} %"
    assert figures["Child accuracy"] == f"{epoch.metrics['child_accuracy']:.1f} %"
    assert figures["Temperature"] == f"{latest.temperature:.2f}"
    assert not page("live", run=run.id).exception
    assert tiles(board) == figures


def test_progress_names_step_time_left_and_device(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=10, state=RunState.RUNNING)
    assert progress_words(run) == (
        "Epoch 5 of 20 · step 100 of 400 · 45 s of training · about 2 min 15 s left · "
        "data digits · on cpu"
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the heat maps of a page are given."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr("pages.heatmaps.heatmaps", lambda data, key: given.append(data))
    return given


def test_heat_map_and_derived_cells_follow_the_step_in_the_address(studio, page, drawn):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("live", run=run.id, step=57)
    assert not test.exception
    assert drawn[-1]["step"] == 50
    assert drawn[-1]["run"] == run.uid
    assert "At step 50, by the rule" in words(test)


def test_heat_map_shows_the_latest_moment_without_a_chosen_step(studio, page, drawn):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=21, state=RunState.RUNNING)
    test = page("live", run=run.id)
    assert drawn[-1]["step"] == studio.snapshot(run.id).step
    assert f"At step {drawn[-1]['step']:,}, by the rule" in words(test)


def test_heat_map_waits_for_the_first_snapshot(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    assert moment_to_show(studio, run) is None
    assert "appears with the first snapshot" in words(page("live", run=run.id))


def test_page_before_any_engine_ran_says_when_the_graph_comes(studio: Studio, page: OpenPage):
    test = page()
    test.button(key="first").click().run()
    assert not test.exception
    assert "as soon as an engine has run once" in words(test)


def test_log_is_latest_first_and_plain(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=20, upto=3, state=RunState.FAILED)
    rows = log_rows(studio.events(run.id))
    assert rows[0]["text"] == studio.events(run.id)[-1].text
    assert rows[-1]["kind"] == "created"


def test_hostile_name_is_shown_as_text(studio: Studio, page: OpenPage):
    name = "![x](http://evil.example/a.png) <script>alert(1)</script> **b** :red[c] $x$"
    run = seed_run(studio.store, studio.artifacts, count=20, upto=3, name=name)
    title = page("live", run=run.id).title[0].value
    for mark in ("![", "<script>", "**", ":red[", "$x$"):
        assert mark not in title
    assert title.replace("\\", "") == name


def test_gap_is_that_of_the_last_epoch_before_the_chosen_moment(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=60)
    epochs = studio.snapshots(run.id, epochs_only=True)
    assert "Gap at the end of epoch 20" in words(page("live", run=run.id))
    between = words(page("live", run=run.id, step=epochs[4].step + 1))
    assert "Gap at the end of epoch 5" in between
    assert "Gap at" not in words(page("live", run=run.id, step=0))


def test_heat_map_can_show_what_has_changed(studio: Studio, page: OpenPage, drawn):
    run = seed_run(studio.store, studio.artifacts, count=60)
    epochs = studio.snapshots(run.id, epochs_only=True)
    test = page("live", run=run.id)
    box = test.selectbox(key=f"since-{run.id}")
    assert box.options[:2] == [
        "As they are",
        f"Change since step {studio.snapshots(run.id)[0].step:,}",
    ]
    box.set_value(str(epochs[4].step)).run()
    assert not test.exception
    assert f"minus step {epochs[4].step:,}" in words(test)
    assert (drawn[-1]["step"], drawn[-1]["since"]) == (epochs[-1].step, epochs[4].step)
