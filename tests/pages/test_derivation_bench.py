"""The bench of the Architecture page: the rule lives in the address."""

import math
from dataclasses import replace

import pytest

from app.bench import bench, changed_rule, own_rule
from app.settings import Settings
from app.studio import Studio
from engine.domain.chances import CodeProbability
from engine.domain.derivation import RULES, DerivationRule
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import to_darts
from pages.derivation_bench import (
    SWITCHES,
    address_of,
    bench_figures,
    child_words,
    latency_words,
    probability_words,
    rule_from_address,
)
from tests.app.one_edge_runs import ONE_EDGE, seed_one_edge_run
from tests.app.truth_files import write_table
from tests.e2e.seeding import seed_run
from tests.pages.conftest import OpenPage, words


@pytest.mark.parametrize("name", RULES)
def test_a_rule_comes_back_from_its_address(studio: Studio, name):
    run = seed_run(studio.store, studio.artifacts, count=20)
    own = own_rule(studio, run)
    others = {p: False if p in SWITCHES else 1 for p in RULES[name].parameters}
    rule = replace(own, name=name, **others)
    assert rule_from_address(own, address_of(own, rule)) == rule
    assert address_of(own, own) == {}
    assert rule_from_address(own, {"run": "1", "step": "20"}) == own


def test_nonsense_in_the_address_is_refused():
    for address in ({"rule": "best"}, {"draws": "many"}, {"threshold": "nan"}, {"votes": "0"}):
        with pytest.raises(InvalidConfig):
            rule_from_address(DerivationRule(), address)


def test_page_shows_what_the_rule_in_the_address_derives(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=40)
    test = page("architecture", run=run.id, step=200, rule="vote", votes=9, seed=3)
    assert not test.exception
    found = bench(studio, run.id, 200, changed_rule(studio, run, 200, name="vote", votes=9, seed=3))
    assert test.code[0].value == to_darts(found.genotype)
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown.items() >= bench_figures(found).items()
    assert shown["Child accuracy"] == "–"
    said = f"more than half of 9 codes of {run.config.draws} draws, with seed 3"
    assert said in words(test)


def test_choosing_a_rule_and_its_seed_changes_the_address(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=40)
    test = page("architecture", run=run.id)
    next(box for box in test.selectbox if box.label == "Rule").select("draw").run()
    assert test.query_params["rule"] == "draw"
    next(field for field in test.number_input if field.label == "Seed").set_value(5).run()
    assert not test.exception
    assert test.query_params["seed"] == "5"
    rule = changed_rule(studio, run, None, name="draw", seed=5)
    assert test.code[0].value == to_darts(bench(studio, run.id, None, rule).genotype)
    next(box for box in test.selectbox if box.label == "Rule").select("map").run()
    assert "rule" not in test.query_params
    assert "seed" not in test.query_params


def test_a_rule_that_does_not_exist_says_so_and_shows_the_searchs_own(
    studio: Studio, page: OpenPage
):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id, rule="best")
    assert "no such rule" in test.error[0].value
    assert test.code[0].value == to_darts(studio.derive(run.id))


def test_the_button_asks_for_exactly_this_child(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id, rule="draw", seed=2)
    test.button(key="measure-child").click().run()
    assert not test.exception
    (job,) = studio.store.jobs(run.id)
    found = bench(studio, run.id, None, changed_rule(studio, run, None, name="draw", seed=2))
    assert (job.kind, dict(job.arguments)) == ("child", found.question)
    assert "waits for an engine" in words(test)


def test_latency_is_asked_of_what_the_bench_shows(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id, rule="draw", seed=2)
    test.button(key="measure-latency").click().run()
    assert not test.exception
    (job,) = studio.store.jobs(run.id)
    found = bench(studio, run.id, None, changed_rule(studio, run, None, name="draw", seed=2))
    assert (job.kind, dict(job.arguments)) == ("latency", {"masks": found.question["masks"]})


@pytest.mark.parametrize(("device", "threads"), [("cpu", " with 2 threads"), ("cuda", "")])
def test_a_latency_names_batch_spread_and_device(device: str, threads: str):
    result = {
        "median_ms": 1.234,
        "low_ms": 1.2,
        "high_ms": 1.5,
        "device": device,
        "device_label": "Some chip",
        "batch": 1,
        "threads": 2,
        "repeats": 50,
    }
    assert latency_words(result) == (
        f"1.23 ms for a batch of 1 (quartiles 1.20 to 1.50) on Some chip{threads}."
    )


def test_a_table_beside_the_home_gives_published_figures(studio: Studio, page: OpenPage):
    write_table(Settings.from_environment().home / "tables" / "one_edge.npz", ONE_EDGE)
    run = seed_one_edge_run(studio)
    test = page("architecture", run=run.id)
    assert not test.exception
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown["Published accuracy"].endswith(" %")
    assert shown["Published rank"].endswith(" / 27")
    assert not page("live", run=run.id).exception


@pytest.mark.parametrize(
    ("log10", "text"),
    [
        (0.0, "100 %"),
        (math.log10(0.1234), "12.3 %"),
        (-3.0, "0.1 %"),
        (-12.4, "1 in 10¹²"),
        (-400.0, "1 in 10⁴⁰⁰"),
        (-math.inf, "0"),
    ],
)
def test_probabilities_are_told_in_per_cent_or_powers_of_ten(log10, text):
    assert probability_words(CodeProbability(log10)) == text


def test_the_answer_about_a_child_is_one_sentence():
    result = {"score": 91.234, "loss": 0.31, "score_name": "mean_iou", "step": 1200}
    assert child_words(result) == (
        "Child mean iou 91.23, loss 0.310, with the weights of step 1,200."
    )
