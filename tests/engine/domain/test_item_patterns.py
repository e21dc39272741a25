import itertools

import pytest

from engine.domain.config import make_config
from engine.domain.derivation import DerivationRule, derive
from engine.domain.errors import InvalidConfig
from engine.domain.item_patterns import banned_items, frozen_rows, matching_items, union
from engine.domain.space import SearchSpace

SPACE = SearchSpace("s", "S", ("normal", "reduction"), 2, 2, ("none", "skip", "conv"))
EDGES = ("0-2", "1-2", "0-3", "1-3", "2-3")


def named(masks):
    """The items as (kind, edge, operation), by the second formula: bit by bit."""
    return {
        (kind, edge, SPACE.operations[k])
        for kind, edges in masks.items()
        for edge, mask in enumerate(edges)
        for k in range(3)
        if mask & (1 << k)
    }


def test_every_pattern_names_the_items_that_agree_with_each_of_its_parts():
    kinds, operations = ("*", "normal", "reduction"), ("*", "none", "conv")
    for kind, edge, operation in itertools.product(kinds, ("*", "3", "2-3"), operations):
        expected = {
            (a, b, c)
            for a in SPACE.cell_kinds
            for b in range(5)
            for c in SPACE.operations
            if kind in ("*", a) and edge in ("*", str(b), EDGES[b]) and operation in ("*", c)
        }
        assert named(matching_items("banned", f"{kind}:{edge}:{operation}", SPACE)) == expected


def test_patterns_add_up_and_nothing_names_nothing():
    both = matching_items("banned", " normal:0:none , *:1-2:conv,", SPACE)
    one, other = (matching_items("banned", t, SPACE) for t in ("normal:0:none", "*:1-2:conv"))
    assert both == union(one, other)
    assert named(matching_items("banned", "", SPACE)) == set()


@pytest.mark.parametrize(
    ("pattern", "found", "allowed"),
    [
        ("norml:0:none", "no kind of cell 'norml'", "* or one of normal, reduction"),
        ("*:5:none", "no edge '5'", "*, a number from 0 to 4, or one of 0-2, 1-2, 0-3, 1-3, 2-3"),
        ("*:2-1:none", "no edge '2-1'", "*, a number from 0 to 4"),
        ("*:*:pool", "no operation 'pool'", "* or one of none, skip, conv"),
    ],
)
def test_names_that_are_not_in_the_space_are_refused(pattern, found, allowed):
    with pytest.raises(InvalidConfig) as caught:
        matching_items("banned", f"*:*:skip, {pattern}", SPACE)
    assert f"Asked for banned = {pattern!r}; found {found} in this search space" in str(
        caught.value
    )
    assert f"allowed is {allowed}" in str(caught.value)


def test_a_row_has_to_keep_something():
    with pytest.raises(InvalidConfig) as caught:
        banned_items("normal:1:*", SPACE, "edge")
    assert str(caught.value) == (
        "Asked for banned = 'normal:1:*'; found nothing left to draw in the cell 'normal' for edge "
        "1 (1-2); allowed is at least one operation in every probability row; ban less."
    )
    banned_items("normal:1:*", SPACE, "node")
    with pytest.raises(InvalidConfig, match="for node 0"):
        banned_items("normal:1:*, normal:0:*", SPACE, "node")


def test_frozen_rows_are_whole():
    conv_of_edge_3 = "normal:3:conv"
    every = {(k, e, o) for k in ("normal",) for e in (2, 3, 4) for o in SPACE.operations}
    assert named(frozen_rows(conv_of_edge_3, SPACE, "node")) == every
    assert named(frozen_rows(conv_of_edge_3, SPACE, "edge")) == {i for i in every if i[1] == 3}


@pytest.mark.parametrize("name", ["banned", "frozen"])
def test_a_setting_that_is_no_pattern_is_refused_at_once(name):
    with pytest.raises(InvalidConfig) as caught:
        make_config({name: "normal:none"})
    assert str(caught.value) == (
        f"Asked for these settings together; found in {name}, 'normal:none' is not "
        "kind:edge:operation, such as normal:0-2:none or *:*:none; allowed is settings that fit "
        "together; change one of the two."
    )


RULES = [
    DerivationRule("map", 32, "edge"),
    DerivationRule("draw", 32, "edge"),
    DerivationRule("marginal", 32, "edge", threshold=0.0),
    DerivationRule("vote", 32, "edge"),
    DerivationRule("top2", 1, "edge", edges_kept=64),
]


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
@pytest.mark.parametrize("left", range(3))
def test_no_rule_derives_what_has_probability_zero(rule, left):
    row = tuple(1.0 if k == left else 0.0 for k in range(3))
    expected = 0 if left == 0 else 1 << left
    assert derive(SPACE, {"normal": (row,) * 5}, rule) == {"normal": (expected,) * 5}
