"""Which settings of several runs differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from engine.domain.config import AnyConfig
from engine.domain.fields import extra_of, label_of
from engine.domain.run_config import data_name


class Absent:
    """Stands for a setting that a run does not have, such as alpha's of a training."""

    def __repr__(self) -> str:
        return "–"


ABSENT = Absent()


@dataclass(frozen=True)
class SettingDiff:
    """One setting that is not the same everywhere.

    Attributes:
        name: Stored name.
        label: Title with its unit.
        group: Heading of the form.
        values: One a configuration, in their order; ``ABSENT`` where a
            configuration has no such setting.
    """

    name: str
    label: str
    group: str
    values: tuple[Any, ...]


def config_diff(configs: Sequence[AnyConfig]) -> list[SettingDiff]:
    """The settings whose values are not the same in all configurations.

    They come in the order of the form of the first configuration that has
    them. Fewer than two configurations do not differ.
    """
    fields = {
        name: field for config in configs for name, field in type(config).model_fields.items()
    }
    diffs = []
    for name, field in fields.items():
        values = tuple(getattr(config, name, ABSENT) for config in configs)
        if all(value == values[0] for value in values):
            continue
        diffs.append(SettingDiff(name, label_of(field), extra_of(field)["group"], values))
    return diffs


def setting_text(name: str, value: Any) -> str:
    """A setting as people read it: data by name only, a genotype by its digest."""
    if name == "data" and isinstance(value, str):
        return data_name(value)
    if name == "genotype" and isinstance(value, str):
        return f"genotype {sha256(value.encode()).hexdigest()[:8]}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
