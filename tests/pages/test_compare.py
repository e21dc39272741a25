"""Compare: two to eight runs, or a study."""

import json
from dataclasses import replace

from streamlit.testing.v1 import AppTest

from app.studio import Studio
from engine.domain.genotype_diff import genotype_diff
from engine.domain.presets import preset_config
from engine.domain.run import RunState
from pages.compare import run_looks, setting_rows
from pages.compare_cells import difference_rows
from pages.compare_costs import parallel_axes
from tests.e2e.seeding import seed_run
from tests.e2e.trainings import seed_training
from tests.pages.conftest import OpenPage, words


def seeded(studio: Studio, **changes: object):
    return seed_run(studio.store, studio.artifacts, count=40, **changes)


def component(test: AppTest, name: str) -> list[dict]:
    """What is sent to the components of that name."""
    return [
        json.loads(element.proto.json)[0]
        for element in test.main.get("bidi_component")
        if element.proto.component_name.endswith(name)
    ]


def charts(test: AppTest) -> list[dict]:
    return [json.loads(element.proto.spec) for element in test.main.get("plotly_chart")]


def test_nothing_to_compare_is_said_with_a_way_out(studio: Studio, page: OpenPage):
    test = page("compare")
    assert not test.exception
    assert "A comparison needs two runs" in words(test)
    assert test.button(key="to-runs")


def test_without_a_choice_the_page_says_how_to_choose(studio: Studio, page: OpenPage):
    seeded(studio, seed=1)
    seeded(studio, seed=2)
    test = page("compare")
    assert not test.exception
    assert "Choose runs above" in words(test)


def test_wrong_addresses_are_one_sentence(studio: Studio, page: OpenPage):
    seeded(studio, seed=1)
    seeded(studio, seed=2)
    for query, said in (
        ({"runs": "1"}, "1 run"),
        ({"runs": "1,x"}, "which is no number"),
        ({"runs": "1,77"}, "no run of that number"),
        ({"study": "nonsense"}, "fewer than two runs of that name"),
    ):
        test = page("compare", **query)
        assert not test.exception
        assert said in "".join(str(error.value) for error in test.error).replace("\\", "")


def test_two_runs_show_curves_settings_cells_agreement_and_costs(studio: Studio, page: OpenPage):
    first = seeded(studio, seed=1, name="first")
    second = seeded(studio, seed=1, draws=7, name="second")
    test = page("compare", runs=f"{first.id},{second.id}")
    assert not test.exception
    (chart,) = component(test, "egs_overlay")
    assert [track["label"] for track in chart["tracks"]] == ["first", "second"]
    measured = chart["tracks"][0]["series"]["series"]["child_accuracy"]["values"]
    assert measured == [
        one.metrics["child_accuracy"] for one in studio.snapshots(first.id, epochs_only=True)
    ]
    settings = component(test, "egs_table")[1]
    assert [row["setting"] for row in settings["rows"]] == ["Draws M"]
    assert [settings["rows"][0][f"run-{run.id}"][0] for run in (first, second)] == ["4", "7"]
    (cells,) = component(test, "egs_derived_cell")
    assert any(mark for cell in cells["cells"] for edge in cell["marks"] for mark in edge)
    (heat,) = component(test, "egs_heatmap")
    assert heat["maps"][0]["normalisation"] == "share of 2 runs that keep it"
    assert [metric.label for metric in test.metric] == ["Mean agreement of two runs"]
    front, parallel = charts(test)
    assert front["data"][-1]["name"] == "not beaten by any other"
    assert [d["label"] for d in parallel["data"][0]["dimensions"]] == [
        "Draws M",
        "→ child validation accuracy",
        "→ gap",
        "→ k parameters",
        "→ minutes",
    ]


def test_figures_of_other_scales_share_no_axis(studio: Studio):
    def labels(*runs):
        return [axis.label for axis in parallel_axes(studio, runs, {})]

    images, other = seeded(studio, seed=1), seeded(studio, seed=2)
    config = preset_config("topics")
    texts = replace(other, config=config, progress=replace(other.progress, score=150.0))
    assert "→ child validation accuracy" in labels(images, other)
    assert not {"→ child validation accuracy", "→ gap"} & set(labels(images, texts))
    trained = seed_training(studio, images), seed_training(studio, images, seed=1)
    assert "→ test accuracy" in labels(*trained)
    assert not [label for label in labels(images, *trained) if "accuracy" in label]


def test_runs_that_have_recorded_nothing_yet_are_waited_for(studio: Studio, page: OpenPage):
    for seed in (1, 2):
        seeded(studio, seed=seed, state=RunState.QUEUED)
    test = page("compare", runs="1,2")
    assert not test.exception
    said = words(test)
    assert "The cells appear as soon as" in said
    assert "The chart appears when the child of an epoch" in said
    assert charts(test) == []


def test_study_is_compared_as_a_whole_even_beyond_eight_runs(studio: Studio, page: OpenPage):
    for seed in range(5):
        for draws in (2, 7):
            seeded(
                studio, seed=seed, draws=draws, name=f"Draws / M={draws} / seed {seed}", epochs=4
            )
    test = page("compare", study="Draws")
    assert not test.exception
    (chart,) = component(test, "egs_overlay")
    assert len(chart["tracks"]) == 10
    assert chart["tracks"][0]["label"] == "M=2, seed 0"
    settings = component(test, "egs_table")[1]
    assert [column["label"] for column in settings["columns"]] == ["Setting", "M=2", "M=7"]
    assert "share of the 10 runs" in words(test)


def test_runs_of_another_space_still_show_the_rest(studio: Studio, page: OpenPage):
    first = seeded(studio, seed=1)
    second = seeded(studio, seed=1, space="nb201", cells=17)
    test = page("compare", runs=f"{first.id},{second.id}")
    assert not test.exception
    said = "".join(str(info.value) for info in test.info).replace("\\", "")
    assert "cells of one search space" in said
    assert component(test, "egs_overlay")


def test_rows_of_settings_and_of_edges_are_plain_words(studio: Studio):
    first, second = seeded(studio, seed=1), seeded(studio, seed=2)
    assert [row["id"] for row in setting_rows([first, second])] == ["seed"]
    diff = genotype_diff(studio.derive(first.id), studio.derive(second.id))
    catalog = studio.catalog()
    assert catalog is not None
    rows = difference_rows(diff, catalog)
    assert len(rows) == len(diff.changed())
    assert {row["change"] for row in rows} <= {"added", "removed", "changed"}
    assert [look.label for look in run_looks([first, second])] == [
        f"digits (run {first.id})",
        f"digits (run {second.id})",
    ]
