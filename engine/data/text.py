"""Text as numbered tokens, with a vocabulary from the training text alone.

Sizes: n tokens of a split, V tokens in the vocabulary.
"""

import hashlib
import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.faults import refused
from engine.data.summaries import TextSummary, Tokens

END_OF_LINE = "<eos>"
UNKNOWN = "<unk>"

TokenNumbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TextData:
    """Three texts as token numbers, ready for a search.

    Attributes:
        train: int32 [n], numbers into the vocabulary, in the order of the text.
        validation: Like it.
        test: Like it.
        vocabulary: Tokens by falling frequency in the training text, equal
            ones by their first appearance in it.
        source: The data as the configuration names it.
        tokens: Whether a token is a word or a character.
        unknown: Training, validation and test tokens that became ``<unk>``.
        digest: SHA-256 of vocabulary and tokens in hexadecimal.
    """

    train: TokenNumbers
    validation: TokenNumbers
    test: TokenNumbers
    vocabulary: tuple[str, ...]
    source: str = ""
    tokens: Tokens = "word"
    unknown: tuple[int, int, int] = (0, 0, 0)
    digest: str = ""

    @property
    def summary(self) -> TextSummary:
        """The same without arrays, for forms, costs and lineage."""
        return TextSummary(
            source=self.source,
            vocabulary=len(self.vocabulary),
            train=len(self.train),
            validation=len(self.validation),
            test=len(self.test),
            digest=self.digest,
            tokens=self.tokens,
            unknown_train=self.unknown[0],
            unknown_validation=self.unknown[1],
            unknown_test=self.unknown[2],
        )


class Numbering:
    """Numbers for tokens in the order in which they first appear.

    Args:
        tokens: ``word``: what whitespace separates, and ``<eos>`` at each line
            end; ``character``: each character, the line end included.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__

    @property
    def names(self) -> list[str]:
        """Tokens in the order of their numbers."""
        return list(self._numbers)

    def encode(self, lines: Iterable[str]) -> TokenNumbers:
        """Numbers of the tokens in some lines, int32 [n]; new tokens get the next ones."""
        numbers = array("i")
        number = self._numbers.__getitem__
        for line in lines:
            if self.tokens == "word":
                numbers.extend(map(number, line.split()))
                numbers.append(number(END_OF_LINE))
            else:
                numbers.extend(map(number, line))
        return np.array(numbers, np.int32)


def text_data(
    source: str,
    parts: Mapping[str, TokenNumbers],
    numbering: Numbering,
    *,
    vocabulary_limit: int = 0,
    train_limit: int = 0,
) -> TextData:
    """Build the vocabulary and renumber three texts by it.

    A token that the vocabulary does not have becomes ``<unk>``, which joins
    the vocabulary only where it is needed.

    Args:
        source: The data as the configuration names it.
        parts: Numbers of the training, validation and test text by the words
            for them, in this order; the training text was numbered first.
        numbering: Where the numbers come from.
        vocabulary_limit: Keep only this many tokens, the most frequent ones,
            ``<unk>`` included; 0 keeps all.
        train_limit: Keep only this many training tokens, from the start; 0
            keeps all. The vocabulary still comes from the whole training text,
            so that perplexities can be compared.

    Raises:
        DataError: A text is empty, or only one token is left.
    """
    names = numbering.names
    for words, numbers in parts.items():
        _check_not_empty(source, words, numbers, names)
    train, validation, test = parts.values()
    vocabulary, places = _vocabulary(names, train, (validation, test), vocabulary_limit)
    if len(vocabulary) < 2:
        raise refused(
            source,
            f"a vocabulary of one token only, {vocabulary[0]!r}",
            "two tokens or more",
            "give another text or a higher vocabulary_limit",
        )
    train = train[: train_limit or None]
    first, second, third = (
        _renumbered(numbers, places, vocabulary) for numbers in (train, validation, test)
    )
    return TextData(
        train=first,
        validation=second,
        test=third,
        vocabulary=vocabulary,
        source=source,
        tokens=numbering.tokens,
        unknown=(_lost(train, places), _lost(validation, places), _lost(test, places)),
        digest=_digest(vocabulary, (first, second, third)),
    )


def _check_not_empty(source: str, words: str, numbers: TokenNumbers, names: list[str]) -> None:
    visible = np.array([bool(name.strip()) and name != END_OF_LINE for name in names], bool)
    if not visible[numbers].any():
        raise refused(
            source,
            f"no text in {words}",
            "some text in each of the three splits",
            "add text to it",
        )
    if len(numbers) < 2:
        raise refused(
            source,
            f"one token only in {words}",
            "two tokens or more, of which one can be predicted from another",
            "add text to it",
        )


def _vocabulary(
    names: list[str], train: TokenNumbers, others: tuple[TokenNumbers, TokenNumbers], limit: int
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The tokens that are kept, and the place of each old number among them; -1 for none."""
    counts = np.bincount(train, minlength=len(names))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    room = limit or len(order) + 1
    kept = order[:room]
    places = _places(kept, len(names))
    lost = any((places[numbers] < 0).any() for numbers in (train, *others))
    vocabulary = [names[number] for number in kept]
    if lost and UNKNOWN not in vocabulary:
        kept = kept[: room - 1]
        places = _places(kept, len(names))
        vocabulary = [*vocabulary[: room - 1], UNKNOWN]
    return tuple(vocabulary), places


def _places(kept: NDArray[np.intp], count: int) -> NDArray[np.int32]:
    places = np.full(count, -1, np.int32)
    places[kept] = np.arange(len(kept), dtype=np.int32)
    return places


def _renumbered(
    numbers: TokenNumbers, places: NDArray[np.int32], vocabulary: tuple[str, ...]
) -> TokenNumbers:
    found = places[numbers]
    if (found < 0).any():
        found[found < 0] = vocabulary.index(UNKNOWN)
    return found


def _lost(numbers: TokenNumbers, places: NDArray[np.int32]) -> int:
    return int(np.count_nonzero(places[numbers] < 0))


def _digest(vocabulary: tuple[str, ...], splits: Iterable[TokenNumbers]) -> str:
    """SHA-256 over the vocabulary and the numbers of the three texts."""
    sha = hashlib.sha256(json.dumps(vocabulary).encode())
    for numbers in splits:
        sha.update(repr(numbers.shape).encode())
        sha.update(numbers.astype("<i4").data)
    return sha.hexdigest()


def check_vocabulary(
    source: str, vocabulary: int, *, hidden: int, positions: int, available_bytes: int
) -> None:
    """Refuse a vocabulary whose embedding and softmax do not fit into memory.

    Both are float32 and exist three times: the embedding as weights, gradient
    and state of the optimiser; the softmax as logits, log-probabilities and
    gradient of one batch.

    Args:
        source: The data as the configuration names it.
        vocabulary: Number of tokens V.
        hidden: Size of the embedding, which is also that of the softmax.
        positions: Tokens that are predicted in one step: batch times BPTT.
        available_bytes: Memory that is free.

    Raises:
        DataError: They are larger.
    """
    embedding, softmax = (vocabulary * size * 4 * 3 for size in (hidden, positions))
    if embedding + softmax <= available_bytes:
        return
    fits = available_bytes // (12 * (hidden + positions))
    raise refused(
        source,
        f"a vocabulary of {vocabulary:,} tokens, for which the embedding of size {hidden} takes "
        f"{_gigabytes(embedding)} and the softmax over {positions:,} positions a step "
        f"{_gigabytes(softmax)}",
        f"what fits into the free memory of {_gigabytes(available_bytes)}, about {fits:,} tokens",
        "set vocabulary_limit, or lower batch_size or bptt",
    )


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.2f} GB"
