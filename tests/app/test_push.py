"""One watcher a run, however many pages listen."""

import asyncio
import json
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as websocket

from app import asgi
from app.frontend import Frontend, open_frontend
from app.push import FAILED, GONE, Channel, Hub, Listener, News, Wish
from app.settings import Settings
from engine.domain.errors import NotFound
from engine.domain.run import Run, RunState
from tests.e2e.seeding import Synthetic, extend_run, seed_run
from tests.waiting import PATIENCE_SECONDS, until

TICK = 0.001


class Source:
    """A run of which somebody writes new steps, and who asked for them."""

    def __init__(self) -> None:
        self.step = 0
        self.asked: list[Wish] = []
        self.trouble: Exception | None = None
        self.calm = False

    def compose(self, _run_id: int, wish: Wish) -> News:
        self.asked.append(wish)
        if self.trouble:
            raise self.trouble
        return News(f"{wish.after}-{self.step}", self.step, self.step, calm=self.calm)


@pytest.fixture
def source() -> Source:
    return Source()


def watched(source: Source, story: Callable[[Hub], Awaitable[None]], pace: float = TICK) -> None:
    """Let a story happen with a hub that asks this source."""

    async def told() -> None:
        hub = Hub({"steps": Channel(pace, source.compose)}, tick_seconds=TICK)
        await asyncio.wait_for(story(hub), PATIENCE_SECONDS)

    asyncio.run(told())


def test_pages_that_know_the_same_share_one_question(source: Source):
    async def story(hub: Hub) -> None:
        pages = [Listener(Wish("steps", after=-1)) for _ in range(20)]
        for page in pages:
            hub.join(1, page)
        assert {await page.mailbox.get() for page in pages} == {"-1-0"}
        assert source.asked == [Wish("steps", after=-1)]
        source.step = 7
        assert {await page.mailbox.get() for page in pages} == {"0-7"}
        assert set(source.asked) == {Wish("steps", after=-1), Wish("steps", after=0)}

    watched(source, story)


def test_nothing_is_said_twice(source: Source):
    async def story(hub: Hub) -> None:
        page = Listener(Wish("steps"))
        hub.join(1, page)
        await page.mailbox.get()
        questions = len(source.asked)
        while len(source.asked) < questions + 5:
            await asyncio.sleep(TICK)
        assert page.mailbox.empty()

    watched(source, story)


def test_a_slow_page_misses_nothing_and_holds_up_nobody(source: Source):
    async def story(hub: Hub) -> None:
        slow, quick = Listener(Wish("steps")), Listener(Wish("steps"))
        hub.join(1, slow)
        hub.join(1, quick)
        heard = []
        for source.step in (1, 2, 3):
            heard.append(await quick.mailbox.get())
        assert heard[-1].endswith("-3")
        first = await slow.mailbox.get()
        rest = await slow.mailbox.get()
        assert rest == f"{first.partition('-1-')[2]}-3"

    watched(source, story)


def test_a_page_that_comes_later_joins_the_others(source: Source):
    async def story(hub: Hub) -> None:
        early, late = Listener(Wish("steps")), Listener(Wish("steps"))
        hub.join(1, early)
        await early.mailbox.get()
        await asyncio.sleep(0.02)
        hub.join(1, late)
        await late.mailbox.get()
        source.step, questions = 5, len(source.asked)
        assert [await early.mailbox.get(), await late.mailbox.get()] == ["0-5", "0-5"]
        assert set(source.asked[questions:]) <= {Wish("steps", 0), Wish("steps", 5)}

    watched(source, story, pace=0.05)


def test_a_run_that_rests_is_seldom_asked_for_and_still_heard_of(source: Source, monkeypatch):
    calm = 0.2
    monkeypatch.setattr("app.push.CALM_SECONDS", calm)

    async def story(hub: Hub) -> None:
        page = Listener(Wish("steps"))
        source.calm, begun = True, time.monotonic()
        hub.join(1, page)
        await page.mailbox.get()
        await asyncio.sleep(0.05)
        assert len(source.asked) <= 3 + (time.monotonic() - begun) / calm
        source.step, source.calm = 1, False
        assert await page.mailbox.get() == "0-1"
        questions = len(source.asked)
        while len(source.asked) < questions + 20:
            await asyncio.sleep(TICK)

    watched(source, story)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (NotFound(asked="run 1", found="no run", allowed="a run", advice="choose"), GONE),
        (OSError("disk"), FAILED),
    ],
)
def test_a_run_that_cannot_be_read_closes_its_connections(source: Source, trouble, code):
    async def story(hub: Hub) -> None:
        page = Listener(Wish("steps"))
        source.trouble = trouble
        hub.join(1, page)
        assert await page.mailbox.get() == code
        source.trouble = None
        again = Listener(Wish("steps"))
        hub.join(1, again)
        assert await again.mailbox.get() == "-1-0"
        hub.leave(1, page)

    watched(source, story)


def test_nobody_asks_once_all_have_left(source: Source):
    async def question_is_over() -> None:
        """Questions are asked in the only thread, which does one thing after the other."""
        await asyncio.to_thread(int)

    async def story(hub: Hub) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        page = Listener(Wish("steps"))
        hub.join(1, page)
        await page.mailbox.get()
        hub.leave(1, page)
        await question_is_over()
        questions = len(source.asked)
        for _ in range(20):
            await asyncio.sleep(TICK)
            await question_is_over()
        assert len(source.asked) == questions

    watched(source, story)


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Frontend]:
    monkeypatch.setenv("EGS_HOME", str(tmp_path / "home"))
    yield open_frontend(Settings.from_environment())
    open_frontend.cache_clear()


@pytest.fixture
def connect(front: Frontend) -> Iterator[Callable[[str], ClientConnection]]:
    """Open a socket at an address of a real server with the studio's own routes."""
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=asgi.routes()), port=0, log_level="error", lifespan="off")
    )
    thread = Thread(target=server.run)
    thread.start()
    until(lambda: server.started, "the server to listen")
    port = server.servers[0].sockets[0].getsockname()[1]
    yield lambda path: websocket(f"ws://127.0.0.1:{port}{path}", close_timeout=2)
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def hear_all(page: ClientConnection) -> None:
    while True:
        page.recv(PATIENCE_SECONDS)


def closed_by(page: ClientConnection) -> Close:
    """How a connection was closed by the server."""
    with pytest.raises(ConnectionClosed) as closed:
        hear_all(page)
    assert closed.value.rcvd is not None
    return closed.value.rcvd


def running(front: Frontend) -> tuple[Run, Synthetic]:
    run = seed_run(
        front.studio.store, front.studio.artifacts, count=60, upto=10, state=RunState.RUNNING
    )
    space = front.studio.store.space_of(run)
    assert space is not None
    return run, Synthetic(run.config, space, count=60)


def heard(message: bytes) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The header of a message, and the steps of its frames."""
    (length,) = struct.unpack("<I", message[4:8])
    header = json.loads(message[8 : 8 + length])
    return header, struct.unpack_from(f"<{header['n']}I", message, 8 + length)


def address(front: Frontend, run: Run, what: str, **query: int) -> str:
    rest = "".join(f"&{key}={value}" for key, value in query.items())
    return f"/{front.feed.address(run.id, run.uid, what) or ''}{rest}"


def test_frames_come_as_they_are_recorded(front: Frontend, connect):
    run, search = running(front)
    last = front.studio.frames(run.id).steps[-1]
    with connect(address(front, run, "frames", after=last)) as page:
        header, _ = heard(page.recv(PATIENCE_SECONDS))
        assert (header["n"], header["lively"]) == (0, True)
        extend_run(front.studio.store, run, search, 10, 12)
        header, steps = heard(page.recv(PATIENCE_SECONDS))
        assert header["n"] == 2
        assert steps == front.studio.frames(run.id, after=last).steps
        front.studio.pause(run.id)
        front.studio.store.transition(run.id, RunState.PAUSED, why="asked")
        header, _ = heard(page.recv(PATIENCE_SECONDS))
        assert (header["n"], header["state"]) == (0, "paused")


def test_figures_and_curves_come_as_json(front: Frontend, connect):
    run, search = running(front)
    with connect(address(front, run, "series", after=-1)) as curves:
        first = json.loads(curves.recv(PATIENCE_SECONDS))
        assert first["series"]["train_loss"]["steps"][-1] == run.progress.step
        extend_run(front.studio.store, run, search, 10, 11)
        assert len(json.loads(curves.recv(PATIENCE_SECONDS))["series"]["train_loss"]["steps"]) == 1
    with connect(address(front, run, "standing")) as figures:
        before = json.loads(figures.recv(PATIENCE_SECONDS))
        extend_run(front.studio.store, run, search, 11, 12)
        after = json.loads(figures.recv(PATIENCE_SECONDS))
        assert before["words"] != after["words"]
        assert before["version"] == after["version"]
        front.studio.pause(run.id)
        assert json.loads(figures.recv(PATIENCE_SECONDS))["version"] != after["version"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda text: text.replace("token=", "token=x"), 4403),
        (lambda text: text.replace("/runs/1/", "/runs/9/"), 4404),
        (lambda text: f"{text}&after=x", 4422),
    ],
)
def test_who_may_not_listen_is_told_why(front: Frontend, connect, spoil, code):
    run, _ = running(front)
    assert run.id == 1
    with connect(spoil(address(front, run, "frames"))) as page:
        closed = closed_by(page)
        assert closed.code == code
        assert closed.reason


def test_a_deleted_run_ends_the_connection(front: Frontend, connect):
    run, _ = running(front)
    with connect(address(front, run, "frames")) as page:
        page.recv(PATIENCE_SECONDS)
        front.studio.store.transition(run.id, RunState.STOPPED, why="asked")
        page.recv(PATIENCE_SECONDS)
        front.studio.delete(run.id)
        assert closed_by(page).code == GONE
