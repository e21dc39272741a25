"""What a run can be handed on as."""

import pytest

from app.studio import Studio
from engine.domain.run import RunState
from tests.e2e.seeding import alive, seed_run
from tests.e2e.trainings import seed_training
from tests.pages.conftest import OpenPage, words

MOVING = {"Download the replay", "Download an animation"}


@pytest.mark.parametrize(
    ("kind", "offered"),
    [
        ("search", {"Download the report", *MOVING}),
        ("training", {"Download the report"}),
        ("queued", set()),
    ],
)
def test_downloads_are_those_that_the_run_has(studio: Studio, page: OpenPage, kind, offered):
    alive(studio.store)
    state = RunState.QUEUED if kind == "queued" else RunState.COMPLETED
    run = seed_run(studio.store, studio.artifacts, count=20, state=state)
    if kind == "training":
        run = seed_training(studio, run)
    test = page("live", run=run.id)
    assert not test.exception
    buttons = [button.label for button in test.get("download_button")]
    assert {label for label in buttons if label in {"Download the report", *MOVING}} == offered
    assert ("for print" in words(test)) == bool(offered)
