"""Samplers: from the alphas of a cell kind to its code, row by row or sound as a whole.

Sizes: ``M`` draws, ``E`` edges, ``K`` operations, ``R`` rows of ``W`` places.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from engine.domain.snapshot import Masks, operations_in
from engine.domain.soundness import no_sound_code
from engine.domain.space import Scope, SearchSpace
from engine.model.estimator import (
    OUTSIDE,
    Normalisation,
    Route,
    ensemble_gumbel,
    gumbel_noise,
    hard_draws,
    log_probabilities,
    soft_code,
    straight_through,
)
from engine.model.item_masks import mask_tensor
from engine.model.sound_law import RowDraws, SoundLaw, node_tables

FAINT = -60.0
"""Smallest log p under the law of sound codes, so that one exists whatever relu has put to 0."""

SMALLEST_SHARE = 1e-12
"""Below this a source's share of a row is not evened out any further."""


@dataclass(frozen=True)
class Context:
    """Rows whose code is given instead of drawn: the surroundings in which the others are judged.

    Attributes:
        masks: The code of the cell, one bit mask an edge.
        rows: Numbers of the rows that take theirs from it.
    """

    masks: Masks
    rows: frozenset[int]


NO_CONTEXT = Context((), frozenset())


@dataclass(frozen=True)
class Drawing:
    """How the codes of one step are drawn, beside the probabilities p.

    Attributes:
        draws: Number of draws M; None takes that of the sampler.
        kept: Share of the items of a row, the most probable ones, that may be
            drawn.
        fairness: How far the probabilities of a row are evened out between the
            sources that it reads: each source's share m of the row becomes
            proportional to m^(1 - fairness) n^fairness, n its number of items.
        exploration: Share epsilon of the draws that ignore p: codes are drawn
            from (1 - epsilon) p + epsilon / n, n the items of the row.
        context: Rows whose code is given.
    """

    draws: int | None = None
    kept: float = 1.0
    fairness: float = 0.0
    exploration: float = 0.0
    context: Context = NO_CONTEXT

    @property
    def is_plain(self) -> bool:
        """Whether codes are drawn from p itself."""
        return self.kept >= 1 and not self.fairness and not self.exploration


PLAIN = Drawing()


class CodeSampler:
    """Draws the binary code of one cell kind from its alphas.

    Args:
        space: Says which edges meet in which node.
        draws: Number of draws M, at least 1.
        scope: ``edge``: each edge's K operations are one row. ``node``: all
            (edge, operation) pairs that enter a node are one row, so that at
            most M operations are kept per node. Shorter rows are filled up with
            -inf.
        route: How the gradient reaches the probabilities.
        normalisation: How alphas become probabilities.
        sound: Whether codes come from the law given that the cell is sound
            (:mod:`engine.domain.soundness`); else rows are independent.
        banned: One bit mask an edge: items that do not exist for this sampler.
            Their probability is exactly 0, they are never drawn, and no
            gradient reaches their alphas; the noise of the others is the same
            as without a ban. None bans nothing.

    Raises:
        ValueError: If ``draws`` is below 1, or a row has nothing left.
        InvalidConfig: If ``sound`` and the bans leave no sound code.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        draws: int,
        scope: Scope,
        route: Route,
        normalisation: Normalisation,
        sound: bool = False,
        banned: Masks | None = None,
    ) -> None:
        if draws < 1:
            raise ValueError(f"draws is {draws}; it must be at least 1")
        self.space = space
        self.draws = draws
        self.route = route
        self.normalisation = normalisation
        self.sound = sound
        self.operations = len(space.operations)
        self._edges_of_row = space.rows(scope)
        lengths = torch.tensor([len(edges) for edges in self._edges_of_row]) * self.operations
        self._inside = torch.arange(int(lengths.max())) < lengths[:, None]
        self._place = self._inside.flatten().nonzero().flatten()
        self._allowed = ~mask_tensor(banned or (0,) * len(space.edges), self.operations).flatten()
        allowed = torch.zeros(self._inside.numel(), dtype=torch.bool)
        allowed[self._place] = self._allowed
        self._allowed_rows = allowed.view(self._inside.shape)
        if not self._allowed_rows.any(dim=1).all():
            raise ValueError("a row has nothing left to draw")
        sources = torch.tensor([[edge.source] * self.operations for edge in space.edges])
        self._sources = torch.full((self._inside.numel(),), -1).index_copy(
            0, self._place, sources.flatten()
        )
        self._tables = node_tables(space, scope) if sound else []
        if sound:
            self._refuse_cut_off()

    def _refuse_cut_off(self) -> None:
        count = self._allowed_rows.sum(dim=1, keepdim=True)
        uniform = self._to_edges(self._allowed_rows / count).flatten()
        if not SoundLaw(self.space, self._tables, uniform, self.draws).probability > 0:
            raise no_sound_code()

    def probabilities(self, alpha: Float[Tensor, "E K"]) -> Float[Tensor, "E K"]:
        """Probability of each operation in one draw; each row of the scope sums to 1."""
        return self._to_edges(log_probabilities(self._to_rows(alpha), self.normalisation).exp())

    def draw(
        self,
        alpha: Float[Tensor, "E K"],
        temperature: float,
        generator: torch.Generator,
        drawing: Drawing = PLAIN,
    ) -> Float[Tensor, "E K"]:
        """Return one code, exactly 0 or 1, with a gradient to ``alpha``.

        Args:
            alpha: The architecture parameters.
            temperature: Softness tau of the backward pass.
            generator: Source of the noise.
            drawing: How it is drawn. Rows that its context does not give are
                drawn from their law given those; the gradient of all rows is
                that of a draw.

        Raises:
            ValueError: If ``temperature`` is not above 0.
        """
        count, context = drawing.draws or self.draws, drawing.context
        log_p = self._log_rows(alpha, drawing, count)
        noise = gumbel_noise((count, *log_p.shape), generator)
        if not self.sound:
            code = ensemble_gumbel(
                log_p, noise=noise.to(alpha), temperature=temperature, route=self.route
            )
            return self._to_edges(self._placed(code, context))
        return self._draw_sound(alpha, log_p, noise, temperature, context)

    def _log_rows(
        self, alpha: Float[Tensor, "E K"], drawing: Drawing, draws: int
    ) -> Float[Tensor, "R W"]:
        """Logarithms of the probabilities that codes are drawn from."""
        log_p = log_probabilities(self._to_rows(alpha), self.normalisation)
        if drawing.is_plain:
            return log_p
        allowed = self._allowed_rows.to(alpha.device)
        p = self._most_probable(log_p.exp(), drawing.kept, draws)
        if drawing.fairness:
            p = self._evened_out(p, drawing.fairness)
        uniform = allowed / allowed.sum(dim=1, keepdim=True)
        p = (1 - drawing.exploration) * p + drawing.exploration * uniform
        return torch.where(p > 0, torch.where(p > 0, p, 1.0).log(), OUTSIDE)

    def _most_probable(
        self, p: Float[Tensor, "R W"], share: float, draws: int
    ) -> Float[Tensor, "R W"]:
        """p without its least probable items, at least as many as there are draws left in."""
        if share >= 1:
            return p
        counts = self._allowed_rows.sum(dim=1)
        kept = torch.maximum((share * counts).ceil().long(), counts.clamp_max(draws))
        order = p.detach().argsort(dim=1, descending=True, stable=True)
        place = torch.arange(p.shape[1]).expand_as(order).to(p.device)
        rank = torch.empty_like(order).scatter(1, order, place)
        left = torch.where(rank < kept.to(p.device)[:, None], p, 0.0)
        return left / left.sum(dim=1, keepdim=True)

    def _evened_out(self, p: Float[Tensor, "R W"], strength: float) -> Float[Tensor, "R W"]:
        """p with the shares of the sources of a row brought nearer to their numbers of items."""
        sources = self._sources.view(self._inside.shape)
        of_source = functional.one_hot(sources + 1, int(sources.max()) + 2)[..., 1:]
        of_source = of_source.to(p) * self._allowed_rows.to(p)[..., None]
        mass = torch.einsum("rw,rws->rs", p, of_source).clamp_min(SMALLEST_SHARE)
        number = of_source.sum(dim=1)
        factor = torch.einsum("rs,rws->rw", (number / mass) ** strength, of_source)
        weighted = p * factor
        return weighted / weighted.sum(dim=1, keepdim=True)

    def _draw_sound(
        self,
        alpha: Float[Tensor, "E K"],
        log_p: Float[Tensor, "R W"],
        noise: Float[Tensor, "M R W"],
        temperature: float,
        context: Context,
    ) -> Float[Tensor, "E K"]:
        """A code of the law given that the cell is sound; on the CPU, in double precision."""
        log_p = log_p.double().cpu()
        log_p = torch.where(self._allowed_rows, log_p.clamp_min(FAINT), OUTSIDE)
        items = self._to_edges(log_p).flatten()
        held = self._held(context)
        law = SoundLaw(self.space, self._tables, items.exp(), len(noise), held)
        kept, found = law.draw(items, noise)
        code = torch.zeros(len(items), dtype=torch.float64)
        for node, chosen in zip(self._tables, kept, strict=True):
            code[[node.first + item for item in sorted(chosen)]] = 1.0
        code = code.view(-1, self.operations)
        if self.route == "inclusion":
            soft = law.inclusion().view(-1, self.operations)
        else:
            logits, drawn = self._conditional_draws(log_p, noise, found)
            soft = self._to_edges(
                soft_code(logits, noise, drawn, temperature=temperature, route=self.route)
            )
        return straight_through(code, soft).to(alpha)

    def _conditional_draws(
        self,
        log_p: Float[Tensor, "R W"],
        noise: Float[Tensor, "M R W"],
        found: dict[int, RowDraws],
    ) -> tuple[Float[Tensor, "M R W"], Float[Tensor, "M R W"]]:
        """Logits of every draw given those before it, and the draws; plain ones of held rows."""
        width = log_p.shape[1]
        logits = log_p.expand(noise.shape).unbind(dim=1)
        drawn = list(hard_draws(log_p, noise).unbind(dim=1))
        rows = list(logits)
        for row, own in found.items():
            rows[row] = functional.pad(own.logits, (0, width - own.logits.shape[1]), value=OUTSIDE)
            drawn[row] = functional.one_hot(torch.tensor(own.hits), width).double()
        return torch.stack(rows, dim=1), torch.stack(drawn, dim=1)

    def _held(self, context: Context) -> dict[int, frozenset[int]]:
        """The context as items of nodes, by row."""
        held = {}
        for row in context.rows:
            edges = self._edges_of_row[row]
            node = next(one for one in self.space.edges_of if edges.start in one)
            held[row] = frozenset(
                (edge - node.start) * self.operations + k
                for edge in edges
                for k in operations_in(context.masks[edge])
            )
        return held

    def _placed(self, code: Float[Tensor, "R W"], context: Context) -> Float[Tensor, "R W"]:
        """The code with the context's rows in place of their own, forward only."""
        if not context.rows:
            return code
        given = self._to_rows(mask_tensor(context.masks, self.operations).to(code), fill=0.0)
        rows = torch.zeros(len(code), 1, dtype=torch.bool, device=code.device)
        rows[sorted(context.rows)] = True
        return code + torch.where(rows, given - code.detach(), 0.0)

    def _to_rows(self, alpha: Float[Tensor, "E K"], fill: float = OUTSIDE) -> Float[Tensor, "R W"]:
        """One row a distribution; a row's edges are neighbours, so order is kept."""
        rows = alpha.new_full((self._inside.numel(),), fill)
        items = alpha.flatten().masked_fill(~self._allowed.to(alpha.device), fill)
        rows = rows.index_copy(0, self._place.to(alpha.device), items)
        return rows.view(self._inside.shape)

    def _to_edges(self, rows: Float[Tensor, "R W"]) -> Float[Tensor, "E K"]:
        return rows.flatten()[self._place.to(rows.device)].view(-1, self.operations)


class MixtureSampler(CodeSampler):
    """DARTS's stand-in for a code: the probabilities themselves weigh all operations.

    Args:
        space: Says which operations an edge has.
        normalisation: How alphas become probabilities.
        banned: One bit mask an edge: items whose weight is exactly 0.
    """

    def __init__(
        self, space: SearchSpace, *, normalisation: Normalisation, banned: Masks | None = None
    ) -> None:
        super().__init__(
            space,
            draws=1,
            scope="edge",
            route="even",
            normalisation=normalisation,
            banned=banned,
        )

    def draw(
        self,
        alpha: Float[Tensor, "E K"],
        temperature: float,
        generator: torch.Generator,
        drawing: Drawing = PLAIN,
    ) -> Float[Tensor, "E K"]:
        """The mixture weights p_k of each edge (DARTS, Eq. 2); nothing is random."""
        del temperature, generator, drawing
        return self.probabilities(alpha)
