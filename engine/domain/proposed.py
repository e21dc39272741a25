"""A proposed value with its reason, and the settings that a proposal may give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROPOSED = (
    "image_size",
    "vocabulary_limit",
    "validation_fraction",
    "train_limit",
    "flip",
    "class_weights",
    "cells",
    "channels",
    "stem_stride",
    "output_stride",
    "aspp_channels",
    "space",
    "embedding_size",
    "hidden_size",
    "gradient",
    "probe",
    "probe_fraction",
    "epochs",
    "batch_size",
    "bptt",
    "learning_rate",
    "learning_rate_end",
    "momentum",
    "weight_decay",
    "gradient_clip",
    "dropout",
    "dropout_hidden",
    "dropout_input",
    "dropout_embedding",
    "alpha_learning_rate",
    "alpha_learning_rate_schedule",
    "cpu_threads",
)
"""Settings that may be proposed."""

FOLLOWS_DATA = frozenset(
    {
        "image_size",
        "vocabulary_limit",
        "validation_fraction",
        "train_limit",
        "flip",
        "ignore_index",
        "cells",
        "channels",
        "stem_stride",
        "output_stride",
        "aspp_channels",
        "embedding_size",
        "hidden_size",
        "epochs",
        "batch_size",
        "bptt",
        "alpha_learning_rate",
        "alpha_learning_rate_schedule",
        "cpu_threads",
    }
)
"""Settings of a preset that suit its own data, device and length only. All others are its method,
and stay on other data."""


@dataclass(frozen=True)
class Proposed:
    """The value of a setting, and why, in a short sentence without a full stop."""

    value: Any
    reason: str


Suggestions = Mapping[str, Proposed]


def values_of(suggestions: Suggestions) -> dict[str, Any]:
    """Return the values alone."""
    return {name: one.value for name, one in suggestions.items()}


def seconds_text(seconds: float) -> str:
    """Return a duration as people write it, such as ``0.24 s``, ``12 minutes`` or ``3.1 hours``."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return _counted(round(seconds / 60), "minute")
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86_400:.1f} days"


def minutes_text(minutes: float) -> str:
    """Return a budget as people write it, such as ``20 minutes``."""
    if minutes > 600:
        return seconds_text(60 * minutes)
    return "1 minute" if minutes == 1 else f"{minutes:g} minutes"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
