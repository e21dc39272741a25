"""The button that asks an engine for something, through all that can become of it."""

from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from app.requests import ask
from app.studio import Studio
from engine.domain.config import SearchConfig
from engine.domain.jobs import JobState
from engine.domain.ports import Device, Node
from tests.pages.conftest import words
from tests.waiting import PATIENCE_SECONDS

PAGE = """
import streamlit as st
from app.frontend import open_frontend
from app.job_widgets import job_button
from app.settings import Settings

job_button(
    open_frontend(Settings.from_environment()).studio,
    1,
    "latency",
    {"batch": 3},
    label="Measure latency",
    key="latency",
    show=lambda result: st.markdown(f"median {result['median_ms']} ms"),
)
"""


@pytest.fixture
def page(studio: Studio) -> AppTest:
    studio.store.create(SearchConfig(), name="run")
    return AppTest.from_string(PAGE, default_timeout=PATIENCE_SECONDS).run()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def engine_lives(studio: Studio) -> None:
    device = Device("cpu", None, "CPU", 1)
    tomorrow = studio.clock.now() + timedelta(days=1)
    node = Node("m1", "process", tomorrow, (device,))
    studio.store.register_node(node, stale_seconds=30)


def test_a_pressed_button_waits_and_says_when_no_engine_lives(
    studio: Studio, page: AppTest
) -> None:
    assert labels(page) == ["Measure latency"]
    assert studio.store.jobs() == []
    page.button[0].click().run()
    (job,) = studio.store.jobs()
    assert (job.kind, job.arguments) == ("latency", {"batch": 3})
    assert not page.exception
    assert labels(page) == []
    assert "This waits for an engine, and none is running." in words(page)
    assert "`egs engine`" in words(page)
    engine_lives(studio)
    page.run()
    assert "It starts in a moment" in words(page)


def test_the_answer_is_shown_and_stays(studio: Studio, page: AppTest) -> None:
    page.button[0].click().run()
    job = studio.store.take_job("m1")
    assert job is not None
    page.run()
    assert "An engine works on it since" in words(page)
    studio.store.finish_job(job.id, 1, result={"median_ms": 1.5})
    page.run()
    assert "median 1.5 ms" in words(page)
    assert labels(page) == []
    reloaded = AppTest.from_string(PAGE, default_timeout=PATIENCE_SECONDS).run()
    assert "median 1.5 ms" in words(reloaded)


def test_an_answer_that_somebody_else_asked_for_is_there_at_once(
    studio: Studio, page: AppTest
) -> None:
    job = ask(studio, 1, "latency", {"batch": 3})
    studio.store.take_job("m1")
    studio.store.finish_job(job.id, 1, result={"median_ms": 2.5})
    assert "median 2.5 ms" in words(page.run())


def test_a_failed_job_shows_its_sentence_and_can_be_asked_again(
    studio: Studio, page: AppTest
) -> None:
    page.button[0].click().run()
    studio.store.take_job("m1")
    job = studio.store.jobs()[0]
    studio.store.finish_job(job.id, 1, error="Asked for *a* [b]; found none.")
    page.run()
    assert r"Asked for \*a\* \[b\]; found none\." in words(page)
    assert labels(page) == ["Measure latency again"]
    page.button[0].click().run()
    assert studio.store.job(job.id).state is JobState.WAITING
    assert labels(page) == []


def test_a_question_that_is_refused_leaves_the_button_and_says_why(
    studio: Studio, page: AppTest
) -> None:
    child = PAGE.replace('"latency",\n    {"batch": 3}', '"child",\n    {}')
    page = AppTest.from_string(child, default_timeout=PATIENCE_SECONDS).run()
    page.button[0].click().run()
    assert not page.exception
    assert labels(page) == ["Measure latency"]
    assert "found no checkpoint" in page.toast[0].value
    assert studio.store.jobs() == []
