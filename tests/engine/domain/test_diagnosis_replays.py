"""Verdicts on searches that really ran, replayed epoch by epoch from their recordings."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from engine.domain.config import SearchConfig
from engine.domain.diagnosis import examine
from engine.domain.health import Health, Phase, Verdict
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.domain.stored_config import read_config
from engine.spaces import SPACES

RECORDINGS = Path(__file__).parent / "recordings"


def replayed(name: str) -> list[Health]:
    """The health at the end of each epoch, as it was while the search ran."""
    content = (RECORDINGS / f"{name}.recording.gz").read_bytes()
    document = json.loads(gzip.decompress(content))
    config = read_config("search", document["config"])
    assert isinstance(config, SearchConfig)
    space = space_of(config)
    epochs = [read(one) for one in document["snapshots"] if one["kind"] == "epoch"]
    found = [examine(space, config, epochs[:count]) for count in range(1, len(epochs) + 1)]
    return [health for health in found if health is not None]


def space_of(config: SearchConfig) -> SearchSpace:
    space = SPACES[config.space]
    return space.with_nodes(config.nodes) if config.nodes else space


def read(values: dict[str, Any]) -> Snapshot:
    tables = values["probabilities"]
    return Snapshot(
        step=values["step"],
        epoch=values["epoch"],
        kind=SnapshotKind.EPOCH,
        temperature=values["temperature"],
        probabilities={kind: tuple(map(tuple, rows)) for kind, rows in tables.items()},
        codes={kind: tuple(masks) for kind, masks in values["codes"].items()},
        metrics=values["metrics"],
        derived={kind: tuple(masks) for kind, masks in values["derived"].items()},
    )


def test_digits_that_fall_to_the_older_input_collapse_from_half_of_the_search_on():
    """Twenty epochs in scope node with four draws; 97.8 % accuracy and half of the network dead."""
    seen = replayed("older_input")
    verdicts = [health.verdict for health in seen]
    assert verdicts == [
        *[Verdict.EARLY] * 2,
        *[Verdict.WATCH] * 7,
        *[Verdict.COLLAPSED] * 11,
    ]
    last = seen[-1]
    assert (last.dead.cells, last.dead.of_cells) == (2, 4)
    assert [cell.sources[0].share for cell in last.cells] == pytest.approx([0.93, 0.93], abs=0.01)
    assert [cell.shape.depth for cell in last.cells] == [1, 1]
    assert last.entropy < seen[4].entropy < seen[1].entropy


def test_digits_in_scope_edge_end_undecided_since_operations_still_change():
    seen = replayed("undecided")
    assert {health.verdict for health in seen[:-1]} == {
        Verdict.EARLY,
        Verdict.DECIDING,
        Verdict.WATCH,
        Verdict.GOOD,
    }
    last = seen[-1]
    assert last.verdict is Verdict.UNDECIDED
    assert [one.text[:8] for one in last.findings] == ["Only 66%"]
    assert last.dead.cells == 0


def test_a_recurrent_cell_on_its_first_state_ends_undecided_with_a_warning():
    """Six epochs on help texts: the entropy ends at 0.72, on its way down."""
    last = replayed("first_state")[-1]
    assert last.verdict is Verdict.UNDECIDED
    assert last.entropy == pytest.approx(0.72, abs=0.005)
    assert any("first state s₀" in one.text for one in last.findings)
    assert last.cells[0].shape.depth == 1


def test_digits_with_alphas_that_hardly_learn_are_not_deciding_from_half_of_the_epochs_on():
    seen = replayed("stuck")
    assert [health.verdict is Verdict.STUCK for health in seen] == [False] * 4 + [True] * 5 + [
        False
    ]
    assert {health.phase for health in seen[2:]} == {Phase.EXPLORING}
    assert seen[-1].verdict is Verdict.UNDECIDED
    assert seen[-1].entropy == pytest.approx(1.0, abs=0.001)


def test_cells_of_skips_only_are_a_collapse_once_they_last_beyond_half_of_the_epochs():
    """NAS-Bench-201 on a part of CIFAR-10, eight epochs with one draw: skips win and stay."""
    seen = replayed("collapsed")
    verdicts = [health.verdict for health in seen]
    assert verdicts == [
        *[Verdict.EARLY] * 2,
        *[Verdict.WATCH] * 2,
        *[Verdict.COLLAPSED] * 4,
    ]
    assert [health.skip_share for health in seen][3:] == [1.0] * 5
    assert "skips" in seen[-1].findings[0].text
