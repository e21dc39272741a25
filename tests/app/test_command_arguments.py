"""Numbers that no database can keep, and files that no program of ours would write."""

import json
import os

import pytest

from app.commands.arguments import is_run_id
from engine.catalog import gather_catalog
from engine.domain.genotype import Genotype, to_json
from engine.spaces import SPACES

HUGE = "99999999999999999999"


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", HUGE],
        ["show", "0"],
        ["pause", HUGE],
        ["label", HUGE],
        ["report", HUGE],
        ["replay", HUGE],
        ["jobs", HUGE],
        ["truth", HUGE, "--table", "table.npz"],
        ["derive", HUGE],
        ["derive", "1", "--snapshot", HUGE],
        ["export", "1", "--format", "genotype", "--snapshot", HUGE],
        ["evaluate", "1", "--snapshot", HUGE],
        ["evaluate", "1", "--priority", HUGE],
        ["snapshots", "1", "--after", HUGE],
        ["snapshots", "1", "--limit", HUGE],
        ["fork", HUGE],
        ["fork", "1", "--step", HUGE],
        ["search", "--preset", "digits", "--priority", HUGE],
        ["queue", "priority", "1", HUGE],
        ["study", "study.toml", "--priority", HUGE],
    ],
)
def test_number_beyond_what_a_database_keeps_is_one_sentence(egs, arguments):
    said = egs(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Invalid value for ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("1", True), (str(2**31 - 1), True), (str(2**31), False), ("0", False), ("²", False)],
)
def test_only_a_possible_number_is_that_of_a_run(text, is_one):
    assert is_run_id(text) is is_one


@pytest.mark.parametrize("architecture", [HUGE, "9" * 5000, "²"])
def test_other_digits_are_taken_for_a_file(egs, architecture):
    said = egs("evaluate", architecture)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("Asked for an architecture from ")


def genotype_text(**parts: object) -> str:
    space = SPACES["darts"].with_nodes(1)
    empty = Genotype(space, {kind: (frozenset(),) for kind in space.cell_kinds})
    return json.dumps({**json.loads(to_json(empty)), **parts})


@pytest.mark.parametrize("command", ["import", "evaluate"])
@pytest.mark.parametrize("lineage", ["abc", {"step": "500"}])
def test_file_with_a_lineage_of_another_layout_is_one_sentence(
    egs, studio, tmp_path, command, lineage
):
    studio.store.publish(gather_catalog())
    file = tmp_path / "genotype.json"
    file.write_text(genotype_text(lineage=lineage))
    said = egs(command, file)
    assert (said.code, said.out) == (2, "")
    assert "lineage" in said.err
    assert said.err.count("\n") == 1


def test_file_whose_name_is_no_unicode_is_brought_in_and_shown(egs, studio, tmp_path):
    studio.store.publish(gather_catalog())
    file = tmp_path / os.fsdecode(b"caf\xe9.json")
    file.write_text(genotype_text(lineage={"name": "mine \ud800"}))
    said = egs("import", file, "--json")
    assert said.code == 0
    assert said.json["origin"] == "file caf\\udce9.json"
    assert said.json["name"] == "mine"
