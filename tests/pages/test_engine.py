"""Machines, devices and the queue."""

from dataclasses import replace
from datetime import UTC, datetime

from app import machine
from app.settings import Settings
from app.studio import Studio
from engine.domain.run import RunState
from pages.engine import disk_figures, node_rows, queue_rows, version_rows
from tests.e2e.seeding import NODE, alive, seed_run
from tests.pages.conftest import OpenPage, words

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_page_without_an_engine_shows_the_command(studio: Studio, page: OpenPage):
    test = page("engine")
    assert not test.exception
    assert test.code[0].value == "egs engine"
    assert "Nothing is waiting" in words(test)


def test_page_with_an_engine_and_a_queue_draws(studio: Studio, page: OpenPage):
    alive(studio.store)
    seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    test = page("engine")
    assert not test.exception
    assert not test.code


def test_node_row_counts_the_searches_on_its_device(studio: Studio):
    alive(studio.store)
    seed_run(studio.store, studio.artifacts, count=20, upto=3, state=RunState.RUNNING)
    rows = node_rows(studio.nodes(), {NODE.name}, studio.runs(), NOW)
    assert [(row["node"], row["state"][0], row["busy"]) for row in rows] == [
        (NODE.name, "running", "1 of 64")
    ]
    assert node_rows(studio.nodes(), set(), [], NOW)[0]["state"][0] == "silent"


def test_queue_row_says_why_a_run_waits(studio: Studio):
    first = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    urgent = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED, name="b")
    studio.set_priority(urgent.id, 5)
    studio.store.set_waiting(first.id, "no free place")
    rows = queue_rows(studio.queue())
    assert [(row["place"], row["name"], row["waiting"]) for row in rows] == [
        (1, "b", "no engine has looked at it yet"),
        (2, "digits", "no free place"),
    ]


def test_priority_of_a_waiting_run_is_changed_on_the_page(studio: Studio, page: OpenPage):
    alive(studio.store)
    run = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    test = page("engine")
    test.number_input(key="priority").set_value(7)
    next(button for button in test.button if button.label == "Set priority").click().run()
    assert not test.exception
    assert studio.run(run.id).priority == 7


def test_use_is_told_of_this_machine_only(studio: Studio):
    alive(studio.store)
    here = replace(NODE, name=machine.name())
    use = {"cpu": machine.Use(0.25, 3 * 2**30)}
    rows = node_rows([NODE, here], set(), [], NOW, use=use)
    assert [row["use"] for row in rows] == ["–", "25 %, 3.0 GiB"]


def test_versions_are_those_that_machines_report():
    node = replace(NODE, versions={"torch": "2.0", "python": "3.12"})
    assert [(row["package"], row["version"]) for row in version_rows([NODE, node])] == [
        ("torch", "2.0"),
        ("python", "3.12"),
    ]


def test_disk_is_told_in_words(studio: Studio, page: OpenPage):
    assert disk_figures(machine.Disk(2**20, None, 5 * 2**30)) == {
        "Checkpoints and files": "–",
        "Database": "1.0 MiB",
        "Free on this disk": "5.0 GiB",
    }
    assert "No process has written a log" in words(page("engine"))


def test_log_of_a_process_is_shown(studio: Studio, page: OpenPage):
    folder = Settings.from_environment().home / "logs"
    folder.mkdir(parents=True)
    (folder / "engine.log").write_text("the engine says this\n")
    assert "the engine says this" in words(page("engine"))
