"""Python's own reference manual as a small English text that needs no download."""

import re
from collections.abc import Iterator

import numpy as np

from engine.data.summaries import Tokens
from engine.data.text import Numbering, TextData, text_data

SPLIT_SEED = 2019
"""Of the choice of topics for validation and test, the same for every run."""

RULED = re.compile(r"^\s*[+|].*[+|]\s*$")
UNDERLINE = re.compile(r"^\s*([*=~^#-])\1{2,}\s*$")
WORD = re.compile(r"[^\W\d]\w*(?:'[a-z]+)?|\d+(?:\.\d+)*|::=|\.\.\.|[^\w\s]")


def read_topics(
    source: str,
    *,
    tokens: Tokens,
    vocabulary_limit: int,
    train_limit: int,
    validation_fraction: float,
    test_fraction: float,
) -> TextData:
    """The topics of ``pydoc_data``: words in lower case apart from signs, or characters.

    A paragraph becomes a line. Tables and underlines are left out, and so is a
    paragraph that stood in an earlier topic: some topics contain others, and
    no paragraph may be in two splits. Validation and test get whole topics, the
    same for every seed; the text itself is that of the Python that runs.

    Args:
        source: The data as the configuration names it.
        tokens: Words or characters.
        vocabulary_limit: Most frequent tokens to keep; 0 keeps all.
        train_limit: Training tokens to keep, from the start; 0 keeps all.
        validation_fraction: Share of the characters, at least; the last topic
            goes beyond it.
        test_fraction: The same for the test.

    Raises:
        DataError: The shares leave nothing to train on.
    """
    topics = [_as_lines(paragraphs, tokens) for paragraphs in _topics()]
    parts = _parts([sum(map(len, lines)) for lines in topics], validation_fraction, test_fraction)
    numbering = Numbering(tokens)
    numbers = {
        f"the {name} topics": numbering.encode(line for number in chosen for line in topics[number])
        for name, chosen in parts.items()
    }
    return text_data(
        source, numbers, numbering, vocabulary_limit=vocabulary_limit, train_limit=train_limit
    )


def _topics() -> Iterator[list[str]]:
    """The paragraphs of each topic that no earlier one had, in order of the topics' names."""
    from pydoc_data.topics import topics

    seen: set[str] = set()
    for name in sorted(topics):
        fresh = [p for p in dict.fromkeys(_paragraphs(topics[name])) if p not in seen]
        seen.update(fresh)
        if fresh:
            yield fresh


def _paragraphs(text: str) -> Iterator[str]:
    """What empty lines separate, each on one line."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.splitlines()
        kept = [line for line in lines if not (RULED.match(line) or UNDERLINE.match(line))]
        words = " ".join(" ".join(kept).split())
        if words:
            yield words


def _as_lines(paragraphs: list[str], tokens: Tokens) -> list[str]:
    if tokens == "word":
        return [" ".join(WORD.findall(paragraph.lower())) for paragraph in paragraphs]
    return [f"{paragraph}\n" for paragraph in paragraphs]


def _parts(
    sizes: list[int], validation_fraction: float, test_fraction: float
) -> dict[str, list[int]]:
    """Numbers of the topics of each split, ascending."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(sizes))
    before = np.concatenate([[0], np.cumsum([sizes[number] for number in order])[:-1]])
    share = before / sum(sizes)
    test = share < test_fraction
    validation = (share < test_fraction + validation_fraction) & ~test
    chosen = {"training": ~(test | validation), "validation": validation, "test": test}
    return {name: sorted(order[where].tolist()) for name, where in chosen.items()}
