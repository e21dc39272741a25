"""Screens look as they did when somebody last looked at them: compared with kept pictures.

``pytest tests/e2e/test_looks.py --new-pictures`` keeps new ones, to be looked at before they are
committed.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import House
from tests.e2e.screens import SCREENS, Screen, furnish, opened
from tests.e2e.seeding import alive

pytestmark = pytest.mark.e2e

PICTURES = Path(__file__).parent / "pictures"
COLOURS = 256
"""Of a kept picture; enough for a screen, and a quarter of the bytes."""
VISIBLE = 48
"""Difference of a colour's part, of 255, below which two pixels count as alike."""
LARGEST_SHARE = 0.004
"""Share of pixels that may differ, for the edges of letters in another version of a browser."""

CHANGING = r"""() => {
  const patterns = [
    [/\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2})?)?( UTC)?/g, "2026-01-01 00:00"],
    [/\d+ (s|min|h|d) ago/g, "1 min ago"],
  ]
  const visit = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      for (const [pattern, text] of patterns) {
        const value = walker.currentNode.nodeValue
        if (pattern.test(value)) walker.currentNode.nodeValue = value.replace(pattern, text)
      }
    }
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) visit(node.shadowRoot)
  }
  visit(document.body)
}"""
"""Puts one text in the place of dates and ages."""

LOOKED_AT = [screen for screen in SCREENS if screen.name != "engine"]
"""All but the engine's page, which is about the machine it stands on."""


@pytest.fixture(scope="module")
def numbers(house: House) -> dict[str, int]:
    return furnish(house)


def picture_of(page: Page) -> Image.Image:
    page.evaluate(CHANGING)
    taken = page.screenshot(animations="disabled", caret="hide")
    return Image.open(BytesIO(taken)).convert("RGB")


def share_that_differs(first: Image.Image, second: Image.Image) -> float:
    """Share of pixels of which a part differs visibly; 1 where the sizes do."""
    if first.size != second.size:
        return 1.0
    parts = np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).max(axis=2)
    return float((parts > VISIBLE).mean())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", LOOKED_AT, ids=lambda screen: screen.name)
def test_screen_looks_as_it_did(
    house: House,
    browser: Browser,
    numbers: dict[str, int],
    screen: Screen,
    scheme: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
):
    path = PICTURES / f"{screen.name}-{scheme}.png"
    alive(house.studio.store)
    url = house.url + screen.path.format(**numbers)
    with opened(browser, url, screen, scheme=scheme) as page:
        seen = picture_of(page)
    if request.config.getoption("--new-pictures"):
        PICTURES.mkdir(exist_ok=True)
        seen.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
    kept = Image.open(path).convert("RGB")
    share = share_that_differs(seen, kept)
    if share > LARGEST_SHARE:
        seen.save(tmp_path / path.name)
    assert share <= LARGEST_SHARE, f"see {tmp_path / path.name} beside {path}"


def test_a_moved_button_is_seen():
    """The measure finds what it is for: a button's worth of pixels."""
    first = Image.new("RGB", (1440, 1000), "white")
    second = first.copy()
    assert share_that_differs(first, second) == 0
    second.paste((79, 70, 229), (700, 400, 860, 440))
    assert share_that_differs(first, second) > LARGEST_SHARE
    assert share_that_differs(first, second.resize((720, 500))) == 1
