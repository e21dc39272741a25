"""Screens look as they did when somebody last looked at them, and pass axe-core.

They are compared with kept pictures.

``pytest tests/e2e/test_looks.py --new-pictures`` keeps new ones, to be looked at before they are
committed.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
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

PHONE = 390
ON_A_PHONE = {"runs", "new-search", "live", "architecture", "compare"}
GRAVE = {"serious", "critical"}
"""Findings of axe that no page may have."""
OF_STREAMLIT = [["[data-testid=stButtonGroup]"]]
"""Left out: the chosen one of Streamlit's segments is written in a dark theme's primary colour on a
tint of it, which no primary colour passes that also carries white letters."""

CHANGING = r"""() => {
  const patterns = [
    [/\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2})?)?( UTC)?/g, "2026-01-01 00:00"],
    [/just now|\d+ (s|min|h|d) ago/g, "1 min ago"],
  ]
  const visit = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      for (const [pattern, text] of patterns) {
        const before = walker.currentNode.nodeValue
        const after = before.replace(pattern, text)
        if (after !== before) walker.currentNode.nodeValue = after
      }
    }
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) visit(node.shadowRoot)
  }
  visit(document.body)
}"""
"""Puts one text in the place of dates and ages."""

OF_THIS_MACHINE = "engine"
"""The page that is about the machine it stands on has no picture."""


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


def grave_findings(page: Page) -> list[str]:
    """Serious and critical findings of axe, one line an element."""
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]}"
        for rule in Axe().run(page, context={"exclude": OF_STREAMLIT}).response["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_screen_looks_as_it_did_and_everybody_can_use_it(
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
        findings = grave_findings(page)
        seen = picture_of(page)
    assert findings == []
    if screen.name == OF_THIS_MACHINE:
        return
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


@pytest.mark.parametrize(
    "screen",
    [screen for screen in SCREENS if screen.name in ON_A_PHONE],
    ids=lambda screen: screen.name,
)
def test_everybody_can_use_it_on_a_phone(
    house: House, browser: Browser, numbers: dict[str, int], screen: Screen
):
    alive(house.studio.store)
    url = house.url + screen.path.format(**numbers)
    with opened(browser, url, screen, scheme="light", width=PHONE) as page:
        assert grave_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_a_moved_button_is_seen():
    """The measure finds what it is for: a button's worth of pixels."""
    first = Image.new("RGB", (1440, 1000), "white")
    second = first.copy()
    assert share_that_differs(first, second) == 0
    second.paste((79, 70, 229), (700, 400, 860, 440))
    assert share_that_differs(first, second) > LARGEST_SHARE
    assert share_that_differs(first, second.resize((720, 500))) == 1
