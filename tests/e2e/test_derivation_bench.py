"""The derivation bench in a real browser."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.bench import bench, changed_rule
from app.settings import Settings
from engine.domain.genotype import from_json
from tests.app.one_edge_runs import ONE_EDGE, seed_one_edge_run
from tests.app.truth_files import write_table
from tests.e2e.conftest import House
from tests.e2e.seeding import seed_run

pytestmark = pytest.mark.e2e


def kept(genotype) -> str:
    return ",".join(str(sum(map(len, cell))) for cell in genotype.cells.values())


def test_a_rule_chosen_by_hand_redraws_the_cell_and_follows_into_the_download(
    house: House, page: Page
):
    run = seed_run(house.studio.store, house.studio.artifacts, count=60)
    page.goto(f"{house.url}/architecture?run={run.id}&step=300")
    drawing = page.locator(".derived")
    expect(drawing).to_have_attribute("data-kept", kept(bench(house.studio, run.id, 300).genotype))

    page.get_by_role("combobox", name=re.compile("Rule")).click()
    page.get_by_role("option", name="One draw").click()
    expect(page).to_have_url(re.compile("rule=draw"))
    unseeded = bench(
        house.studio, run.id, 300, changed_rule(house.studio, run, 300, name="draw", seed=0)
    )
    expect(drawing).to_have_attribute("data-kept", kept(unseeded.genotype))
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    seed = page.get_by_role("spinbutton", name="Seed", exact=True)
    seed.fill("12")
    seed.press("Enter")
    expect(page).to_have_url(re.compile("seed=12"))

    found = bench(
        house.studio, run.id, 300, changed_rule(house.studio, run, 300, name="draw", seed=12)
    )
    expect(drawing).to_have_attribute("data-kept", kept(found.genotype))
    with page.expect_download() as caught:
        page.locator(".st-key-download-genotype button").click()
    document = caught.value.path().read_text()
    assert from_json(document) == found.genotype
    assert json.loads(document)["rule"]["seed"] == 12

    page.reload()
    expect(page.get_by_role("spinbutton", name="Seed", exact=True)).to_have_value("12")
    expect(drawing).to_have_attribute("data-kept", kept(found.genotype))


def test_published_accuracies_are_charted_where_a_table_fits(house: House, page: Page):
    home = Settings.from_environment(house.environment).home
    path = write_table(Path(home) / "tables" / "one_edge.npz", ONE_EDGE)
    run = seed_one_edge_run(house.studio)
    try:
        page.goto(f"{house.url}/live?run={run.id}")
        card = page.locator(".curves section.card", has_text="True accuracy")
        expect(card.locator("canvas")).to_be_visible()
        expect(card.locator(".legend b")).to_have_text(re.compile(r"^[0-9.]+$"))
        expect(page.locator(".curves section.card", has_text="True rank")).to_be_visible()
    finally:
        path.unlink()
