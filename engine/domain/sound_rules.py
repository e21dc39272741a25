"""Sound architectures from probabilities: the most probable one, and the mending of others.

Both walk through the automaton of :mod:`engine.domain.soundness` node by node
and keep, for every state, the best way to reach it (Viterbi): the best code of
a cell is made of the best codes of its nodes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log

from engine.domain.chances import set_log_probability
from engine.domain.snapshot import Masks, Rows
from engine.domain.soundness import CUT_OFF, Stage, automaton, with_a_sound_code
from engine.domain.space import Scope, SearchSpace

TIE = 1e-12
"""Difference of logarithms below which two probabilities differ by rounding only."""


@dataclass(frozen=True)
class Option:
    """One way to fill a node, or a whole cell.

    Attributes:
        worth: Logarithm of its probability.
        items: (edge, operation) pairs that it keeps, without ``none``.
    """

    worth: float
    items: frozenset[tuple[int, int]] = frozenset()

    def __add__(self, other: "Option") -> "Option":
        return Option(self.worth + other.worth, self.items | other.items)


Options = Mapping[int, Option]
"""The best option by the level that a node has with it."""


@dataclass(frozen=True)
class _Item:
    place: tuple[int, int]
    probability: float
    level: int


def most_probable_sound(space: SearchSpace, rows: Rows, *, draws: int, scope: Scope) -> Masks:
    """The most probable of all sound architectures of a cell kind.

    An architecture is what is kept beside ``none``; its probability is that of
    all codes that differ from it in ``none`` only
    (:func:`engine.domain.chances.architecture_probability`). Ties go to fewer
    operations, then to the lower index.

    Args:
        space: The search space.
        rows: E rows of K probabilities.
        draws: Number of draws M.
        scope: Which probabilities form one row.
    """
    rows = with_a_sound_code(space, rows)

    def options_of(stage: Stage, node: int, state: int) -> Options:
        parts = [
            _row_options(_items(space, rows, part, stage, state), _none(space, rows, part), draws)
            for part in space.rows_of(node, scope)
        ]
        return _node_options(parts, len(stage.after[state]))

    return _best(space, options_of)


def mended(space: SearchSpace, rows: Rows, masks: Masks) -> Masks:
    """A code with the most probable operations added that make it sound.

    Args:
        space: The search space.
        rows: E rows of K probabilities.
        masks: A code of one cell kind; ``none`` in it plays no part.

    Returns:
        The same code, without ``none``, where it is sound already.
    """
    rows = with_a_sound_code(space, rows)

    def options_of(stage: Stage, node: int, state: int) -> Options:
        return _additions(_items(space, rows, space.edges_of[node], stage, state), masks)

    return _best(space, options_of)


def _best(space: SearchSpace, options_of: Callable[[Stage, int, int], Options]) -> Masks:
    """The best way through the automaton that ends in a sound cell."""
    machine = automaton(space)
    reached = {0: Option(0.0)}
    for node, stage in enumerate(machine.stages):
        further: dict[int, Option] = {}
        for state, so_far in reached.items():
            for level, option in options_of(stage, node, state).items():
                after = stage.after[state][level]
                if after != CUT_OFF:
                    further[after] = _better(further.get(after), so_far + option)
        reached = further
    ends = [option for state, option in sorted(reached.items()) if machine.accepts[state]]
    return _masks_of(space, max(ends, key=lambda option: option.worth).items)


def _better(first: Option | None, second: Option) -> Option:
    return second if first is None or second.worth > first.worth + TIE else first


def _masks_of(space: SearchSpace, items: Iterable[tuple[int, int]]) -> Masks:
    masks = [0] * len(space.edges)
    for edge, k in items:
        masks[edge] |= 1 << k
    return tuple(masks)


def _items(space: SearchSpace, rows: Rows, edges: range, stage: Stage, state: int) -> list[_Item]:
    """What can be kept on some edges of one node, the most probable first."""
    first = space.edges_of[space.edges[edges.start].target - space.inputs].start
    count = len(space.operations)
    found = [
        _Item((edge, k), rows[edge][k], stage.levels[state][(edge - first) * count + k])
        for edge in edges
        for k in range(count)
        if k != space.none_index and rows[edge][k] > 0
    ]
    return sorted(found, key=lambda item: (-item.probability, item.place))


def _none(space: SearchSpace, rows: Rows, edges: range) -> float:
    """Probability that one draw from a row of these edges hits ``none``."""
    none = space.none_index
    return 0.0 if none is None else sum(rows[edge][none] for edge in edges)


def _row_options(items: Sequence[_Item], none: float, draws: int) -> Options:
    """Per level, the most probable set of a row whose highest level it is."""
    options = {0: Option(draws * log(none))} if none > 0 else {}
    for highest in sorted({item.level for item in items}):
        pool = [item for item in items if item.level <= highest]
        best = options.get(highest)
        for size in range(1, min(draws, len(pool)) + 1):
            chosen = _with_level(pool, size, highest)
            worth = set_log_probability([item.probability for item in chosen], draws, optional=none)
            best = _better(best, Option(worth, frozenset(item.place for item in chosen)))
        if best is not None and best.worth > -inf:
            options[highest] = best
    return options


def _with_level(pool: Sequence[_Item], size: int, level: int) -> list[_Item]:
    """The most probable items of a pool, at least one of them of a level.

    A set's probability grows with that of each member, hence the best set of a
    size is that of the largest, the last exchanged where none has the level.
    """
    chosen = list(pool[:size])
    if all(item.level < level for item in chosen):
        chosen[-1] = next(item for item in pool if item.level == level)
    return chosen


def _node_options(parts: Sequence[Options], levels: int) -> Options:
    """Per level of the node, the best options of its rows together."""
    options = {}
    for highest in range(levels):
        within = [{level: one for level, one in part.items() if level <= highest} for part in parts]
        if all(within) and any(highest in part for part in within):
            options[highest] = _reaching(within, highest)
    return options


def _reaching(parts: Sequence[Options], highest: int) -> Option:
    """The best option of each row, one of them exchanged where none has the level."""
    best = [max(part.items(), key=lambda one: (one[1].worth, -one[0])) for part in parts]
    if all(level != highest for level, _ in best):
        losses = [
            (option.worth - part[highest].worth, row)
            for row, (part, (_, option)) in enumerate(zip(parts, best, strict=True))
            if highest in part
        ]
        _, row = min(losses)
        best[row] = (highest, parts[row][highest])
    return sum((option for _, option in best), Option(0.0))


def _additions(items: Sequence[_Item], masks: Masks) -> Options:
    """A node as it is, and for each higher level with the most probable item of that level."""
    kept = {item.place: item.level for item in items if masks[item.place[0]] >> item.place[1] & 1}
    own = max(kept.values(), default=0)
    options = {own: Option(0.0, frozenset(kept))}
    for item in items:
        if item.level > own and item.level not in options:
            options[item.level] = Option(log(item.probability), frozenset({*kept, item.place}))
    return options
