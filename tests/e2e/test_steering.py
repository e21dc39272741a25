"""Fork and Change, as a person uses their dialogs in a real browser."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from engine.domain.run import RunState
from tests.e2e.conftest import House
from tests.e2e.player import Player
from tests.e2e.seeding import alive, seed_run
from tests.waiting import until

pytestmark = pytest.mark.e2e


def opened(page: Page, key: str) -> Locator:
    """Press a button of Live; the dialog that it opens."""
    page.locator(f".st-key-{key} button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def enter(dialog: Locator, label: str, value: str) -> None:
    field = dialog.get_by_role("spinbutton", name=re.compile(f"^{label}"))
    field.fill(value)
    field.press("Enter")


def test_a_paused_search_is_changed_and_the_page_follows(house: House, page: Page):
    studio = house.studio
    alive(studio.store)
    run = seed_run(
        studio.store, studio.artifacts, count=40, upto=20, state=RunState.PAUSED, name="to change"
    )
    page.goto(f"{house.url}/live?run={run.id}")
    dialog = opened(page, "live-change")
    expect(dialog.get_by_role("button", name="Change it")).to_be_disabled()
    enter(dialog, "Epochs", "30")
    expect(dialog.get_by_text("Epochs: 20 → 30")).to_be_visible()
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog).to_be_hidden()
    until(lambda: studio.run(run.id).config.epochs == 30, "the change to be stored")
    expect(page.get_by_text(re.compile("Epoch 10 of 30 ·"))).to_be_visible()
    expect(page.get_by_role("table", name="Event log")).to_contain_text("30")


def test_a_fork_leads_to_its_own_page_and_back_to_the_moment_it_came_from(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=40, name="to fork")
    page.goto(f"{house.url}/live?run={run.id}&step=120")
    Player(page).wait_for("step", "120")
    dialog = opened(page, "live-fork")
    expect(dialog.get_by_text(re.compile("starts from the probabilities of"))).to_contain_text(
        "step 120"
    )
    enter(dialog, "Draws M", "2")
    expect(dialog.get_by_text("Draws M: 4 → 2")).to_be_visible()
    dialog.get_by_role("button", name="Start the fork").click()
    expect(page).not_to_have_url(re.compile(rf"run={run.id}\b"))
    made = studio.runs()[0]
    assert (made.parent_id, made.search.draws, made.search.origin_step) == (run.id, 2, 120)
    expect(page).to_have_url(re.compile(rf"/live\?run={made.id}\b"))
    page.get_by_role("link", name=re.compile(rf"Forked from run {run.id} at step 120")).click()
    expect(page).to_have_url(re.compile(rf"run={run.id}&step=120|step=120&run={run.id}"))
    Player(page).wait_for("step", "120")
    studio.stop(made.id)


def test_a_closed_dialog_changes_nothing_and_opens_again(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=40, name="left alone")
    before = len(studio.runs())
    page.goto(f"{house.url}/live?run={run.id}")
    dialog = opened(page, "live-fork")
    enter(dialog, "Draws M", "9")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    dialog = opened(page, "live-fork")
    expect(dialog.get_by_role("button", name="Start the fork")).to_be_visible()
    expect(dialog.get_by_text("Nothing is changed yet.")).to_be_visible()
    assert len(studio.runs()) == before
