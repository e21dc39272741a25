"""The examination of texts: what would mislead a search for a language model.

Texts are compared as the search reads them, as numbered tokens. Where a text
has lines, whole lines are compared; where it has almost none, passages.

Sizes: n tokens of a split, V tokens in the vocabulary.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.data.examination import SPLITS, Bar, Examination, Finding, per_cent
from engine.data.text import END_OF_LINE, TextData, TokenNumbers

LINE_TOKENS = {"word": 8, "character": 40}
"""Shorter lines, such as headings, are expected to come back."""

PASSAGE_TOKENS = {"word": 20, "character": 80}
FEWEST_LINES = 20
"""A text with fewer lines of that length is compared by passages."""

MOST_WORDS = 20
SHOWN_TOKENS = {"word": 60, "character": 360}
LEAKING = 0.01
"""Share of an evaluation text that is in the training text, from which figures suffer."""

MANY_UNKNOWN = 0.05
MANY_RARE = 0.5
MANY_EMPTY = 0.2
BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd factor of the rolling hash, in whole numbers modulo 2**64."""

LINE_ENDS = {"word": END_OF_LINE, "character": "\n"}
UNITS = {"word": "words", "character": "characters"}


def examine_text(data: TextData) -> Examination:
    """Everything that is worth saying about three texts."""
    splits = (data.train, data.validation, data.test)
    counts = np.bincount(data.train, minlength=len(data.vocabulary))
    order = np.argsort(-counts, kind="stable")[:MOST_WORDS]
    return Examination(
        kind="text",
        findings=(
            _sizes(data),
            *_unknown(data),
            *_rare(counts),
            *_shared(data),
            *_empty(data),
        ),
        counts=dict(zip(SPLITS, map(len, splits), strict=True)),
        bars=tuple(Bar(visible(data.vocabulary[k]), (int(counts[k]),)) for k in order),
        bars_of=UNITS[data.tokens],
        bar_splits=SPLITS[:1],
        left_out=max(0, len(data.vocabulary) - MOST_WORDS),
        texts={
            split: beginning(data, numbers) for split, numbers in zip(SPLITS, splits, strict=True)
        },
    )


# What is counted


def lines(numbers: TokenNumbers, end: int) -> Iterator[TokenNumbers]:
    """The tokens between the line ends, without them; the last line may lack its end."""
    start = 0
    for place in np.flatnonzero(numbers == end).tolist():
        yield numbers[start:place]
        start = place + 1
    if start < len(numbers):
        yield numbers[start:]


def shared_lines(train: TokenNumbers, other: TokenNumbers, end: int, least: int) -> tuple[int, int]:
    """Lines of the other text with so many tokens that the training text has, too; and all."""
    known = {line.tobytes() for line in lines(train, end) if len(line) >= least}
    compared = [line.tobytes() for line in lines(other, end) if len(line) >= least]
    return sum(line in known for line in compared), len(compared)


def shared_passages(train: TokenNumbers, other: TokenNumbers, length: int) -> tuple[int, int]:
    """Passages of the other text, side by side, that the training text has anywhere; and all."""
    if len(other) < length:
        return 0, 0
    compared = window_hashes(other, length)[::length]
    if len(train) < length:
        return 0, len(compared)
    return int(np.isin(compared, window_hashes(train, length)).sum()), len(compared)


def window_hashes(numbers: TokenNumbers, length: int) -> NDArray[np.uint64]:
    """A hash of each window of ``length`` tokens, uint64 [n - length + 1].

    sum_j (t[i + j] + 1) BASE^(length - 1 - j), modulo 2**64.
    """
    tokens = numbers.astype(np.uint64) + np.uint64(1)
    count = len(tokens) - length + 1
    hashes = np.zeros(count, np.uint64)
    for place in range(length):
        hashes = hashes * BASE + tokens[place : place + count]
    return hashes


def empty_lines(numbers: TokenNumbers, end: int) -> tuple[int, int]:
    """Lines without a token, and all lines that have an end."""
    ends = numbers == end
    before = np.concatenate([[True], ends[:-1]])
    return int((ends & before).sum()), int(ends.sum())


# What is said


def _sizes(data: TextData) -> Finding:
    unit = UNITS[data.tokens]
    return Finding(
        "ok",
        f"{len(data.train):,} training, {len(data.validation):,} validation and "
        f"{len(data.test):,} test {unit}, a vocabulary of {len(data.vocabulary):,}.",
    )


def _unknown(data: TextData) -> list[Finding]:
    """Tokens that the vocabulary does not have."""
    sizes = (len(data.train), len(data.validation), len(data.test))
    if not any(data.unknown):
        return [Finding("ok", "The vocabulary has every token of all three texts.")]
    shares = ", ".join(
        f"{per_cent(count, size)} of the {split} text"
        for split, count, size in zip(SPLITS, data.unknown, sizes, strict=True)
    )
    many = max(count / size for count, size in zip(data.unknown, sizes, strict=True))
    if many < MANY_UNKNOWN:
        return [Finding("note", f"Outside the vocabulary and read as <unk>: {shares}.")]
    more = "raise vocabulary_limit" if data.unknown[0] else "add training text"
    advice = f"{more}, or read characters (tokens = 'character')"
    text = f"Much is outside the vocabulary and read as <unk>: {shares}; {advice}."
    return [Finding("warning", text)]


def _rare(counts: NDArray[np.int64]) -> list[Finding]:
    """Tokens from which nothing can be learnt."""
    rare = int((counts == 1).sum())
    if rare < MANY_RARE * len(counts):
        return []
    share = per_cent(rare, len(counts))
    text = (
        f"{share} of the vocabulary stand only once in the training text; a vocabulary_limit "
        "would make the network smaller at little loss."
    )
    return [Finding("note", text)]


def _shared(data: TextData) -> list[Finding]:
    """What of validation and test stands in the training text as well."""
    findings = []
    for split, other in zip(SPLITS[1:], (data.validation, data.test), strict=True):
        shared, total, unit = _compare(data, other)
        if not shared:
            continue
        text = (
            f"{shared:,} of {total:,} {unit} of the {split} text ({per_cent(shared, total)}) "
            "stand in the training text, too"
        )
        if shared >= LEAKING * total:
            advice = "so that perplexities look better than they are; remove them from one of both"
            findings.append(Finding("warning", f"{text}, {advice}."))
        else:
            findings.append(Finding("note", f"{text}."))
    return findings or [Finding("ok", "Validation and test repeat nothing of the training text.")]


def _compare(data: TextData, other: TokenNumbers) -> tuple[int, int, str]:
    """Shared pieces, all pieces, and what they are."""
    unit, end = UNITS[data.tokens], _line_end(data)
    if end is not None:
        least = LINE_TOKENS[data.tokens]
        shared, total = shared_lines(data.train, other, end, least)
        if total >= FEWEST_LINES:
            return shared, total, f"lines with {least} {unit} or more"
    length = PASSAGE_TOKENS[data.tokens]
    shared, total = shared_passages(data.train, other, length)
    return shared, total, f"passages of {length} {unit}"


def _empty(data: TextData) -> list[Finding]:
    end = _line_end(data)
    if end is None:
        return []
    empty, total = empty_lines(data.train, end)
    if empty < MANY_EMPTY * total:
        return []
    text = (
        f"{empty:,} of {total:,} lines of the training text ({per_cent(empty, total)}) are empty; "
        "each is one easy token, so that perplexities look lower. Remove them if nothing is "
        "compared with them."
    )
    return [Finding("note", text)]


def _line_end(data: TextData) -> int | None:
    end = LINE_ENDS[data.tokens]
    return data.vocabulary.index(end) if end in data.vocabulary else None


def visible(token: str) -> str:
    """A token that people can see."""
    return {" ": "(space)", "\n": "(line end)", "\t": "(tab)"}.get(token, token)[:40]


def beginning(data: TextData, numbers: TokenNumbers) -> str:
    """The first tokens of a text as people read them."""
    tokens = [data.vocabulary[k] for k in numbers[: SHOWN_TOKENS[data.tokens]].tolist()]
    if data.tokens == "character":
        return "".join(tokens)
    words = " ".join("\n" if token == END_OF_LINE else token for token in tokens)
    return "\n".join(line.strip() for line in words.split("\n")).strip()
