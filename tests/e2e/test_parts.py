"""Parts of the pages that have no journey of their own, each used once in a real browser."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from app.costs import cost_view, edge_costs
from engine.domain.run import RunState
from tests.e2e.conftest import House, until
from tests.e2e.seeding import alive, seed_run

pytestmark = pytest.mark.e2e


def test_gap_meter_shows_both_errors_of_the_last_epoch(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=40, name="with a gap")
    last = studio.snapshots(run.id, epochs_only=True)[-1].metrics
    page.goto(f"{house.url}/live?run={run.id}")
    meter = page.locator(".meter.ready")
    expect(meter.locator(".words")).to_contain_text(f"{abs(last['gap']):.1f}")
    for name in ("supernet_accuracy", "child_accuracy"):
        expect(meter.locator(".axis")).to_contain_text(f"{100 - last[name]:.1f} %")


def test_recorder_counts_what_was_drawn(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=40, name="drawn")
    page.goto(f"{house.url}/live?run={run.id}")
    recorder = page.locator(".draws.ready")
    expect(recorder).to_have_attribute("data-step", "400")
    kinds = studio.space(run).cell_kinds
    expect(recorder.locator("section")).to_have_count(len(kinds))
    for number, kind in enumerate(kinds):
        masks = [snapshot.codes[kind] for snapshot in studio.snapshots(run.id)]
        on = sum(mask.bit_count() for code in masks for mask in code) / len(masks)
        sizes = recorder.locator("section").nth(number).locator("li .size").all_text_contents()
        assert sum(float(size.split(" / ")[0]) for size in sizes) == pytest.approx(on, abs=0.05)


def test_a_cell_of_the_network_shows_the_cost_of_its_edges(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=40, name="costly")
    genotype = studio.derive(run.id)
    view = cost_view(studio, run.id, genotype)
    page.goto(f"{house.url}/architecture?run={run.id}")
    strip = page.locator(".strip.ready")
    for cell in (0, 1):
        strip.get_by_role("button", name=re.compile(rf"^Cell {cell + 1}\.")).click()
        expect(page.get_by_text(f"By edge, in cell {cell + 1}").first).to_be_visible()
        table = page.get_by_role("table", name=f"By edge, in cell {cell + 1}")
        expect(table.locator("tbody tr")).to_have_count(len(edge_costs(view, genotype, cell)))


def test_what_is_shared_opens_elsewhere(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=20, name="to be shared")
    page.goto(f"{house.url}/live?run={run.id}")
    taken = {}
    for label in ("report", "replay", "animation"):
        button = page.get_by_role("button", name=re.compile(rf"^Download (the|an) {label}$"))
        button.scroll_into_view_if_needed()
        with page.expect_download() as caught:
            button.click()
        taken[label] = Path(caught.value.path()).read_bytes()
    for label in ("report", "replay"):
        text = taken[label].decode()
        assert "to be shared" in text
        assert 'src="http' not in text
    with Image.open(io.BytesIO(taken["animation"])) as animation:
        assert animation.format == "GIF"
        assert animation.n_frames > 1


def test_queue_follows_a_new_priority(house: House, page: Page):
    studio = house.studio
    alive(studio.store)
    names = ("waits first", "waits second")
    runs = [
        seed_run(studio.store, studio.artifacts, count=1, state=RunState.QUEUED, name=name)
        for name in names
    ]
    page.goto(f"{house.url}/engine")
    rows = page.get_by_role("table", name="Queue").locator("tbody tr")
    expect(rows.nth(0)).to_contain_text(names[0])
    page.get_by_role("combobox", name=re.compile("Waiting run")).click()
    page.get_by_role("option", name=re.compile(names[1])).click()
    field = page.get_by_role("spinbutton", name=re.compile("^Priority"))
    field.fill("5")
    field.press("Enter")
    page.get_by_role("button", name="Set priority").click()
    expect(rows.nth(0)).to_contain_text(names[1])
    assert studio.run(runs[1].id).priority == 5
    for run in runs:
        studio.stop(run.id)


def test_settings_are_examined_and_tried_before_a_search(house: House, engine, page: Page):
    until(lambda: bool(house.studio.living_nodes()), "the engine to live")
    page.goto(f"{house.url}/new")
    page.get_by_role("button", name="Examine the data").click()
    expect(page.get_by_text("Good.").first).to_be_visible()
    expect(page.locator(".examination.ready")).to_be_visible()
    page.get_by_role("button", name="Try the first steps").click()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    fits = page.get_by_test_id("stMetric")
    expect(fits).to_have_count(4)
    expect(page.get_by_text(re.compile(r"The supernet has [\d,]+ weights"))).to_be_visible()
    assert not [run for run in house.studio.runs() if not run.is_ended]
