"""Where a search starts from: presets, other data, a time budget, and what a person sets.

A preset is reproducible on its own data. On other data, or within a time
budget, it is a starting point: its method stays, and everything that suits only
its own data, device and length is proposed anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.domain.method_presets import METHOD_PRESETS, laid_over
from engine.domain.presets import PRESETS, Preset
from engine.domain.proposal_limits import DEFAULT_MINUTES
from engine.domain.proposed import FOLLOWS_DATA
from engine.domain.run_config import data_name

HOW_DATA_ARE_WRITTEN = frozenset({"ignore_index"})
"""Settings that follow the data and that no proposal finds: they stay on the same data."""


@dataclass(frozen=True)
class Start:
    """What is fixed before settings are proposed.

    Attributes:
        given: Settings that a preset's method, the data or a person fixes.
        own: Names of the given settings that a person has set.
        preset: The preset for data, if there is one.
        minutes: The time budget; None proposes nothing.
    """

    given: Mapping[str, Any]
    own: frozenset[str] = frozenset()
    preset: Preset | None = None
    minutes: float | None = None


def starting_point(
    presets: Sequence[str],
    data: str | None,
    own: Mapping[str, Any],
    minutes: float | None = None,
) -> Start:
    """Say what is fixed, and whether the rest should be proposed.

    Args:
        presets: At most one preset for data and one for a method.
        data: Other data than the preset's.
        own: Settings that a person has set.
        minutes: The time budget; None takes the preset's own if its data were
            replaced, and otherwise proposes nothing.

    Raises:
        InvalidConfig: A preset does not exist, or two are of the same kind.
    """
    own = {**({} if data is None else {"data": data}), **own}
    values, names = {**laid_over(presets), **own}, frozenset(own)
    preset = next((one for one in PRESETS if one.name in presets), None)
    if preset is None:
        return Start(values, names, minutes=minutes)
    same = is_same_data(str(values["data"]), str(preset.settings["data"]))
    if same and minutes is None:
        return Start(values, names, preset)
    methods = [one for one in METHOD_PRESETS if one.name in presets]
    fixed = set(own).union(*(one.settings for one in methods))
    free = follows_data(same_data=same) - fixed
    given = {name: value for name, value in values.items() if name not in free}
    return Start(given, names, preset, _budget(preset) if minutes is None else minutes)


def _budget(preset: Preset) -> float:
    return DEFAULT_MINUTES if preset.minutes is None else preset.minutes


def follows_data(*, same_data: bool) -> frozenset[str]:
    """Return the settings of a preset that a proposal may replace.

    Args:
        same_data: Whether only the budget has changed, not the data.
    """
    return FOLLOWS_DATA - HOW_DATA_ARE_WRITTEN if same_data else FOLLOWS_DATA


def is_same_data(one: str, other: str) -> bool:
    """Whether two settings name the same data, by name or by the name of a file or folder."""
    return _stem(one) == _stem(other)


def _stem(data: str) -> str:
    """The name of data without folders and extension."""
    return Path(data_name(data)).stem
