"""``egs propose``: settings of a search from its data and a time budget, each with its reason."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from app.assignments import assigned
from app.checks import speed_question, time_words
from app.commands.arguments import Json, Minutes
from app.plain import plain
from app.proposals import (
    Measure,
    adapted_text,
    place_of,
    predicted,
    propose_settings,
    published_speed,
    reason_rows,
)
from app.requests import ask
from app.settings import Settings
from app.starting_points import Start, starting_point
from app.studio import Studio
from app.terminal import print_rows, say
from app.waiting import see_answer
from app.wiring import open_studio
from engine.data.inspection import task_of
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig, make_config
from engine.domain.facts import SPEED_SOURCES
from engine.domain.proposal import Proposal
from engine.domain.proposal_limits import DEFAULT_MINUTES
from engine.domain.training_proposal import TrainingProposal, propose_training


@dataclass(frozen=True)
class Prepared:
    """The settings of a search, and how they came about.

    Attributes:
        config: All settings.
        start: What was fixed before.
        proposal: What was proposed; None if all was fixed.
    """

    config: SearchConfig
    start: Start
    proposal: Proposal | None = None


def propose_command(
    preset_names: Annotated[
        list[str] | None,
        typer.Option("--preset", help="Starting point, and once more for a method."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="PATH|NAME", help="A data set by name, .npz or folder."),
    ] = None,
    minutes: Minutes = None,
    settings_given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting that stays; may be repeated."),
    ] = None,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--no-measure",
            help="Measure the speed of the device again, or not at all; by default once.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose the settings of a search and of the training that follows it."""
    settings = Settings.from_environment()
    studio = open_studio(settings)
    start = starting_point(preset_names or [], data, assigned(settings_given or []), minutes)
    if start.preset is None and minutes is None:
        start = replace(start, minutes=DEFAULT_MINUTES)
    measuring = None if measure is False else _measuring(studio, settings, again=bool(measure))
    prepared = _prepared(studio, start, measuring)
    if prepared.proposal is None:
        _print_unchanged(studio, prepared, measuring, as_json)
        return
    training = propose_training(prepared.proposal, catalog_of(studio))
    if as_json:
        print(json.dumps(_as_json(prepared.proposal, training), indent=2))
    else:
        _print_proposal(prepared.start, prepared.proposal, training)


def prepare(
    studio: Studio,
    settings: Settings,
    presets: Sequence[str],
    data: str | None,
    assignments: Sequence[str],
    minutes: float | None = None,
) -> Prepared:
    """Make the settings of a search from presets, data, a budget and what a person sets.

    With a budget and a device of unknown speed, an engine measures it first.

    Raises:
        StudioError: A setting does not fit, or no settings could be proposed.
    """
    start = starting_point(presets, data, assigned(assignments), minutes)
    return _prepared(studio, start, None if minutes is None else _measuring(studio, settings))


def _prepared(studio: Studio, start: Start, measure: Measure | None) -> Prepared:
    minutes = start.minutes
    if minutes is None:
        return Prepared(make_config(start.given), start)
    start = _with_task(studio, start)
    found = propose_settings(studio, start, minutes, catalog_of(studio), measure)
    return Prepared(found.config, start, found)


def _with_task(studio: Studio, start: Start) -> Start:
    """Take the task from the data unless a preset or a person fixes it."""
    if start.preset is not None or "task" in start.given or "data" not in start.given:
        return start
    task = task_of(str(start.given["data"]), studio.data_roots)
    return start if task is None else replace(start, given={**start.given, "task": task})


def catalog_of(studio: Studio) -> Catalog:
    """Return the published catalogue, or this version's own if no engine has run yet."""
    known = studio.catalog()
    if known is not None:
        return known
    from engine.catalog import gather_catalog

    return gather_catalog()


def _measuring(studio: Studio, settings: Settings, *, again: bool = False) -> Measure:
    """Return what lets an engine measure the device of a search.

    Args:
        studio: The use cases.
        settings: What a new engine inherits.
        again: Whether a device is measured that has been measured before.
    """

    def measure(config: SearchConfig) -> None:
        if not again and published_speed(studio, place_of(studio, config)) is not None:
            return
        say("Measuring the speed of the device (about ten seconds, once).")
        question = speed_question(config.device)
        job = ask(studio, None, question.kind, question.arguments, afresh=True)
        answer = see_answer(studio, settings, job)
        if answer.error:
            say(f"The speed could not be measured: {answer.error}")

    return measure


def explain(prepared: Prepared) -> None:
    """Say on stderr what was proposed for a search that starts now."""
    proposal = prepared.proposal
    if proposal is None:
        return
    adapted = adapted_text(prepared.start, proposal)
    for line in (proposal.summary, _task_text(prepared.start), adapted, *proposal.notes):
        if line:
            say(line)
    say("`egs propose` with the same options gives the reason for each setting.")


def _task_text(start: Start) -> str:
    """Say which task was taken from the data; empty if it was fixed."""
    if start.preset is not None or "task" in start.own or "task" not in start.given:
        return ""
    return f"The task follows from the data: {start.given['task']}."


def _print_unchanged(
    studio: Studio, prepared: Prepared, measure: Measure | None, as_json: bool
) -> None:
    """Print how long a preset takes that stays as it is."""
    whole, machine = predicted(studio, prepared.config, catalog_of(studio), measure)
    name = prepared.start.preset.name if prepared.start.preset else ""
    if as_json:
        answer = {
            "settings": prepared.config.model_dump(mode="json"),
            "reasons": {},
            "preset": name,
            "seconds": whole.seconds,
            "speed": machine.source.value,
        }
        print(json.dumps(answer, indent=2))
        return
    print(f"The preset {name} takes {time_words(whole.seconds)} here; its settings stay.")
    print(f"The time is {SPEED_SOURCES[machine.source]}.")
    say("Set --minutes to adapt it to a time budget.")


def _as_json(proposal: Proposal, training: TrainingProposal) -> dict[str, Any]:
    return {
        "settings": proposal.config.model_dump(mode="json"),
        "proposed": plain(proposal.values),
        "reasons": dict(proposal.reasons),
        "given": list(proposal.kept),
        "minutes": proposal.minutes,
        "seconds": proposal.duration.seconds,
        "steps": proposal.duration.steps,
        "steps_per_epoch": proposal.duration.steps_per_epoch,
        "step_seconds": proposal.duration.step_seconds,
        "evaluation_seconds": proposal.duration.evaluation_seconds,
        "speed": proposal.machine.source.value,
        "notes": list(proposal.notes),
        "training": {
            "settings": {name: one.value for name, one in training.settings.items()},
            "reasons": {name: one.reason for name, one in training.settings.items()},
            "seconds": training.duration.seconds,
        },
    }


def _print_proposal(start: Start, proposal: Proposal, training: TrainingProposal) -> None:
    for line in (proposal.summary, _task_text(start), *proposal.notes):
        if line:
            print(line)
    head = ("Setting", "Value", "Why")
    print()
    print_rows(head, reason_rows(start, proposal))
    print(f"\n{training.summary}\n")
    print_rows(head, [(name, one.value, one.reason) for name, one in training.settings.items()])
    say(f"\n`egs search --minutes {proposal.minutes:g}` with the same options starts this search.")
