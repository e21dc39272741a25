import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.derivation import DerivationRule
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import (
    MAX_CHARACTERS,
    Gene,
    Genotype,
    check_space,
    from_arch_string,
    from_darts,
    from_json,
    from_masks,
    plain_nodes,
    read_genotype,
    to_arch_string,
    to_darts,
    to_json,
    to_masks,
    to_tuple_text,
)
from engine.domain.space import SearchSpace
from engine.spaces import SPACES
from tests.engine.domain.test_rules import SMALL

DARTS, RNN = SPACES["darts"], SPACES["rnn"]
NB201 = replace(SMALL, name="nb201")
KNOWN = (DARTS, RNN, NB201)
OPERATIONS = ", ".join(DARTS.operations)


@st.composite
def genotypes(draw, among: tuple[SearchSpace, ...] = (DARTS,)) -> Genotype:
    space = draw(st.sampled_from(among)).with_nodes(draw(st.integers(1, 6)))
    highest = 2 ** len(space.operations) - 1
    mask = st.integers(0, highest) if draw(st.booleans()) else st.sampled_from([0, 1, 8, 16])
    masks = {kind: tuple(draw(mask) for _ in space.edges) for kind in space.cell_kinds}
    rule = DerivationRule(
        draws=draw(st.integers(1, 9)), scope=draw(st.sampled_from(["node", "source", "edge"]))
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
        (lambda: from_json(changed(version="one")), "schema version 'one'", "version 1"),
        (
            lambda: from_json(changed(rule={"name": "best"})),
            "a derivation rule with name = 'best' (no such rule)",
            "one of map, draw, marginal, top2, vote",
        ),
        (
            lambda: from_json(changed(cells=[])),
            "a malformed part (AttributeError(\"'list' object has no attribute 'items'\"))",
            "the layout of version 1",
        ),
        (
            lambda: from_darts("__import__('os').getcwd()", DARTS),
            "text that is no DARTS genotype (0 Genotype(…) calls in it)",
            "Genotype(normal=[…], …)",
        ),
        (
            lambda: from_darts("Genotype()", DARTS),
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


@given(genotypes(KNOWN))
@many
def test_every_notation_gives_back_the_cells_in_every_space(genotype):
    for text in (to_darts(genotype), to_tuple_text(genotype), "\n" + to_json(genotype)):
        again = read_genotype(text, KNOWN)
        assert again.cells == genotype.cells
        assert again.space == genotype.space
    assert read_genotype(to_json(genotype), KNOWN) == genotype


@given(genotypes((DARTS, RNN)))
@many
def test_the_named_tuple_is_python_that_says_the_same(genotype):
    """Here, and only in this test, what we wrote ourselves is run."""
    names: dict = {}
    exec(compile(to_tuple_text(genotype), "genotype.py", "exec"), names)
    found = names["genotype"]
    assert type(found).__name__ == "Genotype"
    assert repr(found) == to_darts(genotype)


DARTS_RNN = (
    "DARTS_V2 = Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), "
    "('tanh', 2), ('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))"
)


def test_the_published_recurrent_cell_of_darts_is_read_and_written_back():
    genotype = read_genotype(DARTS_RNN, KNOWN)
    assert genotype.space == RNN
    assert genotype.cells["recurrent"][5] == {Gene(5, "sigmoid")}
    assert f"DARTS_V2 = {to_darts(genotype)}" == DARTS_RNN


def test_a_named_tuple_of_a_program_is_found_among_its_other_lines():
    text = (
        "from collections import namedtuple\n"
        "Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')\n"
        "PRIMITIVES = ['none']\n"
        "CELL = genotypes.Genotype(normal=[('skip_connect', 0), ('skip_connect', 1)], "
        "normal_concat=[2], reduce=[('max_pool_3x3', 0), ('skip_connect', 1)], "
        "reduce_concat=[2])\n"
    )
    assert read_genotype(text, KNOWN).cells["reduction"] == (
        frozenset({Gene(0, "max_pool_3x3"), Gene(1, "skip_connect")}),
    )


ARCH = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"


def test_the_string_of_nas_bench_201_is_read_and_written_back():
    genotype = read_genotype(ARCH + "\n", KNOWN)
    assert genotype.space == NB201
    assert to_masks(genotype)["cell"] == (8, 0, 2, 16, 0, 4)
    assert to_arch_string(genotype) == ARCH


@given(st.lists(st.sampled_from([0, 1, 2, 4, 8, 16]), min_size=6, max_size=6))
@many
def test_every_cell_with_one_operation_an_edge_has_a_string(masks):
    genotype = from_masks(NB201, {"cell": tuple(masks)})
    again = from_arch_string(to_arch_string(genotype), NB201)
    assert to_masks(again)["cell"] == tuple(mask & ~1 for mask in masks)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{" + json.dumps("schema") + ': "egs-studio/genotype", "version": 2}',
            "Asked for this genotype; found schema version 2, written by a newer EGS Studio; "
            "allowed is version 1; update EGS Studio.",
        ),
        (
            ARCH.replace("skip_connect", "sep_conv_3x3"),
            "Asked for this genotype; found the operation 'sep_conv_3x3'; allowed is one of "
            "none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3; correct the genotype.",
        ),
        (
            "|none~0|+|none~1|none~0|",
            "Asked for this genotype; found text that is no NAS-Bench-201 architecture "
            "('|none~1|none~0|' instead of one operation for each source up to node); allowed is "
            "|operation~0|+|…~0|…~1|+…; correct the genotype.",
        ),
        (
            "Genotype(normal=[('skip_connect', 0)] * 10, up=1)",
            "Asked for this genotype; found text in no known notation "
            "(\"[('skip_connect', 0)] * 10\" "
            "instead of a literal); allowed is a genotype's JSON, DARTS's Genotype(…) "
            "or a NAS-Bench-201 string; correct the genotype.",
        ),
        (
            "Genotype(up=[('skip_connect', 0)])",
            "Asked for this genotype; found cells of no known search space; allowed is one of "
            "darts, rnn, nb201; correct the genotype.",
        ),
        (
            "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[2])",
            "Asked for this genotype; found text that is no DARTS genotype (concat = [2] instead "
            "of all of [1, 2]); allowed is Genotype(recurrent=[…], …); correct the genotype.",
        ),
        (
            "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=range(1, 10**9))",
            "Asked for this genotype; found text in no known notation ('10 ** 9' "
            "instead of a literal); allowed is a genotype's JSON, DARTS's Genotype(…) "
            "or a NAS-Bench-201 string; correct the genotype.",
        ),
        (
            "Genotype(recurrent=[('tanh', 0)], concat=range(1, 1000000000))",
            "Asked for this genotype; found text in no known notation (a range of more than 1000 "
            "numbers); allowed is a genotype's JSON, DARTS's Genotype(…) or a NAS-Bench-201 "
            "string; correct the genotype.",
        ),
        (
            "Genotype(recurrent=[('tanh', 0.5)])",
            "Asked for this genotype; found text that is no DARTS genotype (('tanh', 0.5) instead "
            "of (operation, source)); allowed is Genotype(recurrent=[…], …); correct the genotype.",
        ),
        (
            "x" * (MAX_CHARACTERS + 1),
            "Asked for this genotype; found 1,048,577 characters; allowed is at most 1,048,576; "
            "correct the genotype.",
        ),
        (
            f"{DARTS_RNN}\n{DARTS_RNN}",
            "Asked for this genotype; found text in no known notation (2 Genotype(…) calls in "
            "it); allowed is a genotype's JSON, DARTS's Genotype(…) or a NAS-Bench-201 string; "
            "correct the genotype.",
        ),
        (
            to_json(Genotype(replace(NB201, name="tss"), {"cell": (frozenset(),) * 3})),
            "Asked for this genotype; found the search space 'tss'; allowed is one of darts, rnn, "
            "nb201; correct the genotype.",
        ),
    ],
)
def test_text_that_is_no_known_architecture_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(InvalidGenotype) as refusal:
        read_genotype(text, KNOWN)
    assert str(refusal.value) == sentence


def test_a_file_with_an_operation_that_this_studio_lacks_is_refused():
    later = replace(NB201, operations=(*NB201.operations, "attention"))
    cell = (frozenset({Gene(0, "attention")}), frozenset(), frozenset())
    with pytest.raises(InvalidGenotype) as refusal:
        read_genotype(to_json(Genotype(later, {"cell": cell})), KNOWN)
    assert str(refusal.value) == (
        "Asked for a genotype of the search space 'nb201'; found the unknown operation "
        "'attention'; allowed is one of none, skip_connect, nor_conv_1x1, nor_conv_3x3, "
        "avg_pool_3x3; update EGS Studio or correct the genotype."
    )


def test_a_file_of_a_larger_space_is_read_where_it_keeps_what_is_known_here():
    later = replace(NB201, operations=("attention", *NB201.operations))
    cell = (frozenset({Gene(0, "nor_conv_3x3")}), frozenset(), frozenset())
    genotype = read_genotype(to_json(Genotype(later, {"cell": cell})), KNOWN)
    assert genotype.space == NB201
    assert to_masks(genotype)["cell"] == (8, 0, 0, 0, 0, 0)


def test_a_genotype_of_another_space_is_refused_with_both_names():
    check_space(read_genotype(DARTS_RNN, KNOWN), RNN.with_nodes(3))
    with pytest.raises(InvalidGenotype) as refusal:
        check_space(read_genotype(DARTS_RNN, KNOWN), DARTS)
    assert str(refusal.value) == (
        "Asked for a genotype of the search space 'darts'; found one of the search space 'rnn'; "
        "allowed is cells of kind 'normal', 'reduction' with 2 input(s); choose a genotype of "
        "'darts' or work in the space 'rnn'."
    )


@pytest.mark.parametrize(
    ("genotype", "found"),
    [
        (from_masks(NB201, {"cell": (10, 0, 0, 0, 0, 0)}), "an edge with several operations"),
        (one_node(), "a genotype of the space 'darts'"),
    ],
)
def test_only_cells_with_one_operation_an_edge_have_a_string(genotype, found):
    with pytest.raises(InvalidGenotype, match=found):
        to_arch_string(genotype)


@given(st.text(alphabet="{}[]()'\"|~+,:=Genotyprcu01 \n\\", max_size=60))
@many
def test_any_text_is_read_or_refused(text):
    with pytest.raises(InvalidGenotype):
        read_genotype(text, KNOWN)


def test_a_number_of_nodes_beyond_all_bounds_is_refused():
    document = json.loads(to_json(one_node()))
    document["space"]["nodes"] = 10**9
    with pytest.raises(InvalidGenotype, match="1000000000 nodes where 1 to 64 are allowed"):
        from_json(json.dumps(document))
