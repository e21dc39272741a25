"""From a search that has ended to a tested network, with the real engine and real digits."""

import re

import pytest
from playwright.sync_api import Page, expect

from engine.domain.genotype import from_json, to_masks
from engine.domain.run import RunState
from tests.e2e.conftest import House
from tests.e2e.seeding import seed_run
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.process]

SOME_STEPS = 12
"""Before the first of two epochs has ended."""


def test_what_a_search_found_is_trained_watched_and_tested(house: House, engine, page: Page):
    studio = house.studio
    search = seed_run(studio.store, studio.artifacts, count=20)
    house.gate.hold_runs(at=SOME_STEPS)
    page.goto(f"{house.url}/architecture?run={search.id}")
    expect(page.get_by_role("heading", name="Train this architecture")).to_be_visible()
    page.get_by_text("Settings", exact=True).click()
    for group, title, value in (("Network", "Cells", "2"), ("Training", "Epochs", "2")):
        page.get_by_role("tab", name=group, exact=True).click()
        field = page.get_by_role("spinbutton", name=title, exact=True)
        field.fill(value)
        field.press("Enter")
    page.get_by_role("button", name="Start the training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=\d+"))
    (run,) = studio.store.runs(purpose="training")
    assert page.url.endswith(f"run={run.id}")
    assert (run.config.cells, run.config.epochs) == (2, 2)
    found = studio.derive(search.id)
    assert to_masks(from_json(run.config.genotype)) == to_masks(found)

    cards = page.locator(".curves section.card")
    expect(cards).to_have_count(3)
    expect(cards.nth(1).locator("canvas")).to_be_visible()
    assert not studio.run(run.id).is_ended
    house.gate.open()
    until(lambda: studio.run(run.id).is_ended, "the training to end")
    ended = studio.run(run.id)
    assert ended.state is RunState.COMPLETED
    test = studio.series(run.id)
    (line,) = [one for one in test if one.name == "test_accuracy"]
    assert list(line.steps) == [ended.progress.total_steps]
    metric = page.locator(".board .tile").filter(has_text="Test accuracy")
    expect(metric).to_contain_text(f"{line.values[0]:.1f} %")
    expect(page.locator(".curves")).to_have_attribute("data-n", str(ended.progress.total_steps))

    page.get_by_role("link", name=f"Found by {search.name} (run {search.id})").click()
    expect(page).to_have_url(re.compile(rf"/architecture\?run={search.id}\b"))
    row = page.locator(f"tr[data-row='{run.id}']")
    expect(row).to_contain_text(f"Test {line.values[0]:.1f} %")
    row.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/live\?run={run.id}"))
