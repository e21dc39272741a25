"""Language modelling: windows of parallel streams, carried states, perplexity."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from engine.data.text import TextData, TokenNumbers
from engine.domain.errors import DataError
from engine.operations.text import Predictions, Text
from engine.tasks.randomness import generator
from engine.tasks.task import CarryPurpose

Batch = tuple[Text, Int[Tensor, "T B"]]

LARGEST_EXPONENT = math.log(torch.finfo(torch.float64).max)
"""Of a perplexity that is still a number."""


@dataclass(frozen=True)
class TextTally:
    """Counts over a number of predicted tokens.

    Attributes:
        loss_sum: Sum of the cross-entropies in nats.
        count: Predicted tokens.
    """

    loss_sum: float
    count: int

    def __add__(self, other: "TextTally") -> "TextTally":
        return TextTally(self.loss_sum + other.loss_sum, self.count + other.count)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats a token."""
        return self.loss_sum / self.count

    @property
    def score(self) -> float:
        """Perplexity, exp(loss)."""
        return math.exp(self.loss) if self.loss < LARGEST_EXPONENT else math.inf

    @property
    def error(self) -> float:
        """Perplexity: lower is better."""
        return self.score


class LanguageModelling:
    """Serves windows of a text and judges the predictions of the next token.

    A text is cut into B equal streams that are read side by side; each window
    of T tokens starts from the state after the one before it (truncated
    backpropagation through time). A pass starts from zeros, and at another
    place of the text each time, so that windows differ between epochs.

    In an alternating search the training text is halved: its first half moves
    the weights, the second the alphas. The validation text moves neither.

    Args:
        data: The three texts.
        batch_size: Streams B of training.
        bptt: Tokens T of a window.
        hidden: Size H of the state.
        temporal_regularisation: Factor beta of the mean squared change of the
            state from token to token, in the loss (Merity et al. 2017, TAR).
        seed: Of the start of each pass and of dropout.
        halved: Whether the update is alternating.
        device: Where texts and windows live.
        evaluation_streams: Streams of validation and test, as far as these
            texts are long enough; 0 means B. Fewer streams are slower, and
            better, since fewer tokens have no text before them.

    Attributes:
        vocabulary: Number V of tokens.
        words: The tokens in the order of their numbers.

    Raises:
        DataError: A text is too short for one window.
    """

    score_name = "perplexity"

    def __init__(
        self,
        data: TextData,
        *,
        batch_size: int,
        bptt: int,
        hidden: int,
        temporal_regularisation: float,
        seed: int,
        halved: bool,
        device: torch.device,
        evaluation_streams: int = 0,
    ) -> None:
        self.summary = data.summary
        self.device = device
        self.words = data.vocabulary
        self.vocabulary = len(self.words)
        self._bptt = bptt
        self._hidden = hidden
        self._beta = temporal_regularisation
        self._seed = seed
        train = _on_device(data.train, device)
        first, second = train.tensor_split(2) if halved else (train, train)
        self._weights, self._alphas = _streams(first, batch_size), _streams(second, batch_size)
        if self.steps_per_epoch == 0:
            raise _too_short(len(first), batch_size, bptt)
        streams = evaluation_streams or batch_size
        self._validation = _evaluation_streams(_on_device(data.validation, device), streams, bptt)
        self._test = _evaluation_streams(_on_device(data.test, device), streams, bptt)
        self._states: dict[CarryPurpose, Tensor] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Whole windows in one pass; a rest shorter than two windows moves with the start."""
        return max(self._positions // self._bptt, 0)

    @property
    def _positions(self) -> int:
        """Predicted tokens a stream and pass; a window less where a start can then be chosen."""
        positions = min(len(self._weights), len(self._alphas)) - 1
        return positions - self._bptt + 1 if positions >= 2 * self._bptt else positions

    def weight_batch(self, epoch: int, index: int) -> Batch:
        """The window of step ``index`` of an epoch, for the weights."""
        return self._training_window(self._weights, "weights", epoch, index)

    def alpha_batch(self, epoch: int, index: int) -> Batch:
        """The window of an alternating step, for the alphas."""
        return self._training_window(self._alphas, "alphas", epoch, index)

    def _training_window(
        self,
        streams: Int[Tensor, "n B"],
        purpose: Literal["weights", "alphas"],
        epoch: int,
        index: int,
    ) -> Batch:
        if index == 0:
            self._states.pop(purpose, None)
        room = len(streams) - 1 - self.steps_per_epoch * self._bptt
        place = generator(self._seed, f"{purpose} start", epoch)
        start = int(torch.randint(min(room, self._bptt - 1) + 1, (), generator=place))
        random = generator(self._seed, f"{purpose} dropout", epoch, index)
        return self._window(streams, purpose, start + index * self._bptt, random)

    def _window(
        self,
        streams: Int[Tensor, "n B"],
        purpose: CarryPurpose,
        start: int,
        random: torch.Generator | None,
    ) -> Batch:
        end = min(start + self._bptt, len(streams) - 1)
        state = self._states.get(purpose)
        if state is None:
            state = torch.zeros(streams.shape[1], self._hidden, device=self.device)
        return Text(streams[start:end], state, random), streams[start + 1 : end + 1]

    def validation_batches(self) -> Iterator[Batch]:
        """The validation text from its start, in windows that follow each other."""
        return self._pass(self._validation, "validation")

    def test_batches(self) -> Iterator[Batch]:
        """The test text in the same way."""
        return self._pass(self._test, "test")

    def _pass(
        self, streams: Int[Tensor, "n B"], purpose: Literal["validation", "test"]
    ) -> Iterator[Batch]:
        self._states.pop(purpose, None)
        for start in range(0, len(streams) - 1, self._bptt):
            yield self._window(streams, purpose, start, None)

    def loss(self, outputs: Predictions, targets: Int[Tensor, "T B"]) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats, and the temporal regularisation of the states."""
        value = functional.cross_entropy(outputs.logits.flatten(0, 1), targets.flatten())
        if self._beta and len(outputs.hidden) > 1:
            value = value + self._beta * outputs.hidden.diff(dim=0).square().mean()
        return value

    @staticmethod
    def tally(outputs: Predictions, targets: Int[Tensor, "T B"]) -> TextTally:
        """Cross-entropies of one window, without any regularisation."""
        logits = outputs.logits.flatten(0, 1)
        total = functional.cross_entropy(logits, targets.flatten(), reduction="sum")
        return TextTally(total.item(), targets.numel())

    def carry(self, purpose: CarryPurpose, outputs: Predictions) -> None:
        """The next window of that purpose starts from the state after this one."""
        self._states[purpose] = outputs.state.detach()

    def state_dict(self) -> dict[str, Any]:
        """The carried states of the training; evaluations always start anew."""
        return {
            purpose: self._states[purpose]
            for purpose in ("weights", "alphas")
            if purpose in self._states
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Carry on from :meth:`state_dict`."""
        kept: tuple[CarryPurpose, ...] = ("weights", "alphas")
        self._states = {
            purpose: state[purpose].to(self.device) for purpose in kept if purpose in state
        }


def _on_device(tokens: TokenNumbers, device: torch.device) -> Int[Tensor, " n"]:
    return torch.from_numpy(tokens).long().to(device)


def _streams(tokens: Int[Tensor, " n"], streams: int) -> Int[Tensor, "m B"]:
    """Equal parts of a text side by side; the rest at its end is left out."""
    length = len(tokens) // streams
    return tokens[: length * streams].view(streams, length).T.contiguous()


def _evaluation_streams(tokens: Int[Tensor, " n"], streams: int, bptt: int) -> Int[Tensor, "m B"]:
    """As many streams as asked, or as the text fills with a window each; two at least."""
    if len(tokens) < 4:
        raise DataError(
            asked="perplexities on validation and test texts",
            found=f"a text of {len(tokens)} tokens",
            allowed="4 tokens at least, for two streams with one prediction each",
            advice="give longer texts",
        )
    return _streams(tokens, max(2, min(streams, len(tokens) // (bptt + 1))))


def _too_short(tokens: int, batch_size: int, bptt: int) -> DataError:
    return DataError(
        asked=f"batch_size = {batch_size} and bptt = {bptt}",
        found=f"{tokens:,} tokens to train on",
        allowed=f"a text of {batch_size * (bptt + 1):,} tokens at least",
        advice="lower batch_size or bptt",
    )
