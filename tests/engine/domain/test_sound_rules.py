"""Sound derivations against enumeration, and the rules that use them."""

import itertools
from random import Random

import pytest

from engine.domain.chances import architecture_probability
from engine.domain.derivation import RULES, DerivationRule, code_probability, derive
from engine.domain.sound_rules import mended, most_probable_sound
from engine.domain.soundness import is_sound
from engine.spaces import SPACES as OURS
from tests.engine.domain.sound_cells import (
    SPACES,
    connects,
    random_rows,
    scopes_of,
    small,
    sound_law_of_codes,
)

CASES = [
    (space, scope, draws)
    for space in SPACES
    for scope, draws in itertools.product(scopes_of(space), (1, 2, 3))
]


def architectures(space):
    """Every code without ``none``."""
    kept = range(0, 1 << len(space.operations), 2)
    return itertools.product(kept, repeat=len(space.edges))


@pytest.mark.parametrize(("space", "scope", "draws"), CASES, ids=str)
def test_the_derived_architecture_is_the_most_probable_sound_one(space, scope, draws):
    for seed in range(5):
        rows = random_rows(space, scope, seed)

        def worth(masks, rows=rows):
            return architecture_probability(
                space, {"cell": rows}, {"cell": masks}, draws=draws, scope=scope
            ).log10

        best = max(worth(masks) for masks in architectures(space) if connects(space, masks))
        found = most_probable_sound(space, rows, draws=draws, scope=scope)
        assert connects(space, found)
        assert worth(found) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_mending_adds_and_never_takes(space):
    stream = Random(2)
    for seed in range(50):
        rows = random_rows(space, "node", seed)
        code = tuple(stream.getrandbits(len(space.operations)) for _ in space.edges)
        kept = tuple(mask & ~1 for mask in code)
        found = mended(space, rows, code)
        assert connects(space, found)
        assert all(mask & ~more == 0 for mask, more in zip(kept, found, strict=True))
        assert found == kept or not connects(space, kept)


def test_mending_takes_the_most_probable_operation_on_the_newer_input():
    space = small("concat", 2, 2)
    rows = ((0.1, 0.5), (0.3, 0.1), (0.1, 0.4), (0.1, 0.2), (0.1, 0.1))
    assert mended(space, rows, (2, 0, 2, 0, 0)) == (2, 0, 2, 2, 0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scope", ["node", "source", "edge"])
@pytest.mark.parametrize("name", OURS)
def test_every_rule_derives_sound_cells_from_any_probabilities(rule, scope, name):
    space = OURS[name]
    for seed in range(3):
        table = {kind: random_rows(space, scope, seed + len(kind)) for kind in space.cell_kinds}
        wanted = DerivationRule(rule, draws=4, scope=scope, votes=3, threshold=0.6, sound=True)
        derived = derive(space, table, wanted)
        assert all(is_sound(space, masks) for masks in derived.values())
        none = 0 if space.none_index is None else 1 << space.none_index
        assert not any(mask & none for masks in derived.values() for mask in masks)


def test_a_code_is_more_probable_given_that_codes_are_sound():
    space = small("concat", 2, 2)
    rows = random_rows(space, "node", 4)
    total, law = sound_law_of_codes(space, rows, 2, "node")
    rule = DerivationRule("map", 2, "node", sound=True)
    masks = derive(space, {"cell": rows}, rule)
    expected = sum(
        chance for code, chance in law.items() if tuple(m & ~1 for m in code) == masks["cell"]
    )
    assert code_probability(space, {"cell": rows}, masks, rule).value == pytest.approx(expected)
    plain = DerivationRule("map", 2, "node")
    assert code_probability(space, {"cell": rows}, masks, plain).value == pytest.approx(
        expected * total
    )


def test_an_unsound_code_has_no_probability_among_sound_ones():
    space = small("concat", 2, 2)
    rows = {"cell": random_rows(space, "node", 4)}
    rule = DerivationRule("map", 2, "node", sound=True)
    assert code_probability(space, rows, {"cell": (2, 0, 2, 0, 0)}, rule).value == 0.0


def test_vote_and_threshold_agree_where_many_codes_vote():
    """Both estimate P(b_k = 1 | sound) > 1 / 2."""
    space = OURS["darts"].with_nodes(2)
    table = {kind: random_rows(space, "node", 9) for kind in space.cell_kinds}
    vote = DerivationRule("vote", draws=4, votes=1001, sound=True)
    likely = DerivationRule("marginal", draws=4, threshold=0.5, sound=True)
    assert derive(space, table, vote) == derive(space, table, likely)
