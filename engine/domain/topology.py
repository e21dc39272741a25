"""The topology of a cell: where its nodes read from, and how deep and wide it is.

Terms follow Shu et al. 2020 (Understanding Architectures Learnt by Cell-Based
Neural Architecture Search). A kept operation carries a signal if a path of
kept operations leads to it from an input of the cell; ``none`` carries nothing.

* level of a node: operations on the longest path from an input to it;
* depth of a cell: operations on the longest path from an input to the output;
* width of a cell: nodes of level 1, which read the inputs of the cell only.

The same figures can be read off a code, or expected of the codes that M draws
give. Expectations are exact: a node's level depends on the levels before it
alone, because rows are independent, so that the law of all levels follows node
by node. In scope ``node``, with p_s the probability of the row on operations
that read source s::

    P(level of node <= t) = (p_none + sum of p_s over sources below level t) ** M

In scope ``edge`` it is the product of p_none ** M over the other edges.
"""

from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, expm1, fsum, inf, log, log1p
from random import Random

from engine.domain.draws import inclusion
from engine.domain.snapshot import Masks, Rows, operations_in
from engine.domain.soundness import SoundLaw, with_a_sound_code
from engine.domain.space import Scope, SearchSpace

SILENT = -1
"""Level of a node that no signal reaches."""

EXACT_NODES = 5
"""Most nodes for which the law of all levels is enumerated: at most 720 states."""

SAMPLES = 128
"""Codes that stand for the law in larger cells; the depth then has a standard error near 0.1."""

TRIES = 10
"""Draws of a sound code by trying again before its own law, which is slower, is asked."""

NODES = "nodes"
"""Name of the class of all earlier nodes, beside one class per input of the cell."""


@dataclass(frozen=True)
class Shape:
    """Topology of one cell: of a code in whole numbers, else expected values.

    Attributes:
        depth: Operations on the longest path from an input to the output; 0 if none leads there.
        width: Nodes that read the inputs of the cell only.
        silent: Nodes that no signal reaches.
        operations: Per input of the cell, the kept operations that read it.
        reads_last: Probability that some operation reads c_{k-1}; 0 or 1 for a code.
    """

    depth: float
    width: float
    silent: float
    operations: tuple[float, ...]
    reads_last: float


def source_classes(space: SearchSpace) -> tuple[str, ...]:
    """Names of what a node can read: each input of the cell, then all earlier nodes."""
    return (*map(space.source_label, range(space.inputs)), NODES)


def source_shares(space: SearchSpace, rows: Rows) -> tuple[float, ...]:
    """Share of the probability of all operations, ``none`` aside, per source class.

    Args:
        space: The search space.
        rows: E rows of K probabilities of one cell kind.

    Returns:
        One share per entry of :func:`source_classes`; they sum to 1, or are all 0
        if ``none`` holds everything.
    """
    masses = [0.0] * (space.inputs + 1)
    for edge, row in zip(space.edges, rows, strict=True):
        masses[min(edge.source, space.inputs)] += _signal(space, row)
    total = fsum(masses)
    return tuple(mass / total if total > 0 else 0.0 for mass in masses)


def uniform_rows(space: SearchSpace, scope: Scope, banned: Masks | None = None) -> Rows:
    """Equal probabilities for all operations of a row that are not banned.

    Args:
        space: The search space.
        scope: Which operations share a row.
        banned: One bit mask per edge of what can never be drawn.
    """
    masks = banned or (0,) * len(space.edges)
    columns = range(len(space.operations))
    rows: list[tuple[float, ...]] = []
    for edges in space.rows(scope):
        free = sum(not masks[edge] >> k & 1 for edge in edges for k in columns)
        rows += (
            tuple(0.0 if masks[edge] >> k & 1 else 1 / free for k in columns) for edge in edges
        )
    return tuple(rows)


def shape_of(space: SearchSpace, masks: Masks) -> Shape:
    """The topology of a code of one cell kind, one bit mask per edge."""
    kept = [_kept(space, mask) for mask in masks]
    levels = node_levels(space, masks)
    return _shape(
        space,
        levels,
        tuple(
            float(sum(n for e, n in zip(space.edges, kept, strict=True) if e.source == source))
            for source in range(space.inputs)
        ),
        reads_last=any(
            n and e.source == space.inputs - 1 for e, n in zip(space.edges, kept, strict=True)
        ),
    )


def node_levels(space: SearchSpace, masks: Masks) -> tuple[int, ...]:
    """The level of each node of a code; :data:`SILENT` where no signal arrives."""
    levels = [0] * space.inputs
    for edges in space.edges_of:
        below = [
            levels[space.edges[edge].source]
            for edge in edges
            if _kept(space, masks[edge]) and levels[space.edges[edge].source] != SILENT
        ]
        levels.append(1 + max(below) if below else SILENT)
    return tuple(levels[space.inputs :])


def expected_shape(
    space: SearchSpace, rows: Rows, *, draws: int, scope: Scope, sound: bool = False
) -> Shape:
    """The topology expected of a code of M independent draws per row.

    Exact up to :data:`EXACT_NODES` nodes; beyond, the mean of :data:`SAMPLES`
    codes that are drawn with a fixed seed.

    Args:
        space: The search space.
        rows: E rows of K probabilities of one cell kind.
        draws: Number of draws M.
        scope: Which operations share a row.
        sound: Whether the code is given to be sound; see
            :mod:`engine.domain.soundness`.
    """
    law = level_law(space, rows, draws=draws, scope=scope, sound=sound)
    shapes = [
        (chance, _shape(space, levels, (), reads_last=reads))
        for (levels, reads), chance in law.items()
    ]
    return Shape(
        depth=fsum(chance * shape.depth for chance, shape in shapes),
        width=fsum(chance * shape.width for chance, shape in shapes),
        silent=fsum(chance * shape.silent for chance, shape in shapes),
        operations=expected_operations(space, rows, draws=draws, scope=scope, sound=sound),
        reads_last=fsum(chance * shape.reads_last for chance, shape in shapes),
    )


def expected_depth(
    space: SearchSpace, rows: Rows, *, draws: int, scope: Scope, sound: bool = False
) -> float:
    """The depth of :func:`expected_shape` alone, which is quicker."""
    law = level_law(space, rows, draws=draws, scope=scope, sound=sound)
    return fsum(
        chance * _shape(space, levels, (), reads_last=reads).depth
        for (levels, reads), chance in law.items()
    )


def expected_operations(
    space: SearchSpace, rows: Rows, *, draws: int, scope: Scope, sound: bool = False
) -> tuple[float, ...]:
    """Per input of the cell, the expected number of kept operations that read it.

    An operation of probability p is kept with probability 1 - (1 - p)^M, or
    with that of :class:`engine.domain.soundness.SoundLaw`.
    """
    kept = (
        SoundLaw(space, rows, draws=draws, scope=scope).inclusion
        if sound
        else tuple(tuple(inclusion(p, draws) for p in row) for row in rows)
    )
    return tuple(
        fsum(
            _signal(space, row)
            for edge, row in zip(space.edges, kept, strict=True)
            if edge.source == source
        )
        for source in range(space.inputs)
    )


State = tuple[tuple[int, ...], bool]
"""The levels of the nodes so far, and whether any of them reads c_{k-1}."""


def level_law(
    space: SearchSpace, rows: Rows, *, draws: int, scope: Scope, sound: bool = False
) -> Mapping[State, float]:
    """The probability of each combination of levels, with whether c_{k-1} is read."""
    if space.nodes > EXACT_NODES:
        return _sampled_law(space, rows, draws, scope, sound=sound)
    rows = with_a_sound_code(space, rows) if sound else rows
    law: dict[State, float] = {((), False): 1.0}
    for node in _nodes(space, rows, draws, scope):
        after: dict[State, float] = {}
        for (levels, reads), chance in law.items():
            for level, reads_now, share in node.outcomes(levels):
                state = ((*levels, level), reads or reads_now)
                after[state] = after.get(state, 0.0) + chance * share
        law = after
    return _given_sound(space, law) if sound else law


def _given_sound(space: SearchSpace, law: Mapping[State, float]) -> Mapping[State, float]:
    """The same law, given that the code is sound."""
    kept = {state: chance for state, chance in law.items() if _is_sound(space, *state)}
    total = fsum(kept.values())
    return {state: chance / total for state, chance in kept.items()}


def _is_sound(space: SearchSpace, levels: Sequence[int], reads_last: bool) -> bool:
    if space.output == "last":
        return levels[-1] != SILENT
    return SILENT not in levels and (reads_last or space.inputs == 1)


@dataclass(frozen=True)
class _Node:
    """What decides the level of one node.

    Attributes:
        inputs: Inputs of the cell.
        rows: Per row, its (source, probability) pairs; source None is ``none``.
        draws: Number of draws M.
    """

    inputs: int
    rows: tuple[tuple[tuple[int | None, float], ...], ...]
    draws: int

    def outcomes(self, levels: Sequence[int]) -> Iterator[tuple[int, bool, float]]:
        """(level, whether it reads c_{k-1}, probability), given the levels before it."""
        of = (*(0,) * self.inputs, *levels)
        last = self.inputs - 1
        before = {False: 0.0, True: 0.0}
        for top in range(len(levels) + 2):
            either = self._log_within({s for s, level in enumerate(of) if level < top})
            other = self._log_within({s for s, level in enumerate(of) if level < top and s != last})
            reading = -exp(either) * expm1(other - either) if either > -inf else 0.0
            for reads, upto in ((False, exp(other)), (True, reading)):
                if upto > before[reads]:
                    yield top or SILENT, reads, upto - before[reads]
                before[reads] = upto

    def _log_within(self, allowed: Container[int]) -> float:
        """ln of the probability to keep only ``none`` and operations on allowed sources."""
        total = 0.0
        for row in self.rows:
            inside = fsum(p for source, p in row if source is None or source in allowed)
            outside = fsum(p for source, p in row if source is not None and source not in allowed)
            total += self.draws * _log_share(inside, outside)
        return total


def _log_share(inside: float, outside: float) -> float:
    """ln of inside / (inside + outside), exact to rounding also if one of them is tiny."""
    if inside <= 0:
        return -inf
    total = inside + outside
    return log1p(-outside / total) if outside < inside else log(inside / total)


def _nodes(space: SearchSpace, rows: Rows, draws: int, scope: Scope) -> Iterator[_Node]:
    none = space.none_index
    for node in range(space.nodes):
        yield _Node(
            space.inputs,
            tuple(
                (
                    (None, 0.0 if none is None else fsum(rows[edge][none] for edge in part)),
                    *((space.edges[edge].source, _signal(space, rows[edge])) for edge in part),
                )
                for part in space.rows_of(node, scope)
            ),
            draws,
        )


def _sampled_law(
    space: SearchSpace, rows: Rows, draws: int, scope: Scope, *, sound: bool
) -> dict[State, float]:
    stream = Random(0)
    nodes = [_Drawn.of(node) for node in _nodes(space, rows, draws, scope)]
    given = SoundLaw(space, rows, draws=draws, scope=scope) if sound else None
    law: dict[State, float] = {}
    for _ in range(SAMPLES):
        state = _draw_state(space, nodes, stream, given)
        law[state] = law.get(state, 0.0) + 1 / SAMPLES
    return law


@dataclass(frozen=True)
class _Drawn:
    """A node whose sources are drawn: per row, cumulative probabilities and sources."""

    rows: tuple[tuple[tuple[float, ...], tuple[int | None, ...]], ...]
    draws: int

    @classmethod
    def of(cls, node: _Node) -> "_Drawn":
        return cls(
            tuple(
                (tuple(accumulate(p for _, p in row)), tuple(source for source, _ in row))
                for row in node.rows
            ),
            node.draws,
        )

    def draw(self, stream: Random) -> set[int]:
        """The sources that M draws per row read."""
        hits = (
            sources[bisect_right(heights, stream.random() * heights[-1], hi=len(sources) - 1)]
            for heights, sources in self.rows
            for _ in range(self.draws)
        )
        return {source for source in hits if source is not None}


def _draw_state(
    space: SearchSpace, nodes: Sequence[_Drawn], stream: Random, given: SoundLaw | None
) -> State:
    """The levels of one code; of a sound one by trying again, at last by its own slower law."""
    for _ in range(TRIES):
        state = _levels_of_draw(space, nodes, stream, again=given is not None)
        if given is None or _is_sound(space, *state):
            return state
    masks = given.draw(stream) if given else ()
    return node_levels(space, masks), bool(shape_of(space, masks).reads_last)


def _levels_of_draw(
    space: SearchSpace, nodes: Sequence[_Drawn], stream: Random, *, again: bool
) -> State:
    """The levels of one code; ``again``: draw a silent node again, where none may be silent."""
    levels, reads = [0] * space.inputs, False
    for node in nodes:
        for _ in range(TRIES if again and space.output != "last" else 1):
            sources = node.draw(stream)
            below = [levels[source] for source in sources if levels[source] != SILENT]
            if below:
                break
        levels.append(1 + max(below) if below else SILENT)
        reads = reads or space.inputs - 1 in sources
    return tuple(levels[space.inputs :]), reads


def _shape(
    space: SearchSpace,
    levels: Sequence[int],
    operations: tuple[float, ...],
    *,
    reads_last: bool,
) -> Shape:
    ends = levels[-1:] if space.output == "last" else levels
    return Shape(
        depth=float(max(0, *ends)),
        width=float(sum(level == 1 for level in levels)),
        silent=float(sum(level == SILENT for level in levels)),
        operations=operations,
        reads_last=float(reads_last),
    )


def _signal(space: SearchSpace, row: Sequence[float]) -> float:
    """Probability of everything but ``none`` on one edge."""
    return fsum(p for k, p in enumerate(row) if k != space.none_index)


def _kept(space: SearchSpace, mask: int) -> int:
    """Number of operations of an edge that are kept, ``none`` aside."""
    return sum(k != space.none_index for k in operations_in(mask))
