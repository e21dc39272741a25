"""The studio as one ASGI application: pages, and routes for what components show."""

from functools import cache
from pathlib import Path

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.components.loading import digest
from app.frontend import api_mounted, open_frontend
from app.run_routes import run_routes
from app.settings import Settings
from engine.domain.errors import StudioError

SHARED_MODULES = ("feed.js", "moments.js", "frames.js", "shapes.js", "chart.js")
PAGES = ("new", "live", "architecture", "compare", "engine")
"""Addresses of all pages but the first, which is at the root."""
BASE = "<script>window.__streamlit = { BACKEND_BASE_URL: location.origin }</script>"
"""Tells Streamlit's script where its server is. Below the root it would first ask at addresses that
do not exist, which costs two requests and leaves two errors in the browser's console."""


@cache
def _entry() -> str:
    """Streamlit's HTML file with our lines in it."""
    folder = Path(st.__file__).parent / "static"
    ours = BASE + "".join(f'<link rel="modulepreload" href="./{name}">' for name in _early(folder))
    return (folder / "index.html").read_text(encoding="utf-8").replace("<head>", f"<head>{ours}", 1)


def _early(folder: Path) -> list[str]:
    """Modules that every page with a component needs; they come with the page, not after it."""
    theirs = (folder / "static" / "js").glob("BidiComponent.*.js")
    return [
        *(path.relative_to(folder).as_posix() for path in theirs),
        *(f"app/static/{name}?v={digest()}" for name in SHARED_MODULES),
    ]


def entry(_request: Request) -> Response:
    """The page that every address of the studio but the root begins with."""
    return HTMLResponse(_entry(), headers={"cache-control": "no-cache"})


def health(_request: Request) -> Response:
    """Whether the pages and the database answer."""
    front = open_frontend(Settings.from_environment())
    return JSONResponse({"status": "ok", "runs": len(front.studio.runs())})


def answer_studio_error(_request: Request, error: Exception) -> Response:
    """A refusal of the studio as JSON."""
    return JSONResponse({"detail": str(error)}, status_code=409)


def answer_http_error(_request: Request, error: Exception) -> Response:
    """A refusal of a route as JSON."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "server error"
    return JSONResponse({"detail": detail}, status_code=code)


def routes() -> list[BaseRoute]:
    """Pages at their own addresses, the state of the front end, and what there is of each run."""
    pages = (Route(f"/{page}", entry) for page in PAGES)
    return [*pages, Route("/api/health", health), *run_routes()]


app = st.App(
    Path(__file__).with_name("main.py"),
    routes=routes(),
    exception_handlers={StudioError: answer_studio_error, HTTPException: answer_http_error},
)
api_mounted.set()
