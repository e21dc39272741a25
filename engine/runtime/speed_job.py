"""The job that measures how fast a device is, by a few steps of two small searches.

The answer is published with the facts of the machine: it is a file in the
artifact store, so that it outlives the job and is found by every page and
command.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from engine.catalog import gather_catalog
from engine.data.images import ImageData, Split
from engine.domain.config import make_config
from engine.domain.errors import StudioError
from engine.domain.facts import DataFacts, DeviceKind, speed_key
from engine.domain.proposal_limits import GUESSED_SPEEDS
from engine.domain.search_time import search_work
from engine.domain.workload import Workload, calibrated
from engine.runtime.devices import CPU
from engine.runtime.job_context import JobContext
from engine.runtime.latency_job import device_label
from engine.runtime.rehearsal import rehearse

CLASSES = 10
FEW_KERNELS: Mapping[DeviceKind, Mapping[str, Any]] = {
    "cpu": {"cells": 4, "channels": 8, "stem_stride": 2, "draws": 4, "gradient": "sampled"},
    "gpu": {"cells": 4, "channels": 64, "batch_size": 256, "draws": 4, "gradient": "sampled"},
}
"""A search in which numbers take most of the time, on 32x32 images."""

MANY_KERNELS: Mapping[str, Any] = {"cells": 4, "channels": 8, "batch_size": 16, "draws": 4}
"""A search in which starting kernels takes most of the time, on 8x8 images."""

STEPS = 7


def measure_speed(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the speed of a device and publish it.

    Args:
        context: Without a run.
        arguments: ``config``: a search whose device and threads are used;
            ``device``: where to compute.

    Returns:
        ``node``, ``device`` (as engines name it), ``device_label``, and
        ``call``, ``multiply_add`` and ``value``: seconds for each.

    Raises:
        StudioError: The device has too little memory for a small search.
    """
    del arguments
    kind = _kind_of(context.device)
    speed = calibrated(GUESSED_SPEEDS[kind], measured_works(context.device))
    device = _device_id(context.device)
    answer = {
        "node": context.job.node or "",
        "device": device,
        "device_label": device_label(context.device),
        **asdict(speed),
    }
    with context.artifacts.write(speed_key(answer["node"], device)) as file:
        file.write(json.dumps(answer).encode())
    return answer


def measured_works(device: torch.device) -> list[tuple[Workload, float]]:
    """Return the work of a step of two small searches, and the seconds that each takes."""
    searches = ((8, MANY_KERNELS), (32, FEW_KERNELS[_kind_of(device)]))
    return [_measured(side, settings, device) for side, settings in searches]


def _kind_of(device: torch.device) -> DeviceKind:
    return "gpu" if device.type == "cuda" else "cpu"


def _measured(
    side: int, settings: Mapping[str, Any], device: torch.device
) -> tuple[Workload, float]:
    """The work of a step on random images of this size, and the seconds that it takes."""
    config = make_config({**settings, "cpu_threads": 1})
    facts = DataFacts(config.task, STEPS * config.batch_size, CLASSES, 1, 1, side, side, channels=3)
    taken = rehearse(config, _random_images(facts), device, steps=STEPS, evaluates=False)
    if taken is None:
        raise StudioError(
            asked="a measurement of the device's speed",
            found=f"too little memory for a batch of {config.batch_size} small images",
            allowed="a device with free memory",
            advice="wait until other programs have ended, or choose another device",
        )
    return search_work(config, facts, gather_catalog()).step, taken.step_seconds


def _random_images(facts: DataFacts) -> ImageData:
    random = np.random.default_rng(0)

    def split(count: int) -> Split:
        size = (count, facts.height, facts.width, facts.channels)
        labels = random.integers(0, CLASSES, count, dtype=np.int64)
        return Split(random.integers(0, 256, size, dtype=np.uint8), labels)

    names = tuple(map(str, range(CLASSES)))
    return ImageData(split(facts.train), split(CLASSES), split(CLASSES), names)


def _device_id(device: torch.device) -> str:
    """What engines call the device that they have shown to this process."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", str(device)) if device.type == "cuda" else CPU
