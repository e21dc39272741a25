"""The network section of the Architecture page."""

from app.components.network_strip import size_words, strip_data, uses_words
from app.costs import cost_view, edge_costs
from app.studio import Studio
from engine.domain.cost import Cost
from pages.network import by_edge, by_operation, memory_words
from tests.e2e.seeding import seed_run
from tests.pages.conftest import OpenPage, words


def test_page_says_how_often_each_cell_is_used(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=40)
    view = cost_view(studio, run.id, studio.derive(run.id))
    test = page("architecture", run=run.id)
    assert not test.exception
    shown = words(test)
    assert uses_words(view.blocks) in shown
    assert memory_words(view.total) in shown


def test_total_is_that_of_the_cost_figures(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    genotype = studio.derive(run.id)
    view = cost_view(studio, run.id, genotype)
    assert view.total == studio.cost(run.id, genotype)
    rows = by_operation(studio, view)
    assert sum(int(row["adds"].replace(",", "")) for row in rows) == view.total.multiply_adds
    kept = sum(len(node) for node in genotype.cells["normal"])
    assert len(by_edge(studio, view, genotype, 0)) == kept == len(edge_costs(view, genotype, 0))


def test_strip_has_a_block_for_each_cell_and_both_ends(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    view = cost_view(studio, run.id, studio.derive(run.id))
    data = strip_data(view.blocks)
    assert [block["cell"] for block in data["blocks"]] == [None, 0, 1, 2, 3, None]
    assert data["tallest"] == 8
    assert size_words(view.blocks[1]) == "8 × 8×8"
    assert size_words(view.blocks[-1]) == ""


def test_memory_is_four_bytes_a_parameter():
    assert "1.0 MiB" in memory_words(Cost(2**18))
    assert "2.0 KiB" in memory_words(Cost(512))
