"""From the first search to the files: the stations of an architecture."""

from hashlib import sha256

from app.studio import Studio
from engine.domain.run import RunState
from engine.export import EXPORTERS
from pages.lineage import MOST_TRAININGS, Station, stations
from pages.take_home import SLOW, checkpoint_words
from tests.e2e.seeding import seed_run
from tests.e2e.trainings import seed_training
from tests.pages.conftest import OpenPage, words


def places(found: list[Station]) -> list[tuple[str, dict[str, object]]]:
    return [(station.page, dict(station.query)) for station in found]


def test_a_search_leads_to_its_moment_and_to_the_trainings_of_these_cells(studio: Studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    genotype = studio.derive(search.id)
    trained = [seed_training(studio, search, seed=seed, test=90.5 + seed) for seed in range(4)]
    seed_training(studio, seed_run(studio.store, studio.artifacts, count=20, seed=9))
    found = stations(studio, search, genotype)
    step = genotype.lineage["step"]
    latest = trained[::-1][:MOST_TRAININGS]
    assert places(found) == [
        ("live", {"run": search.id}),
        ("architecture", {"run": search.id, "step": step}),
        *(("live", {"run": run.id}) for run in latest),
    ]
    assert found[2].label == f"Trained by run {latest[0].id}: Test 93.5 %"


def test_of_a_random_search_a_cell_is_kept_not_derived(studio: Studio):
    search = seed_run(studio.store, studio.artifacts, count=20, method="random", candidates=3)
    found = stations(studio, search, studio.derive(search.id, 70))
    assert "Kept at step 70" in {station.label for station in found}


def test_a_training_leads_back_to_its_search(studio: Studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    training = seed_training(studio, search, upto=2, state=RunState.RUNNING)
    found = stations(studio, training, studio.derive(training.id))
    assert [station.page for station in found] == ["live", "architecture", "live"]
    assert found[0].query == {"run": search.id}
    assert found[-1].query == {"run": training.id}


def test_a_training_whose_search_is_gone_has_one_station(studio: Studio):
    search = seed_run(studio.store, studio.artifacts, count=20)
    training = seed_training(studio, search)
    studio.delete(search.id)
    assert places(stations(studio, training, studio.derive(training.id))) == [
        ("live", {"run": training.id})
    ]


def test_a_fork_begins_with_the_run_that_it_was_forked_from(studio: Studio):
    parent = seed_run(studio.store, studio.artifacts, count=20)
    child = studio.store.create(parent.config, name="fork", parent_id=parent.id)
    found = stations(studio, child, studio.derive(parent.id))
    assert found[0].label == f"Forked from run {parent.id}"
    assert places(found)[:2] == [("live", {"run": parent.id}), ("live", {"run": child.id})]


def test_files_are_told_with_size_and_digest(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=20)
    said = words(page("architecture", run=run.id))
    genotype = studio.derive(run.id)
    for name in set(EXPORTERS) - SLOW:
        content = studio.export(run.id, name, genotype=genotype).content
        assert f"{len(content) / 2**10:.1f} KiB, SHA-256 {sha256(content).hexdigest()[:12]}…" in (
            said
        )
    (checkpoint,) = studio.checkpoints(run.id)
    assert f"SHA-256 {checkpoint.sha256[:12]}…" in said
    assert checkpoint_words(checkpoint, run.config.task) == "Step 10, 32.2 KiB"
