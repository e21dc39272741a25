"""Sound cells: which codes connect every part of a network, and the law of the codes that do.

A cell kind is *sound* if networks of any depth that are built from it have no
part that is cut off:

* ``concat`` and ``mean``: every node keeps an operation other than ``none``,
  and some node reads c_{k-1}. By induction every node then depends on the
  image, and every cell is read by the next one.
* ``last`` (NAS-Bench-201): a path of kept operations leads from c_{k-1} to the
  last node.

Both are told by an automaton that reads a cell node by node. In state s an
item of node j has a level: what it would do for the cell. The level of a node
is the highest level among the items that its code holds, and it alone decides
the next state. With M independent draws from each row p,

    P(level of node j <= l | s) = prod over rows ( sum of p_k, level_k <= l )^M

so that the probability of a sound code, and the probability of every item
given that the code is sound, follow by dynamic programming over the states,
without enumeration and without rejection. ``docs/method.md`` derives it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, pairwise
from math import exp, expm1, fsum, inf, log, log1p
from random import Random

from engine.domain.errors import InvalidConfig
from engine.domain.snapshot import Masks, Rows
from engine.domain.space import Scope, SearchSpace

FAINT = exp(-60.0)
"""Stands for a probability of 0 where no sound code would be left otherwise."""

CUT_OFF = -1
"""The state from which no sound cell can be reached any more."""


@dataclass(frozen=True)
class Stage:
    """What the items of one node do for the soundness of the cell.

    Attributes:
        levels: Per state, one level an item: operation by operation, edge by edge.
        after: Per state and level of the node, the next state or :data:`CUT_OFF`.
    """

    levels: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Automaton:
    """Reads a cell node by node and says whether it is sound.

    Attributes:
        stages: One a node.
        accepts: Per state after the last node, whether the cell is sound.
    """

    stages: tuple[Stage, ...]
    accepts: tuple[bool, ...]


@cache
def automaton(space: SearchSpace) -> Automaton:
    """The automaton of a search space; it starts in state 0."""
    return _reaching(space) if space.output == "last" else _gathering(space)


def _gathering(space: SearchSpace) -> Automaton:
    """Every node holds something, and some node reads c_{k-1}: states "not yet" and "done".

    Level 1 feeds the node, level 2 also reads c_{k-1}. With a single input the
    first node always reads it, so that there is nothing to wait for.
    """
    waits = space.inputs > 1
    reading = 2 if waits else 1
    stages = []
    for edges in space.edges_of:
        levels = tuple(
            0 if k == space.none_index else reading if _reads_last(space, edge) else 1
            for edge in edges
            for k in range(len(space.operations))
        )
        after = ((CUT_OFF, 0, 1), (CUT_OFF, 1, 1)) if waits else ((CUT_OFF, 0),)
        stages.append(Stage((levels,) * len(after), after))
    return Automaton(tuple(stages), (False, True) if waits else (True,))


def _reads_last(space: SearchSpace, edge: int) -> bool:
    return space.edges[edge].source == space.inputs - 1


def _reaching(space: SearchSpace) -> Automaton:
    """The last node depends on c_{k-1}: the state is the set of nodes that do, as a bit mask."""
    stages = []
    for node, edges in enumerate(space.edges_of):
        sets = range(1 << node)
        levels = tuple(
            tuple(
                int(k != space.none_index and _depends(space, edge, fed))
                for edge in edges
                for k in range(len(space.operations))
            )
            for fed in sets
        )
        stages.append(Stage(levels, tuple((fed, fed | 1 << node) for fed in sets)))
    last = space.nodes - 1
    return Automaton(tuple(stages), tuple(bool(fed >> last) for fed in range(1 << space.nodes)))


def _depends(space: SearchSpace, edge: int, fed: int) -> bool:
    node = space.edges[edge].source - space.inputs
    return node == -1 or (node >= 0 and bool(fed >> node & 1))


def is_sound(space: SearchSpace, masks: Masks) -> bool:
    """Whether the code of one cell kind, one bit mask an edge, is sound."""
    state = 0
    machine = automaton(space)
    for stage, edges in zip(machine.stages, space.edges_of, strict=True):
        levels = stage.levels[state]
        on = (bool(masks[edge] >> k & 1) for edge in edges for k in range(len(space.operations)))
        state = stage.after[state][
            max((level for level, held in zip(levels, on, strict=True) if held), default=0)
        ]
        if state == CUT_OFF:
            return False
    return machine.accepts[state]


def with_a_sound_code(space: SearchSpace, rows: Rows) -> Rows:
    """The same rows, or where they leave no sound code, with :data:`FAINT` in place of each 0.

    A code of everything that is possible is the soundest there is, since more
    operations never cut a cell off. Probabilities of exactly 0 come from bans,
    which the search refuses where they cut a cell off, from the relu
    normalisation, and from alphas that lie far apart.
    """
    possible = tuple(sum(1 << k for k, p in enumerate(row) if p > 0) for row in rows)
    if is_sound(space, possible):
        return rows
    return tuple(tuple(max(p, FAINT) for p in row) for row in rows)


class SoundLaw:
    """The law of the codes of one cell kind, given that they are sound.

    Args:
        space: The search space.
        rows: E rows of K probabilities of one draw.
        draws: Number of draws M.
        scope: Which probabilities form one row.
    """

    def __init__(self, space: SearchSpace, rows: Rows, *, draws: int, scope: Scope) -> None:
        rows = with_a_sound_code(space, rows)
        self._space = space
        self._draws = draws
        self._nodes = [
            _Node(stage, _rows_of_node(space, rows, node, scope), draws)
            for node, stage in enumerate(automaton(space).stages)
        ]

    @cached_property
    def _values(self) -> list[list[float]]:
        """Per node and state before it, the probability that the cell becomes sound."""
        values = [[float(accepted) for accepted in automaton(self._space).accepts]]
        for node in reversed(self._nodes):
            later = values[0]
            values.insert(
                0,
                [
                    fsum(
                        chance * _value(later, after)
                        for chance, after in zip(
                            node.outcomes(state), node.stage.after[state], strict=True
                        )
                    )
                    for state in range(len(node.stage.after))
                ],
            )
        return values

    @property
    def probability(self) -> float:
        """P(S): the probability that an unconditioned code is sound."""
        return self._values[0][0]

    @cached_property
    def inclusion(self) -> Rows:
        """P(b_k = 1 | S) of each item: E rows of K."""
        chances = []
        reached = [1.0]
        for node, later in zip(self._nodes, self._values[1:], strict=True):
            chances += [
                1.0 - self._chance_without(node, item, reached, later) / self.probability
                for item in range(node.items)
            ]
            reached = _reached_after(node, reached, len(later))
        count = len(self._space.operations)
        return tuple(
            tuple(chances[edge * count : (edge + 1) * count])
            for edge in range(len(self._space.edges))
        )

    @staticmethod
    def _chance_without(
        node: "_Node", item: int, reached: Sequence[float], later: Sequence[float]
    ) -> float:
        """P(b_k = 0 and S)."""
        return fsum(
            reached[state] * chance * _value(later, after)
            for state in range(len(reached))
            for chance, after in zip(
                node.outcomes(state, without=item), node.stage.after[state], strict=True
            )
        )

    def draw(self, stream: Random) -> Masks:
        """One sound code: draw by draw, each from its law given the draws before.

        Each draw takes one number u = ``stream.random()`` and gives the first
        item whose cumulative probability is above u times their sum.
        """
        masks: list[int] = []
        state = 0
        for node, later in zip(self._nodes, self._values[1:], strict=True):
            held, level = self._draw_node(node, state, later, stream)
            masks += _masks_of(held, node.items, len(self._space.operations))
            state = node.stage.after[state][level]
        return tuple(masks)

    def _draw_node(
        self, node: "_Node", state: int, later: Sequence[float], stream: Random
    ) -> tuple[set[int], int]:
        """The items that a node holds, and its level."""
        held: set[int] = set()
        level = 0
        levels = node.stage.levels[state]
        ends = [_value(later, after) for after in node.stage.after[state]]
        for row, items in enumerate(node.rows):
            for number in range(self._draws):
                rest = node.rest(state, row, self._draws - 1 - number)
                worth = [_expected(rest, ends, reached) for reached in range(len(ends))]
                heights = list(accumulate(p * worth[max(level, levels[item])] for item, p in items))
                hit = _first_above(heights, stream.random() * heights[-1])
                item = items[hit][0]
                held.add(item)
                level = max(level, levels[item])
        return held, level


def no_sound_code() -> InvalidConfig:
    """The refusal of bans that cut a cell off."""
    return InvalidConfig(
        asked="sound cells under these bans",
        found="no operation left that connects every cell to the next",
        allowed="bans that leave each node an operation and some node a reading of c_{k-1}",
        advice="lift a ban, or set sound to false",
    )


def sound_laws(
    space: SearchSpace, probabilities: Mapping[str, Rows], *, draws: int, scope: Scope
) -> dict[str, SoundLaw]:
    """The law of each cell kind; the kinds are independent of each other."""
    return {
        kind: SoundLaw(space, rows, draws=draws, scope=scope)
        for kind, rows in probabilities.items()
    }


@dataclass(frozen=True)
class _Node:
    """One node: its stage, and per row the (item of the node, probability) pairs."""

    stage: Stage
    rows: tuple[tuple[tuple[int, float], ...], ...]
    draws: int

    @property
    def items(self) -> int:
        return len(self.stage.levels[0])

    def outcomes(self, state: int, *, without: int | None = None) -> list[float]:
        """P(level = l) for each level l; with ``without``, also that this item is not drawn."""
        logs = [0.0] * len(self.stage.after[state])
        for row in range(len(self.rows)):
            logs = _plus(logs, self._log_below(state, row, without), self.draws)
        return _differences(logs)

    def rest(self, state: int, row: int, draws: int) -> list[float]:
        """Per level, ln P(no draw above it) for ``draws`` draws of a row and all rows after it."""
        logs = [draws * one if draws else 0.0 for one in self._log_below(state, row, None)]
        for later in range(row + 1, len(self.rows)):
            logs = _plus(logs, self._log_below(state, later, None), self.draws)
        return logs

    def _log_below(self, state: int, row: int, without: int | None) -> list[float]:
        """Per level l, ln of the probability that a draw of the row has at most that level."""
        levels = self.stage.levels[state]
        logs = []
        for level in range(len(self.stage.after[state])):
            inside = fsum(p for k, p in self.rows[row] if levels[k] <= level and k != without)
            outside = fsum(p for k, p in self.rows[row] if levels[k] > level or k == without)
            logs.append(_log_share(inside, outside))
        return logs


def _log_share(inside: float, outside: float) -> float:
    """ln of inside / (inside + outside), exact to rounding also where one of them is tiny."""
    if inside <= 0:
        return -inf
    total = inside + outside
    return log1p(-outside / total) if outside < inside else log(inside / total)


def _plus(logs: Sequence[float], more: Sequence[float], times: int) -> list[float]:
    return [one + times * other for one, other in zip(logs, more, strict=True)]


def _differences(logs: Sequence[float]) -> list[float]:
    """P(level = l) from ln P(level <= l)."""
    chances = [exp(logs[0])]
    for lower, upper in pairwise(logs):
        chances.append(0.0 if upper == -inf else -exp(upper) * expm1(lower - upper))
    return chances


def _expected(rest: Sequence[float], ends: Sequence[float], level: int) -> float:
    """The value of a node that has reached a level, before its remaining draws."""
    chances = _differences(rest[level:])
    return fsum(chance * end for chance, end in zip(chances, ends[level:], strict=True))


def _value(values: Sequence[float], state: int) -> float:
    return 0.0 if state == CUT_OFF else values[state]


def _reached_after(node: _Node, reached: Sequence[float], states: int) -> list[float]:
    """Probability of each state after a node, from those before it."""
    after = [0.0] * states
    for state, chance in enumerate(reached):
        for outcome, target in zip(node.outcomes(state), node.stage.after[state], strict=True):
            if target != CUT_OFF:
                after[target] += chance * outcome
    return after


def _rows_of_node(
    space: SearchSpace, rows: Rows, node: int, scope: Scope
) -> tuple[tuple[tuple[int, float], ...], ...]:
    """The node's rows; items are numbered edge by edge, operation by operation."""
    edges = space.edges_of[node]
    count = len(space.operations)
    return tuple(
        tuple(
            ((edge - edges.start) * count + k, rows[edge][k]) for edge in part for k in range(count)
        )
        for part in space.rows_of(node, scope)
    )


def _masks_of(held: set[int], items: int, operations: int) -> Iterator[int]:
    """One bit mask an edge from the items that a node holds."""
    for start in range(0, items, operations):
        yield sum(1 << k for k in range(operations) if start + k in held)


def _first_above(heights: Sequence[float], height: float) -> int:
    return next(
        (place for place, top in enumerate(heights) if top > height),
        max(
            place
            for place in range(len(heights))
            if place == 0 or heights[place] > heights[place - 1]
        ),
    )
