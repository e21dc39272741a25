"""The health of a search on its page, at the chosen moment."""

from app.health_text import health_of, measures, topology_lines
from app.studio import Studio
from engine.domain.diagnosis import examine
from engine.domain.health import Verdict
from engine.domain.run import RunState
from pages.health import BADGES, FAILED
from tests.e2e.seeding import seed_run
from tests.pages.conftest import OpenPage, words


def test_page_shows_the_verdict_its_moment_and_what_it_rests_on(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=200)
    health = health_of(studio, run)
    assert health is not None
    shown = words(page("live", run=run.id))
    assert health.verdict.label == "On track"
    assert "On track" in shown
    assert health.headline in shown
    assert measures(health).startswith("Epoch 20 of 20, step 2,000 · entropy")
    assert measures(health) in shown
    unmarked = shown.replace("\\", "")
    assert all(line in unmarked for line in topology_lines(health))


def test_every_verdict_has_a_badge_of_its_own():
    assert set(BADGES) == set(Verdict)
    assert len(set(BADGES.values())) == len(Verdict)


def test_health_follows_the_step_in_the_address(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=200)
    epochs = studio.snapshots(run.id, epochs_only=True)
    early = examine(studio.space(run), run.search, epochs[:1])
    assert early is not None
    shown = words(page("live", run=run.id, step=epochs[0].step))
    assert "Too early to tell" in shown
    assert measures(early) in shown


def test_what_is_wrong_stands_with_its_advice_and_a_way_out(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, epochs=3)
    health = health_of(studio, run)
    assert health is not None
    tab = page("live", run=run.id)
    shown = words(tab).replace("\\", "")
    assert "Too short to tell" in shown
    for finding in health.findings:
        assert finding.text in shown
        assert finding.advice in shown


def test_a_stopped_search_is_judged_by_what_there_is(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=200, upto=100, state=RunState.STOPPED)
    health = health_of(studio, run)
    assert health is not None
    assert health.is_over
    first = health_of(studio, run, studio.snapshots(run.id, epochs_only=True)[4].step)
    assert first is not None
    assert not first.is_over


def test_before_the_first_epoch_the_page_says_when_there_will_be_a_verdict(studio, page):
    run = seed_run(studio.store, studio.artifacts, count=0)
    assert "Health appears after epoch 1" in words(page("live", run=run.id))


def test_random_search_has_no_verdict(studio: Studio, page: OpenPage):
    chance = seed_run(studio.store, studio.artifacts, count=100, method="random", candidates=2)
    assert health_of(studio, chance) is None
    shown = words(page("live", run=chance.id))
    assert "Health appears" not in shown
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
    health = health_of(studio, run)
    assert health is not None
    assert not health.is_over
    assert shown.index(FAILED) < shown.index(health.verdict.label)
