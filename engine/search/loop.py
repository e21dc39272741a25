"""The search itself: iterate it, and it yields snapshots.

The loop knows nothing of databases, pauses or pages. Whoever iterates it may
stop asking at any step, save its state, and go on in another process: all
randomness depends on the seed and the place alone, so that the continued
search is the uninterrupted one.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool

from engine.domain.config import SearchConfig
from engine.domain.derivation import derive
from engine.domain.distribution import entropy
from engine.domain.snapshot import Masks, Rows, Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.model.network import SearchNetwork
from engine.model.probe import Probe
from engine.model.sampler import PLAIN, CodeSampler, Drawing
from engine.optimisation.epochs import EpochLoop
from engine.optimisation.loop import Position, StepResult, refuse_nan, step_figures
from engine.optimisation.schedules import learning_rate_at, temperature_at
from engine.search.drawing import codes_of_cells, drawings, generator_of, row_in_turn
from engine.search.early_stopping import Agreements, EarlyStopping, operation_weights
from engine.search.evaluation import measure, tensors_of
from engine.search.harmony import harmony_of
from engine.search.observe import observe_codes, observe_rows
from engine.search.updates import ALPHA_BETA_2, Codes, Optimisers, alpha_step, joint_step
from engine.tasks.task import Task

SMOOTHING = 0.02
"""Weight of the newest loss in the smoothed one."""


@dataclass(frozen=True)
class Equipment:
    """What of the settings acts in every step, and can be exchanged between two.

    Attributes:
        samplers: Per cell kind, what turns alphas into probabilities and codes.
        make_probe: The probe of a given step; None runs drawn operations only.
        held: Per cell kind, the alphas that rest, True where they do; empty
            where all of them move.
    """

    samplers: Mapping[str, CodeSampler]
    make_probe: Callable[[int], Probe | None]
    held: Mapping[str, Bool[torch.Tensor, "E K"]]


@dataclass
class Learnt:
    """How far the training loss has fallen.

    Attributes:
        first: Loss of the first step; None before it.
        smoothed: Exponential mean of the losses since then.
    """

    first: float | None = None
    smoothed: float = 0.0

    def take(self, loss: float) -> None:
        """Count the loss of a step."""
        if self.first is None:
            self.first = self.smoothed = loss
        self.smoothed += SMOOTHING * (loss - self.smoothed)

    @property
    def share(self) -> float:
        """By which share of the first loss the smoothed one lies below it; 0 at the start."""
        return 1 - self.smoothed / self.first if self.first else 0.0


class SearchLoop(EpochLoop):
    """Owns optimisers and schedules; yields a :class:`Snapshot` where one is due.

    Args:
        config: The run's settings; the loop reads schedules, intervals and seed.
        space: The search space with its number of nodes.
        task: Serves batches and judges answers.
        supernet: The network with its alphas.
        optimisers: Of weights and alphas.
        equip: From settings to what draws, probes and holds.
    """

    config: SearchConfig

    def __init__(
        self,
        config: SearchConfig,
        *,
        space: SearchSpace,
        task: Task,
        supernet: SearchNetwork,
        optimisers: Optimisers,
        equip: Callable[[SearchConfig], Equipment],
    ) -> None:
        super().__init__(config, task)
        self.space = space
        self.supernet = supernet
        self._optimisers = optimisers
        self._equip = equip
        self._due: list[tuple[int, SearchConfig]] = []
        self._learnt = Learnt()
        self._operations = operation_weights(supernet)
        self._agreements = Agreements.of(len(self._operations))
        self._take(config)

    def steer(self, step: int, config: SearchConfig) -> None:
        """Go on with other settings from the weight update number ``step`` on.

        The end of an epoch before that update is measured with the settings of
        before. Called again with a step, the later call counts. Settings that
        data, network or position depend on must not differ.

        Args:
            step: Number of updates done before; one that is past already
                counts from now on.
            config: All settings from there on.
        """
        if step < self.position.step:
            self._take(config)
            return
        self._due.append((step, config))

    def start_from(
        self, alphas: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]
    ) -> None:
        """Begin with other alphas, and with other weights where some are given.

        Args:
            alphas: Per cell kind, [E, K].
            weights: The rest of the supernet's ``state_dict``, complete, or
                empty for those that it has.
        """
        state = {**self.supernet.state_dict(), **weights}
        own = {f"alphas.{kind}": alpha for kind, alpha in alphas.items()}
        self.supernet.load_state_dict({**state, **own})

    def _take(self, config: SearchConfig) -> None:
        """Let these settings be in force."""
        self.config = config
        self._equipment = self._equip(config)
        alphas = self.supernet.alphas
        self._optimisers = replace(
            self._optimisers,
            gradient_clip=config.gradient_clip,
            held=[(alphas[kind], rests) for kind, rests in self._equipment.held.items()],
        )

    def _take_due(self) -> None:
        """Let settings be in force that are due before the next update."""
        due = [config for step, config in self._due if step <= self.position.step]
        if due and self.position.index < self.task.steps_per_epoch:
            self._due = [one for one in self._due if one[0] > self.position.step]
            self._take(due[-1])

    def _goes_on(self) -> bool:
        self._take_due()
        return super()._goes_on()

    def _code(
        self,
        kind: str,
        alpha: torch.Tensor,
        temperature: float,
        random: torch.Generator,
        drawing: Drawing = PLAIN,
    ) -> torch.Tensor:
        """One code of a cell kind, with a gradient to alpha."""
        return self._equipment.samplers[kind].draw(alpha, temperature, random, drawing)

    @property
    def score_name(self) -> str:
        """Name of the child's main figure, such as ``child_accuracy``."""
        return f"child_{self.task.score_name}"

    @property
    def _share(self) -> float:
        """Completed share of the search, 0 to 1."""
        return self.position.step / self.total_steps

    @property
    def temperature(self) -> float:
        """Temperature tau of the next draw, above 0."""
        return temperature_at(
            self._share,
            start=self.config.temperature_start,
            end=self.config.temperature_end,
            schedule=self.config.temperature_schedule,
        )

    def probabilities(self) -> dict[str, Rows]:
        """Per cell kind, E rows of K probabilities in the run's normalisation."""
        with torch.no_grad():
            return observe_rows(
                {
                    kind: self._equipment.samplers[kind].probabilities(alpha)
                    for kind, alpha in self.supernet.alphas.items()
                }
            )

    def derived(self) -> dict[str, Masks]:
        """The architecture that the search stands for now, per cell kind, without ``none``."""
        return derive(self.space, self.probabilities(), self.config.rule)

    def prepare_child(self, masks: Mapping[str, Masks]) -> None:
        """Let the supernet hold the weights of this architecture.

        Here all architectures share them, so that there is nothing to do.
        """

    def _step(self) -> Snapshot | None:
        """Draw, observe, update: the snapshot shows what the codes were drawn from."""
        self._take_due()
        started = time.perf_counter()
        codes = self._draw()
        before = self._snapshot(SnapshotKind.STEP, codes) if self._is_due() else None
        result = self._update(codes)
        what = f"step {self.position.step + 1} of the search"
        refuse_nan(result, what, recorded=before is not None)
        elapsed = time.perf_counter() - started
        self.position.step += 1
        self.position.index += 1
        self.position.seconds += elapsed
        return before and with_metrics(before, step_figures(self.task, result, elapsed))

    @property
    def alpha_learning_rate(self) -> float:
        """Learning rate of the alphas at the next step."""
        return learning_rate_at(
            self._share,
            start=self.config.alpha_learning_rate,
            end=0.0,
            schedule=self.config.alpha_learning_rate_schedule,
        )

    def _draw(self) -> Codes:
        """The codes of the present step, with a gradient to alpha."""
        derived = cache(self.derived)
        return self._codes(
            "codes", self.position.step, how=lambda cell: self._drawings(cell, derived)
        )

    def _codes(
        self, purpose: str, *place: int, how: Callable[[int], Mapping[str, Drawing]]
    ) -> Codes:
        """Draw one code a cell kind, or one for each cell where cells have their own.

        Args:
            purpose: What the codes are for.
            place: With seed, purpose and number of the cell it fixes all noise.
            how: By number of a cell among those of its kind, how its code is
                drawn.
        """

        def draw(cell: int, kinds: Sequence[str]) -> dict[str, torch.Tensor]:
            random = generator_of(self.config.seed, purpose, *place, cell=cell)
            drawing = how(cell)
            return {
                kind: self._code(
                    kind,
                    self.supernet.alphas[kind],
                    self.temperature,
                    random,
                    drawing.get(kind, PLAIN),
                )
                for kind in kinds
            }

        return codes_of_cells(self._codes_of_kinds(), draw)

    def _codes_of_kinds(self) -> dict[str, int]:
        """Per cell kind, how many codes a draw takes."""
        cells = Counter(self.supernet.kinds_of_cells if self.config.cell_codes == "own" else ())
        return {kind: max(1, cells[kind]) for kind in self.supernet.alphas}

    def _drawings(
        self, cell: int, derived: Callable[[], Mapping[str, Masks]]
    ) -> Mapping[str, Drawing]:
        """How the codes of the present step are drawn, by cell kind, in the cell of a number."""
        if self.config.draws_plainly or not self._alphas_learn:
            return {}
        return drawings(
            self.config,
            self.space,
            step=self.position.step,
            share=self._share,
            derived=derived,
            cell=cell,
        )

    @property
    def _alphas_learn(self) -> bool:
        """Whether the alphas move in the present step."""
        patience = self.config.alpha_patience
        has_learnt = not patience or self._learnt.share >= patience
        return has_learnt and self.position.epoch >= self.config.alpha_warmup_epochs

    def _set_rates(self) -> None:
        """Give the optimisers what the settings say of the next step."""
        for group in self._optimisers.weights.param_groups:
            group["lr"] = self.learning_rate
            group["momentum"] = self.config.momentum
            group["weight_decay"] = self.config.weight_decay
        for group in self._optimisers.alphas.param_groups:
            group["lr"] = self.alpha_learning_rate
            group["betas"] = (self.config.alpha_momentum, ALPHA_BETA_2)
            group["weight_decay"] = self.config.alpha_weight_decay

    def _update(self, codes: Codes) -> StepResult:
        """Move the weights, and the alphas unless they still warm up."""
        self._set_rates()
        epoch, index = self.position.epoch, self.position.index
        searching = self._alphas_learn
        self._optimisers = replace(
            self._optimisers,
            penalty=self.config.beta_decay * self._share,
            turn=self._row_in_turn(),
            stopping=self._early_stopping(),
            harmony=harmony_of(self.supernet, self.config.cell_harmony * self._share),
        )
        probe = self._equipment.make_probe(self.position.step) if searching else None
        together = self.config.update == "joint" and searching
        if searching and not together:
            alpha_batch = self.task.alpha_batch(epoch, index)
            outputs = alpha_step(
                self.supernet, self._optimisers, alpha_batch, codes, self.task.loss, probe
            )
            self.task.carry("alphas", outputs)
        result = joint_step(
            self.supernet,
            self._optimisers,
            self.task.weight_batch(epoch, index),
            codes if together else {kind: code.detach() for kind, code in codes.items()},
            self.task.loss,
            probe if together else None,
        )
        self.task.carry("weights", result.outputs)
        self._learnt.take(float(result.loss))
        return result

    def _row_in_turn(self) -> range | None:
        """Edges of the row that learns in the present step; None where all rows do."""
        if self.config.alpha_rows == "all":
            return None
        row = row_in_turn(self.space, self.config, self.position.step)
        return self.space.rows(self.config.scope)[row]

    def _early_stopping(self) -> EarlyStopping | None:
        """What stops operations in the present step; None where nothing does.

        Switched off by a change, it lets all move again; switched on again,
        those that had stopped stop at once. A fork begins with none stopped, as
        it begins with new optimisers.
        """
        if not self.config.early_stop_agreement or not self._operations:
            return None
        return EarlyStopping(
            self._operations,
            self._agreements,
            threshold=self.config.early_stop_agreement,
            window=self.config.early_stop_window,
        )

    def _close_epoch(self) -> Iterator[Snapshot | None]:
        """Measure supernet and child on validation data, then count the epoch."""
        started = time.perf_counter()
        derived = self.derived()
        child_codes = tensors_of(derived, len(self.space.operations), self.task.device)
        supernet = yield from measure(self.task, self.supernet, self._fresh_codes)
        child = yield from measure(self.task, self.supernet, lambda _: child_codes)
        self._figures = {
            "supernet_loss": supernet.loss,
            f"supernet_{self.task.score_name}": supernet.score,
            "child_loss": child.loss,
            f"child_{self.task.score_name}": child.score,
            "gap": child.error - supernet.error,
        }
        if self._early_stopping():
            self._figures["stopped_operations"] = 100 * self._agreements.stopped_share
        self.position.epoch += 1
        self.position.index = 0
        self.position.seconds += time.perf_counter() - started
        shown = self._snapshot(SnapshotKind.EPOCH, self._draw())
        yield with_metrics(shown, self._figures, derived=derived)

    def _fresh_codes(self, batch: int) -> Codes:
        """What the supernet runs a validation batch with: a new draw each time."""
        with torch.no_grad():
            return self._codes("validation codes", self.position.step, batch, how=lambda _: {})

    def _snapshot(self, kind: SnapshotKind, codes: Codes) -> Snapshot:
        rows = self.probabilities()
        return Snapshot(
            step=self.position.step,
            epoch=self.position.epoch,
            kind=kind,
            temperature=self.temperature,
            probabilities=rows,
            codes=observe_codes(codes),
            metrics={
                "entropy": entropy(self.space, rows, self.config.scope),
                "learning_rate": self.learning_rate,
                "alpha_learning_rate": self.alpha_learning_rate,
            },
            seconds=self.position.seconds,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that a continued search needs, in plain types and tensors."""
        return {
            "model": self.supernet.state_dict(),
            "weight_optimiser": self._optimisers.weights.state_dict(),
            "alpha_optimiser": self._optimisers.alphas.state_dict(),
            "task": self.task.state_dict(),
            "position": asdict(self.position),
            "figures": dict(self._figures),
            "learnt": asdict(self._learnt),
            "agreements": self._agreements.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""
        self.supernet.load_state_dict(state["model"])
        self._optimisers.weights.load_state_dict(state["weight_optimiser"])
        self._optimisers.alphas.load_state_dict(state["alpha_optimiser"])
        self.task.load_state_dict(state["task"])
        self.position = Position(**state["position"])
        self._figures = dict(state["figures"])
        self._learnt = Learnt(**state.get("learnt", {}))
        if "agreements" in state:
            self._agreements = Agreements(**state["agreements"])


def with_metrics(snapshot: Snapshot, figures: Mapping[str, float], **changes: Any) -> Snapshot:
    """The snapshot with more figures, and other changes."""
    return replace(snapshot, metrics={**snapshot.metrics, **figures}, **changes)
