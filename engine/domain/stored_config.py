"""Read configurations that were stored, perhaps by an earlier version of the studio."""

from collections.abc import Mapping
from typing import Any

from engine.domain.config import AnyConfig, SearchConfig, TrainingConfig, parse_config

VALUES_BEFORE: Mapping[str, Mapping[str, Any]] = {
    "search": {"sound": False},
    "training": {"leave_out_dead": False},
}
"""Per purpose, the value that a setting had in effect before it existed.

Only settings whose default would change what a stored run does are listed; any
other setting that is missing takes its default.
"""


def read_config(purpose: str, settings: Mapping[str, Any]) -> AnyConfig:
    """Return the configuration that was stored with these settings.

    Args:
        purpose: ``search`` or ``training``.
        settings: All settings as they were stored. Those that this version
            does not know are ignored; those that it lacks are filled in.

    Raises:
        InvalidConfig: A value is not allowed.
    """
    known = (TrainingConfig if purpose == "training" else SearchConfig).model_fields
    complete = completed(purpose, settings)
    return parse_config(purpose, {name: complete[name] for name in known})


def completed(purpose: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored settings with a value for each setting that did not exist yet."""
    known = (TrainingConfig if purpose == "training" else SearchConfig).model_fields
    defaults = {name: field.default for name, field in known.items()}
    return {**defaults, **VALUES_BEFORE[purpose], **settings}
