"""A search in a file, and back: content that ``weights_only=True`` accepts."""

import pickle
import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

import torch

from engine.domain.errors import CheckpointError
from engine.domain.stored_config import completed
from engine.optimisation.loop import Loop
from engine.optimisation.out_of_memory import is_out_of_memory

SCHEMA = 1
FREE_SETTINGS = frozenset({"device", "cpu_threads", "checkpoint_minutes"})
"""Settings that may differ between the search saved and the one continued."""


def save_checkpoint(loop: Loop, file: BinaryIO, *, run: str | None = None) -> None:
    """Write the whole state of a search.

    Beside the loop's state it holds the settings, the search space, the states
    of Python's and torch's own generators, and ``run``, the identity of the
    run that it belongs to.
    """
    document = {
        "schema": SCHEMA,
        "run": run,
        "config": loop.config.model_dump(),
        "space": asdict(loop.space),
        "random": _random_state(),
        **loop.state_dict(),
    }
    torch.save(document, file)


def load_checkpoint(
    loop: Loop,
    file: BinaryIO,
    *,
    run: str | None = None,
    changed: frozenset[str] = frozenset(),
) -> None:
    """Continue ``loop`` exactly where the file was written.

    Args:
        loop: Takes the state.
        file: What :func:`save_checkpoint` wrote.
        run: The run that it has to be of; None takes that of any.
        changed: Settings that people have changed while the search went on,
            so that they may differ.

    Raises:
        CheckpointError: The file is damaged, of a later schema, of another
            run, or of a search with other settings.
    """
    document = _read(file)
    refuse_other_run(document, run)
    _refuse_other_search(document, loop, FREE_SETTINGS | changed)
    loop.load_state_dict(document)
    _restore_random_state(document["random"])


def read_model(file: BinaryIO, *, run: str | None = None) -> dict[str, Any]:
    """Weights and alphas out of what :func:`save_checkpoint` wrote.

    Raises:
        CheckpointError: The file is damaged, of a later schema, or of another run.
    """
    document = _read(file)
    refuse_other_run(document, run)
    model: dict[str, Any] = document["model"]
    return model


def _read(file: BinaryIO) -> dict[str, Any]:
    try:
        document = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        raise _refused(f"a damaged file ({error})", "a complete checkpoint") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _refused("another kind of file", f"a checkpoint of schema {SCHEMA}")
    return document


def refuse_other_run(document: Mapping[str, Any], run: str | None) -> None:
    """Refuse the content of a checkpoint that names another run than the wanted one.

    Raises:
        CheckpointError: It does.
    """
    found = document.get("run")
    if run is not None and found is not None and found != run:
        raise _refused(f"a checkpoint of the run {found}", f"one of the run {run}")


def _refuse_other_search(document: dict[str, Any], loop: Loop, free: frozenset[str]) -> None:
    wanted = loop.config.model_dump()
    saved = completed(loop.config.purpose, document["config"])
    for name, value in wanted.items():
        if name not in free and saved[name] != value:
            raise _refused(
                f"{name} = {saved[name]!r} in it",
                f"{name} = {value!r}, as in this run",
            )


def _random_state() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def _restore_random_state(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_initialized() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _refused(found: str, allowed: str) -> CheckpointError:
    return CheckpointError(
        asked="a continuation of this checkpoint",
        found=found,
        allowed=allowed,
        advice="choose another checkpoint or start a new search",
    )
