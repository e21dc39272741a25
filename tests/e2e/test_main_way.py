"""From the first button to the genotype in hand, with the real engine and real digits."""

import re

import pytest
from playwright.sync_api import Page, expect

from engine.domain.genotype import from_json, to_darts
from engine.domain.run import RunState
from tests.e2e.conftest import House
from tests.e2e.player import Player
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.process]

STOPS = (24, 72, 120)
"""Steps after which the search waits for the person: in its second, fifth and eighth epoch."""


def test_first_button_leads_to_a_genotype_in_hand(house: House, engine, page: Page):
    studio, gate = house.studio, house.gate
    gate.hold_runs(at=STOPS[0])
    page.goto(house.url)
    page.get_by_role("button", name="Start the digits search").click()
    expect(page).to_have_url(re.compile(r"/live\?run=1"))

    player = Player(page)
    count = player.wait_for_more_than(2)
    player.mark()
    before = player.drawing()
    gate.hold_runs(at=STOPS[1])
    later = player.wait_for_more_than(count + 2)
    assert later > count
    assert player.drawing() != before
    assert player.still_marked()
    player.wait_for("state", "live")

    until(lambda: studio.run(1).progress.epoch >= 1, "the end of the first epoch")
    player.slider.focus()
    page.keyboard.press("Home")
    first = studio.snapshots(1, limit=1)[0]
    player.wait_for("step", str(first.step))
    player.wait_for("state", "paused")
    expect(page).to_have_url(re.compile(rf"step={first.step}\b"))

    page.get_by_role("button", name="Pause", exact=True).first.click()
    until(lambda: studio.run(1).state is RunState.PAUSED, "the search to pause")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    paused_at = studio.run(1).progress.step

    page.reload()
    player = Player(page)
    player.wait_for("step", str(first.step))
    page.get_by_role("button", name="GO TO LATEST").click()
    seen = int(player.hook("n"))
    gate.hold_runs(at=STOPS[2])
    page.get_by_role("button", name="Resume").click()
    until(lambda: studio.run(1).progress.step > paused_at, "the search to go on")
    assert player.wait_for_more_than(seen) > seen

    page.get_by_role("button", name="Stop", exact=True).click()
    until(lambda: studio.run(1).state is RunState.STOPPED, "the search to stop")
    page.get_by_test_id("stMain").get_by_role("link", name="Architecture").click()
    expect(page).to_have_url(re.compile(r"/architecture\?run=1"))
    with page.expect_download() as caught:
        page.locator(".st-key-download-genotype button").click()
    genotype = from_json(caught.value.path().read_text())
    assert genotype == studio.derive(1)
    assert genotype.lineage["run"] == studio.run(1).uid
    expect(page.locator("[data-testid=stCode]")).to_have_text(to_darts(genotype))
    kept = [sum(len(genes) for genes in cell) for cell in genotype.cells.values()]
    expect(page.locator(".derived")).to_have_attribute("data-kept", ",".join(map(str, kept)))
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download").click()
    checkpoint = studio.checkpoints(1)[-1]
    assert caught.value.path().stat().st_size == checkpoint.size_bytes
