"""Every page goes through axe-core, in light, in dark, and on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import House
from tests.e2e.screens import SCREENS, Screen, furnish, opened
from tests.e2e.seeding import alive

pytestmark = pytest.mark.e2e

GRAVE = {"serious", "critical"}
OF_STREAMLIT: dict[str, str] = {}
"""Rules that Streamlit's own widgets break, and where; nothing of ours may be named here."""


@pytest.fixture(scope="module")
def numbers(house: House) -> dict[str, int]:
    return furnish(house)


def grave_findings(page: Page) -> list[str]:
    """Serious and critical findings of axe, one line an element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
        if not is_of_streamlit(rule["id"], node)
    ]


def is_of_streamlit(rule: str, node: dict) -> bool:
    return rule in OF_STREAMLIT and OF_STREAMLIT[rule] in node["html"]


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1440), ("dark", 1440), ("light", 390)],
    ids=["light", "dark", "phone"],
)
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_page_has_no_serious_finding(
    house: House,
    browser: Browser,
    numbers: dict[str, int],
    screen: Screen,
    scheme: str,
    width: int,
):
    alive(house.studio.store)
    url = house.url + screen.path.format(**numbers)
    with opened(browser, url, screen, scheme=scheme, width=width) as page:
        assert grave_findings(page) == []
