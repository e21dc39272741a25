"""Which trainings belong together: to the search they came from, and to each other."""

import json
from functools import lru_cache
from typing import Any

from app.studio import Studio
from engine.domain.config import AnyConfig, TrainingConfig
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype, from_json, to_masks
from engine.domain.run import Run, RunState

WITHOUT_INFLUENCE = (
    "genotype",
    "seed",
    "device",
    "cpu_threads",
    "snapshot_interval",
    "checkpoint_minutes",
)
"""Settings in which trainings of the same cells may differ and still be compared as seeds."""


@lru_cache(maxsize=256)
def _read(text: str) -> Genotype:
    return from_json(text)


@lru_cache(maxsize=1024)
def _found_by(text: str) -> str:
    """Identity of the run that found an architecture; empty where it is not said."""
    document: Any = json.loads(text)
    lineage = document.get("lineage") if isinstance(document, dict) else None
    return str(lineage.get("run", "")) if isinstance(lineage, dict) else ""


def found_by(config: AnyConfig) -> str:
    """Identity (uid) of the search behind a training; empty where it is not known."""
    if not isinstance(config, TrainingConfig):
        return ""
    try:
        return _found_by(config.genotype)
    except (ValueError, RecursionError):
        return ""


def trainings_of(studio: Studio, search: Run) -> list[Run]:
    """Every training of what a search has found, latest first."""
    runs = studio.store.runs(purpose="training")
    return [run for run in runs if found_by(run.config) == search.uid]


def search_of(studio: Studio, training: Run) -> Run | None:
    """The search that found what a training trains; None where it is gone or never was here."""
    uid = found_by(training.config)
    return next((run for run in studio.runs() if uid and run.uid == uid), None)


def seeds_of(studio: Studio, training: Run) -> list[Run]:
    """The trainings that differ from one in the seed only, itself among them, by seed."""
    wanted = _identity(training.config)
    runs = studio.store.runs(purpose="training")
    return sorted(
        (run for run in runs if run.id == training.id or _identity(run.config) == wanted),
        key=lambda run: (run.config.seed, run.id),
    )


def trained_cells(studio: Studio, genotype: Genotype) -> list[Run]:
    """Every training of the very cells, latest first."""
    wanted = _cells_of(genotype)
    runs = studio.store.runs(purpose="training")
    return [run for run in runs if _cells(run.config) == wanted]


def same_cells(studio: Studio, genotype: Genotype) -> list[Run]:
    """Completed trainings of the very cells, latest first."""
    return [run for run in trained_cells(studio, genotype) if run.state is RunState.COMPLETED]


def _identity(config: AnyConfig) -> Any:
    settings = config.model_dump()
    return _cells(config), {k: v for k, v in settings.items() if k not in WITHOUT_INFLUENCE}


def _cells(config: AnyConfig) -> Any:
    """The cells of a training in a form that compares; its text where they cannot be read."""
    if not isinstance(config, TrainingConfig):
        return None
    try:
        return _cells_of(_read(config.genotype))
    except InvalidGenotype:
        return config.genotype


def _cells_of(genotype: Genotype) -> Any:
    return genotype.space.name, to_masks(genotype)
