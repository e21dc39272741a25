"""Numbers and lineages in files of architectures that no program of ours would write."""

import json

import pytest

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Gene, Genotype, from_darts, from_json, read_genotype, to_json
from engine.spaces import SPACES

DARTS = SPACES["darts"].with_nodes(1)
CELL = (frozenset({Gene(0, "skip_connect"), Gene(1, "skip_connect")}),)
PAIRS = "[('skip_connect', 0), ('skip_connect', 1)]"


def written(**parts: object) -> str:
    genotype = Genotype(DARTS, {"normal": CELL, "reduction": CELL})
    return json.dumps({**json.loads(to_json(genotype)), **parts})


def refusal(text: str) -> str:
    with pytest.raises(InvalidGenotype) as caught:
        read_genotype(text, SPACES.values())
    return caught.value.found


@pytest.mark.parametrize("lineage", [None, {}, {"step": 0}, {"step": 2**63 - 1}, {"name": "mine"}])
def test_lineage_is_optional_and_so_is_its_step(lineage):
    assert from_json(written(lineage=lineage)).lineage == (lineage or {})


@pytest.mark.parametrize(("lineage", "kind"), [("abc", "str"), (["abc"], "list"), (7, "int")])
def test_lineage_that_is_no_object_is_refused(lineage, kind):
    assert refusal(written(lineage=lineage)) == f"a lineage of type {kind}"


@pytest.mark.parametrize("step", ["500", 1.5, True, None, -1, 2**63])
def test_step_that_is_no_step_is_refused(step):
    assert refusal(written(lineage={"step": step})) == f"the step {step!r} in its lineage"


def test_number_of_thousands_of_digits_is_refused():
    text = written(lineage={"seed": 0}).replace('"seed": 0', f'"seed": {"9" * 5000}')
    assert refusal(text).startswith("text that is no JSON (Exceeds the limit")


@pytest.mark.parametrize("end", ["100000000000000000000", hex(16**5000)])
def test_range_beyond_all_bounds_is_refused(end):
    text = f"Genotype(normal={PAIRS}, normal_concat=range(0, {end}), reduce={PAIRS})"
    assert refusal(text) == "text in no known notation (a range of more than 1000 numbers)"


def test_source_beyond_all_bounds_is_refused():
    pairs = PAIRS.replace("1)", f"{hex(16**5000)})")
    with pytest.raises(InvalidGenotype, match="text that is no DARTS genotype"):
        from_darts(f"Genotype(normal={pairs}, reduce={PAIRS})", DARTS)
