"""Proposals of settings from what the studio knows: data, devices, and how fast they are."""

import json
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from app.starting_points import Start
from app.studio import Studio, with_absolute_path
from engine.data.facts import facts_of
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig, NotFound
from engine.domain.facts import DataFacts, DeviceKind, Machine, SpeedSource, speed_key
from engine.domain.jobs import JobState
from engine.domain.ports import Device, Node
from engine.domain.proposal import Proposal, check_budget, draft, propose
from engine.domain.proposal_limits import GUESSED_SPEEDS
from engine.domain.run import Run, RunState
from engine.domain.search_time import Duration, duration
from engine.domain.workload import Speed

CPU = "cpu"

Measure = Callable[[SearchConfig], None]
"""Makes sure that the speed of the device of a search is measured."""

MEASURED_STATES = (RunState.COMPLETED, RunState.STOPPED, RunState.PAUSED, RunState.RUNNING)
MOST_RUNS, FEWEST_STEPS = 5, 50
"""So many earlier searches say how fast a device is, each with at least so many steps."""

OF_SPEED = (
    "task",
    "data",
    "vocabulary_limit",
    "image_size",
    "method",
    "space",
    "nodes",
    "draws",
    "draws_start",
    "scope",
    "gradient",
    "probe",
    "probe_fraction",
    "update",
    "cell_codes",
    "cell_harmony",
    "cells",
    "channels",
    "stem_stride",
    "output_stride",
    "aspp_channels",
    "embedding_size",
    "hidden_size",
    "batch_size",
    "bptt",
    "device",
    "cpu_threads",
)
"""Settings on which the time of a step depends."""


@dataclass(frozen=True)
class Place:
    """Where a search will run.

    Attributes:
        node: Name of the machine.
        device: Name of the device there.
        kind: CPU or GPU.
    """

    node: str
    device: str
    kind: DeviceKind


def propose_settings(
    studio: Studio,
    start: Start,
    minutes: float,
    catalog: Catalog | None = None,
    measure: Measure | None = None,
) -> Proposal:
    """Propose the settings of a search that a starting point does not fix.

    Args:
        studio: The use cases.
        start: The settings that stay.
        minutes: The time budget.
        catalog: Operations and spaces; None takes those that an engine has
            published.
        measure: Called once budget and data have been checked; None measures
            nothing.

    Raises:
        StudioError: The data cannot be used, the fixed settings do not fit, no
            engine has published a catalogue, or the budget is too small.
    """
    check_budget(minutes)
    known = catalog or studio.published_catalog("settings for a search")
    config = with_absolute_path(draft(start.given))
    given = {**start.given, "data": config.data}
    facts = facts_of(config, studio.inspect(config))
    if measure is not None:
        measure(config)
    place = place_of(studio, config)
    machine = _machine(studio, config, place, known)
    found = propose(given, facts, machine, known, minutes=minutes)
    factor = _of_first_steps(studio, found.config, place, found.duration.step_seconds)
    if factor is None:
        return found
    tried = Machine(place.kind, machine.speed.scaled(factor), SpeedSource.FIRST_STEPS)
    return propose(given, facts, tried, known, minutes=minutes)


def place_of(studio: Studio, config: SearchConfig) -> Place:
    """Return where a search with this device would run: a GPU, if any is known and allowed."""
    nodes = studio.living_nodes() or studio.nodes()
    places = [_placed(node, device) for node in nodes for device in node.devices]
    for node in nodes:
        for device in node.devices:
            if config.device in {device.id, f"cuda:{device.index}"}:
                return _placed(node, device)
    if config.device == "auto" and places:
        return next((place for place in places if place.kind == "gpu"), places[0])
    is_gpu = config.device not in {"auto", CPU}
    return Place(platform.node(), config.device if is_gpu else CPU, "gpu" if is_gpu else "cpu")


def _placed(node: Node, device: Device) -> Place:
    return Place(node.name, device.id, "cpu" if device.index is None else "gpu")


def published_speed(studio: Studio, place: Place) -> Speed | None:
    """Return the speed that an engine has measured there; None if it has not."""
    try:
        with studio.artifacts.read(speed_key(place.node, place.device)) as file:
            values = json.load(file)
        return Speed(values["call"], values["multiply_add"], values["value"])
    except (NotFound, ValueError, KeyError, TypeError):
        return None


def _machine(studio: Studio, config: SearchConfig, place: Place, catalog: Catalog) -> Machine:
    """The device with the best knowledge of its speed, but for first steps."""
    measured = published_speed(studio, place)
    base = measured or GUESSED_SPEEDS[place.kind]
    ratios = list(_of_earlier_runs(studio, config, place, catalog, base))
    if ratios:
        return Machine(place.kind, base.scaled(median(ratios)), SpeedSource.EARLIER_RUNS)
    return Machine(place.kind, base, SpeedSource.MEASUREMENT if measured else SpeedSource.GUESS)


def _of_earlier_runs(
    studio: Studio, config: SearchConfig, place: Place, catalog: Catalog, base: Speed
) -> Iterator[float]:
    """Real over predicted seconds of the latest searches of this kind on this device."""
    runs = studio.store.runs(MEASURED_STATES, purpose="search")
    fitting = [run for run in runs if _ran_there(studio, run, config, place)]
    for run in fitting[:MOST_RUNS]:
        summary = studio.data(run)
        if summary is None:
            continue
        facts = facts_of(run.config, summary)
        seconds = _predicted(run, facts, catalog, base)
        if seconds:
            yield run.progress.seconds / seconds


def _ran_there(studio: Studio, run: Run, config: SearchConfig, place: Place) -> bool:
    own = run.search
    return (
        run.progress.step >= FEWEST_STEPS
        and run.node == place.node
        and (own.task, own.space) == (config.task, config.space)
        and own.cpu_threads in {1, config.cpu_threads}
        and place_of(studio, own).kind == place.kind
    )


def _predicted(run: Run, facts: DataFacts, catalog: Catalog, base: Speed) -> float:
    """Seconds of the steps and evaluations that a run has done so far; 0 if nobody knows."""
    try:
        whole = duration(run.search, facts, catalog, base)
    except InvalidConfig:
        return 0.0
    progress = run.progress
    return progress.step * whole.step_seconds + progress.epoch * whole.evaluation_seconds


def _of_first_steps(
    studio: Studio, config: SearchConfig, place: Place, predicted: float
) -> float | None:
    """Measured over predicted seconds per step, if first steps of this size have been tried."""
    wanted = config.model_dump(mode="json", include=set(OF_SPEED))
    for job in studio.store.jobs(states={JobState.DONE}):
        result = job.result or {}
        if job.kind != "preflight" or not result.get("fits") or job.node != place.node:
            continue
        tried = job.arguments.get("config")
        if isinstance(tried, Mapping) and wanted.items() <= dict(tried).items():
            return float(result["step_seconds"]) / predicted
    return None


def adapted_text(start: Start, proposal: Proposal) -> str:
    """Say which settings of a preset were adapted to data and budget, and to what.

    Empty if nothing was.
    """
    if start.preset is None:
        return ""
    before = make_config(start.preset.settings)
    changed = [
        f"{name} = {_value(value)} (preset: {_value(getattr(before, name))})"
        for name, value in proposal.values.items()
        if value != getattr(before, name)
    ]
    if not changed:
        return ""
    return f"Adapted from the preset {start.preset.name}: {', '.join(changed)}."


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def reason_rows(start: Start, proposal: Proposal) -> list[tuple[str, str, str]]:
    """Return setting, value and reason of everything that was proposed, then what was fixed."""
    proposed = [
        (name, _value(getattr(proposal.config, name)), reason)
        for name, reason in proposal.reasons.items()
    ]
    kept = [
        (name, _value(getattr(proposal.config, name)), _why_kept(start, name))
        for name in proposal.kept
    ]
    return [*proposed, *kept]


def _why_kept(start: Start, name: str) -> str:
    if name in start.own or start.preset is None:
        return "set by you"
    return f"part of the preset {start.preset.name}"


def predicted(
    studio: Studio,
    config: SearchConfig,
    catalog: Catalog | None = None,
    measure: Measure | None = None,
) -> tuple[Duration, Machine]:
    """Predict how long a search with all its settings takes, and say on what.

    Raises:
        StudioError: As for :func:`propose_settings`.
    """
    known = catalog or studio.published_catalog("the time of a search")
    facts = facts_of(config, studio.inspect(config))
    if measure is not None:
        measure(config)
    machine = _machine(studio, config, place_of(studio, config), known)
    return duration(config, facts, known, machine.speed), machine
