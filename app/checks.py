"""What can be asked about a search before it starts, and its answers in words.

Both questions are about settings and not about a run: what the data are like,
and how the first steps go. They hold just the settings on which the answer
depends, so that an answer outlives changes that do not matter to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.domain.config import SearchConfig

READING = (
    "task",
    "data",
    "validation_fraction",
    "test_fraction",
    "train_limit",
    "seed",
)
PICTURES = ("image_size", "ignore_index", "broken_images")
TEXTS = (
    "tokens",
    "vocabulary_limit",
    "embedding_size",
    "hidden_size",
    "batch_size",
    "bptt",
)
"""Beside reading: a vocabulary too large for the network is refused with the data."""

GIBIBYTE, MEBIBYTE = 2**30, 2**20


@dataclass(frozen=True)
class Question:
    """What an engine is asked: a kind of job and its arguments."""

    kind: str
    arguments: Mapping[str, Any]


def data_question(config: SearchConfig) -> Question:
    """What the data of a search are like."""
    names = (*READING, *(TEXTS if config.task == "language_modelling" else PICTURES))
    values = config.model_dump(mode="json")
    return Question("data", {"config": {name: values[name] for name in names}, "device": "cpu"})


def preflight_question(config: SearchConfig) -> Question:
    """How the first steps of a search go on its device."""
    return Question(
        "preflight", {"config": config.model_dump(mode="json"), "device": config.device}
    )


def speed_question(device: str) -> Question:
    """How fast a device is; the settings only say that one thread computes."""
    return Question("speed", {"config": {"data": "digits", "cpu_threads": 1}, "device": device})


def preflight_words(result: Mapping[str, Any]) -> str:
    """The answer of a pre-flight in one sentence or two."""
    device = device_words(result)
    if not result["fits"]:
        return _too_large(result, device)
    beside = ""
    if result["others"]:
        beside = (
            f" {result['others']} other run(s) used it meanwhile; alone the search may be faster."
        )
    time = time_words(result["total_seconds"])
    return f"{time[0].upper()}{time[1:]} on {device}; {_largest_words(result)}.{beside}"


def _too_large(result: Mapping[str, Any], device: str) -> str:
    sentence = f"A batch of {result['batch_size']:,} does not fit into the memory of {device}"
    if result["largest"]:
        return f"{sentence}; a batch of {result['largest']:,} does, so set batch_size to that."
    return (
        f"{sentence}, and no smaller one does; lower channels or cells, or set "
        "gradient = 'sampled'."
    )


def _largest_words(result: Mapping[str, Any]) -> str:
    size = f"{result['largest']:,}"
    if result["largest_limit"] == "data":
        words = f"every batch up to {size}, the most that the data allow, fits"
        return f"by an estimate {words}" if result["largest_estimated"] else words
    if result["largest_limit"] == "time":
        return f"a batch of {size} fits, and larger ones were not tried"
    if result["largest_estimated"]:
        return f"the largest batch that fits is about {size}, by an estimate"
    return f"the largest batch that was tried and fits is {size}"


def device_words(result: Mapping[str, Any]) -> str:
    """The device that was used."""
    kind = "CPU" if result["device"] == "cpu" else "GPU"
    return f"this {kind} ({result['device_label']})"


def figures_of(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Four figures of a pre-flight that went well: label, value, and what it is."""
    largest = f"{'≈ ' if result['largest_estimated'] else ''}{result['largest']:,}"
    total = result["memory_bytes"]
    return [
        (
            "The whole search",
            time_words(result["total_seconds"]).removeprefix("about "),
            f"{result['epochs']:,} epochs of {result['steps_per_epoch']:,} steps and the "
            "evaluations after each; not loading the data and checkpoints.",
        ),
        (
            "A step",
            step_words(result["step_seconds"]),
            f"Median of {max(1, result['steps'] - 1)} steps after the first, which took "
            f"{step_words(result['first_step_seconds'])}.",
        ),
        (
            "Memory",
            bytes_words(result["peak_bytes"]),
            f"{_what_peak(result)}, at most; the device has {bytes_words(total)}.",
        ),
        (
            "Largest batch",
            largest,
            f"{_largest_words(result)[0].upper()}{_largest_words(result)[1:]}.",
        ),
    ]


def _what_peak(result: Mapping[str, Any]) -> str:
    if result["device"] == "cpu":
        return "The resident set of the process, data included"
    return "What tensors took on the GPU"


def step_words(seconds: float) -> str:
    """A short time, in ms below a second."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1.0 else f"{seconds:.1f} s"


def time_words(seconds: float) -> str:
    """A time that was estimated: no more digits than it is worth."""
    if seconds < 1.0:
        return "under a second"
    if seconds < 90.0:
        return f"about {seconds:.0f} s"
    if seconds < 5400.0:
        return f"about {seconds / 60:.0f} min"
    if seconds < 172_800.0:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / 86_400:.1f} days"


def bytes_words(size: int) -> str:
    """Memory in MiB or GiB."""
    if size < GIBIBYTE:
        return f"{size / MEBIBYTE:.0f} MiB"
    return f"{size / GIBIBYTE:.1f} GiB"
