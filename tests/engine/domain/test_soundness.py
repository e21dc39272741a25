"""The law of sound codes against enumeration."""

import itertools
import math
from collections import Counter
from random import Random

import pytest

from engine.domain.soundness import SoundLaw, automaton, is_sound, with_a_sound_code
from engine.spaces import SPACES as OURS
from tests.engine.domain.sound_cells import (
    SPACES,
    all_codes,
    connects,
    inclusion_of,
    random_rows,
    scopes_of,
    small,
    sound_law_of_codes,
)

CASES = [
    (space, scope, draws)
    for space in SPACES
    for scope, draws in itertools.product(scopes_of(space), (1, 2, 3))
    if len(space.edges) < 6 or draws == 1
]
SAMPLES = 3000


@pytest.mark.parametrize("space", SPACES[:5], ids=str)
def test_a_code_is_sound_where_every_part_is_connected(space):
    for code in all_codes(space):
        assert is_sound(space, code) == connects(space, code)


@pytest.mark.parametrize(("space", "scope", "draws"), CASES, ids=str)
def test_probability_and_inclusions_are_those_of_an_enumeration(space, scope, draws):
    rows = random_rows(space, scope, seed=draws)
    total, law = sound_law_of_codes(space, rows, draws, scope)
    found = SoundLaw(space, rows, draws=draws, scope=scope)
    assert found.probability == pytest.approx(total, abs=1e-12)
    for row, expected in zip(found.inclusion, inclusion_of(space, law), strict=True):
        assert row == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("space", "scope", "draws"), CASES[::3], ids=str)
def test_codes_come_as_often_as_their_law_says(space, scope, draws):
    rows = random_rows(space, scope, seed=7)
    _, law = sound_law_of_codes(space, rows, draws, scope)
    sampler, stream = SoundLaw(space, rows, draws=draws, scope=scope), Random(1)
    counts = Counter(sampler.draw(stream) for _ in range(SAMPLES))
    assert set(counts) <= set(law)
    for code, chance in law.items():
        tolerance = 5 * math.sqrt(chance * (1 - chance) / SAMPLES) + 1e-3
        assert counts[code] / SAMPLES == pytest.approx(chance, abs=tolerance)


@pytest.mark.parametrize("name", OURS)
def test_the_more_is_kept_the_sounder_a_code_is(name):
    """Which is why rows leave a sound code exactly where all that is possible is sound."""
    space = OURS[name]
    stream = Random(3)
    for _ in range(200):
        code = tuple(stream.getrandbits(len(space.operations)) for _ in space.edges)
        more = tuple(mask | stream.getrandbits(len(space.operations)) for mask in code)
        assert is_sound(space, more) or not is_sound(space, code)


def test_the_probability_of_uniform_rows_by_hand():
    """One node, two inputs, M = 1: the draw has to hit the one operation on c_{k-1}."""
    space = small("concat", 2, 1)
    law = SoundLaw(space, ((0.25, 0.25), (0.25, 0.25)), draws=1, scope="node")
    assert law.probability == pytest.approx(0.25)
    assert law.inclusion[0] == pytest.approx((0.0, 0.0))
    assert law.inclusion[1] == pytest.approx((0.0, 1.0))


def test_a_vanishing_operation_is_still_drawn_where_it_is_needed():
    """P(S) is 1e-200 and the law given S as exact as ever."""
    space = small("concat", 2, 2)
    faint = 1e-100
    rows = ((0.5, 0.5 - faint), (0.0, faint), *[(0.25, 0.25)] * 2, (0.0, 0.0))
    law = SoundLaw(space, rows, draws=1, scope="node")
    assert law.inclusion[1][1] + law.inclusion[3][1] == pytest.approx(1.0)
    code = law.draw(Random(0))
    assert is_sound(space, code)


def test_rows_that_leave_no_sound_code_get_a_faint_chance_of_everything():
    space = small("concat", 2, 2)
    rows = ((0.0, 1.0), (0.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0))
    assert with_a_sound_code(space, rows) != rows
    law = SoundLaw(space, rows, draws=2, scope="node")
    assert 0 < law.probability < 1e-20
    assert all(is_sound(space, law.draw(Random(seed))) for seed in range(20))
    assert law.inclusion[1][1] + law.inclusion[3][1] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("nodes", [1, 4, 12])
def test_automata_of_large_cells_have_few_states(nodes):
    assert len(automaton(OURS["darts"].with_nodes(nodes)).accepts) == 2
    assert len(automaton(OURS["rnn"].with_nodes(nodes)).accepts) == 1
