"""Texts on disk: train.txt, valid.txt and test.txt in a folder, or one file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.data.faults import TEXT_LAYOUT, refused
from engine.data.signs import Alive, unheard
from engine.data.summaries import TextSummary, Tokens
from engine.data.text import Numbering, TextData, TokenNumbers, text_data

PREFIXES = ("", "ptb.", "wiki.")
SUFFIXES = (".txt", ".tokens", ".raw")
"""File names as PTB (ptb.train.txt) and WikiText-2 (wiki.train.tokens) are published."""

SPLIT_NAMES = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}
COUNTED_BYTES = 16_000_000
"""Up to this size a text is read for a look at it; that takes about a second."""

LINES = 10_000
"""Between two signs of life."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def inspect_text(
    source: str,
    path: Path,
    *,
    tokens: Tokens,
    vocabulary_limit: int,
    train_limit: int,
    validation_fraction: float,
    test_fraction: float,
) -> TextSummary:
    """What the text is; of large files only that they are there and not empty.

    Raises:
        DataError: It cannot be used.
    """
    files = text_files(source, path)
    if sum(size_of(source, file) for file in files.values()) > COUNTED_BYTES:
        return TextSummary(source, 0, 0, 0, 0, tokens=tokens)
    return read_text(
        source,
        path,
        tokens=tokens,
        vocabulary_limit=vocabulary_limit,
        train_limit=train_limit,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    ).summary


def read_text(
    source: str,
    path: Path,
    *,
    tokens: Tokens,
    vocabulary_limit: int,
    train_limit: int,
    validation_fraction: float,
    test_fraction: float,
    alive: Alive = unheard,
) -> TextData:
    """All tokens of the text.

    A single file is cut by position: first the training text, then the
    validation text, then the test text.

    Args:
        source: The data as the configuration names it.
        path: A folder with three files, or one file.
        tokens: Words or characters.
        vocabulary_limit: Most frequent tokens to keep; 0 keeps all.
        train_limit: Training tokens to keep, from the start; 0 keeps all.
        validation_fraction: Share of a single file.
        test_fraction: Share of a single file.
        alive: Called once in so many lines.

    Raises:
        DataError: A file is missing, empty or no UTF-8.
    """
    numbering = Numbering(tokens)
    files = text_files(source, path)
    numbers = {
        file.name: numbering.encode(_with_signs(lines_of(source, file), alive))
        for file in files.values()
    }
    if len(files) == 1:
        [whole] = numbers.values()
        numbers = cut(whole, path.name, validation_fraction, test_fraction)
    return text_data(
        source,
        numbers,
        numbering,
        vocabulary_limit=vocabulary_limit,
        train_limit=train_limit,
    )


def _with_signs(lines: Iterable[str], alive: Alive) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number % LINES == 0:
            alive()
        yield line


def text_files(source: str, path: Path) -> dict[str, Path]:
    """The files of the three splits, or the single one under ``whole``.

    Raises:
        DataError: One is missing, there are two for one split, or one is empty.
    """
    files = _in_folder(source, path) if path.is_dir() else {"whole": path}
    for file in files.values():
        if size_of(source, file) == 0:
            raise refused(
                source,
                f"no text in {file.name}",
                "some text in each of the three splits",
                "add text to it",
            )
    return files


def _in_folder(source: str, folder: Path) -> dict[str, Path]:
    files = {}
    for split, names in SPLIT_NAMES.items():
        found = _present(folder, names)
        if len(found) > 1:
            raise refused(
                source,
                f"the files {' and '.join(file.name for file in found[:2])}",
                f"one file for the {split} text",
                "keep one of them",
            )
        if found:
            files[split] = _inside(source, folder, found[0])
    missing = [f"{split}.txt" for split in SPLIT_NAMES if split not in files]
    if missing:
        there = " and ".join(file.name for file in files.values()) or "no text file"
        raise refused(
            source,
            f"no {' and no '.join(missing)}, only {there}",
            TEXT_LAYOUT,
            "add the missing text, or give one .txt file",
        )
    return files


def has_training_text(folder: Path) -> bool:
    """Whether a folder holds the file of a training text."""
    return bool(_present(folder, SPLIT_NAMES["train"]))


def _present(folder: Path, names: Iterable[str]) -> list[Path]:
    """Files of a split under any of its names."""
    wanted = [f"{p}{name}{s}" for p in PREFIXES for name in names for s in SUFFIXES]
    return [folder / name for name in wanted if os.path.isfile(folder / name)]


def _inside(source: str, folder: Path, file: Path) -> Path:
    """The file, unless it is a link that leads out of its folder."""
    if not file.resolve().is_relative_to(folder.resolve()):
        raise refused(
            source,
            f"the link {file.name!r}, which leads out of its folder",
            "files, or links within the folder",
            "copy what it points to",
        )
    return file


def size_of(source: str, file: Path) -> int:
    """Size of a file in bytes.

    Raises:
        DataError: It may not be read.
    """
    if not os.access(file, os.R_OK):
        raise refused(
            source,
            f"a file that may not be read, {file.name}",
            "files that this account may read",
            "change its permissions",
        )
    return file.stat().st_size


def lines_of(source: str, file: Path) -> Iterator[str]:
    """Lines of a UTF-8 file with one newline at their end, where the file has one.

    Raises:
        DataError: A byte is no UTF-8; the sentence says which.
    """
    offset = 0
    with file.open("rb") as content:
        for line in content:
            start = len(BYTE_ORDER_MARK) if not offset and line.startswith(BYTE_ORDER_MARK) else 0
            try:
                yield line[start:].decode().replace("\r\n", "\n")
            except UnicodeDecodeError as error:
                wrong = start + error.start
                raise refused(
                    source,
                    f"the byte 0x{line[wrong]:02x} at position {offset + wrong:,} of {file.name}, "
                    "which is no UTF-8",
                    "text in UTF-8",
                    "save the file as UTF-8",
                ) from None
            offset += len(line)


def cut(
    whole: TokenNumbers, name: str, validation_fraction: float, test_fraction: float
) -> dict[str, TokenNumbers]:
    """One text in three parts by position: training, validation, test."""
    validation = round(validation_fraction * len(whole))
    test = round(test_fraction * len(whole))
    train = max(0, len(whole) - validation - test)
    return {
        f"the training part of {name}": whole[:train],
        f"the validation part of {name}": whole[train : train + validation],
        f"the test part of {name}": whole[train + validation :],
    }
