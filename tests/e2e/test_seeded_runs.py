"""The pages in a real browser on recorded searches."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from engine.domain.run import RunState
from tests.e2e.conftest import VIEWPORT, House, answers, stopped_clock
from tests.e2e.player import Player
from tests.e2e.seeding import CPU, Synthetic, alive, extend_run, seed_run
from tests.ports import reserved_port
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.e2e

SOCKETS = re.compile(r"/api/runs/")
"""Where parts of a page listen to a run: its frames, its curves and its key figures."""


def test_running_graph_redraws_without_a_remount(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=20, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=100)
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "20")
    player.wait_for("state", "live")
    player.mark()
    before = player.drawing()
    for end in (40, 60, 80):
        extend_run(store, run, search, end - 20, end)
        player.wait_for("n", str(end))
        player.wait_for("step", str(10 * end))
    assert player.drawing() != before
    assert player.still_marked()


def test_a_history_that_is_taken_back_is_shown_anew(house: House, page: Page):
    """A new attempt begins at the last checkpoint, far before the moment that is shown."""
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=1400, upto=1300, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=1400)
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "1300")
    player.wait_for("state", "live")
    store.transition(run.id, RunState.QUEUED, why="the worker died", attempt=run.attempt)
    again = store.claim(run.id, node=run.node, device=CPU)
    left = len(house.studio.snapshots(run.id))
    assert left < 10
    extend_run(store, again, search, left, 20)
    player.wait_for("n", "20")
    player.wait_for("step", "200")
    player.wait_for("connection", "connected")
    player.wait_for("state", "live")


def test_who_looks_at_a_moment_that_is_taken_back_waits_for_it_or_goes_on(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=60, upto=40, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=60)
    page.goto(f"{house.url}/live?run={run.id}&step=300")
    player = Player(page)
    player.wait_for("n", "40")
    player.wait_for("step", "300")
    store.transition(run.id, RunState.QUEUED, why="the worker died", attempt=run.attempt)
    again = store.claim(run.id, node=run.node, device=CPU)
    left = len(house.studio.snapshots(run.id))
    extend_run(store, again, search, left, 20)
    player.wait_for("n", "20")
    player.wait_for("step", "200")
    extend_run(store, again, search, 20, 40)
    player.wait_for("n", "40")
    player.wait_for("step", "300")
    player.wait_for("state", "paused")
    page.get_by_role("button", name="GO TO LATEST").click()
    extend_run(store, again, search, 40, 45)
    player.wait_for("step", "450")
    player.wait_for("state", "live")


def test_three_thousand_moments_play_scrub_and_obey_keys(house: House, page: Page):
    store = house.studio.store
    run = seed_run(store, house.studio.artifacts, count=3000)
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "3000")
    player.wait_for("range", "10-30000")
    player.mark()

    player.slider.focus()
    page.keyboard.press("Home")
    player.wait_for("step", "10")
    page.keyboard.press("ArrowRight")
    player.wait_for("step", "20")
    page.keyboard.press("ArrowLeft")
    player.wait_for("step", "10")
    expect(page).to_have_url(re.compile(r"step=10\b"))

    page.get_by_label("Playing speed").select_option("300")
    player.slider.focus()
    with stopped_clock(page):
        page.keyboard.press("Space")
        player.wait_for("state", "playing")
        page.clock.run_for(2000)
        page.keyboard.press("Space")
        player.wait_for("state", "paused")
    assert abs(int(player.hook("step")) - 6000) < 300

    page.locator("canvas.strip").first.click()
    chosen = int(player.hook("step"))
    assert abs(chosen - 15_000) < 300
    expect(page).to_have_url(re.compile(rf"step={chosen}\b"))
    expect(page.get_by_text(f"At step {chosen:,}, by the rule of the search")).to_be_visible()

    player.slider.focus()
    page.keyboard.press("End")
    player.wait_for("step", "30000")
    assert player.still_marked()


def test_address_brings_back_the_chosen_moment(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=100)
    page.goto(f"{house.url}/live?run={run.id}&step=420")
    player = Player(page)
    player.wait_for("step", "420")
    player.wait_for("state", "paused")
    page.get_by_role("button", name="GO TO LATEST").click()
    player.wait_for("step", "1000")
    expect(page).not_to_have_url(re.compile("step="))


def expect_words(table: Locator, expected: list[str]) -> None:
    """Wait until the cells of a heat map say something; none are there while it is drawn anew."""
    cells = table.locator("tbody td")
    until(
        lambda: cells.evaluate_all("all => all.map((c) => c.ariaLabel)") == expected,
        "each cell of the heat map to say what it holds",
    )


def test_heat_map_shows_the_chosen_moment(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=100)
    moment = house.studio.snapshot(run.id, 420)
    assert moment is not None
    page.goto(f"{house.url}/live?run={run.id}&step=420")
    for kind, name in (("normal", "Normal"), ("reduction", "Reduction")):
        table = page.get_by_role("table", name=f"{name} cell, step 420")
        expect(table.locator("tbody tr")).to_have_count(len(moment.probabilities[kind]))
        expected = [
            f"{100 * p:.1f} %" + (", drawn" if mask >> k & 1 else "")
            for row, mask in zip(moment.probabilities[kind], moment.codes[kind], strict=True)
            for k, p in enumerate(row)
        ]
        expect_words(table, expected)


def test_edge_tells_its_probabilities_on_focus(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=20)
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "20")
    edge = player.root.locator("[role=button][data-edge='0']").first
    edge.focus()
    detail = player.root.get_by_role("tooltip")
    expect(detail).to_be_visible()
    expect(detail.locator("li")).to_have_count(8)
    shares = [int(text.rstrip(" %")) for text in detail.locator("em").all_text_contents()]
    assert shares == sorted(shares, reverse=True)
    assert edge.get_attribute("aria-label")


def test_zoom_of_a_curve_survives_twenty_live_updates(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=50, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=100)
    page.goto(f"{house.url}/live?run={run.id}")
    curves = page.locator(".curves")
    expect(curves).to_have_attribute("data-n", "500")
    card = curves.locator(".card").nth(1)
    card.scroll_into_view_if_needed()
    plot = card.locator(".plot")
    everything = re.compile("-500$")
    expect(plot).to_have_attribute("data-range", everything)
    over = card.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    over.hover(position={"x": 0.2 * box["width"], "y": box["height"] / 2})
    page.mouse.down()
    over.hover(position={"x": 0.6 * box["width"], "y": box["height"] / 2})
    page.mouse.up()
    expect(card).to_have_attribute("data-zoomed", "true")
    expect(plot).not_to_have_attribute("data-range", everything)
    view = plot.get_attribute("data-range")
    canvas = card.locator("canvas").element_handle()
    for update in range(20):
        extend_run(store, run, search, 50 + update, 51 + update)
        expect(curves).to_have_attribute("data-n", str(510 + 10 * update))
        assert plot.get_attribute("data-range") == view
    assert card.locator("canvas").count() == 1
    assert canvas.evaluate("canvas => canvas.isConnected")
    card.get_by_role("button", name="Reset zoom").click()
    expect(plot).to_have_attribute("data-range", re.compile("-700$"))


def test_lost_connection_is_named_and_found_again(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=10, state=RunState.RUNNING)
    sockets: list[WebSocketRoute] = []

    def forward(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(SOCKETS, forward)
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "10")
    while len(sockets) < 3:
        page.wait_for_timeout(50)
    page.route("**/api/runs/**", lambda route: route.abort())
    for socket in sockets:
        socket.close()
    player.wait_for("connection", "reconnecting")
    expect(page.get_by_role("button", name="RECONNECTING")).to_be_visible()
    page.unroute("**/api/runs/**")
    player.wait_for("connection", "connected")
    search = Synthetic(run.config, house.studio.space(run), count=100)
    extend_run(store, run, search, 10, 12)
    player.wait_for("n", "12")


def test_a_page_that_listens_asks_for_nothing(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=10, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=100)
    listening: list[str] = []
    page.on("websocket", lambda socket: listening.append(socket.url))
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "10")
    while sum(bool(SOCKETS.search(url)) for url in listening) < 3:
        page.wait_for_timeout(50)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for number in range(10, 15):
        extend_run(store, run, search, number, number + 1)
        player.wait_for("n", str(number + 1))
    expect(page.locator(".curves")).to_have_attribute("data-n", "150")
    expect(page.locator(".board .words")).to_contain_text("step 150 of 1,000")
    assert not [url for url in asked if "/api/runs/" in url]


def test_where_no_socket_can_be_opened_it_asks(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=10, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=100)
    page.route_web_socket(SOCKETS, lambda socket: socket.close())
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    for number in range(10, 13):
        player.wait_for("n", str(number))
        extend_run(store, run, search, number, number + 1)
    player.wait_for("connection", "connected")
    expect(page.locator(".board .words")).to_contain_text("step 130 of 1,000")


def test_a_page_that_could_not_listen_tries_again_later(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=10, state=RunState.RUNNING)
    search = Synthetic(run.config, house.studio.space(run), count=100)
    shut, opened = [True], []

    def door(socket: WebSocketRoute) -> None:
        if shut:
            socket.close()
        else:
            opened.append(socket.connect_to_server())

    page.route_web_socket(SOCKETS, door)
    page.clock.install()
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("n", "10")
    extend_run(store, run, search, 10, 11)
    player.wait_for("n", "11")
    assert not opened
    shut.clear()
    page.clock.fast_forward(31_000)
    while len(opened) < 3:
        page.wait_for_timeout(50)
    extend_run(store, run, search, 11, 12)
    player.wait_for("n", "12")


def test_buttons_follow_a_state_that_somebody_else_has_changed(house: House, page: Page):
    store = house.studio.store
    alive(store)
    run = seed_run(store, house.studio.artifacts, count=100, upto=10, state=RunState.RUNNING)
    page.goto(f"{house.url}/live?run={run.id}")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    house.studio.pause(run.id)
    expect(page.get_by_text("pausing…").first).to_be_visible()
    store.transition(run.id, RunState.PAUSED, why="asked")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    store.transition(run.id, RunState.STOPPED, why="asked")
    expect(page.get_by_text("stopped").first).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_ended_run_is_no_longer_polled(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=20)
    page.goto(f"{house.url}/live?run={run.id}")
    player = Player(page)
    player.wait_for("connection", "ended")
    player.wait_for("run", "completed")


def test_runs_table_opens_a_run_and_shows_names_as_text(house: House, page: Page):
    name = "<img src=x onerror=alert(1)> ![x](http://127.0.0.1:9/x.png)"
    run = seed_run(house.studio.store, house.studio.artifacts, count=20, name=name)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(house.url)
    row = page.locator(f"tr[data-row='{run.id}']")
    expect(row.locator("td a")).to_have_text(name)
    row.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/live\?run={run.id}"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    assert not [url for url in asked if ":9/" in url]


def test_row_opens_though_a_refresh_swallows_the_wish(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=20)
    deaf: list[bool] = []

    def forward(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        first = not deaf
        deaf.append(False)
        socket.on_message(lambda message: None if first and deaf[0] else server.send(message))

    page.route_web_socket("**/_stcore/stream", forward)
    page.goto(house.url)
    row = page.locator(f"tr[data-row='{run.id}']")
    expect(row.get_by_role("link")).to_have_attribute("href", f"{house.url}/live?run={run.id}")
    deaf[0] = True
    row.click()
    expect(page).to_have_url(re.compile(rf"/live\?run={run.id}"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(run.name)


def test_row_opens_in_a_new_tab_as_a_link_does(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=20)
    page.goto(house.url)
    with page.context.expect_page() as opened:
        page.locator(f"tr[data-row='{run.id}']").click(modifiers=["Control"])
    expect(opened.value).to_have_url(re.compile(rf"/live\?run={run.id}"))
    expect(page).to_have_url(f"{house.url}/")


def test_api_refuses_without_the_run_s_own_token(house: House, page: Page):
    one = seed_run(house.studio.store, house.studio.artifacts, count=20, seed=1)
    other = seed_run(house.studio.store, house.studio.artifacts, count=20, seed=2)
    with page.expect_request(re.compile("/api/.*/frames")) as caught:
        page.goto(f"{house.url}/live?run={one.id}")
    address = caught.value.url
    assert answers(address)
    assert not answers(re.sub("token=[^&]*", "token=x", address))
    assert not answers(address.replace(f"/runs/{one.id}/", f"/runs/{other.id}/"))
    assert not answers(address.replace("after=-1", "after=abc"))


def test_architecture_downloads_what_it_shows(house: House, page: Page):
    run = seed_run(house.studio.store, house.studio.artifacts, count=40)
    page.goto(f"{house.url}/architecture?run={run.id}&step=200")
    genotype = house.studio.derive(run.id, 200)
    kept = [sum(len(genes) for genes in cell) for cell in genotype.cells.values()]
    drawing = page.locator(".derived")
    expect(drawing).to_have_attribute("data-kept", ",".join(map(str, kept)))
    with page.expect_download() as caught:
        page.locator(".st-key-download-genotype button").click()
    document = json.loads(caught.value.path().read_text())
    assert document["lineage"]["run"] == run.uid
    assert document["lineage"]["step"] == 200
    assert [sum(len(node) for node in cell) for cell in document["cells"].values()] == kept


def test_plain_streamlit_run_feeds_the_player_without_the_api(
    house: House, browser: Browser, tmp_path
):
    """In a tab whose console is not read: Streamlit alone first asks in vain for its server."""
    page = browser.new_page(viewport=VIEWPORT)
    run = seed_run(house.studio.store, house.studio.artifacts, count=900)
    with plain_streamlit(house, tmp_path) as url:
        page.goto(f"{url}/live?run={run.id}")
        player = Player(page)
        player.wait_for("n", "320")  # one in three of 900, and the ends of twenty epochs
        player.wait_for("step", "9000")
        player.wait_for("run", "completed")
        page.close()


@contextmanager
def plain_streamlit(house: House, folder: Path) -> Iterator[str]:
    """The address of the pages as Streamlit alone serves them."""
    main = Path(__file__).parents[2] / "app" / "main.py"
    with reserved_port() as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(main), "--server.port", str(port)],
            env=house.environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{url}/_stcore/health"), "streamlit to answer")
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
