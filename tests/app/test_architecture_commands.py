"""``egs derive``, ``egs truth`` and ``egs import`` in this process, on a recorded search."""

import pytest

from app.bench import bench, changed_rule
from engine.domain.genotype import from_json, to_darts
from tests.app.one_edge_runs import ONE_EDGE, seed_one_edge_run
from tests.app.truth_files import write_table
from tests.e2e.seeding import seed_run


def test_derive_prints_the_architecture_of_the_rule_asked_for(studio, egs):
    run = seed_run(studio.store, studio.artifacts, count=40)
    said = egs("derive", run.id, "--snapshot", 200, "--rule", "draw", "--seed", 3)
    rule = changed_rule(studio, run, None, name="draw", seed=3)
    assert said.code == 0
    assert from_json(said.out) == bench(studio, run.id, 200, rule).genotype
    assert from_json(egs("derive", run.id).out) == studio.derive(run.id)


def test_derive_prints_the_figures_of_a_rule(studio, egs):
    run = seed_run(studio.store, studio.artifacts, count=40)
    arguments = ("derive", run.id, "--rule", "vote", "--votes", 9, "--no-pool-none", "--figures")
    rule = changed_rule(studio, run, None, name="vote", votes=9, none_pooled=False)
    found = bench(studio, run.id, None, rule)
    said = egs(*arguments, "--json").json
    assert said["rule"] == "vote"
    assert said["parameters"] == found.cost.parameters
    assert said["probability"] == pytest.approx(found.probability.value)
    assert said["stability"] == pytest.approx(found.stability)
    table = egs(*arguments).out
    assert f"{found.cost.parameters}" in table.replace(",", "")
    assert "stability" in table


def test_derive_refuses_an_unknown_rule_in_one_sentence(studio, egs):
    run = seed_run(studio.store, studio.artifacts, count=20)
    said = egs("derive", run.id, "--rule", "best")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "Asked for a derivation rule with name = 'best'; found no such rule; allowed is one of "
        "map, draw, marginal, top2, vote; choose another name.\n"
    )


def test_truth_tells_accuracy_and_rank_at_each_epoch_and_at_the_end(studio, egs, tmp_path):
    path = write_table(tmp_path / "table.npz", ONE_EDGE)
    run = seed_one_edge_run(studio)
    said = egs("truth", run.id, "--table", path, "--json").json
    assert [entry["epoch"] for entry in said["epochs"]] == [1, 2, 3, 4]
    assert said["final"] == said["epochs"][-1]
    assert said["best"] == pytest.approx(94.0)
    final = said["final"]["truth"]
    sentence = f"ends with {final['test_accuracy']:.2f} %, rank {final['rank']} of 27"
    assert sentence in egs("truth", run.id, "--table", path).out


def test_truth_of_another_space_is_refused(studio, egs, tmp_path):
    path = write_table(tmp_path / "table.npz", ONE_EDGE)
    run = seed_run(studio.store, studio.artifacts, count=20)
    said = egs("truth", run.id, "--table", path)
    assert said.code == 2
    assert "found a cell of the space 'darts' with 14 edges" in said.err


def test_import_keeps_an_architecture_and_names_it_after_its_file(studio, egs, tmp_path):
    run = seed_run(studio.store, studio.artifacts, count=20)
    path = tmp_path / "cell.txt"
    path.write_text(to_darts(studio.derive(run.id)))
    entry = egs("import", path, "--json").json
    assert (entry["name"], entry["space"], entry["kind"]) == ("cell", "darts", "genotype")
    with studio.artifacts.read(entry["key"]) as file:
        assert from_json(file.read().decode()).cells == studio.derive(run.id).cells
    assert egs("import", path, "--name", "mine").out.startswith("mine: ")


def test_import_refuses_what_is_no_architecture(studio, egs, tmp_path):
    seed_run(studio.store, studio.artifacts, count=20)
    path = tmp_path / "cell.py"
    path.write_text("import os; os._exit(3)")
    said = egs("import", path)
    assert said.code == 2
    assert "text in no known notation (0 Genotype(…) calls in it)" in said.err
