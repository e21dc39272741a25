"""Verdicts on searches that really ran, replayed epoch by epoch from their recordings."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.recording import EXAMPLE
from engine.domain.config import SearchConfig, make_config
from engine.domain.health import Health, Phase, Verdict, examine
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.spaces import SPACES

HERE = Path(__file__).parent
GOOD = Path(__file__).parents[3] / "app" / "example" / EXAMPLE
STUCK = HERE / "recordings" / "stuck.recording.gz"
COLLAPSED = HERE / "recordings" / "collapsed.recording.gz"


def replayed(path: Path) -> list[Health]:
    """The health at the end of each epoch, as it was told while the search ran."""
    document = json.loads(gzip.decompress(path.read_bytes()))
    config: SearchConfig = make_config(document["config"])
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


def test_the_digits_that_come_along_go_well_from_the_second_epoch_on():
    told = replayed(GOOD)
    assert len(told) == 20
    assert told[0].verdict is Verdict.EARLY
    assert {health.verdict for health in told[1:]} == {Verdict.GOOD}
    assert told[-1].phase in {Phase.NARROWING, Phase.SETTLED}
    assert told[-1].entropy < told[4].entropy < told[1].entropy


def test_digits_with_alphas_that_hardly_learn_are_stuck_from_half_of_the_epochs_on():
    told = replayed(STUCK)
    assert [health.verdict is Verdict.STUCK for health in told] == [False] * 4 + [True] * 6
    assert told[-1].phase is Phase.EXPLORING
    assert told[-1].entropy == pytest.approx(1.0, abs=0.001)


def test_cells_of_skips_only_are_a_collapse_once_they_last_beyond_half_of_the_epochs():
    """NAS-Bench-201 on a part of CIFAR-10, eight epochs with one draw: skips win and stay."""
    told = replayed(COLLAPSED)
    verdicts = [health.verdict for health in told]
    assert verdicts == [Verdict.EARLY, *[Verdict.GOOD] * 5, *[Verdict.COLLAPSED] * 2]
    assert [health.skip_share for health in told][3:] == [1.0] * 5
    assert "collapsed" in told[-1].findings[0].text
