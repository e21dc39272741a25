"""Changing an architecture by hand."""

import pytest

from app.components.genotype_editor import checked_masks, editor_data
from app.studio import Studio
from engine.domain.cost import Cost
from engine.domain.genotype import from_json, to_json, to_masks
from engine.spaces import SPACES
from pages.what_if import edited_genotype, worth_figures
from tests.e2e.seeding import catalog, seed_run
from tests.pages.conftest import OpenPage, words

SPACE = SPACES["nb201"]


def test_page_offers_the_editor_and_nothing_more_before_a_change(studio: Studio, page: OpenPage):
    run = seed_run(studio.store, studio.artifacts, count=40)
    test = page("architecture", run=run.id)
    assert not test.exception
    assert "Keep or drop operations by hand" in words(test)
    assert "keep-edited" not in {button.key for button in test.button}


def test_lineage_of_a_change_names_its_origin_and_counts(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    derived = studio.derive(run.id)
    masks = {kind: list(edges) for kind, edges in to_masks(derived).items()}
    edge = next(n for n, mask in enumerate(masks["normal"]) if mask)
    removed = masks["normal"][edge].bit_count()
    masks["normal"][edge] = 0
    masks["reduction"][0] |= 0b11000000 & ~masks["reduction"][0]
    added = (masks["reduction"][0] & ~to_masks(derived)["reduction"][0]).bit_count()
    edited = edited_genotype(derived, {kind: tuple(edges) for kind, edges in masks.items()})
    assert edited.lineage["run"] == run.uid
    assert edited.lineage["edited"] == {"added": added, "removed": removed}
    assert edited.rule is None
    assert to_masks(edited) == {kind: tuple(edges) for kind, edges in masks.items()}
    back = from_json(to_json(edited))
    assert (back.cells, dict(back.lineage)) == (edited.cells, dict(edited.lineage))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "x",
        {},
        {"cell": [0] * 5},
        {"cell": [0] * 5 + [32]},
        {"cell": [0] * 5 + [-1]},
        {"cell": [0] * 5 + ["1"]},
        {"cell": [0] * 6, "other": [0] * 6},
    ],
)
def test_what_is_no_code_counts_as_unchanged(given):
    assert checked_masks(SPACE, given) is None


def test_a_code_from_the_browser_is_taken():
    assert checked_masks(SPACE, {"cell": [0, 1.0, 2, 3, 4, 31]}) == {"cell": (0, 1, 2, 3, 4, 31)}


def test_none_has_no_switch(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=40)
    data = editor_data(studio.derive(run.id), catalog(), cells=4)
    assert next(one["short"] for one in data["operations"]) == "max 3"
    assert [one["column"] for one in data["operations"]] == list(range(1, 8))


def test_differences_carry_their_sign():
    assert worth_figures(Cost(2000, 3_000_000), Cost(1500, 4_000_000)) == {
        "Parameters": ("1.5 k", "-0.5 k"),
        "Multiply-adds": ("4.00 M", "+1.00 M"),
    }
