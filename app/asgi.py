"""The studio as one ASGI application: pages, and routes that components poll.

Polling a route costs a fiftieth of a Streamlit rerun, so that many tabs can
follow one search.
"""

import gzip
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.frontend import Frontend, api_mounted, open_frontend
from app.settings import Settings
from app.truth import truth_series
from app.wire import frame_message, series_message, temperature_series
from engine.domain.errors import NotFound, StudioError
from engine.domain.run import Run

PAGE_OF_FRAMES = 20_000
CHUNK_BYTES = 1 << 20
WORTH_PACKING_BYTES = 4096
"""Below, an answer is sent as it is: most of them carry nothing new, or one frame."""
PAGES = ("new", "live", "architecture", "compare", "engine")
"""Addresses of all pages but the first, which is at the root."""
BASE = "<script>window.__streamlit = { BACKEND_BASE_URL: location.origin }</script>"
"""Tells Streamlit's script where its server is. Below the root it would first ask at addresses that
do not exist, which costs two requests and leaves two errors in the browser's console."""


@cache
def _entry() -> str:
    """Streamlit's HTML file with our line in it."""
    text = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    return text.replace("<head>", f"<head>{BASE}", 1)


def entry(_request: Request) -> Response:
    """The page that every address of the studio but the root begins with."""
    return HTMLResponse(_entry(), headers={"cache-control": "no-cache"})


def health(_request: Request) -> Response:
    """Whether the pages and the database answer."""
    front = open_frontend(Settings.from_environment())
    return JSONResponse({"status": "ok", "runs": len(front.studio.runs())})


def frames(request: Request) -> Response:
    """Binary frames of a run above step ``after``: see ``app.wire``; large ones are gzipped."""
    front, run = _authorised(request)
    after, stride = _number(request, "after", -1, low=-1), _number(request, "stride", 1, low=1)
    found = front.studio.frames(run.id, after=after, limit=PAGE_OF_FRAMES, stride=stride)
    body = frame_message(run, front.studio.space(run), found)
    headers = {"cache-control": "no-store"}
    if len(body) > WORTH_PACKING_BYTES:
        body = gzip.compress(body, 5)
        headers["content-encoding"] = "gzip"
    return Response(body, media_type="application/octet-stream", headers=headers)


def series(request: Request) -> Response:
    """Metrics of a run above step ``after``, as JSON columns."""
    front, run = _authorised(request)
    after, stride = _number(request, "after", -1, low=-1), _number(request, "stride", 1, low=1)
    found = front.studio.series(run.id, after=after, stride=stride)
    epochs = front.studio.snapshots(run.id, after=after, epochs_only=True)
    return JSONResponse(
        series_message(
            run,
            [
                *found,
                temperature_series(epochs),
                *truth_series(front.tables, front.studio, run, epochs),
            ],
        ),
        headers={"cache-control": "no-store"},
    )


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


def _authorised(request: Request) -> tuple[Frontend, Run]:
    front = open_frontend(Settings.from_environment())
    try:
        run = front.studio.run(int(request.path_params["run_id"]))
    except NotFound as error:
        raise HTTPException(404, str(error)) from None
    if not front.tokens.allows(run.uid, request.query_params.get("token", "")):
        raise HTTPException(403, "the token does not belong to this run; reload the page")
    return front, run


def _number(request: Request, name: str, default: int, *, low: int) -> int:
    text = request.query_params.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= 2**53:
        raise HTTPException(422, f"{name} = {text!r} is no whole number from {low} on")
    return value


def answer_studio_error(_request: Request, error: Exception) -> Response:
    """A refusal of the studio as JSON."""
    return JSONResponse({"detail": str(error)}, status_code=409)


def answer_http_error(_request: Request, error: Exception) -> Response:
    """A refusal of a route as JSON."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "server error"
    return JSONResponse({"detail": detail}, status_code=code)


Endpoint = Callable[[Request], Response]
ROUTES: dict[str, Endpoint] = {
    **{f"/{page}": entry for page in PAGES},
    "/api/health": health,
    "/api/runs/{run_id:int}/frames": frames,
    "/api/runs/{run_id:int}/series": series,
    "/api/runs/{run_id:int}/artifacts/checkpoints/{step:int}": checkpoint,
}

app = st.App(
    Path(__file__).with_name("main.py"),
    routes=[Route(path, endpoint) for path, endpoint in ROUTES.items()],
    exception_handlers={StudioError: answer_studio_error, HTTPException: answer_http_error},
)
api_mounted.set()
