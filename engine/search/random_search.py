"""Random search with the budget of a search: the control of every comparison.

Cells are drawn uniformly, as one EGS code of untrained alphas. Each is trained
from scratch for an equal share of the epochs, and the one with the lowest
validation error is kept (Li & Talwalkar 2019). No weights are shared.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from engine.domain.snapshot import Masks, Snapshot, SnapshotKind
from engine.optimisation.schedules import learning_rate_at
from engine.search.evaluation import measure, tensors_of
from engine.search.loop import SearchLoop, with_metrics
from engine.search.networks import supernet_for
from engine.search.observe import observe_codes
from engine.search.updates import Codes
from engine.tasks.randomness import generator


class RandomSearchLoop(SearchLoop):
    """Trains one random child after the other; alphas never move.

    The probabilities in its snapshots are those that cells are drawn from, the
    codes are the present child's, and the derived code is the best so far.
    """

    _best: tuple[float, float, float, dict[str, Masks]] | None = None
    """Error, loss and score of the best child so far, and its code."""

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
        if is_last and (self._best is None or child.error < self._best[0]):
            self._best = (child.error, child.loss, child.score, masks)
        if self._best is not None:
            _, loss, score, _ = self._best
            self._figures = {"child_loss": loss, self.score_name: score}
        figures = {**self._figures, f"candidate_{self.task.score_name}": child.score}
        self.position.epoch += 1
        self.position.index = 0
        self.position.seconds += time.perf_counter() - started
        kept = masks if self._best is None else self._best[3]
        shown = self._snapshot(SnapshotKind.EPOCH, self._draw())
        yield with_metrics(shown, figures, derived=self._without_none(kept))

    def _without_none(self, masks: Mapping[str, Masks]) -> dict[str, Masks]:
        none = self.space.none_index
        unset = 0 if none is None else 1 << none
        return {kind: tuple(mask & ~unset for mask in cell) for kind, cell in masks.items()}

    def state_dict(self) -> dict[str, Any]:
        """As for any search, with the best child so far."""
        return {**super().state_dict(), "best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""
        super().load_state_dict(state)
        self._best = state["best"]
