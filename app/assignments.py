"""Settings from a command line: presets, other data and ``key=value``."""

from collections.abc import Sequence
from typing import Any

from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig
from engine.domain.method_presets import laid_over


def assigned(assignments: Sequence[str]) -> dict[str, str]:
    """The settings of some ``key=value``, the last one of a key counting.

    Raises:
        InvalidConfig: One has no equals sign.
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        key, sign, value = assignment.partition("=")
        if not sign:
            raise InvalidConfig(
                asked=f"--set {assignment!r}",
                found="no '='",
                allowed="key=value",
                advice="write for instance --set epochs=10",
            )
        values[key.strip()] = value.strip()
    return values


def make_search_config(
    presets: Sequence[str], data: str | None, assignments: Sequence[str]
) -> SearchConfig:
    """The configuration of presets, other data and ``key=value`` settings, in this order.

    Raises:
        InvalidConfig: One of them does not fit.
    """
    values: dict[str, Any] = laid_over(presets)
    if data is not None:
        values["data"] = data
    return make_config({**values, **assigned(assignments)})
