"""Runs are tidied, chosen and compared in a real browser."""

import csv
import re

import pytest
from playwright.sync_api import Page, expect

from app.components.overlay import smoothed
from tests.e2e.conftest import House
from tests.e2e.seeding import seed_run

pytestmark = pytest.mark.e2e


def seeded(house: House, name: str, **changes: object):
    return seed_run(house.studio.store, house.studio.artifacts, count=60, name=name, **changes)


def press(page: Page, key: str) -> None:
    """Press a button; one with a help text has a twin, on which the text is shown."""
    page.locator(f".{key} button").first.click()


def test_two_ticked_runs_are_compared_with_curves_and_differences(house: House, page: Page):
    first, second = seeded(house, "first", seed=1), seeded(house, "second", seed=1, draws=7)
    page.goto(house.url)
    for run in (first, second):
        page.locator(f"tr[data-row='{run.id}'] input").check()
    press(page, "st-key-compare")
    expect(page).to_have_url(re.compile(rf"/compare\?runs={first.id}(,|%2C){second.id}"))

    chart = page.locator(".overlay")
    expect(chart).to_have_attribute("data-lines", "2")
    expect(chart.locator("canvas")).to_be_visible()
    table = page.get_by_role("table", name="Settings that differ")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table.locator("tbody td")).to_have_text(["Draws M", "4", "7"])
    expect(page.locator(".derived .legend")).to_contain_text("only in the second")
    expect(page.locator(".derived .tag.added, .derived .tag.removed").first).to_be_attached()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)

    values = [one.metrics["train_loss"] for one in house.studio.snapshots(first.id)]
    chart.get_by_role("combobox", name="Figure").select_option("train_loss")
    chart.get_by_role("combobox", name="Against").select_option("time")
    expect(chart).to_have_attribute("data-view", "train_loss~time~0.00~lin")
    expect(chart).to_have_attribute("data-last", re.compile(rf"^{values[-1]:.5f}"[:-1]))
    chart.get_by_role("slider", name="Smoothing").fill("0.9")
    expect(chart).to_have_attribute(
        "data-last", re.compile(rf"^{smoothed(values, 0.9)[-1]:.4f}"[:-1])
    )
    chart.get_by_label("Log axis").check()
    expect(page).to_have_url(re.compile("view=train_loss(~|%7E)time(~|%7E)0.90(~|%7E)log"))
    page.reload()
    expect(chart).to_have_attribute("data-view", "train_loss~time~0.90~log")


def test_list_is_sorted_archived_and_saved_as_csv(house: House, page: Page):
    runs = [seeded(house, f"sorted {letter}", seed=4) for letter in "bca"]
    page.goto(f"{house.url}/?find=sorted")
    names = page.locator("tr[data-row] td a")
    expect(names).to_have_text(["sorted a", "sorted c", "sorted b"])
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page).to_have_url(re.compile("sort=name"))
    expect(names).to_have_text(["sorted a", "sorted b", "sorted c"])

    page.locator(f"tr[data-row='{runs[1].id}'] input").check()
    press(page, "st-key-archive")
    expect(names).to_have_text(["sorted a", "sorted b"])
    assert house.studio.run(runs[1].id).archived

    with page.expect_download() as caught:
        press(page, "st-key-csv")
    with caught.value.path().open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == ["sorted a", "sorted b"]
    assert [line["setting_seed"] for line in lines] == ["4", "4"]


def test_deletion_asks_first_and_takes_the_row_away(house: House, page: Page):
    run = seeded(house, "to be deleted")
    page.goto(f"{house.url}/?find=deleted")
    page.locator(f"tr[data-row='{run.id}'] input").check()
    press(page, "st-key-ask-delete")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    press(page, "st-key-ask-delete")
    dialog.get_by_role("button", name="Delete 1 run").click()
    expect(page.locator(f"tr[data-row='{run.id}']")).to_have_count(0)
    assert run.id not in [known.id for known in house.studio.runs()]
