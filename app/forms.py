"""Config fields as widgets: the form reads what the fields say about themselves."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from engine.domain.config import SearchConfig
from engine.domain.fields import allowed_by, bounds_of, extra_of, label_of
from engine.domain.run_config import RunConfig

Choices = Mapping[str, Mapping[Any, str]]
NO_CHOICES: Choices = MappingProxyType({})
NO_REASONS: Mapping[str, str] = MappingProxyType({})
OPEN_CHOICES = frozenset({"data"})
"""Fields whose choices are suggestions, beside which anything may be typed."""

GROUPS = (
    "Task",
    "Augmentation",
    "Network",
    "Estimator",
    "Exploration",
    "Training",
    "Recording",
    "Reproducibility",
)
"""Headings of a form, in their order."""

FIELDS_IN_A_ROW = 3


def field_groups(
    config: type[RunConfig] = SearchConfig, task: str | None = None
) -> dict[str, list[str]]:
    """Names of a config's fields by group; those marked so stand first.

    Args:
        config: Of a search or of a training.
        task: Leave out what means nothing for this task; None keeps all.
    """
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    fields = config.model_fields.items()
    for name, field in sorted(fields, key=lambda item: not extra_of(item[1])["first"]):
        extra = extra_of(field)
        if task is None or not extra["tasks"] or task in extra["tasks"]:
            groups[extra["group"]].append(name)
    return {group: names for group, names in groups.items() if names}


def field_label(name: str, config: type[RunConfig] = SearchConfig) -> str:
    """Title of a config's field with its unit."""
    return label_of(config.model_fields[name])


def field_help(name: str, config: type[RunConfig] = SearchConfig) -> str:
    """Help of a field, its bounds and its stored name, as a tooltip."""
    field = config.model_fields[name]
    is_choice = get_origin(field.annotation) is Literal
    bounds = "" if is_choice else f"  \nAllowed: {allowed_by(field)}."
    return f"{field.description}{bounds}  \nSetting: `{name}`"


def field_rows(
    start: RunConfig,
    names: Sequence[str],
    *,
    key: str,
    choices: Choices = NO_CHOICES,
    reasons: Mapping[str, str] = NO_REASONS,
) -> dict[str, Any]:
    """Draw some fields of a configuration in rows and return what the person entered.

    Args:
        start: What they show at first.
        names: Which fields, in their order.
        key: What the identities of their widgets begin with.
        choices: For fields of text that have to be chosen: labels by value.
        reasons: Why fields have the values that they show at first, as
            Markdown; a field that a person has changed shows none.
    """
    values: dict[str, Any] = {}
    for first in range(0, len(names), FIELDS_IN_A_ROW):
        row = names[first : first + FIELDS_IN_A_ROW]
        for column, name in zip(st.columns(FIELDS_IN_A_ROW), row, strict=False):
            with column:
                values[name] = field_widget(
                    name,
                    getattr(start, name),
                    key=f"{key}-{name}",
                    choices=choices,
                    config=type(start),
                )
                if name in reasons and values[name] == getattr(start, name):
                    st.caption(reasons[name])
    return values


def field_widget(
    name: str,
    value: Any,
    *,
    key: str,
    choices: Choices = NO_CHOICES,
    config: type[RunConfig] = SearchConfig,
) -> Any:
    """Draw one field and return what the person entered.

    Args:
        name: Field of ``config``.
        value: What it shows at first.
        key: Identity of the widget.
        choices: For fields of text that have to be chosen: labels by value.
        config: Of a search or of a training.
    """
    field = config.model_fields[name]
    label, words = field_label(name, config), field_help(name, config)
    if name in choices:
        anything = name in OPEN_CHOICES
        return _choice(label, list(choices[name]), value, choices[name], key, words, anything)
    if get_origin(field.annotation) is Literal:
        options = list(get_args(field.annotation))
        return _choice(label, options, value, {}, key, words)
    if field.annotation is bool:
        return st.toggle(label, value=value, key=key, help=words)
    if field.annotation in (int, float):
        return _number(field, label, value, key, words)
    return st.text_input(label, value=value, key=key, help=words)


def _choice(
    label: str,
    options: list[Any],
    value: Any,
    labels: Mapping[Any, str],
    key: str,
    words: str,
    anything: bool = False,
) -> Any:
    if value not in options:
        options = [value, *options]
    return st.selectbox(
        label,
        options,
        index=options.index(value),
        format_func=lambda option: labels.get(option, str(option)),
        key=key,
        help=words,
        accept_new_options=anything,
    )


def _number(field: FieldInfo, label: str, value: Any, key: str, words: str) -> Any:
    low, high = bounds_of(field)
    if field.annotation is int:
        return st.number_input(
            label,
            value=int(value),
            min_value=None if low is None else int(low),
            max_value=None if high is None else int(high),
            step=1,
            key=key,
            help=words,
        )
    return st.number_input(
        label,
        value=float(value),
        min_value=None if low is None else float(low),
        max_value=None if high is None else float(high),
        step=_step(float(value)),
        format="%.5g",
        key=key,
        help=words,
    )


def _step(value: float) -> float:
    """A step of one in the second digit of the value."""
    if value == 0:
        return 0.001
    return float(10.0 ** (len(f"{abs(value):.0f}") - 2)) if abs(value) >= 1 else _small_step(value)


def _small_step(value: float) -> float:
    exponent = int(f"{abs(value):e}".rsplit("e", 1)[1])
    return float(f"1e{exponent}")
