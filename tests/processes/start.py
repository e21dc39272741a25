"""Starts what ``egs`` starts, with a gate for runs and jobs that tests close.

``engine``, ``worker`` and ``job`` are those of the command; ``egs`` is the command itself, whose
engines are these, and which is as patient as tests are.
"""

import logging
import os
import sys
from dataclasses import replace
from typing import Any

import torch
import typer

from app import cli, processes
from app.commands import job
from app.settings import Settings
from app.wiring import SystemClock, open_artifacts, open_launcher, open_store
from engine.domain.config import AnyConfig
from engine.optimisation.loop import Loop
from engine.runtime import jobs
from engine.runtime.build import build_loop
from engine.runtime.rules import Rules
from engine.runtime.supervisor import Supervisor
from engine.runtime.worker import work
from tests.processes.gate import PROGRAM, Gate, hold
from tests.waiting import PATIENCE_SECONDS


def worker_command(run_id: int, attempt: int) -> list[str]:
    return [sys.executable, *PROGRAM, "worker", str(run_id), str(attempt)]


def job_command(job_id: int, attempt: int) -> list[str]:
    return [sys.executable, *PROGRAM, "job", str(job_id), str(attempt)]


def dying_command(run_id: int, attempt: int) -> list[str]:
    program = "import os, sys; print('the driver gave up', file=sys.stderr); os.abort()"
    return [sys.executable, "-c", program]


def rules_of(environment: str) -> Rules:
    changes = dict(pair.split("=") for pair in environment.split(",") if pair)
    return replace(Rules(), **{name: float(value) for name, value in changes.items()})


def engine(settings: Settings) -> None:
    Supervisor(
        open_store(settings),
        open_launcher(settings),
        SystemClock(),
        until_idle="--until-idle" in sys.argv,
        command=dying_command if "--dying" in sys.argv else worker_command,
        job_command=job_command,
        rules=rules_of(os.environ.get("TEST_RULES", "")),
    ).run()


def worker(settings: Settings, run_id: int, attempt: int) -> int:
    gate = Gate(settings.home)

    def build(config: AnyConfig, device: torch.device, **options: Any) -> Loop:
        return hold(build_loop(config, device, **options), gate)

    store, artifacts = open_store(settings), open_artifacts(settings)
    return work(store, artifacts, run_id, attempt, cache=settings.home / "data", build=build)


def work_out_job(settings: Settings, job_id: int, attempt: int) -> int:
    """The product's own command, which waits at the gate before it begins its work."""
    perform = jobs.perform

    def perform_later(*arguments: Any, **options: Any) -> int:
        Gate(settings.home).wait_with_job()
        return perform(*arguments, **options)

    jobs.perform = perform_later
    try:
        job.job(job_id, attempt)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def main() -> int:
    what, *numbers = sys.argv[1:]
    if what == "egs":
        sys.argv[:2] = ["egs"]
        processes.ENGINE = (*PROGRAM, "engine")
        processes.ANSWER_SECONDS = cli.SERVE_SECONDS = cli.END_SECONDS = PATIENCE_SECONDS
        cli.main()  # ends this process
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings.from_environment()
    if what == "engine":
        engine(settings)
        return 0
    number, attempt = map(int, numbers)
    if what == "worker":
        return worker(settings, number, attempt)
    return work_out_job(settings, number, attempt)


if __name__ == "__main__":
    sys.exit(main())
