"""From probabilities to one architecture: the rules, and a code's stability.

The default is the MAP code, without chance. The other rules are choices that
people may make at any snapshot; a rule with all its parameters is written into
the genotype, so that the same probabilities give the same genotype again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import inf, log10
from random import Random
from typing import Any, Literal, get_args

from engine.domain.chances import CodeProbability, architecture_probability
from engine.domain.errors import InvalidConfig
from engine.domain.rules import (
    Indices,
    drawn_set,
    likely_items,
    likely_set,
    majority,
    most_probable_set,
    strongest_edges,
    voted_set,
)
from engine.domain.snapshot import Masks, Rows
from engine.domain.sound_rules import mended, most_probable_sound
from engine.domain.soundness import SoundLaw, is_sound, sound_laws
from engine.domain.space import Scope, SearchSpace

RuleName = Literal["map", "draw", "marginal", "top2", "vote"]


@dataclass(frozen=True)
class RuleCard:
    """A rule as people see it.

    Attributes:
        label: Its name for people.
        description: One sentence.
        parameters: Fields of :class:`DerivationRule` that it reads, beside
            ``scope``.
    """

    label: str
    description: str
    parameters: tuple[str, ...]


RULES: dict[RuleName, RuleCard] = {
    "map": RuleCard(
        "Most probable code",
        "Without chance: the set of operations that the draws keep most probably.",
        ("draws", "sound", "none_pooled"),
    ),
    "draw": RuleCard(
        "One draw",
        "One Ensemble Gumbel-Softmax code with a stored seed, as the search draws them.",
        ("draws", "sound", "seed"),
    ),
    "marginal": RuleCard(
        "Threshold",
        "Every operation that the draws keep with at least this probability; the most probable "
        "one where none reaches it.",
        ("draws", "sound", "threshold", "none_pooled"),
    ),
    "top2": RuleCard(
        "Strongest edges (DARTS)",
        "For each node its strongest incoming edges, with the best operation of each.",
        ("edges_kept", "sound"),
    ),
    "vote": RuleCard(
        "Vote of many draws",
        "Every operation that is in more than half of the drawn codes; the most frequent one "
        "where none has a majority.",
        ("draws", "sound", "votes", "seed", "none_pooled"),
    ),
}

LIMITS: dict[str, tuple[float, float]] = {
    "draws": (1, 64),
    "seed": (0, 2**31 - 1),
    "threshold": (0.0, 1.0),
    "votes": (1, 1001),
    "edges_kept": (1, 64),
}
"""Smallest and largest value of each numeric parameter of a rule."""


@dataclass(frozen=True)
class DerivationRule:
    """How a genotype is read off probabilities; written into the genotype.

    In every rule ``none`` is dropped at the end, so that a row which keeps
    only ``none`` keeps nothing. Otherwise no rule leaves a row empty, except
    ``top2``, which chooses edges.

    A sound rule derives sound architectures only
    (:mod:`engine.domain.soundness`): ``map`` the most probable one, ``draw`` a
    code of the law of sound codes; ``marginal`` and ``vote`` take their
    probabilities from that law, and what they or ``top2`` choose is mended by
    the most probable operations that make it sound.

    Attributes:
        name: One of :data:`RULES`.
        draws: Number of draws M.
        scope: Which probabilities form one row; the search's own.
        none_pooled: Where a row has several edges, whether their ``none`` items
            count as one item. Drawing any of them adds nothing to the node, so
            pooling changes no draw, only rankings.
        seed: Of the draws of ``draw`` and ``vote``. Each cell kind has the
            stream ``random.Random(f"{seed}:{kind}")``; its rows are drawn in
            the order of the space, see :func:`engine.domain.rules.drawn_set`.
        threshold: Smallest probability of being kept under ``marginal``.
        votes: Number of codes that vote under ``vote``.
        edges_kept: Incoming edges that a node keeps under ``top2``.
        sound: Whether the architecture has to be sound. False is the paper's
            plain form, and that of every genotype written before there was a
            choice.

    Raises:
        InvalidConfig: A parameter is out of its bounds.
    """

    name: RuleName = "map"
    draws: int = 7
    scope: Scope = "node"
    none_pooled: bool = True
    seed: int = 0
    threshold: float = 0.5
    votes: int = 25
    edges_kept: int = 2
    sound: bool = False

    def __post_init__(self) -> None:
        self._check("name", self.name in RULES, f"one of {', '.join(RULES)}")
        scopes = get_args(Scope)
        self._check("scope", self.scope in scopes, f"one of {', '.join(scopes)}")
        for parameter, (low, high) in LIMITS.items():
            value = getattr(self, parameter)
            whole = parameter != "threshold"
            fits = isinstance(value, int if whole else (int, float)) and low <= value <= high
            kind = "a whole number" if whole else "a number"
            self._check(parameter, fits, f"{kind} from {low} to {high}")

        self._check("sound", isinstance(self.sound, bool), "true or false")

    def _check(self, parameter: str, fits: bool, allowed: str) -> None:
        if not fits:
            raise InvalidConfig(
                asked=f"a derivation rule with {parameter} = {getattr(self, parameter)!r}",
                found="no such rule" if parameter == "name" else "a value out of bounds",
                allowed=allowed,
                advice=f"choose another {parameter}",
            )


def written_rule(rule: DerivationRule) -> dict[str, Any]:
    """A rule as it is written down: what it reads, and whatever was changed.

    The four fields of the first version are always there, so that an earlier
    studio reads what it can understand.
    """
    always = {"name", "draws", "scope", "none_pooled", *RULES[rule.name].parameters} - {"sound"}
    plain = asdict(DerivationRule())
    return {k: v for k, v in asdict(rule).items() if k in always or v != plain[k]}


def derive(
    space: SearchSpace, probabilities: Mapping[str, Rows], rule: DerivationRule
) -> dict[str, Masks]:
    """The derived code of each cell kind, without ``none``.

    Args:
        space: The search space that the rows belong to.
        probabilities: Per cell kind, E rows of K probabilities.
        rule: The rule; its scope must be the one that the rows are normalised in.

    Returns:
        Per cell kind, one bit mask an edge. A node may end up with nothing.
    """
    return {kind: _derive_cell(space, kind, rows, rule) for kind, rows in probabilities.items()}


def code_probability(
    space: SearchSpace,
    probabilities: Mapping[str, Rows],
    masks: Mapping[str, Masks],
    rule: DerivationRule,
) -> CodeProbability:
    """Probability that the M draws of the rule give exactly this architecture.

    See :func:`engine.domain.chances.architecture_probability`; it is that of the code,
    whichever rule chose it. Of a sound rule it is the probability given that the
    code is sound, P(code) / P(sound); 0 for one that is not.
    """
    plain = architecture_probability(
        space, probabilities, masks, draws=rule.draws, scope=rule.scope
    )
    if not rule.sound:
        return plain
    if not all(is_sound(space, cell) for cell in masks.values()):
        return CodeProbability(-inf)
    laws = sound_laws(space, probabilities, draws=rule.draws, scope=rule.scope)
    return CodeProbability(
        min(0.0, plain.log10 - sum(log10(law.probability) for law in laws.values()))
    )


def stability(
    space: SearchSpace,
    earlier: Sequence[Mapping[str, Rows]],
    masks: Mapping[str, Masks],
    rule: DerivationRule,
) -> float | None:
    """Share of earlier moments at which the rule derives the same code.

    Rules with a seed use that same seed at every moment, so that what differs
    is the probabilities.

    Returns:
        Between 0 and 1; None without an earlier moment.
    """
    if not earlier:
        return None
    wanted = dict(masks)
    return sum(derive(space, rows, rule) == wanted for rows in earlier) / len(earlier)


def _derive_cell(space: SearchSpace, kind: str, rows: Rows, rule: DerivationRule) -> Masks:
    return (_derive_sound if rule.sound else _derive_plain)(space, kind, rows, rule)


def _derive_sound(space: SearchSpace, kind: str, rows: Rows, rule: DerivationRule) -> Masks:
    if rule.name == "map":
        return most_probable_sound(space, rows, draws=rule.draws, scope=rule.scope)
    if rule.name == "top2":
        return mended(space, rows, strongest_edges(space, rows, rule.edges_kept))
    law = SoundLaw(space, rows, draws=rule.draws, scope=rule.scope)
    stream = Random(f"{rule.seed}:{kind}")
    if rule.name == "draw":
        return mended(space, rows, law.draw(stream))
    if rule.name == "vote":
        return mended(space, rows, majority([law.draw(stream) for _ in range(rule.votes)]))
    return mended(space, rows, likely_items(law.inclusion, rule.threshold))


def _derive_plain(space: SearchSpace, kind: str, rows: Rows, rule: DerivationRule) -> Masks:
    if rule.name == "top2":
        return strongest_edges(space, rows, rule.edges_kept)
    choose = _chooser(rule, kind)
    masks = [0] * len(space.edges)
    for edges in space.rows(rule.scope):
        items = _row_items(space, rows, edges, pooled=rule.none_pooled and rule.name != "draw")
        for index in choose([probability for _, _, probability in items]):
            edge, operation, _ = items[index]
            if operation != space.none_index:
                masks[edge] |= 1 << operation
    return tuple(masks)


def _chooser(rule: DerivationRule, kind: str) -> Callable[[Sequence[float]], Indices]:
    """What chooses the items of one row after the other."""
    stream = Random(f"{rule.seed}:{kind}")
    match rule.name:
        case "draw":
            return partial(drawn_set, draws=rule.draws, stream=stream)
        case "vote":
            return partial(voted_set, draws=rule.draws, votes=rule.votes, stream=stream)
        case "marginal":
            return partial(likely_set, draws=rule.draws, threshold=rule.threshold)
        case _:
            return partial(most_probable_set, draws=rule.draws)


def _row_items(
    space: SearchSpace, rows: Rows, edges: range, *, pooled: bool
) -> list[tuple[int, int, float]]:
    """(edge, operation, probability) of one row, ``none`` pooled where asked."""
    items = [(edge, k, rows[edge][k]) for edge in edges for k in range(len(space.operations))]
    none = space.none_index
    if none is None or not pooled:
        return items
    one = (edges[0], none, sum(rows[edge][none] for edge in edges))
    return [one, *(item for item in items if item[1] != none)]
