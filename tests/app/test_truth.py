import os
from pathlib import Path

import pytest

from app.studio import Studio
from app.truth import TruthTables, read_table, truth_of_run, truth_series
from app.wiring import SystemClock
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import from_masks, to_arch_string
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.app.one_edge_runs import ONE_EDGE, seed_one_edge_run
from tests.app.truth_files import write_table
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    clock = SystemClock()
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_table(tmp_path / "tables" / "one_edge.npz", ONE_EDGE)


def test_each_epoch_gets_the_published_figures_of_its_cell(studio, path):
    run = seed_one_edge_run(studio)
    table = read_table(path)
    epochs = studio.snapshots(run.id, epochs_only=True)
    found = truth_of_run(studio, run.id, table)
    assert [entry.step for entry in found] == [epoch.step for epoch in epochs]
    for entry, epoch in zip(found, epochs, strict=True):
        text = to_arch_string(from_masks(ONE_EDGE, epoch.derived))
        assert entry.truth.arch == text
        row = list(table.archs).index(text)
        assert entry.truth.test_accuracy == table.test_accuracy[row]
        assert entry.truth.rank == 27 - row


def test_the_series_hold_accuracy_and_rank_at_each_epochs_end(studio, path):
    run = seed_one_edge_run(studio)
    epochs = studio.snapshots(run.id, epochs_only=True)
    accuracy, rank = truth_series(TruthTables((path,)), studio, run, epochs)
    truths = [entry.truth for entry in truth_of_run(studio, run.id, read_table(path))]
    assert accuracy.values == [truth.test_accuracy for truth in truths]
    assert rank.values == [truth.rank for truth in truths]
    assert accuracy.steps == rank.steps == [epoch.step for epoch in epochs]


def test_a_search_in_another_space_has_no_published_figures(studio, path):
    run = seed_run(studio.store, studio.artifacts, count=20)
    epochs = studio.snapshots(run.id, epochs_only=True)
    assert truth_series(TruthTables((path,)), studio, run, epochs) == []
    with pytest.raises(InvalidGenotype, match="search in the space of the table"):
        truth_of_run(studio, run.id, read_table(path))


def test_cells_with_several_operations_an_edge_are_refused_in_one_sentence(studio, path):
    run = seed_one_edge_run(studio, draws=32, upto=10)
    with pytest.raises(InvalidGenotype) as refusal:
        truth_of_run(studio, run.id, read_table(path))
    assert str(refusal.value) == (
        f"Asked for the published accuracy of run {run.id}; found no epoch with a cell of the "
        "table (an edge with skip_connect and avg_pool_3x3); allowed is cells with one operation "
        "an edge; search with derivation_draws = 1 in scope edge."
    )


def test_tables_in_the_folder_count_and_broken_ones_are_named(tmp_path, path):
    (path.parent / "broken.npz").write_bytes(b"nothing")
    tables = TruthTables((tmp_path / "gone.npz",), path.parent)
    assert tables.fitting(ONE_EDGE).name == "one_edge"
    assert [("gone" in text, "broken" in text) for text in tables.problems()] == [
        (True, False),
        (False, True),
    ]
    assert TruthTables(folder=tmp_path / "nowhere").paths() == []


def test_a_table_is_read_once_until_its_file_changes(path):
    first = read_table(path)
    assert read_table(path) is first
    os.utime(path, ns=(1, 1))
    again = read_table(path)
    assert again is not first
    assert again.archs == first.archs
