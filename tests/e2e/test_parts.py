"""Parts of the pages that have no journey of their own, each used once in a real browser."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from app.costs import cost_view, edge_costs
from app.recording import restore
from engine.domain.config import make_training_config
from engine.domain.genotype import to_json
from engine.domain.run import RunState
from tests.e2e.conftest import House
from tests.e2e.seeding import alive, seed_run
from tests.e2e.trainings import seed_training
from tests.engine.domain.genotypes import older_input_only

pytestmark = pytest.mark.e2e

TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

COLLAPSED = Path(__file__).parents[1] / "engine/domain/recordings/collapsed.recording.gz"


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


def test_dead_parts_are_grey_and_say_why(house: House, page: Page):
    studio = house.studio
    seed_run(studio.store, studio.artifacts, count=20, name="of the same operations")
    settings = {"genotype": to_json(older_input_only()), "data": "digits", "cells": 6}
    run = studio.store.create(make_training_config(settings), name="half dead")
    studio.store.transition(run.id, RunState.STOPPED, why="only looked at")
    page.goto(f"{house.url}/architecture?run={run.id}")
    cells = page.locator(".derived.ready")
    expect(cells).to_have_attribute("data-kept", "8,8")
    expect(cells).to_have_attribute("data-dead", "0,8")
    unread = "no later cell reads this cell"
    expect(cells.locator(".note")).to_have_text(
        [f"1 of 4 normal cells is dead: {unread}.", f"2 of 2 reduction cells are dead: {unread}."]
    )
    reduction = cells.locator("section.cell").nth(1)
    expect(reduction.locator(".dead .tag")).to_have_count(8)
    expect(reduction.locator(".dead title").first).to_have_text(f"Dead: {unread}")
    expect(reduction.get_by_role("img")).to_have_accessible_name(
        re.compile("dead because no later")
    )
    expect(page.get_by_text("3 of 6 cells are dead").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"Dead parameters: [\d,]+ of [\d,]+ "))).to_be_visible()
    dead = page.locator(".strip.ready button.dead")
    expect(dead).to_have_count(3)
    expect(dead.first).to_have_attribute("title", re.compile(f"left out: {unread}"))
    dead.first.click()
    expect(page.get_by_text("This cell is dead and left out")).to_be_visible()


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
    page.get_by_role("spinbutton", name=re.compile("^New priority")).fill("5")
    page.get_by_role("button", name="Set priority").click()
    expect(rows.nth(0)).to_contain_text(names[1])
    assert studio.run(runs[1].id).priority == 5
    for run in runs:
        studio.stop(run.id)


def test_settings_are_examined_and_tried_before_a_search(house: House, engine, page: Page):
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


def test_a_collapsed_search_says_so_and_what_to_do(house: House, page: Page):
    """A search that really ran, from its recording."""
    alive(house.studio.store)
    run = restore(house.studio, COLLAPSED.read_bytes())
    page.goto(f"{house.url}/live?run={run.id}")
    verdict = page.locator(".stMarkdownBadge", has_text=re.compile("Collapsed|Too early"))
    expect(verdict).to_contain_text("Collapsed")
    expect(page.get_by_text("100% of the kept operations are skips")).to_be_visible()
    expect(page.get_by_role("link", name="Search again")).to_be_visible()
    second = house.studio.snapshots(run.id, epochs_only=True)[1].step
    page.goto(f"{house.url}/live?run={run.id}&step={second}")
    expect(verdict).to_contain_text("Too early to tell")


def test_heat_map_of_a_change_is_the_difference_of_two_moments(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=40, name="changes")
    page.goto(f"{house.url}/live?run={run.id}")
    expect(page.locator(".maps.ready")).to_be_visible()
    first, last = studio.snapshots(run.id, limit=1)[0], studio.snapshot(run.id)
    choice = page.get_by_role("combobox", name=re.compile("Compare with"))
    choice.scroll_into_view_if_needed()
    page.evaluate(TWO_FRAMES)  # a list closes when its page scrolls, which is told a frame later
    choice.click()
    page.get_by_role("option", name=f"Change since step {first.step}", exact=True).click()
    table = page.get_by_role("table", name=re.compile(f"from step {first.step} to {last.step}"))
    expect(table).to_have_count(len(last.probabilities))
    words = page.locator(".maps tbody td").evaluate_all("cells => cells.map((c) => c.ariaLabel)")
    changes = [
        100 * (now - then)
        for kind in last.probabilities
        for rows in zip(last.probabilities[kind], first.probabilities[kind], strict=True)
        for now, then in zip(*rows, strict=True)
    ]
    shown = [float(each.split(" points")[0].replace("−", "-")) for each in words]
    assert shown == pytest.approx(changes, abs=0.051)


def test_a_family_shows_who_was_forked_from_whom(house: House, page: Page):
    studio = house.studio
    parent = seed_run(studio.store, studio.artifacts, count=20, name="the parent")
    config = parent.search.model_copy(update={"draws": 7})
    child = studio.store.create(config, name="the child", parent_id=parent.id)
    page.goto(house.url)
    page.get_by_role("checkbox", name=re.compile("the parent")).check()
    page.get_by_role("button", name="Family").click()
    rows = page.get_by_role("table", name=f"Family of run {parent.id}").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("the child")
    expect(rows.nth(1)).to_contain_text("4 → 7")
    studio.stop(child.id)


def test_a_clone_starts_from_the_settings_of_an_old_search(house: House, page: Page):
    studio = house.studio
    run = seed_run(studio.store, studio.artifacts, count=20, name="to be cloned", epochs=23)
    page.goto(house.url)
    page.get_by_role("checkbox", name=re.compile("to be cloned")).check()
    page.get_by_role("button", name="Clone").click()
    expect(page).to_have_url(re.compile("/new"))
    expect(page.get_by_text(re.compile(rf"run {run.id}\b")).first).to_be_visible()
    page.get_by_text(re.compile("^Training · ")).click()
    expect(page.get_by_role("spinbutton", name=re.compile(r"^Epochs"))).to_have_value("23")


def test_each_station_of_a_lineage_is_a_click_away(house: House, page: Page):
    studio = house.studio
    search = seed_run(studio.store, studio.artifacts, count=20, name="the search")
    training = seed_training(studio, search, name="the training")
    page.goto(f"{house.url}/architecture?run={search.id}")
    page.get_by_role("link", name=re.compile(f"Trained by run {training.id}")).click()
    expect(page.get_by_role("heading", name="the training")).to_be_visible()
    page.get_by_role("link", name=re.compile("Found by")).click()
    expect(page).to_have_url(re.compile(f"architecture.*run={search.id}"))
    page.get_by_role("link", name=re.compile(f"Searched by run {search.id}")).click()
    expect(page.get_by_role("heading", name="the search")).to_be_visible()
    page.goto(f"{house.url}/architecture?run={search.id}")
    page.get_by_role("link", name="Take it home").click()
    expect(page.get_by_role("heading", name="Take it home")).to_be_in_viewport()
