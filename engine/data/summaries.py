"""What can be said about a data set without its arrays; one JSON object each."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.domain.errors import DataError

Tokens = Literal["word", "character"]


@dataclass(frozen=True)
class DataSummary:
    """What is known of a data set of images without its arrays.

    Attributes:
        source: The data as the configuration names it.
        in_channels: 1 for grey, 3 for colour.
        classes: Number of classes.
        height: In pixels; 0 while nobody has looked.
        width: In pixels; 0 while nobody has looked.
        train: Training images.
        validation: Validation images; when inspecting, 0 means that they will
            be split off from the training images.
        test: Test images; when inspecting, 0 means the same.
        class_names: In the order of the labels; empty where not known yet.
        digest: SHA-256 of all arrays in hexadecimal; empty when not loaded.
        skipped: One line for each image that could not be read.
        kind: ``images`` with one label each, or ``scenes`` with a mask each.
        ignore_index: Value of mask pixels that do not count; None for images.
    """

    source: str
    in_channels: int
    classes: int
    height: int
    width: int
    train: int
    validation: int = 0
    test: int = 0
    class_names: tuple[str, ...] = ()
    digest: str = ""
    skipped: tuple[str, ...] = ()
    kind: Literal["images", "scenes"] = "images"
    ignore_index: int | None = None

    def to_json(self) -> str:
        """One JSON object with a key for each attribute."""
        return _text(self)

    @classmethod
    def from_json(cls, text: str) -> "DataSummary":
        """Read what :meth:`to_json` wrote; an older summary has fewer keys.

        Raises:
            DataError: The text is something else.
        """
        try:
            values = _object(text)
            tuples = {key: tuple(values[key]) for key in ("class_names", "skipped")}
            return cls(**{**values, **tuples})
        except (ValueError, TypeError, KeyError) as error:
            raise _no_summary(error) from None


@dataclass(frozen=True)
class TextSummary:
    """What is known of a text without its tokens.

    Attributes:
        source: The data as the configuration names it.
        vocabulary: Number of different tokens; 0 while nobody has counted.
        train: Training tokens; 0 while nobody has counted.
        validation: Validation tokens; 0 while nobody has counted.
        test: Test tokens; 0 while nobody has counted.
        digest: SHA-256 of vocabulary and tokens in hexadecimal; empty when
            not loaded.
        tokens: Whether a token is a word or a character.
        unknown_train: Training tokens that became ``<unk>``, since the
            vocabulary is limited.
        unknown_validation: Validation tokens that the vocabulary does not have.
        unknown_test: Test tokens that the vocabulary does not have.
        kind: Always ``text``.
    """

    source: str
    vocabulary: int
    train: int
    validation: int
    test: int
    digest: str = ""
    tokens: Tokens = "word"
    unknown_train: int = 0
    unknown_validation: int = 0
    unknown_test: int = 0
    kind: Literal["text"] = "text"

    def to_json(self) -> str:
        """One JSON object with a key for each attribute."""
        return _text(self)

    @classmethod
    def from_json(cls, text: str) -> "TextSummary":
        """Read what :meth:`to_json` wrote.

        Raises:
            DataError: The text is something else.
        """
        try:
            return cls(**_object(text))
        except (ValueError, TypeError) as error:
            raise _no_summary(error) from None


Summary = DataSummary | TextSummary


def summary_from_json(text: str) -> Summary:
    """The summary of any kind of data; a text without a kind is one of images.

    Raises:
        DataError: The text is none.
    """
    try:
        kind = _object(text).get("kind", "images")
    except ValueError as error:
        raise _no_summary(error) from None
    return TextSummary.from_json(text) if kind == "text" else DataSummary.from_json(text)


def _text(summary: Summary) -> str:
    return json.dumps(asdict(summary), indent=2) + "\n"


def _object(text: str) -> dict[str, Any]:
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not an object")
    return values


def _no_summary(error: Exception) -> DataError:
    return DataError(
        asked="the summary of a data set",
        found=f"text that is none ({error})",
        allowed="the JSON that the engine writes",
        advice="start the run again",
    )
