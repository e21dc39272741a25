"""Routes of one run: its frames, metrics, standing and checkpoints, to ask for and to listen to.

A component fetches what is there, and then listens at the same address: see
``app.push``. Both cost a fraction of a Streamlit rerun, so that many tabs can
follow one search. Each address carries the token of its run.
"""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.frontend import Frontend, open_frontend
from app.push import Channel, Hub, Listener, News, Wish
from app.settings import Settings
from app.standing import standing
from app.topology import topology_of
from app.truth import truth_series
from app.wire import LIVELY, frame_message, series_message, status, temperature_series
from engine.domain.errors import NotFound
from engine.domain.run import Run
from engine.domain.snapshot import Frames

PAGE_OF_FRAMES = 20_000
NO_FRAMES = Frames((), (), b"", b"")
CHUNK_BYTES = 1 << 20
WORTH_PACKING_BYTES = 4096
"""Below, an answer is sent as it is: most of them carry nothing new, or one frame."""
REFUSED = 4000
"""Plus the status of HTTP: the code with which a connection is refused."""
MOST_REASON = 100
"""Characters of a refusal that a closing frame carries; the protocol allows 123 bytes."""


def frames(request: Request) -> Response:
    """Binary frames of a run above step ``after``: see ``app.wire``; large ones are gzipped."""
    front, run = _authorised(request)
    body = _frames(front, run, _wish(request, "frames"))[0]
    headers = {"cache-control": "no-store"}
    if len(body) > WORTH_PACKING_BYTES:
        body = gzip.compress(body, 5)
        headers["content-encoding"] = "gzip"
    return Response(body, media_type="application/octet-stream", headers=headers)


def series(request: Request) -> Response:
    """Metrics of a run above step ``after``, as JSON columns."""
    front, run = _authorised(request)
    message = _series(front, run, _wish(request, "series"))[0]
    return JSONResponse(message, headers={"cache-control": "no-store"})


def standing_now(request: Request) -> Response:
    """Progress and key figures of a run, as JSON."""
    front, run = _authorised(request)
    message = status(run) | standing(front.studio, run)
    return JSONResponse(message, headers={"cache-control": "no-store"})


def _frames(front: Frontend, run: Run, wish: Wish) -> tuple[bytes, int]:
    """The frames that are new for a wish, and the last step that is known then."""
    found, space = NO_FRAMES, front.studio.space(run)
    if run.progress.step > wish.after:
        found = front.studio.frames(
            run.id, after=wish.after, limit=PAGE_OF_FRAMES, stride=wish.stride
        )
    last = found.steps[-1] if found.steps else wish.after
    return frame_message(run, space, replace(found, stride=wish.stride)), last


def _series(front: Frontend, run: Run, wish: Wish) -> tuple[Mapping[str, Any], int]:
    """The metrics that are new for a wish, and the last step that is known then."""
    found = front.studio.series(run.id, after=wish.after, stride=wish.stride)
    epochs = front.studio.snapshots(run.id, after=wish.after, epochs_only=True)
    truth = truth_series(front.tables, front.studio, run, epochs)
    topology = topology_of(front.studio, run, epochs)
    last = max((line.steps[-1] for line in found if line.steps), default=wish.after)
    return series_message(run, [*found, temperature_series(epochs), *topology, *truth]), last


def news_of_frames(run_id: int, wish: Wish) -> News:
    """Frames for those who listen."""
    front = open_frontend(Settings.from_environment())
    run = front.studio.run(run_id)
    message, last = _frames(front, run, wish)
    return News(message, last, (run.state, run.attempt, last), calm=run.state not in LIVELY)


def news_of_series(run_id: int, wish: Wish) -> News:
    """Metrics for those who listen."""
    front = open_frontend(Settings.from_environment())
    run = front.studio.run(run_id)
    message, last = _series(front, run, wish)
    mark = (run.state, run.attempt, last)
    return News(json.dumps(message), last, mark, calm=run.state not in LIVELY)


def news_of_standing(run_id: int, wish: Wish) -> News:
    """Progress and key figures for those who listen."""
    studio = open_frontend(Settings.from_environment()).studio
    run = studio.run(run_id)
    text = json.dumps(status(run) | standing(studio, run))
    return News(text, wish.after, text)


hub = Hub(
    {
        "frames": Channel(pace_seconds=0.2, compose=news_of_frames),
        "series": Channel(pace_seconds=2.0, compose=news_of_series),
        "standing": Channel(pace_seconds=2.0, compose=news_of_standing),
    }
)


async def listen(socket: WebSocket) -> None:
    """Say what is new of a run until the page goes or the run is deleted."""
    await socket.accept()
    try:
        _, run = await asyncio.to_thread(_authorised, socket)
        wish = _wish(socket, socket.url.path.rpartition("/")[2])
    except HTTPException as error:
        await socket.close(REFUSED + error.status_code, error.detail[:MOST_REASON])
        return
    listener = Listener(wish)
    hub.join(run.id, listener)
    sending = asyncio.create_task(_send(socket, listener))
    try:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        hub.leave(run.id, listener)
        sending.cancel()


async def _send(socket: WebSocket, listener: Listener) -> None:
    """Pass on what lies in the mailbox, one message after the other."""
    with suppress(WebSocketDisconnect):
        while not isinstance(given := await listener.mailbox.get(), int):
            said = socket.send_bytes(given) if isinstance(given, bytes) else socket.send_text(given)
            await said
        await socket.close(given)


def checkpoint(request: Request) -> Response:
    """One checkpoint of a run, streamed."""
    front, run = _authorised(request)
    step = int(request.path_params["step"])
    for known in front.studio.checkpoints(run.id):
        if known.step == step:
            name = f"run-{run.id}-step-{step}.pt"
            return StreamingResponse(
                _chunks(front, known.key),
                media_type="application/octet-stream",
                headers={
                    "content-length": str(known.size_bytes),
                    "content-disposition": f'attachment; filename="{name}"',
                },
            )
    raise HTTPException(404, f"run {run.id} has no checkpoint at step {step}")


def _chunks(front: Frontend, key: str) -> Iterator[bytes]:
    with front.studio.artifacts.read(key) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _authorised(request: HTTPConnection) -> tuple[Frontend, Run]:
    front = open_frontend(Settings.from_environment())
    try:
        run = front.studio.run(int(request.path_params["run_id"]))
    except NotFound as error:
        raise HTTPException(404, str(error)) from None
    if not front.tokens.allows(run.uid, request.query_params.get("token", "")):
        raise HTTPException(403, "the token does not belong to this run; reload the page")
    return front, run


def _wish(request: HTTPConnection, what: str) -> Wish:
    after, stride = _number(request, "after", -1, low=-1), _number(request, "stride", 1, low=1)
    return Wish(what, after, stride)


def _number(request: HTTPConnection, name: str, default: int, *, low: int) -> int:
    text = request.query_params.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= 2**53:
        raise HTTPException(422, f"{name} = {text!r} is no whole number from {low} on")
    return value


RUN = "/api/runs/{run_id:int}"
ROUTES: dict[str, Callable[[Request], Response]] = {
    "frames": frames,
    "series": series,
    "standing": standing_now,
    "artifacts/checkpoints/{step:int}": checkpoint,
}


def run_routes() -> list[BaseRoute]:
    """All of them: to ask, and to listen."""
    return [
        *(Route(f"{RUN}/{what}", answer) for what, answer in ROUTES.items()),
        *(WebSocketRoute(f"{RUN}/{what}", listen) for what in hub.channels),
    ]
