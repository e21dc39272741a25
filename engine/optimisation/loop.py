"""What every loop that trains has in common, be it a search or a training from scratch."""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from engine.data.summaries import Summary
from engine.domain.config import AnyConfig
from engine.domain.errors import NotANumber
from engine.domain.run import Progress
from engine.domain.snapshot import Snapshot
from engine.domain.space import SearchSpace
from engine.tasks.task import Outputs, Tally, Task

Answer = Callable[[int, Any], Any]
"""From the number of a batch and its inputs to the network's answer."""


class Loop(Protocol):
    """A search or a training that somebody iterates, saves and continues.

    Between two elements of :meth:`steps` its state is whole. A continued loop
    computes what the uninterrupted one would have.
    """

    @property
    def config(self) -> AnyConfig:
        """The run's settings."""

    @property
    def space(self) -> SearchSpace:
        """The search space of its cells."""

    @property
    def progress(self) -> Progress:
        """How far it has come, with its latest figures."""

    @property
    def data_summary(self) -> Summary:
        """What is known of the data without its arrays."""

    def steps(self) -> Iterator[Snapshot | None]:
        """A snapshot where one is due, None after every other step or batch."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that a continued loop needs, in plain types and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""


@dataclass
class Position:
    """Where a loop is; all of it is in the checkpoint.

    Attributes:
        step: Completed weight updates.
        epoch: Completed epochs, evaluation included.
        index: Completed steps of the present epoch.
        seconds: Training time so far, without pauses.
    """

    step: int = 0
    epoch: int = 0
    index: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class StepResult:
    """What one step saw before it moved anything.

    Attributes:
        loss: Training loss in nats.
        outputs: The network's answers, without a graph.
        targets: The right answers.
        gradient_norm: Norm of the weights' gradient before clipping.
        figures: What else is recorded of it, by the name of the metric.
    """

    loss: Tensor
    outputs: Outputs
    targets: Tensor
    gradient_norm: Tensor
    figures: Mapping[str, Tensor] = field(default_factory=dict)


def clip_gradient(weights: Iterable[nn.Parameter], limit: float) -> Tensor:
    """Shorten the gradient of all weights together to a norm; 0 is no limit.

    Returns:
        The norm before.
    """
    moved = [weight for weight in weights if weight.grad is not None]
    return nn.utils.clip_grad_norm_(moved, limit if limit > 0 else float("inf"))


def refuse_nan(result: StepResult, what: str, *, recorded: bool) -> None:
    """Stop at a loss that is no number; on a GPU only where it is read anyway.

    Args:
        result: The step.
        what: Which step of what it is, for people.
        recorded: Whether its figures are recorded.

    Raises:
        NotANumber: The loss is NaN or infinite.
    """
    if not (recorded or result.loss.device.type == "cpu"):
        return
    loss = result.loss.item()
    if not math.isfinite(loss):
        raise NotANumber(
            asked=what,
            found=f"a training loss of {loss}",
            allowed="a finite loss",
            advice="lower learning_rate or set gradient_clip and start again",
        )


def step_figures(task: Task, result: StepResult, seconds: float) -> Mapping[str, float]:
    """What is recorded of one step, which took so many seconds."""
    return {
        "train_loss": result.loss.item(),
        f"train_{task.score_name}": task.tally(result.outputs, result.targets).score,
        "gradient_norm": result.gradient_norm.item(),
        "step_seconds": seconds,
        **{name: figure.item() for name, figure in result.figures.items()},
    }


def tally_of(
    task: Task, answer: Answer, split: Literal["validation", "test"] = "validation"
) -> Generator[None, None, Tally]:
    """The counts over all data of a split.

    Args:
        task: Serves the batches and carries what the next one starts from.
        answer: Gives the network's answers, without a graph.
        split: Which data.

    Yields:
        Nothing, after each batch, so that the caller can stop in between.
    """
    total: Tally | None = None
    batches = task.test_batches() if split == "test" else task.validation_batches()
    for number, (inputs, targets) in enumerate(batches):
        outputs = answer(number, inputs)
        task.carry(split, outputs)
        tally = task.tally(outputs, targets)
        total = tally if total is None else total + tally
        yield
    if total is None:
        raise ValueError(f"the task served no {split} data")
    return total
