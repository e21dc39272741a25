"""Depth, width and sources of the cells of a search over time.

Nothing of it is stored: it is read from the probabilities and derived codes
that are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from app.plain import plain
from app.studio import Studio
from engine.domain.config import SearchConfig
from engine.domain.epoch_facts import facts_of
from engine.domain.errors import NotFound
from engine.domain.health import CellTopology
from engine.domain.run import Run
from engine.domain.snapshot import Series, Snapshot
from engine.domain.space import SearchSpace
from engine.domain.topology import expected_depth

SHARE, UNIFORM, DEPTH, EXPECTED, WIDTH = "share", "uniform", "depth", "expected_depth", "width"
"""Beginnings of the names of the series; the cell kind follows."""


def topology_series(
    space: SearchSpace, config: SearchConfig, epochs: Sequence[Snapshot]
) -> list[Series]:
    """The values of the charts at the ends of epochs."""
    if config.method == "random" or not epochs:
        return []
    columns: dict[str, list[float]] = {}
    for one in epochs:
        for name, value in _values(space, config, one):
            columns.setdefault(name, []).append(value)
    steps = [one.step for one in epochs]
    return [Series(name, steps, values) for name, values in columns.items()]


def topology_of(studio: Studio, run: Run, epochs: Sequence[Snapshot]) -> list[Series]:
    """The values for the page of a run; none of a training, or if its space is gone."""
    space = _space(studio, run)
    return [] if space is None else topology_series(space, run.search, epochs)


def topology_of_epochs(studio: Studio, run: Run) -> list[dict[str, Any]]:
    """The same for programs: per epoch its cells, with the expected depth of drawn codes."""
    space = _space(studio, run)
    if space is None or run.search.method == "random":
        return []
    return [
        {
            "epoch": one.epoch,
            "step": one.step,
            "cells": [
                {
                    **plain(cell),
                    "expected_depth": _expected_depth(space, run.search, one, cell.kind),
                }
                for cell in facts_of(space, run.search, one).cells
            ],
        }
        for one in studio.snapshots(run.id, epochs_only=True)
    ]


def _space(studio: Studio, run: Run) -> SearchSpace | None:
    """The search space of a search; None of a training, or if it is gone."""
    if not isinstance(run.config, SearchConfig):
        return None
    try:
        return studio.space(run)
    except NotFound:
        return None


def _values(
    space: SearchSpace, config: SearchConfig, epoch: Snapshot
) -> Iterator[tuple[str, float]]:
    for cell in facts_of(space, config, epoch).cells:
        yield from _shares(cell)
        yield f"{DEPTH}_{cell.kind}", cell.shape.depth
        yield f"{WIDTH}_{cell.kind}", cell.shape.width
        expected = _expected_depth(space, config, epoch, cell.kind)
        if expected is not None:
            yield f"{EXPECTED}_{cell.kind}", expected


def _shares(cell: CellTopology) -> Iterator[tuple[str, float]]:
    for number, one in enumerate(cell.sources):
        yield f"{SHARE}_{cell.kind}_{number}", 100 * one.share
    yield f"{UNIFORM}_{cell.kind}", 100 * cell.sources[0].uniform


def _expected_depth(
    space: SearchSpace, config: SearchConfig, epoch: Snapshot, kind: str
) -> float | None:
    """The mean depth of the codes that the search draws; None if it draws none."""
    if config.method != "egs":
        return None
    return expected_depth(
        space,
        epoch.probabilities[kind],
        draws=config.draws,
        scope=config.scope,
        sound=config.sound,
    )
