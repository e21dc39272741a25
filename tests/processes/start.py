"""Starts an engine or a worker as ``egs`` does, with times that suit a test."""

import logging
import os
import sys
from dataclasses import replace

from app.settings import Settings
from app.wiring import SystemClock, open_artifacts, open_launcher, open_store
from engine.runtime.rules import Rules
from engine.runtime.supervisor import Supervisor
from engine.runtime.worker import work


def worker_command(run_id: int, attempt: int) -> list[str]:
    return [sys.executable, "-m", "tests.processes.start", "worker", str(run_id), str(attempt)]


def dying_command(run_id: int, attempt: int) -> list[str]:
    program = "import os, sys; print('the driver gave up', file=sys.stderr); os.abort()"
    return [sys.executable, "-c", program]


def rules_of(environment: str) -> Rules:
    changes = dict(pair.split("=") for pair in environment.split(",") if pair)
    return replace(Rules(), **{name: float(value) for name, value in changes.items()})


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings.from_environment()
    store = open_store(settings)
    if sys.argv[1] == "worker":
        run_id, attempt = map(int, sys.argv[2:4])
        return work(store, open_artifacts(settings), run_id, attempt)
    Supervisor(
        store,
        open_launcher(settings),
        SystemClock(),
        until_idle="--until-idle" in sys.argv,
        command=dying_command if "--dying" in sys.argv else worker_command,
        rules=rules_of(os.environ.get("TEST_RULES", "")),
    ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
