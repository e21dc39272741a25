"""The tour of the README, walked as somebody does who has a folder of images and no manual.

``pytest tests/e2e/test_tour.py --new-pictures`` takes the tour's pictures anew.
"""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from sklearn.datasets import load_digits

from app.advice import advise
from app.health_text import health_of
from engine.domain.run import RunState
from tests.e2e.conftest import House
from tests.e2e.player import Player
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.e2e, pytest.mark.process, pytest.mark.timeout(3000)]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH, HEIGHT = 1280, 860
COLOURS = 192
A_CLASS = 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's images: 24 PNG files a class, as ``train/<class>/*.png``."""
    digits = load_digits()
    for label in range(10):
        place = tmp_path / "my-images" / "train" / f"digit-{label}"
        place.mkdir(parents=True)
        for number, pixels in enumerate(digits.images[digits.target == label][:A_CLASS]):
            picture = Image.fromarray((pixels * 15).astype(np.uint8)).resize((16, 16))
            picture.save(place / f"{number:03d}.png")
    return tmp_path / "my-images"


@pytest.fixture
def page(browser: Browser):
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, accept_downloads=True, color_scheme="light"
    )
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_SECONDS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


class Camera:
    """Takes the pictures of the tour, where new ones are asked for."""

    def __init__(self, page: Page, *, on: bool) -> None:
        self.page, self.on = page, on

    def take(self, name: str) -> None:
        if not self.on:
            return
        self.page.wait_for_timeout(1500)
        taken = Image.open(BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")
        taken.quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)


def test_a_folder_of_images_becomes_a_network_in_onnx(
    house: House, engine, page: Page, folder: Path, request: pytest.FixtureRequest
):
    camera = Camera(page, on=request.config.getoption("--new-pictures"))
    page.goto(house.url)
    start_on_a_folder(page, folder, camera)
    watch(house, page, camera)
    choose(house, page, camera)
    network = take_home(page, camera)
    answers = onnxruntime.InferenceSession(network).run(
        None, {"images": np.zeros((3, 1, 16, 16), np.float32)}
    )
    assert answers[0].shape == (3, 10)


def start_on_a_folder(page: Page, folder: Path, camera: Camera) -> None:
    """From the first page to a running search on the folder."""
    page.get_by_role("link", name="New search").click()
    data = page.get_by_role("combobox", name=re.compile("^Data"))
    data.click()
    data.fill(str(folder))
    data.press("Enter")
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.get_by_role("button", name="Check the data").click()
    expect(page.get_by_text(f"{10 * A_CLASS} training images")).to_be_visible()
    camera.take("tour-1-new-search")
    page.get_by_role("button", name="Start the search").click()
    expect(page).to_have_url(re.compile(r"/live\?run=1"))


def watch(house: House, page: Page, camera: Camera) -> None:
    """Watch it, and read whether it goes well."""
    player = Player(page)
    player.wait_for_more_than(4)
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0
    until(
        lambda: house.studio.run(1).is_ended,
        "the search to end",
        patience_seconds=3 * PATIENCE_SECONDS,
    )
    assert house.studio.run(1).state is RunState.COMPLETED
    player.wait_for("run", "completed")
    health = health_of(house.studio, house.studio.run(1))
    assert health is not None
    expect(page.get_by_text(f"Epoch {health.epoch} of {health.epochs}, step")).to_be_visible()
    for finding in health.findings:
        expect(page.get_by_text(finding.text.replace("`", ""))).to_be_visible()
    camera.take("tour-2-live")


def choose(house: House, page: Page, camera: Camera) -> None:
    """See which architecture to take."""
    page.get_by_test_id("stMain").get_by_role("link", name="Architecture").first.click()
    run = house.studio.run(1)
    found = advise(house.studio, run, None, house.studio.derive(run.id))
    assert found is not None
    expect(page.get_by_text(found.text.split(". ")[0].replace("`", ""))).to_be_visible()
    expect(page.locator(".derived svg").first).to_be_visible()
    camera.take("tour-3-architecture")


def take_home(page: Page, camera: Camera) -> bytes:
    """Have the network prepared as ONNX, and download it."""
    card = page.locator(".st-key-prepare-onnx")
    card.scroll_into_view_if_needed()
    card.get_by_role("button").first.click()
    download = page.locator(".st-key-download-onnx button")
    expect(download).to_be_visible()
    download.scroll_into_view_if_needed()
    camera.take("tour-4-onnx")
    with page.expect_download() as caught:
        download.click()
    return caught.value.path().read_bytes()
