"""A search in a file, and back: content that ``weights_only=True`` accepts."""

import pickle
import random
from dataclasses import asdict
from typing import Any, BinaryIO

import torch

from engine.domain.errors import CheckpointError
from engine.search.loop import SearchLoop

SCHEMA = 1
FREE_SETTINGS = frozenset({"device", "cpu_threads", "checkpoint_minutes"})
"""Settings that may differ between the search saved and the one continued."""


def save_checkpoint(loop: SearchLoop, file: BinaryIO) -> None:
    """Write the whole state of a search.

    Beside the loop's state it holds the settings, the search space and the
    states of Python's and torch's own generators.
    """
    document = {
        "schema": SCHEMA,
        "config": loop.config.model_dump(),
        "space": asdict(loop.space),
        "random": _random_state(),
        **loop.state_dict(),
    }
    torch.save(document, file)


def load_checkpoint(loop: SearchLoop, file: BinaryIO) -> None:
    """Continue ``loop`` exactly where the file was written.

    Raises:
        CheckpointError: The file is damaged, of a later schema, or of a
            search with other settings.
    """
    document = _read(file)
    _refuse_other_search(document, loop)
    loop.load_state_dict(document)
    _restore_random_state(document["random"])


def _read(file: BinaryIO) -> dict[str, Any]:
    try:
        document = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise _refused(f"a damaged file ({error})", "a complete checkpoint") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _refused("another kind of file", f"a checkpoint of schema {SCHEMA}")
    return document


def _refuse_other_search(document: dict[str, Any], loop: SearchLoop) -> None:
    saved, wanted = document["config"], loop.config.model_dump()
    for name, value in wanted.items():
        if name not in FREE_SETTINGS and saved.get(name) != value:
            raise _refused(
                f"{name} = {saved.get(name)!r} in it",
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
        asked="to continue from this checkpoint",
        found=found,
        allowed=allowed,
        advice="choose another checkpoint or start a new search",
    )
