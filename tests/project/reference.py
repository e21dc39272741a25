"""Prints ``docs/settings.md`` from the fields of the configuration."""

from collections.abc import Iterable, Iterator

from pydantic.fields import FieldInfo

from app.forms import field_groups
from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.fields import allowed_by, extra_of
from engine.domain.method_presets import METHOD_PRESETS
from engine.domain.presets import PRESETS, Preset
from engine.domain.run_config import RunConfig
from engine.domain.training_presets import TRAINING_PRESETS

HEAD = """\
# Settings of a search

Give them on the form, or on the command line as `egs search --set KEY=VALUE`. This page is printed
from `engine/domain/config.py` by `python -m tests.project.reference`; a test compares them.
"""


WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


def allowed(field: FieldInfo) -> str:
    first, *rest = allowed_by(field).split(" and ")
    kind = [] if any(rule.startswith("text") for rule in rest) else [WORDS.get(first, first)]
    return ", ".join([*kind, *rest])


def escaped(text: object) -> str:
    return str(text).replace("|", "\\|").replace("<", "&lt;")


def row(name: str, field: FieldInfo) -> str:
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    tasks = ", ".join(task.replace("_", " ") for task in extra_of(field)["tasks"]) or "all"
    cells = (
        f"`{name}`",
        f"`{default}`",
        extra_of(field)["unit"],
        allowed(field),
        tasks,
        field.description,
    )
    return f"| {' | '.join(map(escaped, cells))} |"


def lines() -> Iterator[str]:
    yield HEAD
    for group, names in field_groups().items():
        yield f"## {group}\n"
        yield from table(SearchConfig, names)
    yield "## Presets\n"
    yield from map(described, PRESETS)
    yield "\n## Methods\n"
    yield "Laid over a preset for data, as in `egs search --preset digits --preset random`.\n"
    yield from map(described, METHOD_PRESETS)

    yield "\n## Settings of a training\n"
    yield "A training from scratch (`egs evaluate`) has these instead of those of Estimator, of the"
    yield "search space and of alpha; all others mean the same.\n"
    yield from table(TrainingConfig, own_fields())
    yield "## Presets of trainings\n"
    yield from map(described, TRAINING_PRESETS)


def own_fields() -> list[str]:
    """Settings that only a training has, or that begin with another value there."""
    inherited = RunConfig.model_fields
    return [
        name
        for names in field_groups(TrainingConfig).values()
        for name in names
        if name not in inherited
        or inherited[name].default != TrainingConfig.model_fields[name].default
    ]


def table(config: type[RunConfig], names: Iterable[str]) -> Iterator[str]:
    yield "| setting | default | unit | allowed | tasks | meaning |"
    yield "|---|---|---|---|---|---|"
    yield from (row(name, config.model_fields[name]) for name in names)
    yield ""


def described(preset: Preset) -> str:
    settings = ", ".join(f"`{key}={value}`" for key, value in preset.settings.items())
    return f"* `{preset.name}`: {preset.description} {settings}"


def settings_page() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
