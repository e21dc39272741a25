"""A few real steps of a search, with their time and memory; nothing of them is kept."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median
from threading import Event, Thread
from typing import Any

import psutil
import torch

from engine.domain.config import SearchConfig
from engine.domain.errors import FailureReason
from engine.model.probe import Probe
from engine.runtime.failures import explain
from engine.search.build import assemble_search

STEPS = 6
"""Weight updates of a rehearsal, at most; the first one warms up."""

MOST_STEPS = 12
"""The same where only a few steps probe, so that one of them is among those taken."""

FEWEST_STEPS = 3
ENOUGH_SECONDS = 8.0
"""After so much time the fewest steps are enough."""

SAMPLE_SECONDS = 0.002
FULL = ("out of memory", "ALLOC_FAILED", "could not create a primitive")
"""How CUDA, its libraries and oneDNN say that memory is full, beside torch's own exception."""


@dataclass(frozen=True)
class Rehearsal:
    """What a few steps of one batch size took.

    Attributes:
        batch_size: Items a step.
        seconds: Of each step; the first one warms up.
        training_bytes: Memory in use while it trained, at most.
        peak_bytes: The same with an evaluation.
        batch_seconds: Of one batch of an evaluation; None if none was tried.
        evaluation_batches: Batches of one pass over the validation data.
        steps_per_epoch: Of the whole search.
        parameters: Weights of the supernet.
        alphas: Its architecture parameters.
        probes: Of each step, whether all operations reported to alpha in it;
            empty if all steps are alike.
        probe_share: Share of such steps in the whole search.
    """

    batch_size: int
    seconds: tuple[float, ...]
    training_bytes: int
    peak_bytes: int
    batch_seconds: float | None
    evaluation_batches: int
    steps_per_epoch: int
    parameters: int
    alphas: int
    probes: tuple[bool, ...] = ()
    probe_share: float = 0.0

    @property
    def step_seconds(self) -> float:
        """Median of the steps after the first one.

        If probing steps take longer than the others, both medians count by
        their share in the whole search.
        """
        pairs = list(zip(self.seconds, self.probes, strict=False))[1:]
        probing = [seconds for seconds, probes in pairs if probes]
        others = [seconds for seconds, probes in pairs if not probes]
        if not probing or not others:
            return median(self.seconds[1:] or self.seconds)
        return self.probe_share * median(probing) + (1 - self.probe_share) * median(others)


class PeakMemory:
    """Follows how much memory is in use: what CUDA has handed out, or this process's resident set.

    The resident set is read each two milliseconds, so that a shorter peak may
    be missed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._highest = 0
        self._ended = Event()

    @contextmanager
    def watching(self) -> Iterator["PeakMemory"]:
        """Within, memory is followed."""
        if self._device.type == "cuda":
            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats(self._device)
            yield self
            return
        self._ended.clear()
        thread = Thread(target=self._sample, name="memory", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    @property
    def peak_bytes(self) -> int:
        """The most until now."""
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        self._look()
        return self._highest

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        self._highest = max(self._highest, int(self._process.memory_info().rss))


def rehearse(
    config: SearchConfig,
    data: Any,
    device: torch.device,
    *,
    steps: int = STEPS,
    evaluates: bool = True,
) -> Rehearsal | None:
    """Take a few steps of a search on loaded data; None where memory did not suffice.

    The alphas move in each of them, as after the warm-up of a search.

    Args:
        config: All settings.
        data: What :func:`~engine.data.sources.load_data` gave for them.
        device: Where to compute.
        steps: Weight updates, at most; an epoch with fewer has them all.
        evaluates: Whether a few batches of an evaluation follow.

    Raises:
        StudioError: The search cannot be built, or a step gives no number.
    """
    try:
        return _rehearse(config, data, device, steps, evaluates)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    finally:
        forget(device)
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch says that memory is full."""
    return explain(error)[0] is FailureReason.OUT_OF_MEMORY or any(
        words in str(error) for words in FULL
    )


def forget(device: torch.device) -> None:
    """Give back what no object holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _rehearse(
    config: SearchConfig, data: Any, device: torch.device, steps: int, evaluates: bool
) -> Rehearsal:
    with PeakMemory(device).watching() as memory:
        moving = config.model_copy(update={"alpha_warmup_epochs": 0})
        loop = assemble_search(moving, data, device)
        going = loop.steps()
        seconds: list[float] = []
        share = _share_of_probes(config)
        wanted = _steps_with_a_probe(steps, share) if evaluates else steps
        count = min(wanted, loop.task.steps_per_epoch)
        while len(seconds) < count and not _are_enough(seconds):
            seconds.append(timed(lambda: next(going), device))
        training_bytes = memory.peak_bytes
        batches, batch_seconds = 0, None
        if evaluates:
            batches = sum(1 for _ in loop.task.validation_batches())
            loop.position.index = loop.task.steps_per_epoch
            tried = [timed(lambda: next(going), device) for _ in range(min(FEWEST_STEPS, batches))]
            batch_seconds = median(tried[1:] or tried)
        return Rehearsal(
            batch_size=config.batch_size,
            seconds=tuple(seconds),
            training_bytes=training_bytes,
            peak_bytes=memory.peak_bytes,
            batch_seconds=batch_seconds,
            evaluation_batches=batches,
            steps_per_epoch=loop.task.steps_per_epoch,
            parameters=sum(weight.numel() for weight in loop.supernet.weight_parameters()),
            alphas=sum(alpha.numel() for alpha in loop.supernet.alpha_parameters()),
            probes=tuple(Probe.at_step(step, share) is not None for step in range(len(seconds))),
            probe_share=share,
        )


def _share_of_probes(config: SearchConfig) -> float:
    """The share of steps in which all operations report to alpha; 1 if all steps are alike."""
    thinned = config.method == "egs" and config.gradient == "probed" and config.probe == "steps"
    return config.probe_fraction if thinned else 1.0


def _steps_with_a_probe(steps: int, share: float) -> int:
    """So many steps that one of them probes, but for shares that are too small to wait for."""
    return min(max(steps, ceil(1 / share)), MOST_STEPS)


def _are_enough(seconds: list[float]) -> bool:
    return len(seconds) >= FEWEST_STEPS and sum(seconds) >= ENOUGH_SECONDS


def timed(action: Callable[[], object], device: torch.device) -> float:
    """Seconds of an action, until its last kernel has ended."""
    _wait_for(device)
    started = time.perf_counter()
    action()
    _wait_for(device)
    return time.perf_counter() - started


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
