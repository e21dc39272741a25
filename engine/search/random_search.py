"""Random search with the budget of a search: the control of every comparison.

Cells are drawn uniformly, as one EGS code of untrained alphas. Each is trained
from scratch for an equal share of the epochs, and the one with the lowest
validation error is kept, with its weights (Li & Talwalkar 2019). No weights are
shared.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from engine.domain.architecture import without_none
from engine.domain.errors import InvalidGenotype
from engine.domain.snapshot import Masks, Snapshot, SnapshotKind
from engine.optimisation.schedules import learning_rate_at
from engine.search.evaluation import measure, tensors_of
from engine.search.loop import SearchLoop, with_metrics
from engine.search.networks import supernet_for
from engine.search.observe import observe_codes
from engine.search.updates import Codes
from engine.tasks.randomness import generator


@dataclass(frozen=True)
class Best:
    """The best child so far.

    Attributes:
        error: In percentage points or as a perplexity; lower is better.
        loss: In nats.
        score: The task's main figure.
        masks: Its code, as it was drawn.
        weights: The supernet's ``state_dict`` at the end of its training.
    """

    error: float
    loss: float
    score: float
    masks: dict[str, Masks]
    weights: dict[str, torch.Tensor]


class RandomSearchLoop(SearchLoop):
    """Trains one random child after the other; alphas never move.

    The probabilities in its snapshots are those that cells are drawn from, the
    codes are the present child's, and the derived code is the best so far.
    """

    _best: Best | None = None
    """None until a child has been trained to its end."""

    @property
    def candidate(self) -> int:
        """Number of the present child, from 0."""
        return self.position.epoch * self.config.candidates // self.config.epochs

    @property
    def learning_rate(self) -> float:
        """Learning rate of the weights; each child runs through the whole schedule."""
        first, last = self._epochs_of(self.candidate)
        steps = self.task.steps_per_epoch
        return learning_rate_at(
            (self.position.step - first * steps) / ((last - first) * steps),
            start=self.config.learning_rate,
            end=self.config.learning_rate_end,
            schedule=self.config.learning_rate_schedule,
        )

    def _epochs_of(self, candidate: int) -> tuple[int, int]:
        """First epoch of a child, and the one after its last."""
        epochs, candidates = self.config.epochs, self.config.candidates
        return -(-candidate * epochs // candidates), -(-(candidate + 1) * epochs // candidates)

    def _draw(self) -> Codes:
        """The present child's code; no gradient reaches alpha."""
        number = min(self.candidate, self.config.candidates - 1)
        random = generator(self.config.seed, "random child", number)
        with torch.no_grad():
            return {
                kind: self._code(kind, alpha, 1.0, random)
                for kind, alpha in self.supernet.alphas.items()
            }

    def derived(self) -> dict[str, Masks]:
        """The best child so far; the present one before any has been trained to its end."""
        masks = observe_codes(self._draw()) if self._best is None else self._best.masks
        return without_none(self.space, masks)

    def prepare_child(self, masks: Mapping[str, Masks]) -> None:
        """Let the supernet hold the weights of the child that was kept.

        Raises:
            InvalidGenotype: It is another one, which has no weights here.
        """
        if dict(masks) != self.derived():
            raise InvalidGenotype(
                asked=f"the weights of this architecture at step {self.position.step}",
                found="a random search, which keeps those of its best cell so far only",
                allowed="the cell that it had kept by then",
                advice="choose another moment, or train this architecture from scratch",
            )
        if self._best is not None:
            self.supernet.load_state_dict({**self._best.weights, **self._alphas()})

    def _step(self) -> Snapshot | None:
        """A step of the present child; a new child starts from new weights."""
        at_start = self.position.epoch == self._epochs_of(self.candidate)[0]
        if at_start and self.position.index == 0:
            fresh = supernet_for(self.config, self.space, self.task, attempt=self.candidate)
            self.supernet.load_state_dict({**fresh.state_dict(), **self._alphas()})
            self._optimisers.weights.state.clear()
        return super()._step()

    def _alphas(self) -> dict[str, torch.Tensor]:
        """What cells are drawn from; the same for all children."""
        return {f"alphas.{kind}": alpha for kind, alpha in self.supernet.alphas.items()}

    def _close_epoch(self) -> Iterator[Snapshot | None]:
        """Measure the present child; keep it if none was better at the end of its training."""
        started = time.perf_counter()
        masks = observe_codes(self._draw())
        is_last = self.position.epoch + 1 == self._epochs_of(self.candidate)[1]
        codes = tensors_of(masks, len(self.space.operations), self.task.device)
        child = yield from measure(self.task, self.supernet, lambda _: codes)
        if is_last and (self._best is None or child.error < self._best.error):
            self._best = Best(child.error, child.loss, child.score, masks, self._weights())
        if self._best is not None:
            self._figures = {"child_loss": self._best.loss, self.score_name: self._best.score}
        figures = {**self._figures, f"candidate_{self.task.score_name}": child.score}
        self.position.epoch += 1
        self.position.index = 0
        self.position.seconds += time.perf_counter() - started
        kept = masks if self._best is None else self._best.masks
        shown = self._snapshot(SnapshotKind.EPOCH, self._draw())
        yield with_metrics(shown, figures, derived=without_none(self.space, kept))

    def _weights(self) -> dict[str, torch.Tensor]:
        """What the present child has learnt, as it is now."""
        return {name: value.clone() for name, value in self.supernet.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """As for any search, with the best child so far."""
        best = None if self._best is None else dict(vars(self._best))
        return {**super().state_dict(), "best": best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""
        super().load_state_dict(state)
        self._best = None if state["best"] is None else Best(**state["best"])
