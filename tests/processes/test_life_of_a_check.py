"""Jobs about settings with real engines and processes, from the command line to the answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.checks import data_question, preflight_question
from engine.domain.config import make_config
from engine.domain.jobs import JobState
from engine.runtime.identity import ProcessIdentity
from tests.engine.data.bad_data import image_folder
from tests.processes.conftest import ROOT, Studio
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.process

SMALL = {"cells": 2, "channels": 4, "nodes": 1, "epochs": 2, "batch_size": 4, "cpu_threads": 1}


def test_check_on_the_command_line_is_answered_by_an_engine(studio: Studio, tmp_path: Path) -> None:
    data = image_folder(tmp_path / "images")
    options = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    check = [sys.executable, "-m", "app.cli", "check", "--data", str(data), *options, "--json"]
    ended = subprocess.run(
        [*check, "--preflight"],
        cwd=ROOT,
        env=studio.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    assert {one["level"] for one in answers["data"]["findings"]} == {"ok"}
    assert "sheet" not in answers["data"]
    assert answers["preflight"]["fits"]
    assert answers["preflight"]["total_seconds"] > 0
    jobs = studio.store.jobs()
    assert [(job.kind, job.run_id, job.state) for job in jobs] == [
        ("preflight", None, JobState.DONE),
        ("data", None, JobState.DONE),
    ]
    assert studio.store.runs() == []


def test_a_killed_check_is_taken_again(studio: Studio, tmp_path: Path) -> None:
    data = image_folder(tmp_path / "images")
    config = make_config({**SMALL, "data": str(data)})
    first, second = (
        studio.store.ask_job(None, question.kind, question.arguments)
        for question in (data_question(config), preflight_question(config))
    )
    studio.gate.hold_jobs()
    engine = studio.engine("--until-idle")
    until(lambda: studio.store.job(first.id).handle is not None, "an engine to take the check")
    process = ProcessIdentity.from_json(studio.store.job(first.id).handle).process()
    assert process is not None
    process.kill()
    studio.gate.open()
    assert engine.wait(PATIENCE_SECONDS) == 0
    examined, flown = studio.store.job(first.id), studio.store.job(second.id)
    assert (examined.state, examined.attempt, examined.crashes) == (JobState.DONE, 2, 1)
    assert (flown.state, flown.attempt) == (JobState.DONE, 1)
