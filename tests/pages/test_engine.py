"""Machines, devices and the queue."""

from datetime import UTC, datetime

from app.studio import Studio
from engine.domain.run import RunState
from pages.engine import node_rows, queue_rows
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
