"""Proposals from the studio's own rows: where the speed of a device is known from."""

import json
from contextlib import suppress
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from app.checks import preflight_question
from app.proposals import (
    FEWEST_STEPS,
    OF_SPEED,
    adapted_text,
    place_of,
    predicted,
    propose_settings,
    reason_rows,
)
from app.starting_points import Start, starting_point
from app.studio import Studio
from engine.data.facts import facts_of
from engine.data.summaries import DataSummary
from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import DataError, InvalidConfig, NotFound, StudioError
from engine.domain.facts import SpeedSource, speed_key
from engine.domain.ports import Device, Node
from engine.domain.proposal import Proposal, TooLittleTime
from engine.domain.proposal_limits import GUESSED_SPEEDS
from engine.domain.run import Progress, Run, RunState
from engine.domain.search_time import search_work
from engine.domain.workload import Speed
from tests.e2e.seeding import CPU, NODE, catalog

GPU = Device("GPU-1", 0, "Some GPU", 80 * 2**30)
DIGITS = DataSummary("digits", 1, 10, 8, 8, 1078, 360, 359)
FACTS = facts_of(make_config({}), DIGITS)
CATALOG = catalog()
MINUTES = 30.0


@pytest.fixture
def engine(studio: Studio) -> Studio:
    """A studio with a living engine on a machine without a GPU."""
    studio.store.publish(catalog())
    studio.store.register_node(NODE, stale_seconds=0.0)
    studio.store.beat_node(NODE.name, NODE.process)
    return studio


def proposed(studio: Studio, **given: Any) -> Proposal:
    return propose_settings(studio, Start({"data": "digits", **given}), MINUTES)


def publish_speed(studio: Studio, factor: float, *, device: str = "cpu") -> Speed:
    speed = GUESSED_SPEEDS["cpu"].scaled(factor)
    values = {"call": speed.call, "multiply_add": speed.multiply_add, "value": speed.value}
    with studio.artifacts.write(speed_key(NODE.name, device)) as file:
        file.write(json.dumps(values).encode())
    return speed


def earlier_run(
    studio: Studio, seconds_per_step: float, *, node: str = NODE.name, steps: int = FEWEST_STEPS
) -> Run:
    """A search that has completed, with so many seconds per step."""
    config = make_config({"data": "digits", "cells": 4, "channels": 8, "cpu_threads": 1})
    run = studio.store.create(config, name="earlier")
    claimed = studio.store.claim(run.id, node=node, device=CPU)
    assert claimed is not None
    with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(DIGITS.to_json().encode())
    progress = Progress(step=steps, total_steps=steps, epoch=0, seconds=steps * seconds_per_step)
    studio.store.append(run.id, claimed.attempt, [], progress)
    return studio.store.transition(run.id, RunState.COMPLETED, why="done", attempt=claimed.attempt)


def first_steps(studio: Studio, config: SearchConfig, step_seconds: float) -> None:
    question = preflight_question(config)
    job = studio.store.ask_job(None, question.kind, question.arguments)
    studio.store.take_job(NODE.name, job.id)
    studio.store.finish_job(job.id, 1, result={"fits": True, "step_seconds": step_seconds})


def test_nothing_known_is_a_guess(engine: Studio):
    found = proposed(engine)
    assert found.machine.source is SpeedSource.GUESS
    assert found.machine.speed == GUESSED_SPEEDS["cpu"]


def test_a_published_measurement_is_used(engine: Studio):
    speed = publish_speed(engine, 0.5)
    found = proposed(engine)
    assert (found.machine.source, found.machine.speed) == (SpeedSource.MEASUREMENT, speed)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"call": 1'])
def test_a_measurement_that_cannot_be_read_counts_as_none(engine: Studio, content: bytes):
    with engine.artifacts.write(speed_key(NODE.name, "cpu")) as file:
        file.write(content)
    assert proposed(engine).machine.source is SpeedSource.GUESS


def test_earlier_searches_on_this_machine_count_more_than_a_measurement(engine: Studio):
    publish_speed(engine, 0.5)
    run = earlier_run(engine, 1.0)
    whole, machine = predicted(engine, run.search)
    assert machine.source is SpeedSource.EARLIER_RUNS
    assert whole.step_seconds == pytest.approx(1.0)


def test_of_several_earlier_searches_the_median_counts(engine: Studio):
    runs = [earlier_run(engine, seconds) for seconds in (1.0, 30.0, 2.0)]
    assert predicted(engine, runs[0].search)[0].step_seconds == pytest.approx(2.0)


def test_searches_elsewhere_or_of_a_few_steps_say_nothing(engine: Studio):
    earlier_run(engine, 1.0, node="recording")
    earlier_run(engine, 1.0, steps=FEWEST_STEPS - 1)
    assert proposed(engine).machine.source is SpeedSource.GUESS
    earlier_run(engine, 1.0)
    assert proposed(engine, draws=4).machine.source is SpeedSource.EARLIER_RUNS
    other = proposed(engine, space="nb201", scope="edge", draws=1, epochs=20)
    assert other.machine.source is SpeedSource.GUESS


def test_first_steps_of_the_proposed_size_count_most(engine: Studio):
    earlier_run(engine, 1.0)
    before = proposed(engine, cells=4, channels=8)
    first_steps(engine, before.config, 0.5 * before.duration.step_seconds)
    after = proposed(engine, cells=4, channels=8)
    assert after.machine.source is SpeedSource.FIRST_STEPS
    assert after.duration.step_seconds == pytest.approx(0.5 * before.duration.step_seconds)
    assert after.duration.seconds < before.duration.seconds


def test_first_steps_of_another_size_do_not(engine: Studio):
    before = proposed(engine)
    first_steps(engine, before.config.model_copy(update={"nodes": 2}), 1e-3)
    assert proposed(engine).machine.source is SpeedSource.GUESS


def test_the_time_of_a_step_depends_on_no_other_setting():
    given = {"cells": 4, "channels": 8, "gradient": "probed", "probe": "steps"}
    work = search_work(make_config(given), FACTS, CATALOG).step
    tried = 0
    for name, field in SearchConfig.model_fields.items():
        for value in others(field) if name not in OF_SPEED else ():
            with suppress(InvalidConfig):
                changed = make_config({**given, name: value})
                assert search_work(changed, FACTS, CATALOG).step == work, name
                tried += 1
    assert tried > 20


def others(field: FieldInfo) -> list[Any]:
    """Values of a setting that are not its default; none of text."""
    value = field.default
    if get_origin(field.annotation) is Literal:
        return [one for one in get_args(field.annotation) if one != value]
    if isinstance(value, bool):
        return [not value]
    return [value / 2, 2 * value + 1] if isinstance(value, int | float) else []


def test_a_search_goes_where_its_device_is(engine: Studio):
    both = Node("server", "boot-2", NODE.heartbeat_at, (GPU, CPU))
    assert place_of(engine, make_config({})).kind == "cpu"
    engine.store.register_node(both, stale_seconds=0.0)
    engine.store.beat_node(both.name, both.process)
    assert place_of(engine, make_config({})).device == GPU.id
    assert place_of(engine, make_config({"device": "cuda:0"})).node == "server"
    assert place_of(engine, make_config({"device": "cpu"})).kind == "cpu"
    assert proposed(engine).config.gradient == "exact"


def test_without_any_engine_it_is_this_machine(studio: Studio):
    assert place_of(studio, make_config({})).kind == "cpu"
    assert place_of(studio, make_config({"device": "cuda:3"})).kind == "gpu"
    with pytest.raises(NotFound):
        proposed(studio)
    start = Start({"data": "digits"})
    assert propose_settings(studio, start, MINUTES, catalog()).config.data == "digits"


def test_data_that_are_not_there_and_too_little_time_are_refused(engine: Studio):
    with pytest.raises(DataError):
        proposed(engine, data="/nowhere")
    with pytest.raises(TooLittleTime):
        propose_settings(engine, Start({"data": "digits"}), 0.1)


def test_budget_and_data_are_checked_before_anything_is_measured(engine: Studio):
    measured: list[SearchConfig] = []
    for start, minutes in ((Start({"data": "digits"}), 0.0), (Start({"data": "/nowhere"}), 30.0)):
        with pytest.raises(StudioError):
            propose_settings(engine, start, minutes, measure=measured.append)
    assert measured == []


def test_a_measurement_that_was_asked_for_is_used(engine: Studio):
    start = Start({"data": "digits"})
    found = propose_settings(
        engine, start, MINUTES, measure=lambda _: publish_speed(engine, 0.5) and None
    )
    assert found.machine.source is SpeedSource.MEASUREMENT


def test_what_was_adapted_of_a_preset_is_said_with_both_values(engine: Studio):
    start = starting_point(["cifar10-cpu"], "mnist", {"channels": "8"})
    found = propose_settings(engine, start, start.minutes or 0)
    words = adapted_text(start, found)
    assert words.startswith("Adapted from the preset cifar10-cpu: ")
    assert f"train_limit = {found.config.train_limit} (preset: 28000)" in words
    assert "alpha_learning_rate_schedule = cosine (preset: constant)" in words
    assert f"epochs = {found.config.epochs} (preset: 4)" in words
    assert "flip = False (preset: True)" in words
    assert "channels" not in words
    assert found.config.gradient == "probed"
    rows = {name: why for name, _, why in reason_rows(start, found)}
    assert rows["channels"] == "set by you"
    assert rows["gradient"] == "part of the preset cifar10-cpu"
    assert rows["flip"] == found.reasons["flip"]


def test_nothing_adapted_is_nothing_said(engine: Studio):
    found = proposed(engine)
    assert adapted_text(Start({}), found) == ""
