"""Domain values as plain JSON values, for ``--json`` and nothing else."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def plain(value: Any) -> Any:
    """The same as dicts, lists, text, numbers, booleans and None.

    JSON has no infinite numbers and no NaN; they become None.

    Raises:
        TypeError: There is no plain form of it.
    """
    match value:
        case Enum():
            result: Any = value.value
        case float():
            result = value if math.isfinite(value) else None
        case None | bool() | int():
            result = value
        case str() | Path():
            result = str(value)
        case datetime():
            result = value.isoformat()
        case BaseModel():
            result = plain(value.model_dump())
        case Mapping():
            result = {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple() | set() | frozenset():
            result = [plain(entry) for entry in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            result = {part.name: plain(getattr(value, part.name)) for part in fields(value)}
        case _:
            raise TypeError(f"no plain form of {type(value).__name__}")
    return result
