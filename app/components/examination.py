"""Classes or words as bars, and sample pictures on one sheet, of examined data."""

from collections.abc import Mapping
from typing import Any

from app.components.loading import StaticComponent

_examination = StaticComponent("egs_examination", "examination.js")


def examination_data(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is drawn of an examination, as plain values; None where there is nothing to draw."""
    bars, sheet = result["bars"], result["sheet"]
    if not bars:
        return None
    splits = list(result["bar_splits"])
    left_out = result["left_out"]
    return {
        "head": bars_head(result),
        "splits": splits,
        "unit": result["bars_of"],
        "largest": max(max(bar["counts"]) for bar in bars) or 1,
        "rows": [
            {
                "name": bar["name"],
                "counts": list(bar["counts"]),
                "words": row_words(bar, splits, result["bars_of"]),
            }
            for bar in bars
        ],
        "rest": f"{left_out:,} more are not shown." if left_out else "",
        "sheet": None
        if sheet is None
        else {
            "address": f"data:{sheet['media_type']};base64,{sheet['base64']}",
            "width": sheet["width"],
            "words": sheet["words"],
        },
    }


def bars_head(result: Mapping[str, Any]) -> str:
    """What the bars show, and how they are to be read."""
    if result["kind"] == "text":
        return "The most frequent tokens of the training text"
    what = {"images": "Images", "pixels": "Pixels"}[result["bars_of"]]
    return f"{what} of each class: training, validation, test"


def row_words(bar: Mapping[str, Any], splits: list[str], unit: str) -> str:
    """One row for those who do not see it."""
    counts = ", ".join(
        f"{count:,} in {split}" for split, count in zip(splits, bar["counts"], strict=True)
    )
    return f"{bar['name']}: {counts} ({unit})"


def examination_picture(data: Mapping[str, Any], *, key: str) -> None:
    """Mount it."""
    _examination(data, key=key)
