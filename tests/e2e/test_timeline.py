"""One timeline: every part of the Live page shows the moment that is chosen in any of them."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from engine.domain.snapshot import Snapshot
from tests.e2e.conftest import House, stopped_clock
from tests.e2e.player import Player
from tests.e2e.seeding import seed_run
from tests.waiting import until

WIRE_UNIT = 1 / 255
"""Frames carry probabilities as bytes."""


class Parts:
    """The parts of the Live page that follow the timeline."""

    def __init__(self, page: Page) -> None:
        self.player = Player(page)
        self.maps = page.locator(".maps").first
        self.history = page.locator(".history")
        self.curves = page.locator(".curves")

    def all_show(self, step: int) -> None:
        """Wait until each of them does."""
        for part in (self.player.root, self.maps, self.history):
            shows(part, "step", str(step))
        shows(self.curves, "moment", str(step))


def shows(part: Locator, hook: str, value: str) -> None:
    """Wait until a part shows something; it draws only while it can be seen."""
    part.scroll_into_view_if_needed()
    expect(part).to_have_attribute(f"data-{hook}", value)


def opened(house: House, page: Page, *, count: int = 200, step: int | None = None) -> Parts:
    run = seed_run(house.studio.store, house.studio.artifacts, count=count)
    chosen = "" if step is None else f"&step={step}"
    page.goto(f"{house.url}/live?run={run.id}{chosen}")
    parts = Parts(page)
    parts.player.wait_for("n", str(count))
    expect(parts.history).to_have_attribute("data-n", str(count))
    return parts


def shares_in(maps: Locator) -> list[float]:
    """Probabilities that the first map says."""
    words = (
        maps.locator("section")
        .first.locator("tbody td")
        .evaluate_all("cells => cells.map((cell) => cell.ariaLabel)")
    )
    return [float(re.match(r"[\d.]+", word).group()) / 100 for word in words]


def latest(house: House, step: int) -> Snapshot:
    found = house.studio.snapshot(house.studio.runs()[0].id, step)
    assert found is not None
    return found


def test_all_parts_follow_the_slider_and_its_keys(house: House, page: Page):
    parts = opened(house, page, step=800)
    parts.all_show(800)
    parts.player.slider.focus()
    page.keyboard.press("ArrowRight")
    parts.all_show(810)
    moment = latest(house, 810)
    expected = [p for row in moment.probabilities["normal"] for p in row]
    until(
        lambda: shares_in(parts.maps) == pytest.approx(expected, abs=WIRE_UNIT),
        "the heat map to say what the moment holds",
    )
    expect(page).to_have_url(re.compile(r"step=810"))
    expect(page.get_by_text("At step 810, by the rule of the search")).to_be_visible()
    page.keyboard.press("Home")
    parts.all_show(10)


def test_a_row_of_the_heat_map_leads_to_the_curve_of_its_edge(house: House, page: Page):
    parts = opened(house, page)
    row = parts.maps.locator("section").nth(1).locator("tbody tr").nth(3)
    row.get_by_role("button").click()
    expect(parts.history).to_have_attribute("data-edge", "reduction 3")
    heading = parts.history.get_by_role("heading", name=re.compile("Reduction cell, edge"))
    expect(heading).to_be_visible()
    chosen = parts.history.locator("button[aria-pressed=true]")
    expect(chosen).to_have_count(1)
    assert chosen.text_content() == row.get_by_role("button").text_content()


def test_curve_of_an_edge_says_its_probabilities_at_the_moment(house: House, page: Page):
    parts = opened(house, page, step=1000)
    parts.history.locator(".names button").nth(5).click()
    expect(parts.history).to_have_attribute("data-edge", "normal 5")
    shows(parts.history, "step", "1000")
    page.mouse.move(0, 0)  # a chart says the values at the pointer, if it is there
    row = latest(house, 1000).probabilities["normal"][5]
    values = parts.history.locator(".card").first.locator(".legend b")
    until(
        lambda: (
            [float(text.rstrip(" %")) for text in values.all_text_contents()]
            == pytest.approx([100 * p for p in row], abs=0.5 + 100 * WIRE_UNIT)
        ),
        "the curve of the edge to say its probabilities",
    )


def test_expected_operations_of_a_node_are_those_of_the_probabilities(house: House, page: Page):
    parts = opened(house, page, step=1000)
    run, moment = house.studio.runs()[0], latest(house, 1000)
    members = house.studio.space(run).edges_of[1]
    draws = run.search.draws
    rows = [moment.probabilities["normal"][edge] for edge in members]
    expected = sum(1 - (1 - p) ** draws for row in rows for p in row)
    shows(parts.history, "step", "1000")
    value = parts.history.locator(".card").nth(1).locator(".legend b").nth(3)
    assert abs(float(value.text_content()) - expected) <= 0.15


def test_a_click_on_a_curve_and_on_the_map_goes_to_that_moment(house: House, page: Page):
    parts = opened(house, page)
    chart = parts.curves.locator(".u-over").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] / 2, "y": 40})
    expect(parts.player.root).to_have_attribute("data-state", "paused")
    step = int(parts.player.hook("step"))
    assert 900 <= step <= 1100
    parts.all_show(step)
    expect(page).to_have_url(re.compile(rf"step={step}"))
    map_ = parts.history.locator(".map").nth(1)
    map_.scroll_into_view_if_needed()
    size = map_.bounding_box()
    map_.click(position={"x": size["width"] / 4, "y": 15 * 6 + 7})
    expect(parts.history).to_have_attribute("data-edge", "reduction 6")
    expect(parts.history).not_to_have_attribute("data-step", str(step))
    step = int(parts.player.hook("step"))
    assert 450 <= step <= 550
    parts.all_show(step)
    assert parts.curves.locator(".moment").first.is_visible()
    page.get_by_role("button", name="GO TO LATEST").click()
    shows(parts.curves, "moment", "")
    expect(parts.curves.locator(".moment").first).to_be_hidden()


def test_two_clicks_show_everything_and_stay_at_the_moment(house: House, page: Page):
    parts = opened(house, page, step=800)
    chart = parts.curves.locator(".u-over").first
    chart.scroll_into_view_if_needed()
    with stopped_clock(page):
        chart.dblclick(position={"x": 50, "y": 40})
        page.clock.run_for(1000)
    parts.all_show(800)
