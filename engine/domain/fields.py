"""How a configuration describes its fields: title, help, unit, group and relevance."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from engine.domain.errors import InvalidConfig


def setting(
    default: Any,
    title: str,
    help_text: str,
    *,
    group: str,
    unit: str = "",
    tasks: Sequence[str] = (),
    first: bool = False,
    **kw: Any,
) -> Any:
    """A field of a configuration that can explain itself.

    Args:
        default: Value if nothing is said.
        title: Label on forms.
        help_text: One sentence.
        group: Under which heading forms show it.
        unit: Unit of the value, if it has one.
        tasks: Tasks for which it means something; none says all of them.
        first: Whether it stands at the head of its group.
        kw: Bounds, as pydantic's Field takes them.
    """
    extra: dict[str, Any] = {
        "group": group,
        "unit": unit,
        "tasks": list(tasks),
        "first": first,
    }
    return Field(default, title=title, description=help_text, json_schema_extra=extra, **kw)


def whole_number(value: Any) -> Any:
    """A choice among numbers may arrive as text from a command line."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def extra_of(field: FieldInfo) -> Mapping[str, Any]:
    """Group, unit, tasks and place of a field.

    Raises:
        TypeError: It was not made by :func:`setting`.
    """
    extra = field.json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"the field {field.title!r} names no group")
    return extra


def label_of(field: FieldInfo) -> str:
    """Title of a field with its unit, where the title does not name it already."""
    title, unit = str(field.title), extra_of(field)["unit"]
    return f"{title} ({unit})" if unit and unit != title.lower() else title


def bounds_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Smallest and largest allowed value of a numeric field, None where open."""
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", None)) if low is None else low
        high = getattr(rule, "le", getattr(rule, "lt", None)) if high is None else high
    return low, high


def allowed_by(field: FieldInfo) -> str:
    """In words, which values a field accepts."""
    choices = getattr(field.annotation, "__args__", ())
    if choices:
        return "one of " + ", ".join(repr(choice) for choice in choices)
    words = {
        "gt": "above {}",
        "ge": "at least {}",
        "lt": "below {}",
        "le": "at most {}",
        "pattern": "text like {}",
        "min_length": "at least {} characters",
        "max_length": "at most {} characters",
    }
    rules = [
        text.format(getattr(rule, key))
        for rule in field.metadata
        for key, text in words.items()
        if getattr(rule, key, None) is not None
    ]
    kind = getattr(field.annotation, "__name__", str(field.annotation))
    return " and ".join([kind, *rules])


def validated(model: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """An instance of ``model`` from plain values, strings included.

    Raises:
        InvalidConfig: One sentence about the first wrong value.
    """
    unknown = [key for key in values if key not in model.model_fields]
    if unknown:
        raise InvalidConfig(
            asked=f"the setting {unknown[0]!r}",
            found="no such setting",
            allowed=f"one of {', '.join(model.model_fields)}",
            advice="correct its name",
        )
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise _sentence(model, values, error) from None


def _sentence(
    model: type[BaseModel], values: Mapping[str, Any], error: ValidationError
) -> InvalidConfig:
    first = error.errors()[0]
    if not first["loc"]:
        return InvalidConfig(
            asked="these settings together",
            found=str(first["msg"]).removeprefix("Value error, "),
            allowed="settings that fit together",
            advice="change one of the two",
        )
    name = str(first["loc"][0])
    return InvalidConfig(
        asked=f"{name} = {_shortened(values.get(name))}",
        found=first["msg"][0].lower() + first["msg"][1:],
        allowed=allowed_by(model.model_fields[name]),
        advice=f"choose another value of {name}",
    )


def _shortened(value: Any, limit: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
