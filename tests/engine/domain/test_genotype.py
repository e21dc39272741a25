import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.derivation import DerivationRule
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import (
    Gene,
    Genotype,
    from_darts,
    from_json,
    from_masks,
    plain_nodes,
    to_darts,
    to_json,
    to_masks,
)
from engine.spaces import SPACES

DARTS = SPACES["darts"]
OPERATIONS = ", ".join(DARTS.operations)


@st.composite
def genotypes(draw) -> Genotype:
    space = DARTS.with_nodes(draw(st.integers(1, 6)))
    mask = st.integers(0, 255) if draw(st.booleans()) else st.sampled_from([0, 1, 8, 16])
    masks = {kind: tuple(draw(mask) for _ in space.edges) for kind in space.cell_kinds}
    rule = DerivationRule(
        draws=draw(st.integers(1, 9)), scope=draw(st.sampled_from(["node", "edge"]))
    )
    return from_masks(space, masks, rule, {"run": "abc", "step": 7, "name": 'Käse "x"\n'})


many = settings(max_examples=40)


@given(genotypes())
@many
def test_masks_come_back_from_a_genotype(genotype):
    masks = to_masks(genotype)
    assert from_masks(genotype.space, masks, genotype.rule, genotype.lineage) == genotype


@given(genotypes())
@many
def test_json_gives_back_the_genotype_with_rule_and_lineage(genotype):
    assert from_json(to_json(genotype)) == genotype


@given(genotypes())
@many
def test_darts_text_gives_back_the_cells(genotype):
    text = to_darts(genotype)
    assert "\n" not in text
    again = from_darts(text, DARTS)
    assert again.cells == genotype.cells
    assert again.space == genotype.space


def test_two_operations_at_every_node_give_the_classic_flat_text():
    cell = tuple(frozenset({Gene(0, "skip_connect"), Gene(1, "sep_conv_3x3")}) for _ in range(4))
    genotype = Genotype(DARTS, {"normal": cell, "reduction": cell})
    genes = ", ".join(["('skip_connect', 0), ('sep_conv_3x3', 1)"] * 4)
    assert to_darts(genotype) == (
        f"Genotype(normal=[{genes}], normal_concat=range(2, 6), "
        f"reduce=[{genes}], reduce_concat=range(2, 6))"
    )


def test_the_published_text_of_darts_is_read():
    text = (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
        "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
        "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
        "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
        "reduce_concat=[2, 3, 4, 5])"
    )
    genotype = from_darts(text, DARTS)
    assert genotype.cells["normal"][3] == {Gene(0, "skip_connect"), Gene(2, "dil_conv_3x3")}
    assert genotype.cells["reduction"][1] == {Gene(2, "skip_connect"), Gene(1, "max_pool_3x3")}


def test_plain_nodes_come_in_the_supernets_order_and_without_none():
    node = frozenset({Gene(1, "max_pool_3x3"), Gene(0, "sep_conv_5x5"), Gene(0, "none")})
    node |= {Gene(0, "avg_pool_3x3")}
    genotype = Genotype(DARTS.with_nodes(1), {"normal": (node,), "reduction": (frozenset(),)})
    assert plain_nodes(genotype) == {
        "normal": [[("avg_pool_3x3", 0), ("sep_conv_5x5", 0), ("max_pool_3x3", 1)]],
        "reduction": [[]],
    }


def one_node(operation: str = "skip_connect", source: int = 0, kind: str = "normal") -> Genotype:
    cells = {"normal": (frozenset(),), "reduction": (frozenset(),)}
    cells[kind] = (frozenset({Gene(source, operation)}),)
    return Genotype(DARTS.with_nodes(1), cells)


def changed(**parts) -> str:
    return json.dumps(json.loads(to_json(one_node())) | parts)


@pytest.mark.parametrize(
    ("make", "found", "allowed"),
    [
        (lambda: one_node("sep_conv_9x9"), "the operation 'sep_conv_9x9'", f"one of {OPERATIONS}"),
        (lambda: one_node(source=2), "source 2 for node 0", "0 to 1"),
        (lambda: one_node(source=-1), "source -1 for node 0", "0 to 1"),
        (
            lambda: one_node(kind="upwards"),
            "a cell of kind 'upwards'",
            "one of 'normal', 'reduction'",
        ),
        (
            lambda: Genotype(DARTS.with_nodes(1), {"normal": (frozenset(),)}),
            "no cell of kind 'reduction'",
            "a cell of each of 'normal', 'reduction'",
        ),
        (
            lambda: Genotype(replace(DARTS, nodes=2), one_node().cells),
            "1 nodes in 'normal'",
            "2 nodes",
        ),
        (
            lambda: from_json("nonsense"),
            "text that is no JSON (Expecting value: line 1 column 1 (char 0))",
            "a genotype file",
        ),
        (
            lambda: from_json("[]"),
            "a file without the genotype schema",
            "schema 'egs-studio/genotype'",
        ),
        (lambda: from_json(changed(version=2)), "schema version 2", "version 1"),
        (
            lambda: from_json(changed(cells=[])),
            "a malformed part (AttributeError(\"'list' object has no attribute 'items'\"))",
            "the layout of version 1",
        ),
        (
            lambda: from_darts("__import__('os').getcwd()", DARTS),
            "text that is no DARTS genotype (cells with [] nodes)",
            "Genotype(normal=[…], …)",
        ),
        (
            lambda: from_darts("Genotype(normal=[('skip_connect', 0)])", DARTS),
            "text that is no DARTS genotype (a flat list needs two operations a node)",
            "Genotype(normal=[…], …)",
        ),
    ],
)
def test_a_wrong_genotype_is_refused_in_one_sentence(make, found, allowed):
    with pytest.raises(InvalidGenotype) as refusal:
        make()
    assert str(refusal.value) == (
        f"Asked for this genotype; found {found}; allowed is {allowed}; correct the genotype."
    )


@pytest.mark.parametrize("text", ["[" * 100_000, "Genotype(normal=" + "(" * 100_000])
def test_text_nested_beyond_all_bounds_is_refused(text):
    with pytest.raises(InvalidGenotype):
        from_json(text)
    with pytest.raises(InvalidGenotype):
        from_darts(text, DARTS)


@given(st.text(max_size=60))
@many
def test_any_text_is_a_genotype_or_refused(text):
    for read in (from_json, lambda t: from_darts(t, DARTS)):
        with pytest.raises(InvalidGenotype):
            read(text)
