"""A refresh of the page that a browser leaves reaches the server after the page that it opens."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.e2e.conftest import House
from tests.e2e.seeding import seed_run

pytestmark = pytest.mark.e2e


class LateRefresh:
    """Between browser and server: repeats the last refresh, once, when another page begins.

    Attributes:
        is_sent: Whether it did so.
        is_answered: Whether the server has answered it.
    """

    def __init__(self, page: Page) -> None:
        self.forget()
        page.route_web_socket(re.compile("/_stcore/stream"), self._between)

    def forget(self) -> None:
        """Forget what was asked, sent and answered so far."""
        self.is_sent = self.is_answered = False
        self._refresh: bytes | None = None
        self._of = ""

    def _between(self, browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()

        def asked(frame: str | bytes) -> None:
            self._note(frame)
            server.send(frame)

        def answered(frame: str | bytes) -> None:
            assert isinstance(frame, bytes)
            said = ForwardMsg.FromString(frame)
            if self._refresh and not self.is_sent and self._begins_another(said):
                server.send(self._refresh)
                self.is_sent = True
            browser.send(frame)
            self.is_answered |= self.is_sent and ends_a_refresh(said)

        browser.on_message(asked)
        server.on_message(answered)

    def _note(self, frame: str | bytes) -> None:
        assert isinstance(frame, bytes)
        rerun = BackMsg.FromString(frame).rerun_script
        if rerun.is_auto_rerun:
            self._refresh, self._of = frame, rerun.page_script_hash

    def _begins_another(self, said: ForwardMsg) -> bool:
        return said.WhichOneof("type") == "new_session" and (
            said.new_session.page_script_hash != self._of
        )

    @property
    def is_ready(self) -> bool:
        """Whether the browser has asked for a refresh."""
        return self._refresh is not None


def ends_a_refresh(said: ForwardMsg) -> bool:
    """Whether the server has drawn a part of a page, or found none to draw."""
    return said.WhichOneof("type") == "script_finished" and (
        said.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
    )


def hurried(house: House, page: Page, late: LateRefresh, name: str) -> int:
    """The list of runs with one of them ticked, which has just asked for a refresh."""
    run = seed_run(house.studio.store, house.studio.artifacts, count=20, name=name)
    page.goto(house.url)
    page.get_by_role("checkbox", name=re.compile(name)).check()
    while not late.is_ready:
        page.wait_for_timeout(100)
    return run.id


def answered(page: Page, late: LateRefresh) -> bool:
    """Wait until the late refresh has been answered, and could have emptied the page.

    False where Streamlit took it for a part of the page that begins: nothing is
    drawn for it then.
    """
    for _ in range(80):
        if late.is_answered:
            page.wait_for_timeout(2000)
            return True
        page.wait_for_timeout(100)
    return False


def left_late(
    house: House, page: Page, late: LateRefresh, name: str, leave: Callable[[], None]
) -> int:
    """Leave the list of runs, again and again, until a refresh of it comes late."""
    for attempt in range(12):
        late.forget()
        number = hurried(house, page, late, f"{name}, try {attempt}.")
        leave()
        if answered(page, late):
            return number
    raise AssertionError("No refresh was answered after the page that was opened.")


def test_a_late_refresh_does_not_empty_a_page_that_a_button_opens(house: House, page: Page):
    late = LateRefresh(page)
    clone = page.get_by_role("button", name="Clone")
    number = left_late(house, page, late, "left by a button", clone.click)
    expect(page).to_have_url(re.compile(f"/new.*clone={number}"))
    expect(page.get_by_text(re.compile(rf"run {number}\b")).first).to_be_visible()
    expect(page.get_by_role("button", name="Start the search")).to_be_visible()


def test_a_late_refresh_does_not_empty_a_page_that_a_link_opens(house: House, browser: Browser):
    """In a tab whose console may have errors: Streamlit's script may end, and is loaded anew."""
    with browser.new_context() as context:
        page = context.new_page()
        late = LateRefresh(page)
        engine = page.get_by_test_id("stSidebar").get_by_role("link", name="Engine")
        left_late(house, page, late, "left by a link", engine.click)
        expect(page).to_have_url(re.compile("/engine"))
        expect(page.get_by_role("heading", name="Machines")).to_be_visible()
