"""Where a search starts from: presets, other data, a time budget, and what a person sets.

A preset is reproducible on its own data, and a starting point on other data:
there its method stays, and everything that suits only its own data, device and
length is proposed anew.
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


@dataclass(frozen=True)
class Start:
    """What is fixed before settings are proposed.

    Attributes:
        given: Settings that a preset's method, the data or a person fixes.
        preset: The preset for data, if there is one.
        own: Names of the given settings that a person has set.
        dropped: Settings of the preset that suit its own data only, and are
            not among the given ones.
        minutes: The time budget; None proposes nothing.
    """

    given: Mapping[str, Any]
    own: frozenset[str] = frozenset()
    preset: Preset | None = None
    dropped: tuple[str, ...] = ()
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
        minutes: The time budget; None takes the preset's own, on other data.

    Raises:
        InvalidConfig: A preset does not exist, or two are of the same kind.
    """
    own = {**({} if data is None else {"data": data}), **own}
    values, names = {**laid_over(presets), **own}, frozenset(own)
    preset = next((one for one in PRESETS if one.name in presets), None)
    if preset is None:
        return Start(values, names, minutes=minutes)
    if is_own_data(preset, values):
        return Start(values, names, preset)
    methods = [one for one in METHOD_PRESETS if one.name in presets]
    fixed = set(own).union(*(one.settings for one in methods))
    dropped = tuple(name for name in preset.settings if name in FOLLOWS_DATA - fixed)
    given = {name: value for name, value in values.items() if name not in dropped}
    return Start(given, names, preset, dropped, minutes or preset.minutes or DEFAULT_MINUTES)


def is_own_data(preset: Preset, values: Mapping[str, Any]) -> bool:
    """Whether settings name the data that a preset was made for, by their name or file name."""
    return stem(str(values["data"])) == stem(str(preset.settings["data"]))


def stem(data: str) -> str:
    """Return the name of data without folders and extension."""
    return Path(data_name(data)).stem
