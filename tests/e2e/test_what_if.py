"""Changing an architecture by hand in a real browser."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.library import genotypes
from engine.domain.genotype import from_json, to_masks
from tests.e2e.conftest import House
from tests.e2e.seeding import seed_run

pytestmark = [pytest.mark.e2e, pytest.mark.process]


def test_a_change_is_worth_something_at_once_and_can_be_kept(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=60)
    derived = studio.derive(run.id)
    page.goto(f"{house.url}/architecture?run={run.id}")
    editor = page.locator(".editor.ready")
    expect(editor).to_be_visible()
    normal = editor.locator('section[data-kind="normal"]')
    normal.get_by_role("button", pressed=True).first.click()
    expect(editor).to_have_attribute("data-removed", "1")
    normal.get_by_role("button", name=re.compile("^0→1, Separable convolution 5x5")).click()
    expect(editor).to_have_attribute("data-added", "1")
    kept = [sum(len(genes) for genes in cell) for cell in derived.cells.values()]
    drawn = page.locator(".st-key-edited .derived")  # by the page, which hears of both changes
    expect(drawn).to_have_attribute("data-kept", ",".join(map(str, kept)))
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_role("button", name="Keep in the library")).to_be_visible()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download the genotype").click()
    assert caught.value.suggested_filename.endswith(".json")
    text = Path(caught.value.path()).read_text()
    assert json.loads(text)["lineage"]["edited"] == {"added": 1, "removed": 1}
    differing = sum(
        (mask ^ other).bit_count()
        for mask, other in zip(
            to_masks(derived)["normal"], to_masks(from_json(text))["normal"], strict=True
        )
    )
    assert differing == 2
    page.get_by_role("button", name="Keep in the library").click()
    expect(page.get_by_text("Kept as")).to_be_visible()
    assert [entry.name for entry in genotypes(studio)] == [f"{run.name}, edited"]
    editor.get_by_role("button", name="As derived").click()
    expect(page.get_by_role("button", name="Keep in the library")).to_have_count(0)
