"""Steps in epochs: the frame that a search and a training from scratch fill in."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from engine.data.summaries import Summary
from engine.domain.config import AnyConfig
from engine.domain.run import Progress
from engine.domain.snapshot import Snapshot
from engine.optimisation.loop import Position
from engine.optimisation.schedules import learning_rate_at
from engine.tasks.task import Task


class EpochLoop(ABC):
    """Iterate it, and it yields a :class:`Snapshot` where one is due.

    Args:
        config: The run's settings; of them it reads epochs, schedule and interval.
        task: Serves batches and judges answers.
    """

    config: AnyConfig

    def __init__(self, config: AnyConfig, task: Task) -> None:
        self.config = config
        self.task = task
        self.position = Position()
        self._figures: dict[str, float] = {}

    @property
    def data_summary(self) -> Summary:
        """What is known of the data without its arrays."""
        return self.task.summary

    @property
    @abstractmethod
    def score_name(self) -> str:
        """Name of the latest main figure, such as ``child_accuracy``."""

    @property
    def total_steps(self) -> int:
        """Weight updates of the whole run."""
        return self.config.epochs * self.task.steps_per_epoch

    @property
    def progress(self) -> Progress:
        """How far it has come, with its latest main figure and, of a search, the gap."""
        return Progress(
            step=self.position.step,
            total_steps=self.total_steps,
            epoch=self.position.epoch,
            seconds=self.position.seconds,
            score=self._figures.get(self.score_name),
            score_name=self.score_name,
            gap=self._figures.get("gap"),
        )

    @property
    def learning_rate(self) -> float:
        """Learning rate of the weights at the next step."""
        return learning_rate_at(
            self.position.step / self.total_steps,
            start=self.config.learning_rate,
            end=self.config.learning_rate_end,
            schedule=self.config.learning_rate_schedule,
        )

    def __iter__(self) -> Iterator[Snapshot]:
        """All snapshots from here to the end."""
        return (snapshot for snapshot in self.steps() if snapshot is not None)

    def steps(self) -> Iterator[Snapshot | None]:
        """A snapshot where one is due, None after every other step or batch.

        Between two elements the state is whole: it may be saved there.
        """
        while self._goes_on():
            while self.position.index < self.task.steps_per_epoch:
                yield self._step()
            yield from self._close_epoch()

    def _goes_on(self) -> bool:
        """Whether there is another epoch; asked between two of them."""
        return self.position.epoch < self.config.epochs

    @abstractmethod
    def _step(self) -> Snapshot | None:
        """Move the weights once and count the step; the snapshot is that of before."""

    @abstractmethod
    def _close_epoch(self) -> Iterator[Snapshot | None]:
        """Measure, then count the epoch."""

    def _is_due(self) -> bool:
        """At an epoch's first step the snapshot of the epoch before stands already."""
        at_boundary = self.position.index == 0 and self.position.epoch > 0
        return self.position.step % self.config.snapshot_interval == 0 and not at_boundary
