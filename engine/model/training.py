"""What a derived network has only while it is trained from scratch.

Drop path leaves out operations of single images; the auxiliary head is a second
classifier in the middle. Both are those of DARTS's released evaluation network.
They are laid around a network for one forward pass, so that the network itself,
its parameters' names and its file stay what they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from engine.model.derived import CellNetwork, FixedCell
from engine.operations.blocks import EVALUATION, norm

AUXILIARY_CHANNELS = (128, 768)
"""Channels of the auxiliary head's two convolutions (DARTS)."""

POOL_SIDE = 5
"""Smallest window of its pooling, where the features are larger than that (DARTS)."""


def droppable_operations(network: CellNetwork) -> list[nn.Module]:
    """All operations of all cells but identities, which keep every path connected."""
    return [
        operation
        for cell in cast(Iterable[FixedCell], network.cells.values())
        for edge in cast(Iterable[nn.ModuleDict], cell.edges.values())
        for operation in edge.values()
        if not isinstance(operation, nn.Identity)
    ]


def path_masks(
    operations: int, images: int, rate: float, random: torch.Generator
) -> Float[Tensor, "K B"]:
    """A mask of 0 and 1 / (1 - rate) an operation and image, with mean 1."""
    kept = torch.rand(operations, images, generator=random) >= rate
    return kept.float() / (1 - rate)


@contextmanager
def dropped_paths(operations: Sequence[nn.Module], masks: Float[Tensor, "K B"]) -> Iterator[None]:
    """Within, the output of operation k for image b is multiplied by ``masks[k, b]``."""
    handles = [
        operation.register_forward_hook(partial(_scaled, mask[:, None, None, None]))
        for operation, mask in zip(operations, masks, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _scaled(mask: Tensor, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    del module, inputs
    return output * mask


@contextmanager
def kept_outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """Within, every output of a module is appended to the list that is given."""
    outputs: list[Tensor] = []
    handle = module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()


def auxiliary_cell(network: CellNetwork) -> FixedCell:
    """The cell whose output the auxiliary head reads: the first alive one from two thirds on."""
    cells = cast(Iterable[tuple[str, FixedCell]], network.cells.items())
    return next(cell for number, cell in cells if int(number) >= 2 * network.depth // 3)


class AuxiliaryHead(nn.Module):
    """A second classifier, whose loss helps the cells before it.

    ReLU, a mean over 2x2 windows that touch the borders, a 1x1 and a 2x2
    convolution with normalisation, and a linear layer. On the 8x8 features of
    CIFAR-10 and the 7x7 ones of ImageNet the windows are DARTS's, 5x5 pixels;
    smaller features have smaller windows, larger ones are halved.

    Args:
        features: Channels F of the features.
        classes: Number of classes.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        first, second = AUXILIARY_CHANNELS
        self.layers = nn.Sequential(
            nn.Conv2d(features, first, 1, bias=False),
            norm(first, EVALUATION),
            nn.ReLU(),
            nn.Conv2d(first, second, 2, bias=False),
            norm(second, EVALUATION),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(second, classes)

    def forward(self, features: Float[Tensor, "B F h w"]) -> Float[Tensor, "B classes"]:
        """Scores of the classes from the features of a cell in the middle."""
        return self.classifier(self.layers(two_by_two(features.relu())).flatten(1))


def two_by_two(features: Float[Tensor, "B F h w"]) -> Float[Tensor, "B F 2 2"]:
    """Means over windows at the four corners, which together cover all pixels."""
    height, width = features.shape[2:]
    if min(height, width) == 1:
        features = features.expand(-1, -1, max(height, 2), max(width, 2))
        height, width = features.shape[2:]
    windows = [window_side(side) for side in (height, width)]
    strides = [side - window for side, window in zip((height, width), windows, strict=True)]
    return functional.avg_pool2d(features, windows, strides)


def window_side(side: int) -> int:
    """Pixels of a window of which two, flush with both ends, cover ``side`` pixels."""
    return min(side - 1, max(POOL_SIDE, -(-side // 2)))
