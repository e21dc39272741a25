"""Small spaces, random rows, and sound codes told by a second formula: paths and enumeration."""

import itertools
from collections.abc import Iterator
from random import Random

from engine.domain.snapshot import Masks, Rows
from engine.domain.space import Output, Scope, SearchSpace

Law = dict[Masks, float]


def small(output: Output, inputs: int, nodes: int, operations: int = 1) -> SearchSpace:
    """A space of ``none`` and a few operations."""
    names = ("none", "a", "b", "c")[: operations + 1]
    return SearchSpace("small", "Small", ("cell",), inputs, nodes, names, output=output)


SPACES = [
    small("concat", 2, 1, 2),
    small("concat", 2, 2),
    small("mean", 1, 2),
    small("last", 1, 2),
    small("last", 2, 2),
    small("last", 1, 3),
]


def scopes_of(space: SearchSpace) -> tuple[Scope, ...]:
    """The scopes whose rows differ: in small spaces ``source`` is often another one."""
    rows = {space.rows("node"), space.rows("edge")}
    return ("node", "edge") if space.rows("source") in rows else ("node", "source", "edge")


def random_rows(space: SearchSpace, scope: Scope, seed: int) -> Rows:
    """E rows of K probabilities that sum to 1 in each row of the scope."""
    stream = Random(seed)
    rows: list[tuple[float, ...]] = []
    for edges in space.rows(scope):
        drawn = [[stream.expovariate(1.0) for _ in space.operations] for _ in edges]
        total = sum(map(sum, drawn))
        rows += [tuple(value / total for value in row) for row in drawn]
    return tuple(rows)


def connects(space: SearchSpace, masks: Masks) -> bool:
    """Whether a code is sound, by walking along its operations."""
    kept = [mask & ~1 for mask in masks]
    if space.output == "last":
        depends = {space.inputs - 1}
        for edge, mask in zip(space.edges, kept, strict=True):
            if mask and edge.source in depends:
                depends.add(edge.target)
        return space.inputs + space.nodes - 1 in depends
    holds = all(any(kept[edge] for edge in edges) for edges in space.edges_of)
    newest = [mask for edge, mask in zip(space.edges, kept, strict=True) if edge.source == 1]
    return holds and (space.inputs == 1 or any(newest))


def all_codes(space: SearchSpace) -> Iterator[Masks]:
    """Every code, ``none`` included."""
    return itertools.product(range(1 << len(space.operations)), repeat=len(space.edges))


def law_of_codes(space: SearchSpace, rows: Rows, draws: int, scope: Scope) -> Law:
    """Probability of every code, draw by draw, without any condition."""
    law: Law = {(0,) * len(space.edges): 1.0}
    for edges in space.rows(scope):
        items = [(e, k, rows[e][k]) for e in edges for k in range(len(space.operations))]
        for _ in range(draws):
            after: Law = {}
            for code, chance in law.items():
                for edge, k, p in items:
                    hit = (*code[:edge], code[edge] | 1 << k, *code[edge + 1 :])
                    after[hit] = after.get(hit, 0.0) + chance * p
            law = after
    return law


def sound_law_of_codes(
    space: SearchSpace, rows: Rows, draws: int, scope: Scope
) -> tuple[float, Law]:
    """P(sound), and the probability of every sound code given that."""
    law = law_of_codes(space, rows, draws, scope)
    sound = {code: chance for code, chance in law.items() if connects(space, code)}
    total = sum(sound.values())
    return total, {code: chance / total for code, chance in sound.items()}


def inclusion_of(space: SearchSpace, law: Law) -> Rows:
    """P(b_k = 1) of each item under a law of codes."""
    return tuple(
        tuple(
            sum(chance for code, chance in law.items() if code[edge] >> k & 1)
            for k in range(len(space.operations))
        )
        for edge in range(len(space.edges))
    )
