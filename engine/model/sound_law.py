"""The law of sound codes as tensors: conditional draws, and inclusion probabilities with gradients.

The same dynamic programming as :mod:`engine.domain.soundness`, where it is
explained, over all states, levels and items of a node at once. Sizes: ``S``
states before a node, ``L`` levels, ``R`` rows of the node, ``I`` items of the
node, ``T`` draws of the node. All of it is float64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from engine.domain.soundness import CUT_OFF, Stage, automaton
from engine.domain.space import Scope, SearchSpace

TINY = 1e-300
"""Stands for 0 under a logarithm."""

Held = Mapping[int, frozenset[int]]
"""Per row of the scope, the items of its node that are taken as drawn."""


class NodeTables:
    """What of a node does not depend on probabilities.

    Args:
        stage: Levels and next states.
        first: Number of the node's first item among all items of the cell.
        rows: Number of the node's rows among those of the scope, and the items
            of each.
    """

    def __init__(self, stage: Stage, first: int, rows: Mapping[int, Sequence[int]]) -> None:
        self.first = first
        self.rows = {row: np.array(items) for row, items in rows.items()}
        self.levels = np.array(stage.levels)
        self.after = np.array(stage.after)
        self.count = self.levels.shape[1]
        inside = torch.zeros(len(rows), self.count, dtype=torch.bool)
        for place, items in enumerate(rows.values()):
            inside[place, list(items)] = True
        level = torch.tensor(stage.levels)
        steps = torch.arange(self.after.shape[1])
        self.row_of_item = inside.double().argmax(dim=0)
        same_row = self.row_of_item[:, None] == self.row_of_item
        self.others = (same_row & ~torch.eye(self.count, dtype=torch.bool)).double()
        self.below = (level[:, None, :] <= steps[:, None]).double()
        self.of_row = inside.double()

    @property
    def items(self) -> slice:
        """The node's items among all items of the cell."""
        return slice(self.first, self.first + self.count)


def node_tables(space: SearchSpace, scope: Scope) -> list[NodeTables]:
    """The tables of all nodes of a space."""
    count = len(space.operations)
    tables = []
    number = 0
    for node, stage in enumerate(automaton(space).stages):
        edges, parts = space.edges_of[node], space.rows_of(node, scope)
        rows = {
            number + place: [
                (edge - edges.start) * count + k for edge in part for k in range(count)
            ]
            for place, part in enumerate(parts)
        }
        tables.append(NodeTables(stage, edges.start * count, rows))
        number += len(parts)
    return tables


@dataclass(frozen=True, eq=False)
class RowDraws:
    """The draws of one row, each from its law given the draws before it.

    Attributes:
        hits: Place in the row that each of the M draws hit.
        logits: log p + log V of each draw, up to a constant, with their graph.
    """

    hits: list[int]
    logits: Float[Tensor, "M I"]


class SoundLaw:
    """The law of M draws a row given that the code is sound, from p with its graph.

    Args:
        space: The search space.
        tables: Its :func:`node_tables` in the scope of the rows.
        p: Probability of each item in one draw, item by item; rows sum to 1.
        draws: Number of draws M.
        held: Rows that are not drawn, with the items that stand for their
            code; None draws all of them. Inclusion probabilities are those of
            the law in which nothing is held.
    """

    def __init__(
        self,
        space: SearchSpace,
        tables: Sequence[NodeTables],
        p: Float[Tensor, " items"],
        draws: int,
        held: Held | None = None,
    ) -> None:
        self._tables = tables
        self._draws = draws
        self._held = held or {}
        self._p = p.double()
        self._accepts = torch.tensor(automaton(space).accepts, dtype=torch.float64)

    @cached_property
    def _logs(self) -> list[Float[Tensor, "R S L"]]:
        """Per node, ln of the probability that one draw of a row has at most a level."""
        return [self._log_below(node) for node in self._tables]

    def _log_below(self, node: NodeTables) -> Float[Tensor, "R S L"]:
        p = self._p[node.items]
        inside = torch.einsum("ri,sli,i->rsl", node.of_row, node.below, p)
        outside = torch.einsum("ri,sli,i->rsl", node.of_row, 1 - node.below, p)
        return log_share(inside, outside)

    @cached_property
    def _times(self) -> list[Float[Tensor, "R S L"]]:
        """Per node, ln P(no draw of a row above a level), held rows taken as they are."""
        logs = []
        for node, log in zip(self._tables, self._logs, strict=True):
            times = self._draws * log
            for place, row in enumerate(node.rows):
                if row in self._held:
                    times = times.clone()
                    times[place] = self._log_held(node, self._held[row])
            logs.append(times)
        return logs

    @staticmethod
    def _log_held(node: NodeTables, items: frozenset[int]) -> Float[Tensor, "S L"]:
        reached = node.levels[:, sorted(items)].max(axis=1, initial=0)
        fits = reached[:, None] <= np.arange(node.after.shape[1])
        return torch.from_numpy(np.where(fits, 0.0, np.log(TINY)))

    @cached_property
    def _values(self) -> list[Float[Tensor, " S"]]:
        """Per node, the probability of a sound cell from each state before it; then the ends."""
        return self._values_of(self._times)

    def _values_of(self, times: Sequence[Tensor]) -> list[Tensor]:
        values = [self._accepts]
        for node, logs in zip(reversed(self._tables), reversed(times), strict=True):
            outcomes = differences(logs.sum(dim=0))
            values.insert(0, (outcomes * ends(node, values[0])).sum(dim=-1))
        return values

    @property
    def probability(self) -> Float[Tensor, ""]:
        """P(S), given what is held."""
        return self._values[0][0]

    def inclusion(self) -> Float[Tensor, " items"]:
        """P(b_k = 1 | S) of each item, with a gradient to p, as if nothing were held."""
        times = [self._draws * log for log in self._logs]
        values = self._values_of(times)
        reached = torch.zeros(len(self._tables[0].after), dtype=torch.float64)
        reached[0] = 1.0
        without = []
        for node, logs, log, later in zip(self._tables, times, self._logs, values[1:], strict=True):
            end = ends(node, later)
            without.append(self._without(node, logs.sum(dim=0), log, end, reached))
            reached = reached_after(node, differences(logs.sum(dim=0)), reached, len(later))
        return 1 - torch.cat(without) / values[0][0]

    def _without(
        self, node: NodeTables, total: Tensor, log: Tensor, end: Tensor, reached: Tensor
    ) -> Float[Tensor, " I"]:
        """P(b_k = 0 and S) of the items of a node."""
        p = self._p[node.items]
        inside = torch.einsum("ki,sli,i->ksl", node.others, node.below, p)
        outside = torch.einsum("ki,sli,i->ksl", node.others, 1 - node.below, p)
        rest = log_share(inside, outside + p[:, None, None]) - log[node.row_of_item]
        chances = differences(total + self._draws * rest)
        return torch.einsum("s,isl,sl->i", reached, chances, end)

    def draw(
        self, log_p: Float[Tensor, " items"], noise: Float[Tensor, "M rows W"]
    ) -> tuple[list[set[int]], dict[int, RowDraws]]:
        """One code by Gumbel-max: each draw from its law given the draws before it.

        The law of a draw is p_k V(k) up to a factor, V(k) the probability that
        the cell becomes sound if the draw hits k: the argmax of
        log p_k + log V(k) + G_k.

        Args:
            log_p: Logarithms of the probabilities, with their graph.
            noise: Standard Gumbel noise; the first places of a row are its own.

        Returns:
            Per node the items that the code holds, and the draws of every row
            that is not held.
        """
        state = 0
        held: list[set[int]] = []
        rows: dict[int, RowDraws] = {}
        for place, node in enumerate(self._tables):
            kept, level, found = self._draw_node(place, state, log_p[node.items], noise)
            held.append(kept)
            rows.update(found)
            state = int(node.after[state, level])
        return held, rows

    def _draw_node(
        self, place: int, state: int, log_p: Tensor, noise: Tensor
    ) -> tuple[set[int], int, dict[int, RowDraws]]:
        node = self._tables[place]
        levels = node.levels[state]
        table = self._worth(place, state)
        worth, plain = table.detach().numpy(), log_p.detach().double().numpy()
        kept: set[int] = set()
        level = 0
        found: dict[int, RowDraws] = {}
        for number, (row, items) in enumerate(node.rows.items()):
            if row in self._held:
                kept |= self._held[row]
                level = max(level, *levels[sorted(self._held[row])].tolist(), 0)
                continue
            hits, at = [], []
            for draw in range(self._draws):
                next_level = np.maximum(level, levels[items])
                scores = plain[items] + worth[number, draw, next_level]
                hit = int(np.argmax(scores + noise[draw, row, : len(items)].numpy()))
                at.append(next_level)
                hits.append(hit)
                level = int(next_level[hit])
            kept |= {int(items[hit]) for hit in hits}
            levels_at = torch.from_numpy(np.stack(at))
            found[row] = RowDraws(hits, log_p[items] + table[number].gather(1, levels_at).to(log_p))
        return kept, level, found

    def _worth(self, place: int, state: int) -> Float[Tensor, "R M L"]:
        """ln V after each draw of a node, by the level that the node has reached then."""
        node, logs, times = self._tables[place], self._logs[place], self._times[place]
        end = ends(node, self._values[place + 1])[state]
        later = times[:, state].flip(0).cumsum(0).flip(0) - times[:, state]
        left = torch.arange(self._draws - 1, -1, -1, dtype=torch.float64)
        rest = left[:, None] * logs[:, None, state] + later[:, None]
        return (
            torch.stack(
                [
                    (differences(rest[..., level:]) * end[level:]).sum(dim=-1)
                    for level in range(len(end))
                ],
                dim=-1,
            )
            .clamp_min(TINY)
            .log()
        )


def log_share(inside: Tensor, outside: Tensor) -> Tensor:
    """ln of inside / (inside + outside), exact to rounding also where one of them is tiny.

    Both branches are kept away from infinite slopes, whose product with the
    outer ``where``'s zero would be NaN.
    """
    total = inside + outside
    share, rest = inside / total, outside / total
    is_most = share > 0.5
    near_one = torch.log1p(-torch.where(is_most, rest, 0.0))
    near_zero = torch.where(is_most, 1.0, share).clamp_min(TINY).log()
    return torch.where(is_most, near_one, near_zero)


def differences(logs: Float[Tensor, "*_ L"]) -> Float[Tensor, "*_ L"]:
    """P(level = l) from ln P(level <= l), which ascends but for rounding, as positive terms."""
    below = (logs[..., :-1] - logs[..., 1:]).clamp_max(0)
    return torch.cat([logs[..., :1].exp(), -logs[..., 1:].exp() * torch.expm1(below)], dim=-1)


def ends(node: NodeTables, later: Float[Tensor, " S2"]) -> Float[Tensor, "S L"]:
    """The value of the state that each level leads to; 0 where the cell is cut off."""
    after = torch.from_numpy(node.after)
    return torch.where(after == CUT_OFF, 0.0, later[after.clamp_min(0)])


def reached_after(
    node: NodeTables, outcomes: Float[Tensor, "S L"], reached: Float[Tensor, " S"], states: int
) -> Float[Tensor, " S2"]:
    """Probability of each state after a node, from those before it."""
    after = torch.from_numpy(node.after)
    flow = torch.where(after == CUT_OFF, 0.0, reached[:, None] * outcomes)
    empty = torch.zeros(states, dtype=torch.float64)
    return empty.index_add(0, after.clamp_min(0).flatten(), flow.flatten())
