"""What both stores do about the changes of a search."""

from dataclasses import replace

from engine.domain.config import SearchConfig
from engine.domain.run import Progress, Run
from engine.domain.steering import Change, named_values
from storage import refusals


def taken(run: Run, change: Change, config: SearchConfig, step: int) -> tuple[Run, Change]:
    """A run with a change in force from a step on, and the change with what was before.

    Raises:
        WrongState: The change is in force or refused already.
    """
    require_pending(run.id, change)
    before = named_values(run.search, change.settings)
    after = {**change.settings, **named_values(config, change.settings)}
    progress = with_epochs(run.progress, run.search.epochs, config.epochs)
    return (
        replace(run, config=config, progress=progress),
        replace(change, settings=after, before=before, step=step),
    )


def require_pending(run_id: int, change: Change) -> None:
    """Raise :class:`WrongState` unless nothing has become of the change yet."""
    if not change.is_pending:
        raise refusals.change_is_settled(run_id, change.number)


def with_epochs(progress: Progress, before: int, after: int) -> Progress:
    """The progress of a run that is given another number of epochs."""
    return replace(progress, total_steps=progress.total_steps // before * after)


def taken_words(change: Change) -> str:
    """The line in the log when a change comes into force."""
    return f"From step {change.step} on: {change.words}"


def asked_words(change: Change) -> str:
    """The line in the log when a person asks for a change."""
    return f"change {change.number} asked for: {change.words}"


def refused_words(change: Change, why: str) -> str:
    """The line in the log when a change cannot come into force."""
    return f"change {change.number} ({change.words}) does not come into force: {why}"
