"""The examination of texts, on texts that are bad in a known way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.examination import Examination
from engine.data.sources import load_text
from engine.data.text import TextData
from engine.data.text_doctor import (
    empty_lines,
    examine_text,
    shared_lines,
    shared_passages,
    visible,
    window_hashes,
)
from engine.domain.config import make_config
from tests.engine.data.bad_data import text_folder


def text_in(root: Path, **settings: Any) -> TextData:
    return load_text(
        make_config({"task": "language_modelling", "space": "rnn", "data": str(root), **settings})
    )


def texts(found: Examination, *levels: str) -> list[str]:
    return [one.text for one in found.findings if one.level in levels]


def test_good_texts_give_good_findings_only(tmp_path: Path) -> None:
    found = examine_text(text_in(text_folder(tmp_path)))
    assert texts(found, "note", "warning", "error") == []
    assert texts(found, "ok") == [
        "400 training, 300 validation and 300 test words, a vocabulary of 51.",
        "The vocabulary has every token of all three texts.",
        "Validation and test repeat nothing of the training text.",
    ]


def test_shared_lines_are_a_warning_and_empty_ones_a_note(tmp_path: Path) -> None:
    found = examine_text(text_in(text_folder(tmp_path, shared=6, empty=20)))
    assert texts(found, "warning") == [
        "6 of 30 lines with 8 words or more of the test text (20 %) stand in the training text, "
        "too, so that perplexities look better than they are; remove them from one of both."
    ]
    [note] = texts(found, "note")
    assert note.startswith("20 of 60 lines of the training text (33 %) are empty;")


def test_words_and_their_counts_are_those_of_the_text(tmp_path: Path) -> None:
    found = examine_text(text_in(text_folder(tmp_path)))
    words = (tmp_path / "train.txt").read_text().replace("\n", " <eos> ").split()
    counted = sorted((words.count(word) for word in set(words)), reverse=True)[:20]
    assert [bar.counts[0] for bar in found.bars] == counted
    assert all(bar.counts[0] == words.count(bar.name) for bar in found.bars)
    assert found.texts is not None
    first = (tmp_path / "train.txt").read_text().splitlines()[0]
    assert found.texts["training"].startswith(first)


def test_share_outside_the_vocabulary_is_told(tmp_path: Path) -> None:
    data = text_in(text_folder(tmp_path), vocabulary_limit=20)
    [warning] = texts(examine_text(data), "warning")
    kept = set(data.vocabulary)
    words = (tmp_path / "test.txt").read_text().replace("\n", " <eos> ").split()
    share = 100 * sum(word not in kept for word in words) / len(words)
    assert f"{share:.0f} % of the test text" in warning
    assert "raise vocabulary_limit" in warning


@pytest.mark.parametrize("length", [1, 3, 5])
def test_shared_passages_agree_with_comparing_all(length: int) -> None:
    random = np.random.default_rng(length)
    train = random.integers(0, 3, 60).astype(np.int32)
    other = random.integers(0, 3, 41).astype(np.int32)
    known = {tuple(train[i : i + length]) for i in range(len(train) - length + 1)}
    passages = [tuple(other[i : i + length]) for i in range(0, len(other) - length + 1, length)]
    expected = sum(passage in known for passage in passages)
    assert shared_passages(train, other, length) == (expected, len(passages))


def test_hashes_are_the_polynomial_in_whole_numbers() -> None:
    tokens = np.array([4, 0, 7, 2**20, 3], np.int32)
    base = 0x9E3779B97F4A7C15
    expected = [
        sum((int(tokens[i + j]) + 1) * base ** (2 - j) for j in range(3)) % 2**64 for i in range(3)
    ]
    assert window_hashes(tokens, 3).tolist() == expected


def test_shared_lines_agree_with_text_lines() -> None:
    random = np.random.default_rng(9)
    train, other = (
        random.choice([0, 1, 2], 80, p=[0.3, 0.4, 0.3]).astype(np.int32) for _ in range(2)
    )

    def as_lines(numbers: Any) -> list[str]:
        return [line for line in "".join(map(str, numbers.tolist())).split("0") if len(line) >= 2]

    expected = sum(line in set(as_lines(train)) for line in as_lines(other))
    assert 0 < expected < len(as_lines(other))
    assert shared_lines(train, other, 0, 2) == (expected, len(as_lines(other)))


def test_texts_that_are_too_short_to_compare_share_nothing() -> None:
    short, long = np.arange(3, dtype=np.int32), np.arange(9, dtype=np.int32)
    assert shared_passages(long, short, 4) == (0, 0)
    assert shared_passages(short, long, 4) == (0, 2)


def test_empty_lines_are_those_between_two_ends() -> None:
    numbers = np.array([0, 5, 0, 0, 0, 6, 0, 7], np.int32)
    assert empty_lines(numbers, 0) == (3, 5)


def test_characters_without_lines_are_compared_by_passages(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    train = "".join(random.choice(list("abcd "), 900))
    (tmp_path / "train.txt").write_text(train)
    (tmp_path / "valid.txt").write_text("".join(random.choice(list("abcd "), 400)))
    (tmp_path / "test.txt").write_text(train[100:260] + "".join(random.choice(list("abcd "), 240)))
    found = examine_text(text_in(tmp_path, tokens="character"))
    assert texts(found, "warning")[0].startswith(
        "2 of 5 passages of 80 characters of the test text (40 %)"
    )
    assert "(space)" in {bar.name for bar in found.bars}
    assert visible("\n") == "(line end)"
