"""Forks of searches, and changes of searches that go on."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.studio import Studio
from engine.domain.config import SearchConfig
from engine.domain.errors import InvalidConfig, NotFound, WrongState
from engine.domain.item_patterns import check_items
from engine.domain.run import ENDED, Run, RunState, nearest
from engine.domain.snapshot import Snapshot
from engine.domain.steering import (
    Change,
    changed,
    forked,
    in_force,
    named_values,
    refuse_late_end,
)


@dataclass(frozen=True)
class Origin:
    """Where a fork comes from.

    Attributes:
        uid: Identity of the search.
        step: Step of its snapshot.
        run: The search itself; None when it is gone.
    """

    uid: str
    step: int
    run: Run | None


def origin_of(studio: Studio, run: Run) -> Origin | None:
    """Where a search was forked from; None where it was not, and for a training."""
    config = run.config
    if not isinstance(config, SearchConfig) or not config.origin:
        return None
    parent = None if run.parent_id is None else studio.run(run.parent_id)
    return Origin(config.origin, config.origin_step, parent)


def fork(
    studio: Studio,
    run_id: int,
    step: int | None,
    changes: Mapping[str, Any],
    *,
    name: str | None = None,
    priority: int = 0,
) -> Run:
    """Queue a search that starts from the state of another one.

    Its probabilities are those of the snapshot; its weights those of the
    nearest checkpoint, unless ``origin_weights`` is ``fresh``. Its optimisers,
    schedules and epochs begin anew.

    Args:
        studio: The use cases.
        run_id: The search to fork, in any state.
        step: The latest snapshot at or before this step; None takes the latest.
        changes: Settings that differ from those in force at that step.
        name: Of the fork; without, that of the other one with the step.
        priority: Higher starts earlier.

    Raises:
        WrongState: The run is a training, or a random search.
        NotFound: It has no snapshot up to there.
        InvalidConfig: A setting is fixed or has no such value.
    """
    run = studio.run(run_id)
    snapshot = _snapshot(studio, run, step)
    config = forked(studio.settings_of(run, snapshot), run, snapshot.step, changes)
    return studio.create(
        config, name=name or f"{run.name}, from step {snapshot.step}", priority=priority
    )


def weights_words(studio: Studio, run_id: int, step: int) -> str:
    """Which weights a fork at a step would inherit, in a sentence."""
    found = nearest(studio.checkpoints(run_id), step)
    if found is None:
        return "There is no checkpoint to take weights from, so that they will be fresh ones."
    return f"Its weights are those of the checkpoint of step {found.step:,}, or fresh ones."


def _snapshot(studio: Studio, run: Run, step: int | None) -> Snapshot:
    _ = run.search
    snapshot = studio.snapshot(run.id, step)
    if snapshot is None:
        raise NotFound(
            asked=f"a fork of run {run.id}" + ("" if step is None else f" at step {step}"),
            found="no snapshot up to there",
            allowed="a search with at least one snapshot",
            advice="wait for the first snapshot, or start a new search with other settings",
        )
    return snapshot


def change(studio: Studio, run_id: int, settings: Mapping[str, Any]) -> Change:
    """Let other settings be in force from the next update of a search on.

    Of a search that nobody runs they are in force at once, from its last
    checkpoint on; a running one takes them within a second or so.

    Args:
        studio: The use cases.
        run_id: The search.
        settings: New values of settings that can be steered.

    Raises:
        WrongState: It is a training, or has ended.
        InvalidConfig: A setting cannot change while a search goes on, or has
            no such value.
    """
    run = studio.run(run_id)
    config = _checked(studio, run, settings)
    asked = studio.store.ask_change(run_id, named_values(config, settings))
    if run.state is not RunState.RUNNING:
        with suppress(WrongState):  # an engine was faster, and takes it itself
            _settle(studio, run_id)
    return next(one for one in studio.store.changes(run_id) if one.number == asked.number)


def _settle(studio: Studio, run_id: int) -> None:
    """Let every pending change of a run that nobody runs be in force, in order."""
    for wish in studio.store.changes(run_id):
        if not wish.is_pending:
            continue
        try:
            config = _checked(studio, studio.run(run_id), wish.settings)
        except InvalidConfig as error:
            studio.store.refuse_change(run_id, wish.number, str(error))
            continue
        step = _next_step(studio, run_id)
        studio.store.take_change(run_id, wish.number, config, step=step)


def _checked(studio: Studio, run: Run, settings: Mapping[str, Any]) -> SearchConfig:
    """The settings as they would be in force."""
    if run.state in ENDED - {RunState.FAILED}:
        raise WrongState(
            asked=f"a change of run {run.id}",
            found=f"a search that is {run.state.value}",
            allowed="a search that is queued, running, paused or failed",
            advice="fork it instead, or start a new search",
        )
    config = changed(run.search, settings)
    if studio.catalog() is not None:
        check_items(config, studio.space(run))
    if run.progress.total_steps:
        refuse_late_end(
            run.search,
            config,
            step=_next_step(studio, run.id),
            total=run.progress.total_steps,
        )
    return config


def _next_step(studio: Studio, run_id: int) -> int:
    """From which step on a change is in force: never before one that came earlier."""
    saved = studio.checkpoints(run_id)
    taken = in_force(studio.store.changes(run_id))
    return max(saved[-1].step if saved else 0, *(step for step, _ in taken), 0)
