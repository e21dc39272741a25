"""How a run stands: its progress in words, its key figures, and what its page's head depends on."""

from collections.abc import Mapping
from typing import Any

from app.studio import Studio
from app.widgets import duration, figure, state_word, time_left
from engine.domain.metrics import main_figure
from engine.domain.run import Run, RunState
from engine.domain.run_config import data_name
from engine.domain.run_list import share_done
from engine.domain.snapshot import Snapshot, SnapshotKind


def standing(studio: Studio, run: Run) -> dict[str, Any]:
    """All of it as plain values.

    ``version`` differs where the head of the run's page must be drawn anew:
    its buttons, its state and its notices.
    """
    figures, words = figures_of(studio, run)
    return {
        "share": share_done(run),
        "words": progress_words(run),
        "tiles": [[label, value, words.get(label, "")] for label, value in figures.items()],
        "version": _version(studio, run),
    }


def figures_of(studio: Studio, run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Key figures of a run, and what they mean, both by label."""
    task, epoch = run.config.task, latest_epoch(studio, run)
    if run.config.purpose == "training":
        return training_figures(run, latest_figures(studio, run, epoch)), training_help(task)
    return key_figures(run, studio.snapshot(run.id), epoch), figure_help(task)


def latest_epoch(studio: Studio, run: Run) -> Snapshot | None:
    """The snapshot at the end of the latest completed epoch; None before the first."""
    if not run.progress.epoch or not run.progress.total_steps:
        return None
    step = run.progress.epoch * run.progress.total_steps // run.config.epochs
    found = studio.snapshot(run.id, step)
    return found if found is not None and found.kind is SnapshotKind.EPOCH else None


def progress_words(run: Run) -> str:
    """One line: how far, how long, how much longer, on what."""
    parts = [f"Epoch {run.progress.epoch} of {run.config.epochs}"]
    if run.progress.total_steps:
        parts.append(f"step {run.progress.step:,} of {run.progress.total_steps:,}")
    if run.progress.seconds:
        parts.append(f"{duration(run.progress.seconds)} of training")
    left = time_left(run)
    if run.state is RunState.RUNNING and left is not None:
        parts.append(f"about {duration(left)} left")
    parts.append(f"data {data_name(run.config.data)}")
    if run.device:
        parts.append(f"on {run.device}")
    return " · ".join(parts)


def key_figures(run: Run, latest: Snapshot | None, epoch: Snapshot | None) -> dict[str, str]:
    """The figures of the latest snapshot, and of the latest epoch's end, as people read them."""
    now = dict(latest.metrics) if latest else {}
    measured = dict(epoch.metrics) if epoch else {}
    main = main_figure(run.config.task)
    return {
        "Epoch": f"{run.progress.epoch} / {run.config.epochs}",
        "Step": f"{run.progress.step:,}",
        f"Child {main.label}": main.text(run.progress.score),
        "Supernet": main.text(measured.get(f"supernet_{main.name}")),
        "Gap": main.gap_text(run.progress.gap).replace(" points", " pt"),
        "Entropy": figure(now.get("entropy"), "{:.2f}"),
        "Temperature": figure(latest.temperature if latest else None, "{:.2f}"),
    }


def figure_help(task: str) -> dict[str, str]:
    """What each key figure means, by its label."""
    main = main_figure(task)
    unit = ", in percentage points" if main.gap_unit else f", as a difference of {main.label}"
    return {
        f"Child {main.label}": f"Of the derived network with inherited weights, on validation "
        f"{main.of}.",
        "Supernet": f"The {main.label} with a fresh code for every batch, on the same {main.of}.",
        "Gap": f"Child error minus supernet error{unit}.",
        "Entropy": "Of the probabilities: 1 is undecided, 0 is decided.",
        "Temperature": "Softness of the gradient through a draw.",
    }


def latest_figures(studio: Studio, run: Run, epoch: Snapshot | None) -> dict[str, float]:
    """The latest value of everything that a training measures.

    Args:
        studio: The use cases.
        run: The training.
        epoch: The snapshot at the end of its latest epoch.
    """
    latest = studio.snapshot(run.id)
    if latest is None:
        return {}
    moved: Snapshot | None = latest
    if latest.kind is SnapshotKind.EPOCH:
        moved = studio.snapshot(run.id, latest.step - 1)
    known = [snapshot for snapshot in (moved, epoch, latest) if snapshot is not None]
    return {name: value for snapshot in known for name, value in snapshot.metrics.items()}


def training_figures(run: Run, latest: Mapping[str, float]) -> dict[str, str]:
    """Key figures of a training as people read them; that of the test once there is one."""
    main = main_figure(run.config.task)
    figures = {
        "Epoch": f"{run.progress.epoch} / {run.config.epochs}",
        "Step": f"{run.progress.step:,}",
        f"Validation {main.label}": main.text(latest.get(f"validation_{main.name}")),
        "Training loss": figure(latest.get("train_loss"), "{:.3f}"),
        "Learning rate": figure(latest.get("learning_rate"), "{:.3g}"),
    }
    test = latest.get(f"test_{main.name}")
    if test is not None:
        figures[f"Test {main.label}"] = main.text(test)
    return figures


def training_help(task: str) -> dict[str, str]:
    """What each key figure of a training means, by its label."""
    main = main_figure(task)
    return {
        f"Validation {main.label}": f"On validation {main.of}, at the end of the latest epoch.",
        "Training loss": "Of the latest batch that was recorded, with all that is left out of the "
        "network while it trains.",
        "Learning rate": "Of the weights, now.",
        f"Test {main.label}": f"On test {main.of}, which were looked at once, after the last "
        "epoch.",
    }


def _version(studio: Studio, run: Run) -> str:
    pending = sum(wish.is_pending for wish in studio.changes(run.id))
    alive = run.is_ended or bool(studio.living_nodes())
    begun = (bool(run.progress.step), bool(run.progress.epoch))
    parts = (run.attempt, state_word(run), alive, *begun, pending, run.name, run.waiting, run.error)
    return " ".join(map(str, parts))
