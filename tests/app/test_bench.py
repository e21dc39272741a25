"""The bench on recorded searches, its figures against a second count."""

from itertools import product as product_of
from math import prod
from pathlib import Path

import pytest

from app.bench import bench, changed_rule, export_benched, own_rule
from app.steering import change
from app.studio import Studio
from app.wiring import SystemClock
from engine.domain.config import make_config
from engine.domain.derivation import RULES, DerivationRule, derive
from engine.domain.errors import InvalidConfig, NotFound, WrongState
from engine.domain.genotype import from_json, to_json, to_masks
from engine.domain.run import Run, RunState
from engine.domain.soundness import is_sound
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.app.one_edge_runs import ONE_EDGE, seed_one_edge_run
from tests.e2e.seeding import seed_run


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    clock = SystemClock()
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


@pytest.fixture
def run(studio: Studio) -> Run:
    return seed_run(studio.store, studio.artifacts, count=60)


def test_the_runs_own_rule_gives_what_the_studio_derives(studio, run):
    found = bench(studio, run.id)
    assert found.genotype == studio.derive(run.id)
    assert found.genotype.rule == own_rule(studio, run)
    assert found.cost == studio.cost(run.id, found.genotype)
    assert found.measured["child_accuracy"] == studio.snapshot(run.id).metrics["child_accuracy"]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_written_into_its_genotype_and_read_again(studio, run, name):
    rule = changed_rule(studio, run, None, name=name, seed=4, threshold=0.3, votes=9, edges_kept=1)
    found = bench(studio, run.id, 300, rule)
    again = from_json(to_json(found.genotype))
    assert again.rule == rule
    assert again.lineage["step"] == 300
    snapshot = studio.snapshot(run.id, 300)
    assert to_masks(again) == derive(studio.space(run), snapshot.probabilities, rule)
    assert 0 <= found.probability.value <= 1
    assert 0 <= found.stability <= 1


@pytest.fixture
def random_run(studio: Studio) -> Run:
    return seed_run(studio.store, studio.artifacts, count=60, method="random", candidates=3)


def test_a_random_search_derives_nothing_and_shows_the_cell_that_it_kept(studio, random_run):
    end = studio.snapshots(random_run.id, epochs_only=True)[2]
    for step in (end.step, end.step + 10):
        found = bench(studio, random_run.id, step)
        assert to_masks(found.genotype) == end.derived
        assert found.genotype.rule is None
        assert found.genotype.lineage["step"] == step
        assert found.genotype == studio.derive(random_run.id, step)
        assert (found.stability, found.compared) == (None, 0)


def test_before_its_first_epoch_a_random_search_shows_the_cell_that_it_trains(studio, random_run):
    now = studio.snapshot(random_run.id, 10)
    assert now.epoch == 0
    none = 1 << studio.space(random_run).none_index
    found = to_masks(bench(studio, random_run.id, 10).genotype)
    assert found == {kind: tuple(m & ~none for m in cell) for kind, cell in now.codes.items()}


def test_another_rule_for_a_random_search_is_refused(studio, random_run):
    with pytest.raises(WrongState, match="derives nothing and keeps the best cell"):
        changed_rule(studio, random_run, None, name="vote")


def test_stability_counts_the_snapshots_just_before(studio, run):
    rule = own_rule(studio, run)
    found = bench(studio, run.id, 500, rule, last=20)
    space = studio.space(run)
    before = [s for s in studio.snapshots(run.id) if s.step < 500][-20:]
    same = [derive(space, s.probabilities, rule) == to_masks(found.genotype) for s in before]
    assert found.compared == len(before) == 20
    assert found.stability == pytest.approx(sum(same) / 20)
    assert 0 < sum(same) < 20


def test_the_first_snapshot_has_nothing_to_be_compared_with(studio, run):
    found = bench(studio, run.id, 10)
    assert (found.stability, found.compared) == (None, 0)


def test_after_a_change_of_the_draws_earlier_moments_keep_their_own_rule(studio):
    run = seed_run(studio.store, studio.artifacts, count=60, upto=30, state=RunState.RUNNING)
    epoch = studio.snapshots(run.id, epochs_only=True)[0]
    before = bench(studio, run.id, epoch.step)
    asked = change(studio, run.id, {"draws": 1})
    config = make_config({**dict(run.config), "draws": 1})
    studio.store.take_change(run.id, asked.number, config, step=run.progress.step, attempt=1)
    assert studio.run(run.id).config.rule.draws == 1
    after = bench(studio, run.id, epoch.step)
    assert after.genotype.cells == before.genotype.cells == studio.derive(run.id, epoch.step).cells
    assert after.genotype.rule.draws == run.config.draws > 1
    assert after.measured == before.measured != {}
    assert own_rule(studio, studio.run(run.id), epoch.step) == before.genotype.rule


def test_another_architecture_has_no_measured_child(studio, run):
    other = bench(studio, run.id, None, changed_rule(studio, run, None, name="draw", seed=1))
    assert to_masks(other.genotype) != to_masks(studio.derive(run.id))
    assert other.measured == {}


def test_the_probability_of_single_draws_is_the_product_of_the_chosen_among_sound_ones(studio):
    run = seed_one_edge_run(studio, draws=1)
    found = bench(studio, run.id)
    rows = studio.snapshot(run.id, found.genotype.lineage["step"]).probabilities["cell"]
    product = 1.0
    for mask, row in zip(to_masks(found.genotype)["cell"], rows, strict=True):
        product *= row[mask.bit_length() - 1] if mask else row[0]
    sound = sum(
        prod(row[k] for row, k in zip(rows, chosen, strict=True))
        for chosen in product_of(range(3), repeat=len(rows))
        if is_sound(ONE_EDGE, tuple(1 << k for k in chosen))
    )
    assert found.probability.value == pytest.approx(product / sound)
    assert len(rows) == len(ONE_EDGE.edges)


def test_an_export_is_of_the_architecture_of_the_rule(studio, run):
    rule = changed_rule(studio, run, None, name="vote", votes=7, seed=2)
    exported = export_benched(studio, run.id, "genotype", 200, rule)
    assert from_json(exported.content.decode()) == bench(studio, run.id, 200, rule).genotype


def test_the_question_for_a_job_names_moment_and_code(studio, run):
    found = bench(studio, run.id, 200)
    assert found.question["step"] == 200
    assert {k: tuple(v) for k, v in found.question["masks"].items()} == to_masks(found.genotype)


def test_the_scope_stays_that_of_the_search(studio, run):
    assert changed_rule(studio, run, None, name="top2").scope == run.config.scope
    with pytest.raises(InvalidConfig):
        changed_rule(studio, run, None, threshold=2.0)


def test_a_run_without_snapshots_has_no_architecture(studio):
    queued = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    with pytest.raises(NotFound, match="wait for the first snapshot"):
        bench(studio, queued.id, None, DerivationRule())
