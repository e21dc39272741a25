"""Messages about runs, taken by a real web server."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread
from typing import Any

import pytest

from app.wiring import SystemClock
from engine.domain.diagnosis import examine
from engine.domain.run import RunState
from engine.runtime.alerts import Alerts
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import Synthetic, extend_run, seed_run
from tests.waiting import PATIENCE_SECONDS

Taken = Queue[dict[str, Any]]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock())


@pytest.fixture
def artifacts(tmp_path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "a")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an address that answers all the time that it needs."""
    monkeypatch.setattr("engine.runtime.alerts.TIMEOUT_SECONDS", PATIENCE_SECONDS)


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


@pytest.fixture
def babbling() -> Iterator[str]:
    """The address of a server that speaks something else than HTTP."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # whoever asked may be gone by then
                self.request.recv(65_536)
                self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_a_run_that_ends_is_told_once(store, artifacts, listening):
    address, taken = listening
    earlier = seed_run(store, artifacts, count=20)
    alerts = Alerts(store, address)
    run = seed_run(store, artifacts, count=20, name="later")
    for _ in range(3):
        alerts.tick()
    alerts.close(seconds=PATIENCE_SECONDS)
    message = taken.get(timeout=PATIENCE_SECONDS)
    assert taken.empty()
    assert (message["run"], message["event"], message["uid"]) == (run.id, "completed", run.uid)
    assert message["score"] == run.progress.score
    assert "later" in message["text"]
    health = examine(
        store.space_of(run), run.config, store.snapshots(run.id, epochs_only=True), ended=True
    )
    assert message["verdict"] == health.verdict.value
    assert health.summary in message["text"]
    assert earlier.state is RunState.COMPLETED


def test_a_failure_is_told_with_its_sentence(store, artifacts, listening):
    address, taken = listening
    alerts = Alerts(store, address)
    run = seed_run(store, artifacts, count=20, upto=5, state=RunState.FAILED)
    alerts.tick()
    alerts.close(seconds=PATIENCE_SECONDS)
    message = taken.get(timeout=PATIENCE_SECONDS)
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
    alerts.close(seconds=PATIENCE_SECONDS)
    message = taken.get(timeout=PATIENCE_SECONDS)
    assert taken.empty()
    assert (message["event"], message["state"]) == ("stuck", "running")
    assert message["verdict"] == "stuck"
    assert "learning rate of alpha" in message["text"]


def test_an_address_that_takes_nothing_is_noted_and_holds_up_nobody(store, artifacts):
    tried = []

    def refuse(address, message):
        tried.append(message["event"])
        raise ConnectionRefusedError("nobody there")

    alerts = Alerts(store, "http://127.0.0.1:9/", send=refuse)
    run = seed_run(store, artifacts, count=20)
    alerts.tick()
    alerts.close(seconds=PATIENCE_SECONDS)
    assert tried == ["completed"] * 3
    assert "nobody there" in store.events(run.id)[-1].text


def last_lines(store, *runs):
    return [store.events(run.id)[-1].text for run in runs]


def test_a_server_that_is_no_web_server_does_not_end_the_telling(store, artifacts, babbling):
    alerts = Alerts(store, babbling)
    runs = [seed_run(store, artifacts, count=20, name=name) for name in ("one", "two")]
    alerts.tick()
    alerts.close(seconds=PATIENCE_SECONDS)
    assert all("SSH-2.0-OpenSSH_9.2" in line for line in last_lines(store, *runs))


@pytest.mark.parametrize("address", ["http://[::1/", "http://host:port/"])
def test_an_address_that_is_none_is_noted_for_every_run(store, artifacts, address):
    alerts = Alerts(store, address)
    runs = [seed_run(store, artifacts, count=20, name=name) for name in ("one", "two")]
    alerts.tick()
    alerts.close(seconds=PATIENCE_SECONDS)
    assert all("The webhook did not take" in line for line in last_lines(store, *runs))


def test_a_run_that_is_deleted_while_it_is_told_of_does_not_end_the_telling(store, artifacts):
    def delete_one_and_refuse(address, message):
        if message["name"] == "gone" and len(store.runs()) == 2:
            store.delete(message["run"])
        raise ConnectionRefusedError("nobody there")

    alerts = Alerts(store, "http://127.0.0.1:9/", send=delete_one_and_refuse)
    kept, _ = (seed_run(store, artifacts, count=20, name=name) for name in ("kept", "gone"))
    alerts.tick()
    alerts.close(seconds=PATIENCE_SECONDS)
    assert [run.id for run in store.runs()] == [kept.id]
    assert "nobody there" in store.events(kept.id)[-1].text
