"""The health of a search on its page, at the chosen moment."""

from app.studio import Studio
from engine.domain.health import examine
from engine.domain.run import RunState
from pages.health import FAILED, health_of, measures
from tests.e2e.seeding import seed_run
from tests.pages.conftest import OpenPage, words


def test_page_tells_the_verdict_and_what_it_rests_on(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=100)
    health = health_of(studio, run)
    assert health is not None
    shown = words(page("live", run=run.id))
    assert "Goes well" in shown
    assert measures(health) in shown
    assert f"Epoch {health.epoch} " in shown


def test_health_follows_the_step_in_the_address(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=100)
    epochs = studio.snapshots(run.id, epochs_only=True)
    early = examine(studio.space(run), run.search, epochs[:1])
    assert early is not None
    shown = words(page("live", run=run.id, step=epochs[0].step))
    assert "Too early to say" in shown
    assert measures(early) in shown


def test_before_the_first_epoch_the_page_says_when_there_will_be_a_verdict(studio, page):
    run = seed_run(studio.store, studio.artifacts, count=0)
    assert "from the end of its first epoch on" in words(page("live", run=run.id))


def test_random_search_has_no_verdict(studio: Studio, page: OpenPage):
    chance = seed_run(studio.store, studio.artifacts, count=100, method="random", candidates=2)
    assert health_of(studio, chance) is None
    shown = words(page("live", run=chance.id))
    assert "first epoch" not in shown
    assert "What it keeps" in shown
    assert f"by step {chance.progress.step:,}" in shown
    assert "What it derives" not in shown


def test_a_search_that_derives_says_by_which_rule(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=100)
    shown = words(page("live", run=run.id))
    assert "What it derives" in shown
    assert f"At step {run.progress.step:,}, by the rule of the search" in shown


def test_verdict_on_a_failed_search_says_first_that_it_failed(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=100, upto=60, state=RunState.FAILED)
    shown = words(page("live", run=run.id))
    assert FAILED in shown
    assert shown.index(FAILED) < shown.index("Goes well")
