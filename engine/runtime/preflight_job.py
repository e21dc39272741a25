"""The job that tries the first steps of a search: time, memory, and what would fit."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import psutil
import torch

from engine.data.inspection import check_place
from engine.data.memory import available_bytes
from engine.data.sources import load_data
from engine.domain.config import SearchConfig
from engine.domain.run import RunState
from engine.runtime.devices import CPU
from engine.runtime.job_context import JobContext
from engine.runtime.largest_batch import (
    Largest,
    by_doubling,
    by_growth,
    by_halving,
    most_items,
    trying,
)
from engine.runtime.latency_job import device_label
from engine.runtime.rehearsal import Rehearsal, rehearse

log = logging.getLogger(__name__)


def fly(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Take a few real steps of a search, and say how long it will take and what would fit.

    Too little memory is an answer and no failure.

    Args:
        context: Without a run.
        arguments: ``config``: all settings; ``device``: where to compute.

    Returns:
        ``fits``; the ``device`` and its ``device_label``, its ``memory_bytes``;
        ``others``: searches that ran beside it; ``load_seconds``; of the
        largest batch ``largest``, ``largest_limit`` and ``largest_estimated``;
        ``batch_size`` and ``epochs`` of the settings. Where it fits, also
        ``steps``, ``first_step_seconds``, ``step_seconds``,
        ``steps_per_epoch``, ``evaluation_seconds`` (of the evaluations after
        an epoch), ``total_seconds``, ``peak_bytes``, ``parameters``,
        ``alphas``.

    Raises:
        StudioError: The settings do not fit, the data cannot be used, or a
            step gives no number.
    """
    del arguments
    config, device = context.settings, context.device
    check_place(config, context.data_roots)
    others = _others(context)
    started = time.perf_counter()
    data = load_data(config, cache=context.cache, progress=log.info)
    load_seconds = time.perf_counter() - started
    before, free = int(psutil.Process().memory_info().rss), available_bytes()
    first = rehearse(config, data, device)
    largest = _largest(config, data, device, first, before=before, free=free)
    return {
        "fits": first is not None,
        "device": device.type,
        "device_label": device_label(device),
        "memory_bytes": _memory_bytes(device),
        "others": others,
        "load_seconds": load_seconds,
        "batch_size": config.batch_size,
        "epochs": config.epochs,
        "largest": largest.batch_size,
        "largest_limit": largest.limit,
        "largest_estimated": largest.is_estimated,
        **({} if first is None else _figures(config, first)),
    }


def _figures(config: SearchConfig, taken: Rehearsal) -> dict[str, Any]:
    """Measured figures, and what they come to over the whole search."""
    passes = 1 if config.method == "random" else 2
    evaluation = passes * taken.evaluation_batches * (taken.batch_seconds or 0.0)
    epoch = taken.steps_per_epoch * taken.step_seconds + evaluation
    return {
        "steps": len(taken.seconds),
        "first_step_seconds": taken.seconds[0],
        "step_seconds": taken.step_seconds,
        "steps_per_epoch": taken.steps_per_epoch,
        "evaluation_seconds": evaluation,
        "total_seconds": config.epochs * epoch,
        "peak_bytes": taken.peak_bytes,
        "parameters": taken.parameters,
        "alphas": taken.alphas,
    }


def _largest(
    config: SearchConfig,
    data: Any,
    device: torch.device,
    first: Rehearsal | None,
    *,
    before: int,
    free: int,
) -> Largest:
    attempt = trying(config, data, device)
    if first is None:
        return by_halving(attempt, too_large=config.batch_size)
    most = max(config.batch_size, most_items(config, data))
    if device.type == "cuda":
        return by_doubling(attempt, fits=config.batch_size, most=most)
    return by_growth(attempt, first, before_bytes=before, free_bytes=free, most=most)


def _memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)


def _others(context: JobContext) -> int:
    """Searches and trainings that run on the same device now, and make it slower."""
    device = os.environ.get("CUDA_VISIBLE_DEVICES") if context.device.type == "cuda" else CPU
    running = context.store.runs({RunState.RUNNING})
    return sum(run.node == context.job.node and run.device == device for run in running)
