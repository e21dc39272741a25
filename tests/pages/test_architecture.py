"""What was found, and taking it home."""

import pytest

from app.studio import Studio, shape_of
from app.widgets import plain
from engine.data.summaries import TextSummary
from engine.domain.config import make_training_config
from engine.domain.cost import Cost
from engine.domain.derivation import DerivationRule
from engine.domain.errors import NotFound
from engine.domain.genotype import from_json, to_darts, to_json, to_masks
from engine.domain.run import RunState
from engine.export import EXPORTERS
from pages.architecture import architecture_figures, moments, rule_words
from tests.e2e.seeding import seed_run
from tests.pages.conftest import OpenPage, words


def test_page_without_runs_leads_to_the_list(studio: Studio, page: OpenPage):
    test = page("architecture")
    assert not test.exception
    assert "no search yet" in words(test)


def test_page_shows_the_genotype_that_the_studio_derives(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id)
    assert not test.exception
    assert test.code[0].value == to_darts(studio.derive(run.id))


def test_page_shows_the_moment_in_the_address(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id, step=60)
    assert test.code[0].value == to_darts(studio.derive(run.id, 60))
    assert "Step 60, after 6 epochs" in words(test)


def test_of_a_random_search_the_page_shows_the_cell_that_it_kept_and_no_rule(
    studio: Studio, page: OpenPage
):
    run = seed_run(studio.store, studio.artifacts, count=20, method="random", candidates=3)
    test = page("architecture", run=run.id, step=70)
    assert not test.exception
    (end,) = studio.snapshots(run.id, after=69, limit=1, epochs_only=True)
    assert to_masks(studio.derive(run.id, 70)) == end.derived
    assert test.code[0].value == to_darts(studio.derive(run.id, 70))
    assert "It trains 3 cells one after the other and keeps the best so far" in words(test)
    assert not [box for box in test.selectbox if box.label == "Rule"]


def test_choosing_a_moment_goes_to_its_address(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id)
    test.selectbox[1].select("100").run()
    assert not test.exception
    assert test.query_params["step"] == "100"
    assert test.code[0].value == to_darts(studio.derive(run.id, 100))


def test_every_format_can_be_downloaded(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id)
    keys = {button.key for button in test.get("download_button")}
    assert keys == {f"download-{name}" for name in EXPORTERS}


def test_a_training_whose_data_are_gone_still_gives_its_genotype(studio: Studio, page: OpenPage):
    search = seed_run(studio.store, studio.artifacts, count=20)
    genotype = to_json(studio.derive(search.id))
    config = make_training_config({"genotype": genotype, "data": "/gone.npz"})
    run = studio.store.create(config, name="it")
    test = page("architecture", run=run.id)
    assert not test.exception
    keys = {button.key for button in test.get("download_button")}
    assert {"download-genotype", "download-darts", "download-svg"} <= keys
    assert "download-module" not in keys
    assert {tile.label: tile.value for tile in test.metric}["Parameters"] == "–"
    assert from_json(studio.export(run.id, "genotype").content.decode()) == from_json(genotype)


def test_the_size_of_a_text_that_nobody_has_counted_is_not_known(studio: Studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    uncounted = TextSummary("wiki", 0, 0, 0, 0)
    with pytest.raises(NotFound, match="nobody has read to their end yet"):
        shape_of(search.config, uncounted)


def test_files_with_weights_are_prepared_by_an_engine(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id)
    test.button(key="prepare-onnx").click().run()
    assert not test.exception
    (job,) = studio.store.jobs(run.id)
    assert (job.kind, job.arguments["format"]) == ("export", "onnx")
    assert from_json(job.arguments["genotype"]) == studio.derive(run.id)
    taken = studio.store.take_job("here", job.id)
    assert taken is not None
    key = f"runs/{run.uid}/jobs/{job.id}/onnx.onnx"
    with studio.artifacts.write(key) as file:
        file.write(b"a graph")
    result = {
        "key": key,
        "extension": ".onnx",
        "media_type": "application/octet-stream",
        "size_bytes": 3 * 2**20,
        "step": 1200,
        "difference": 3e-7,
    }
    studio.store.finish_job(job.id, taken.attempt, result=result)
    test.run()
    assert not test.exception
    assert "download-onnx" in {button.key for button in test.get("download_button")}
    assert plain("3.00 MiB, weights of step 1,200; differs from PyTorch by at most 3e-07.") in (
        words(test)
    )


def test_every_format_with_weights_has_its_button(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    test = page("architecture", run=run.id)
    cards = [card.name for card in studio.catalog().exporters if card.by_engine]
    assert {f"prepare-{name}" for name in cards} <= {button.key for button in test.button}
    assert len(cards) == 5


def test_run_without_a_snapshot_says_so(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, state=RunState.QUEUED)
    test = page("architecture", run=run.id)
    assert not test.exception
    assert "wait for the first snapshot" in test.info[0].value


def test_figures_name_cost_accuracy_and_gap(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=20)
    genotype, last = studio.derive(run.id), studio.snapshot(run.id)
    assert last is not None
    figures = architecture_figures(genotype, Cost(12_345, 6_780_000), last, "image_classification")
    assert figures["Parameters"] == "12.3 k"
    assert figures["Multiply-adds"] == "6.78 M"
    assert figures["Child accuracy"] == f"{last.metrics['child_accuracy']:.1f} %"
    assert architecture_figures(genotype, None, None, "image_classification")["Parameters"] == "–"


def test_moments_list_epochs_latest_first_and_the_chosen_step(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    options = list(moments(studio.snapshots(run.id, epochs_only=True), 30))
    assert options[:2] == ["latest", "400"]
    assert options[-1] == "30"


def test_rule_is_told_in_words():
    assert "for each node" in rule_words(DerivationRule("map", 4, "node", True))
    assert "counts as one" not in rule_words(DerivationRule("map", 4, "edge", True))


def test_moment_before_every_kept_checkpoint_says_so(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20, snapshot_interval=5)
    test = page("architecture", run=run.id, step=5)
    assert not test.exception
    assert "none is that old" in words(test)
    assert "download-checkpoint" not in {button.key for button in test.get("download_button")}
