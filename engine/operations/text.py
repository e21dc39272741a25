"""What a language model reads and what it answers.

This file imports nothing but torch: its source goes, word for word, into the
plain module that a person can download.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Text:
    """A window of B parallel streams of text.

    Attributes:
        tokens: Token numbers, int64 [T, B].
        state: The recurrent state before the first token, [B, H].
        random: Source of all dropout masks of this window; None switches
            dropout off.
    """

    tokens: Tensor
    state: Tensor
    random: torch.Generator | None = None


@dataclass(frozen=True)
class Predictions:
    """The answer to a :class:`Text`.

    Attributes:
        logits: Scores of the next token, [T, B, V].
        state: The recurrent state after the last token, [B, H].
        hidden: The state after each token, [T, B, H].
        dropped: The same after the output's dropout.
    """

    logits: Tensor
    state: Tensor
    hidden: Tensor
    dropped: Tensor

    def detach(self) -> "Predictions":
        """The same without a graph."""
        return replace(self, **{name: value.detach() for name, value in vars(self).items()})
