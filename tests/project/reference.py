"""Prints ``docs/settings.md`` from the fields of the configuration."""

from collections.abc import Iterator
from itertools import groupby

from pydantic.fields import FieldInfo

from engine.domain.config import SearchConfig, allowed_values
from engine.domain.presets import PRESETS

HEAD = """\
# Settings of a search

Give them on the form, or on the command line as `egs search --set KEY=VALUE`. This page is printed
from `engine/domain/config.py` by `python -m tests.project.reference`; a test compares them.
"""


def extra(field: FieldInfo, key: str) -> str:
    assert isinstance(field.json_schema_extra, dict)
    return str(field.json_schema_extra[key])


WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


def allowed(name: str) -> str:
    first, *rest = allowed_values(name).split(" and ")
    kind = [] if any(rule.startswith("text") for rule in rest) else [WORDS.get(first, first)]
    return ", ".join([*kind, *rest])


def escaped(text: object) -> str:
    return str(text).replace("|", "\\|").replace("<", "&lt;")


def row(name: str, field: FieldInfo) -> str:
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    cells = (f"`{name}`", f"`{default}`", extra(field, "unit"), allowed(name), field.description)
    return f"| {' | '.join(map(escaped, cells))} |"


def lines() -> Iterator[str]:
    yield HEAD
    fields = SearchConfig.model_fields.items()
    for group, members in groupby(fields, lambda item: extra(item[1], "group")):
        yield f"## {group}\n"
        yield "| setting | default | unit | allowed | meaning |"
        yield "|---|---|---|---|---|"
        yield from (row(name, field) for name, field in members)
        yield ""
    yield "## Presets\n"
    for preset in PRESETS:
        settings = ", ".join(f"`{key}={value}`" for key, value in preset.settings.items())
        yield f"* `{preset.name}`: {preset.description} {settings}"


def settings_page() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
