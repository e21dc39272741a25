"""``egs propose``: settings of a search from its data and a time budget, each with its reason."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from app.assignments import assigned
from app.checks import speed_question, time_words
from app.commands.arguments import Json, Minutes
from app.plain import plain
from app.proposals import (
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
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig, make_config
from engine.domain.facts import SPEED_SOURCES, SpeedSource
from engine.domain.proposal import Proposal, draft
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
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="Let an engine measure the speed of the device, once, if nobody has.",
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Propose the settings of a search and of the training that follows it."""
    settings = Settings.from_environment()
    studio = open_studio(settings)
    own = assigned(settings_given or [])
    if measure:
        measure_speed(studio, settings, own)
    start = starting_point(preset_names or [], data, own, minutes or DEFAULT_MINUTES)
    prepared = _prepared(studio, start)
    if prepared.proposal is None:
        _print_unchanged(studio, prepared, as_json)
        return
    training = propose_training(prepared.proposal, catalog_of(studio))
    if as_json:
        print(json.dumps(_as_json(prepared, training), indent=2))
    else:
        _print_proposal(prepared, training)


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
    own = assigned(assignments)
    start = starting_point(presets, data, own, minutes)
    if minutes is not None and start.minutes is not None:
        measure_speed(studio, settings, own)
    return _prepared(studio, start)


def _prepared(studio: Studio, start: Start) -> Prepared:
    if start.minutes is None:
        return Prepared(make_config(start.given), start)
    found = propose_settings(studio, start, start.minutes, catalog_of(studio))
    return Prepared(found.config, start, found)


def catalog_of(studio: Studio) -> Catalog:
    """The published catalogue, or this version's own where no engine has run yet."""
    known = studio.catalog()
    if known is not None:
        return known
    from engine.catalog import gather_catalog

    return gather_catalog()


def measure_speed(studio: Studio, settings: Settings, own: Mapping[str, Any]) -> None:
    """Let an engine measure the device of a search, unless one has done so already."""
    device = str(own.get("device", "auto"))
    config = draft({"device": device})
    if published_speed(studio, place_of(studio, config)) is not None:
        return
    say("Measuring the speed of this machine, once.")
    question = speed_question(device)
    job = ask(studio, None, question.kind, question.arguments, afresh=True)
    answer = see_answer(studio, settings, job)
    if answer.error:
        say(f"The speed could not be measured: {answer.error}")


def explain(prepared: Prepared, minutes: float | None) -> None:
    """Say on stderr what was proposed for a search that starts now."""
    proposal, preset = prepared.proposal, prepared.start.preset
    if proposal is None:
        if minutes is not None and preset is not None:
            say(f"The preset {preset.name} stays as it is on its own data, whatever the budget.")
        return
    say(proposal.summary)
    adapted = adapted_text(prepared.start, proposal)
    for line in (*([adapted] if adapted else []), *proposal.notes):
        say(line)
    say("`egs propose` with the same options gives the reason for each setting.")


def _print_unchanged(studio: Studio, prepared: Prepared, as_json: bool) -> None:
    """A preset on its own data."""
    whole, machine = predicted(studio, prepared.config, catalog_of(studio))
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
    print(
        f"The preset {name} stays as it is on its own data; it takes "
        f"{time_words(whole.seconds)} here ({SPEED_SOURCES[machine.source]})."
    )


def _as_json(prepared: Prepared, training: TrainingProposal) -> dict[str, Any]:
    proposal = prepared.proposal
    if proposal is None:
        return {}
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


def _print_proposal(prepared: Prepared, training: TrainingProposal) -> None:
    proposal = prepared.proposal
    if proposal is None:
        return
    print(proposal.summary)
    if proposal.machine.source is not SpeedSource.GUESS:
        print(f"Speed {SPEED_SOURCES[proposal.machine.source]}.")
    for note in proposal.notes:
        print(note)
    rows = reason_rows(prepared.start, proposal)
    print_rows(("Setting", "Value", "Why"), rows)
    print(f"\nTraining from scratch: {training.summary}")
    trained = [(name, str(one.value), one.reason) for name, one in training.settings.items()]
    print_rows(("Setting", "Value", "Why"), trained)
