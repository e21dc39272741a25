"""The recorder of codes on the page, for the window that ends at the chosen moment."""

import pytest

from app.components.draws import draws_data, title_of, words_of
from app.studio import Studio
from engine.domain.draws import record_draws
from engine.domain.run import RunState
from pages.draws import of_one_ensemble, window
from tests.e2e.seeding import seed_run
from tests.pages.conftest import OpenPage, words


def test_page_explains_and_takes_a_window(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=120)
    test = page("live", run=run.id)
    assert not test.exception
    assert "Codes drawn" in words(test)
    assert f"{run.search.draws} draws" in words(test)
    test.selectbox(key=f"window-{run.id}").set_value(50).run()
    assert not test.exception


@pytest.mark.parametrize("length", [10, 50, 1000])
def test_window_is_the_last_snapshots_up_to_the_step(studio: Studio, length: int):
    run = seed_run(studio.store, studio.artifacts, count=120)
    known = studio.snapshots(run.id)
    for moment in (known[-1], known[40], known[0]):
        expected = [one for one in known if one.step <= moment.step][-length:]
        assert window(studio, run, moment.step, length) == expected
    assert window(studio, run, None, length) == known[-length:]


def test_before_the_first_snapshot_it_waits(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=0)
    assert "It appears with the first snapshot." in words(page("live", run=run.id))


def test_shares_and_words_are_those_of_the_record(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=60)
    space, catalog = studio.space(run), studio.catalog()
    records = record_draws(space, run.search, window(studio, run, None, 50))
    data = draws_data(space, catalog, records)
    first, record = data["records"][0], records[0]
    assert data["step"] == record.last_step
    assert first["title"] == title_of(record)
    assert first["words"] == words_of(record)
    entry = record.edges[3][2]
    assert first["rows"][3][2] == pytest.approx(
        [entry.count / 50, entry.expected / 50, entry.low / 50, entry.high / 50], abs=1e-4
    )
    assert [node["drawn"] for node in first["nodes"]] == [
        pytest.approx(node.drawn, abs=1e-3) for node in record.nodes
    ]


def test_codes_with_another_number_of_draws_are_left_out(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40, upto=30, state=RunState.PAUSED)
    found = window(studio, run, 200, 100)
    assert of_one_ensemble(studio, run, found) == (run.search, found)
    studio.store.ask_change(run.id, {"draws": 2})
    config = run.search.model_copy(update={"draws": 2})
    studio.store.take_change(run.id, 1, config, step=100)
    run = studio.run(run.id)
    early, late = (window(studio, run, step, 100) for step in (90, 200))
    assert of_one_ensemble(studio, run, early)[0].draws == 4
    assert of_one_ensemble(studio, run, early)[1] == early
    settings, kept = of_one_ensemble(studio, run, late)
    assert settings.draws == 2
    assert [snapshot.step for snapshot in kept] == list(range(110, 201, 10))
