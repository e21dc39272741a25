"""The training itself: iterate it, and it yields snapshots, as a search does.

All randomness depends on the seed and the place alone, so that a continued
training is the uninterrupted one. The test data are asked for once, after the
last step, when nothing is left to be chosen by them.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from engine.domain.config import TrainingConfig
from engine.domain.genotype import Genotype
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.evaluate.networks import Trainee
from engine.model.derived import CellNetwork, fitted_weights
from engine.optimisation.averaging import WeightAverage, stops_improving
from engine.optimisation.epochs import EpochLoop
from engine.optimisation.loop import (
    Position,
    StepResult,
    clip_gradient,
    refuse_nan,
    step_figures,
    tally_of,
)
from engine.tasks.task import Task

NO_TEST = "The data have no test part, so that no test figure is measured."


class TrainingLoop(EpochLoop):
    """Owns optimiser and schedule; yields a :class:`Snapshot` where one is due.

    A training has no architecture to find: its snapshots hold figures only.

    Args:
        config: The run's settings; the loop reads schedules, intervals and seed.
        genotype: The architecture.
        task: Serves batches and judges answers.
        trainee: The network.
        optimiser: Over all of its parameters.
        report: Takes sentences for the run's log.
    """

    config: TrainingConfig

    def __init__(
        self,
        config: TrainingConfig,
        *,
        genotype: Genotype,
        task: Task,
        trainee: Trainee,
        optimiser: torch.optim.Optimizer,
        report: Callable[[str], None],
    ) -> None:
        super().__init__(config, task)
        self.genotype = genotype
        self.trainee = trainee
        self._optimiser = optimiser
        self._report = report
        self._validation_losses: list[float] = []
        self._average: WeightAverage | None = None

    @property
    def space(self) -> SearchSpace:
        """The search space that the architecture is of."""
        return self.genotype.space

    @property
    def network(self) -> nn.Module:
        """The derived network; see :attr:`measured_weights` for what its figures are of."""
        return self.trainee.network

    @property
    def score_name(self) -> str:
        """Name of the latest main figure: on validation data, and at the end on test data."""
        test = f"test_{self.task.score_name}"
        return test if test in self._figures else f"validation_{self.task.score_name}"

    @property
    def averages(self) -> bool:
        """Whether figures are already those of averaged weights."""
        return self._average is not None

    def _step(self) -> Snapshot | None:
        """Move the weights once; the snapshot is that of before."""
        started = time.perf_counter()
        before, rate = self.position, self.learning_rate
        due = self._is_due()
        result = self._update(rate)
        refuse_nan(result, f"step {before.step + 1} of the training", recorded=due)
        if self._average is not None:
            self._average.add(self.trainee.weights())
        elapsed = time.perf_counter() - started
        self.position = Position(
            before.step + 1, before.epoch, before.index + 1, before.seconds + elapsed
        )
        if not due:
            return None
        figures = {"learning_rate": rate, **step_figures(self.task, result, elapsed)}
        return _snapshot(before, SnapshotKind.STEP, figures)

    def _update(self, rate: float) -> StepResult:
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        inputs, targets = self.task.weight_batch(self.position.epoch, self.position.index)
        self._optimiser.zero_grad(set_to_none=True)
        outputs, auxiliary = self.trainee.practise(
            inputs, share=self.position.epoch / self.config.epochs, step=self.position.step
        )
        loss = self.task.loss(outputs, targets)
        if auxiliary is not None:
            loss = loss + self.config.auxiliary_weight * self.task.loss(auxiliary, targets)
        loss.backward()
        norm = clip_gradient(self.trainee.parameters(), self.config.gradient_clip)
        self._optimiser.step()
        result = StepResult(loss.detach(), outputs.detach(), targets, norm)
        self.task.carry("weights", result.outputs)
        return result

    def _close_epoch(self) -> Iterator[Snapshot | None]:
        """Measure on validation data, at the very end on test data, then count the epoch."""
        started = time.perf_counter()
        figures = yield from self._measured("validation")
        if self.position.epoch + 1 == self.config.epochs:
            figures |= yield from self._tested()
        self._figures = figures
        self._average_if_due(figures["validation_loss"])
        place = self.position
        seconds = place.seconds + time.perf_counter() - started
        self.position = Position(place.step, place.epoch + 1, 0, seconds)
        shown = {"learning_rate": self.learning_rate, **figures}
        yield _snapshot(self.position, SnapshotKind.EPOCH, shown)

    def _measured(self, split: Any) -> Generator[None, None, dict[str, float]]:
        """Loss and main figure on a part of the data."""
        tally = yield from tally_of(self.task, self._answer, split)
        return {f"{split}_loss": tally.loss, f"{split}_{self.task.score_name}": tally.score}

    def _tested(self) -> Generator[None, None, dict[str, float]]:
        """Figures on the test data; none where there are no such data."""
        if not self.data_summary.test:
            self._report(NO_TEST)
            return {}
        figures = yield from self._measured("test")
        return figures

    def _answer(self, _: int, inputs: Any) -> Any:
        return self.trainee.answer(inputs, self._average.mean if self._average else None)

    def _average_if_due(self, validation_loss: float) -> None:
        """Begin to average when the validation loss has stopped to improve."""
        self._validation_losses.append(validation_loss)
        if self.config.averaging != "asgd" or self.config.task != "language_modelling":
            return
        patience = self.config.averaging_patience
        goes_on = self.position.epoch + 1 < self.config.epochs
        stopped = goes_on and stops_improving(self._validation_losses, patience)
        if self._average is None and stopped:
            self._average = WeightAverage(self.trainee.weights())
            self._report(
                f"The validation loss has not improved in {patience} epochs: from epoch "
                f"{self.position.epoch + 2} on, figures are those of averaged weights."
            )

    @property
    def measured_weights(self) -> dict[str, Tensor]:
        """The state of the network that its figures are of: averaged, if averaging has begun."""
        averaged = self._average.mean if self._average else {}
        return {**self.network.state_dict(), **averaged}

    def start_from(self, weights: Mapping[str, Tensor]) -> int:
        """Take over weights where name and shape agree; how many tensors that were.

        Input channels of dead nodes, which a network with its dead parts has,
        are left out.
        """
        own = self.network.state_dict()
        if isinstance(self.network, CellNetwork):
            weights = fitted_weights(self.network, weights)
        taken = {
            name: weight
            for name, weight in weights.items()
            if name in own and own[name].shape == weight.shape
        }
        self.network.load_state_dict({**own, **taken})
        return len(taken)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a continued training needs, in plain types and tensors.

        ``model`` is the network that is measured; where averaging has begun,
        ``training_model`` is the one that is trained.
        """
        average, auxiliary = self._average, self.trainee.auxiliary
        return {
            "model": self.measured_weights,
            "training_model": self.network.state_dict() if average else None,
            "averaged": average.count if average else 0,
            "auxiliary": auxiliary.state_dict() if auxiliary is not None else None,
            "weight_optimiser": self._optimiser.state_dict(),
            "task": self.task.state_dict(),
            "position": asdict(self.position),
            "figures": dict(self._figures),
            "validation_losses": list(self._validation_losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""
        self.network.load_state_dict(state["training_model"] or state["model"])
        self._average = None
        if state["averaged"]:
            self._average = WeightAverage(self._on_device(state["model"]), state["averaged"])
        if self.trainee.auxiliary is not None:
            self.trainee.auxiliary.load_state_dict(state["auxiliary"])
        self._optimiser.load_state_dict(state["weight_optimiser"])
        self.task.load_state_dict(state["task"])
        self.position = Position(**state["position"])
        self._figures = dict(state["figures"])
        self._validation_losses = list(state["validation_losses"])

    def _on_device(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Those of the weights that are parameters, where the network's own are."""
        own = self.trainee.weights()
        return {name: weights[name].to(own[name].device) for name in own}


def _snapshot(position: Position, kind: SnapshotKind, figures: Mapping[str, float]) -> Snapshot:
    """Figures at a moment; there is no architecture to record and no temperature."""
    return Snapshot(
        step=position.step,
        epoch=position.epoch,
        kind=kind,
        temperature=1.0,
        probabilities={},
        codes={},
        metrics=figures,
        seconds=position.seconds,
    )
