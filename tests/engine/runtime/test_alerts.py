"""Messages about runs, taken by a real web server."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from app.wiring import SystemClock
from engine.domain.run import RunState
from engine.runtime.alerts import Alerts
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import Synthetic, extend_run, seed_run

Taken = Queue[dict[str, Any]]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock())


@pytest.fixture
def artifacts(tmp_path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "a")


@pytest.fixture
def listening() -> Iterator[tuple[str, Taken]]:
    taken: Taken = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.put(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", taken
        server.shutdown()
        thread.join()


def test_a_run_that_ends_is_told_once(store, artifacts, listening):
    address, taken = listening
    earlier = seed_run(store, artifacts, count=20)
    alerts = Alerts(store, address)
    run = seed_run(store, artifacts, count=20, name="later")
    for _ in range(3):
        alerts.tick()
    alerts.close()
    message = taken.get(timeout=30)
    assert taken.empty()
    assert (message["run"], message["event"], message["uid"]) == (run.id, "completed", run.uid)
    assert message["score"] == run.progress.score
    assert "later" in message["text"]
    assert earlier.state is RunState.COMPLETED


def test_a_failure_is_told_with_its_sentence(store, artifacts, listening):
    address, taken = listening
    alerts = Alerts(store, address)
    run = seed_run(store, artifacts, count=20, upto=5, state=RunState.FAILED)
    alerts.tick()
    alerts.close()
    message = taken.get(timeout=30)
    assert message["event"] == "failed"
    assert run.error in message["text"]


def test_a_search_that_is_stuck_is_told_while_it_runs(store, artifacts, listening):
    address, taken = listening
    alerts = Alerts(store, address)
    run = seed_run(store, artifacts, count=40, upto=1, state=RunState.RUNNING, scope="edge")
    space = store.space_of(run)
    flat = Synthetic(run.config, space, count=40)
    flat.taste = {kind: [[0.0] * len(row) for row in rows] for kind, rows in flat.taste.items()}
    flat.drift = flat.taste
    extend_run(store, run, flat, 1, 30)
    for _ in range(3):
        alerts.tick()
    alerts.close()
    message = taken.get(timeout=30)
    assert taken.empty()
    assert (message["event"], message["state"]) == ("stuck", "running")
    assert "alpha's learning rate" in message["text"]


def test_an_address_that_takes_nothing_is_noted_and_holds_up_nobody(store, artifacts):
    tried = []

    def refuse(address, message):
        tried.append(message["event"])
        raise ConnectionRefusedError("nobody there")

    alerts = Alerts(store, "http://127.0.0.1:9/", send=refuse)
    run = seed_run(store, artifacts, count=20)
    alerts.tick()
    alerts.close()
    assert tried == ["completed"] * 3
    assert "nobody there" in store.events(run.id)[-1].text
