"""The cell player as a person meets it: through its hooks, its keys and its controls."""

from playwright.sync_api import Locator, Page, expect

from tests.waiting import PATIENCE_SECONDS, come_late


class Player:
    """The player of the page that is open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root: Locator = page.locator(".player[data-n]").first
        self.slider = page.get_by_role("slider", name="Moment of the search")

    def wait_for(self, hook: str, value: str) -> None:
        """Wait until ``data-<hook>`` has a value."""
        expect(self.root).to_have_attribute(f"data-{hook}", value)
        come_late()

    def hook(self, name: str) -> str:
        return self.root.get_attribute(f"data-{name}") or ""

    def wait_for_more_than(self, count: int) -> int:
        """Wait until more than ``count`` moments are there; returns how many."""
        self.page.wait_for_function(
            "([root, count]) => Number(root.dataset.n) > count",
            arg=[self.root.element_handle(), count],
            timeout=1000 * PATIENCE_SECONDS,
        )
        come_late()
        return int(self.hook("n"))

    def drawing(self) -> list[str]:
        """What is written at every edge."""
        return self.root.locator(".label").all_text_contents()

    def mark(self) -> None:
        """Leave a mark on the very nodes that are on the screen."""
        self.root.evaluate(
            "root => { window.marked = [root, ...root.querySelectorAll('svg, canvas, .edge')] }"
        )

    def still_marked(self) -> bool:
        """Whether none of the marked nodes was replaced."""
        return bool(
            self.root.evaluate(
                "root => { const now = [root, ...root.querySelectorAll('svg, canvas, .edge')];"
                " return now.length === window.marked.length"
                " && now.every((node, i) => node === window.marked[i] && node.isConnected) }"
            )
        )
