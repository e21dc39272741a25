"""Methods to compare with, as settings that are laid over those of any data preset.

They hold only what makes the method. Learning rates and epochs stay those of
the data preset, so that all methods have the same budget on the same data.
"""

from collections.abc import Sequence
from typing import Any

from engine.domain.errors import InvalidConfig
from engine.domain.presets import PRESETS, Preset

METHOD_PRESETS: tuple[Preset, ...] = (
    Preset(
        "darts",
        "DARTS, first order",
        "The softmax mixture of all operations, alphas on the other half of the training data, "
        "the two strongest edges of each node (Liu et al. 2019). As published, cells may be cut "
        "off.",
        {"method": "darts", "scope": "edge", "update": "alternating", "sound": False},
    ),
    Preset(
        "snas-like",
        "As SNAS",
        "One draw an edge, weights and alphas in one step, the temperature falling (Xie et al. "
        "2019); the drawn code is 0 or 1 here and relaxed there.",
        {
            "method": "egs",
            "sound": False,
            "route": "even",
            "draws": 1,
            "derivation_draws": 0,
            "scope": "edge",
            "update": "joint",
            "gradient": "exact",
            "temperature_start": 2.5,
            "temperature_end": 0.5,
            "temperature_schedule": "exponential",
        },
    ),
    Preset(
        "gdas-like",
        "As GDAS",
        "One draw an edge and only what was drawn is run, alphas on the other half of the "
        "training data, temperature 10 to 0.1 (Dong and Yang 2019); `none` attracts.",
        {
            "method": "egs",
            "sound": False,
            "route": "even",
            "draws": 1,
            "derivation_draws": 0,
            "scope": "edge",
            "update": "alternating",
            "gradient": "sampled",
            "temperature_start": 10.0,
            "temperature_end": 0.1,
            "temperature_schedule": "linear",
        },
    ),
    Preset(
        "random",
        "Random search",
        "Three random cells, each trained from scratch for a third of the epochs, the best of "
        "which is kept: as many updates of weights as a joint search.",
        {"method": "random", "update": "joint", "candidates": 3},
    ),
)


def laid_over(names: Sequence[str]) -> dict[str, Any]:
    """The settings of presets laid over each other: the data's first, then the method's.

    Args:
        names: At most one preset for data and one for a method, in any order.

    Raises:
        InvalidConfig: There is no such preset, or two of the same kind.
    """
    found = sorted((_known(name) for name in names), key=METHOD_PRESETS.__contains__)
    if len(found) > 2 or (len(found) == 2 and _is_method(found[0]) == _is_method(found[1])):
        raise InvalidConfig(
            asked=f"the presets {' and '.join(repr(name) for name in names)} together",
            found="several of the same kind",
            allowed="one preset for the data and one for the method",
            advice="leave the others out",
        )
    return {key: value for one in found for key, value in one.settings.items()}


def _is_method(one: Preset) -> bool:
    return one in METHOD_PRESETS


def _known(name: str) -> Preset:
    for one in (*PRESETS, *METHOD_PRESETS):
        if one.name == name:
            return one
    raise InvalidConfig(
        asked=f"the preset {name!r}",
        found="no such preset",
        allowed=f"one of {', '.join(one.name for one in (*PRESETS, *METHOD_PRESETS))}",
        advice="choose one of these",
    )
