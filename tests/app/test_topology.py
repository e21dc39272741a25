"""Depth, width and sources of the cells over time, for charts and for programs."""

import json

import pytest

from app.components.curves import charts_of
from app.components.topology_charts import topology_charts
from app.health_text import health_of
from app.studio import Studio
from app.topology import topology_of, topology_of_epochs, topology_series
from app.wiring import SystemClock
from engine.domain.topology import expected_shape, shape_of, source_classes, source_shares
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path), SystemClock())


SPACES = {
    "darts": {},
    "nb201": {"space": "nb201", "cells": 3, "scope": "edge", "draws": 1},
    "rnn": {"task": "language_modelling", "space": "rnn", "data": "python_topics"},
}


@pytest.mark.parametrize("name", list(SPACES))
def test_every_line_of_the_charts_has_a_point_per_epoch(studio: Studio, name: str):
    run = seed_run(studio.store, studio.artifacts, count=40, **SPACES[name])
    epochs = studio.snapshots(run.id, epochs_only=True)
    series = {one.name: one for one in topology_of(studio, run, epochs)}
    charts = topology_charts(studio.space(run), run.search)
    lines = [line.metric for chart in charts for line in chart.lines]
    assert sorted(lines) == sorted(series)
    assert len(set(lines)) == len(lines)
    for one in series.values():
        assert list(one.steps) == [epoch.step for epoch in epochs]
        assert len(one.values) == len(epochs)
    stored = {line.metric for chart in charts_of(run.config.task) for line in chart.lines}
    assert not stored & set(series)


def test_values_are_those_of_the_domain(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    space, epochs = studio.space(run), studio.snapshots(run.id, epochs_only=True)
    values = {one.name: one.values for one in topology_series(space, run.search, epochs)}
    for number, epoch in enumerate(epochs):
        for kind, rows in epoch.probabilities.items():
            shape = shape_of(space, epoch.derived[kind])
            assert values[f"depth_{kind}"][number] == shape.depth
            assert values[f"width_{kind}"][number] == shape.width
            for source, share in enumerate(source_shares(space, rows)):
                assert values[f"share_{kind}_{source}"][number] == pytest.approx(100 * share)
            expected = expected_shape(
                space, rows, draws=run.search.draws, scope=run.search.scope, sound=True
            )
            assert values[f"expected_depth_{kind}"][number] == expected.depth
    shares = [values[f"share_normal_{n}"] for n in range(len(source_classes(space)))]
    assert [sum(at) for at in zip(*shares, strict=True)] == pytest.approx([100.0] * len(epochs))


def test_a_table_for_programs_has_the_same_and_ends_with_what_health_says(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    table = topology_of_epochs(studio, run)
    assert json.loads(json.dumps(table)) == table
    assert [row["epoch"] for row in table] == list(range(1, 21))
    health = health_of(studio, run)
    assert health is not None
    for cell, known in zip(table[-1]["cells"], health.cells, strict=True):
        assert cell["kind"] == known.kind
        assert cell["shape"]["depth"] == known.shape.depth
        assert [one["share"] for one in cell["sources"]] == [one.share for one in known.sources]
        assert cell["expected_depth"] > 0


def test_searches_without_draws_have_no_expected_depth(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, method="darts", scope="edge")
    charts = topology_charts(studio.space(run), run.search)
    assert not [line for chart in charts for line in chart.lines if "expected" in line.metric]
    assert topology_of_epochs(studio, run)[-1]["cells"][0]["expected_depth"] is None


def test_random_search_and_searches_without_a_space_have_none(studio: Studio, monkeypatch):
    run = seed_run(studio.store, studio.artifacts, count=40, method="random", candidates=2)
    epochs = studio.snapshots(run.id, epochs_only=True)
    assert topology_charts(studio.space(run), run.search) == ()
    assert topology_of(studio, run, epochs) == []
    assert topology_of_epochs(studio, run) == []
    other = seed_run(studio.store, studio.artifacts, count=40)
    monkeypatch.setattr(studio.store, "space_of", lambda _: None)
    assert topology_of(studio, other, studio.snapshots(other.id, epochs_only=True)) == []
    assert health_of(studio, other) is None
