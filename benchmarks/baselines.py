"""Networks that a searched cell is compared with: an LSTM, a residual network, random cells.

They answer in the same form as a derived network, so that the same task
judges them and the same loop trains them, and they are built to have its
number of parameters. Nothing in the studio uses them.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, cat, nn, stack
from torch.nn import functional
from torchvision.models.resnet import BasicBlock

from engine.domain.cost import NetworkShape
from engine.domain.genotype import Genotype, from_masks
from engine.domain.skeleton import CellPlace, aspp_rates, cell_places
from engine.domain.space import Scope, SearchSpace
from engine.model.dropouts import Dropouts, dropout_mask, masked
from engine.model.heads import PixelClassifier
from engine.model.recurrent_derived import TokenEnds, initialise_recurrent
from engine.model.sampler import CodeSampler
from engine.model.supernet import initialise_weights
from engine.operations.blocks import EVALUATION
from engine.operations.dilation import dilate
from engine.operations.text import Predictions, Text
from engine.search.observe import observe_codes
from engine.tasks import randomness

BLOCKS_A_CELL = 2
"""Residual blocks where a derived network has a cell; ResNet-18 has as many in a stage."""

LARGEST_LAYER = 8192
"""Units or channels that a network of a given size is looked for with, at most."""


class LstmLanguageModel(nn.Module):
    """One LSTM layer between the embedding and the decoder that is the embedding again.

    The output [T, B, H] is mapped to the embedding's size E, so that H can be
    chosen for the number of parameters alone. Dropout is that of the derived
    networks, the same mask for all tokens of a window: on words, on embedded
    tokens, on the output h that the recurrent map reads, and on the output
    before it is mapped to E.

    Args:
        vocabulary: Number V of tokens.
        embedding: Size E of a token's vector.
        hidden: Units H of the LSTM. The state that is carried has 2 H entries:
            the output h and the memory c.
        dropouts: What is dropped while training.
        generator: Source of all initial values; None is torch's own.
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        hidden: int,
        dropouts: Dropouts | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropouts = dropouts or Dropouts()
        self.ends = TokenEnds(vocabulary, embedding, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.projection = nn.Linear(hidden, embedding, bias=False)
        initialise_recurrent(self.ends, generator)
        for layer in (self.lstm, self.projection):
            for weight in layer.parameters():
                nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5, generator=generator)

    @property
    def state_size(self) -> int:
        """Entries 2 H of the carried state."""
        return 2 * self.lstm.hidden_size

    def initial_state(self, streams: int) -> Tensor:
        """The state [B, 2 H] before any text: zeros."""
        return self.ends.bias.new_zeros(streams, self.state_size)

    def forward(self, inputs: Text) -> Predictions:
        """What comes after each token; dropout only in training and with a generator."""
        rates = self.dropouts if self.training else Dropouts()
        like, random = self.ends.embedding.weight, inputs.random
        streams, hidden = len(inputs.state), self.lstm.hidden_size
        words = dropout_mask((len(like), 1), rates.words, random, like)
        of_inputs = dropout_mask((streams, like.shape[1]), rates.inputs, random, like)
        of_state = dropout_mask((streams, hidden), rates.hidden, random, like)
        of_outputs = dropout_mask((streams, hidden), rates.outputs, random, like)
        embedded = masked(self.ends.embed(inputs.tokens, words), of_inputs)
        outputs, state = self.unroll(embedded, inputs.state, of_state)
        dropped = masked(outputs, of_outputs)
        return Predictions(self.ends.decode(self.projection(dropped)), state, outputs, dropped)

    def unroll(self, inputs: Tensor, state: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs [T, B, H] and the last state [B, 2 H] from inputs [T, B, E].

        The equations are those of :class:`torch.nn.LSTM`, whose weights are
        used; it cannot mask the recurrent input itself.
        """
        of_inputs, of_output, input_bias, output_bias = map(
            self.lstm.get_parameter,
            ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
        )
        output, memory = state.chunk(2, dim=1)
        outputs = []
        for projected in functional.linear(inputs, of_inputs, input_bias):
            read = functional.linear(masked(output, mask), of_output, output_bias)
            enter, keep, candidate, leave = (projected + read).chunk(4, dim=1)
            memory = keep.sigmoid() * memory + enter.sigmoid() * candidate.tanh()
            output = leave.sigmoid() * memory.tanh()
            outputs.append(output)
        return stack(outputs), cat([output, memory], dim=1)


def lstm_parameters(vocabulary: int, embedding: int, hidden: int) -> int:
    """Parameters of an :class:`LstmLanguageModel`: V E + V + 4 H (E + H + 2) + H E."""
    ends = vocabulary * embedding + vocabulary
    return ends + 4 * hidden * (embedding + hidden + 2) + hidden * embedding


def lstm_of_size(
    parameters: int,
    *,
    vocabulary: int,
    embedding: int,
    dropouts: Dropouts | None = None,
    generator: torch.Generator | None = None,
) -> LstmLanguageModel:
    """The language model whose number of parameters is nearest, by its units H."""

    def count(hidden: int) -> int:
        return lstm_parameters(vocabulary, embedding, hidden)

    hidden = _nearest(count, parameters, range(1, LARGEST_LAYER))
    return LstmLanguageModel(vocabulary, embedding, hidden, dropouts, generator)


class ResidualSegmenter(nn.Module):
    """A ResNet with DeepLab v3's head: two basic blocks where a derived network has a cell.

    Resolutions, dilations and head are those of the derived network of the
    same shape, whose number of channels plays no part.

    Args:
        widths: Channels after the stem and after each reduction.
        shape: Image, cells, strides, classes and the channels of the head.
        generator: Source of all initial values; None is torch's own.
    """

    def __init__(
        self,
        widths: Sequence[int],
        shape: NetworkShape,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        places = places_of(shape)
        self.stem = nn.Sequential(
            nn.Conv2d(shape.in_channels, widths[0], 3, shape.stem_stride, 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential()
        level, last = 0, widths[0]
        for place in places:
            level += place.reduces
            self.blocks.extend(residual_blocks(last, widths[level], place))
            last = widths[level]
        self.classifier = PixelClassifier(
            last,
            shape.classes,
            channels=shape.aspp_channels,
            rates=aspp_rates((shape.height, shape.width), places[-1].grid.scale),
            style=EVALUATION,
            dropout=0.0,
        )
        if generator is not None:
            initialise_weights(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Scores [B, K, H, W] of images [B, in_channels, H, W]."""
        features = self.blocks(self.stem(images))
        return cast(Tensor, self.classifier(features, images.shape[2:]))


def places_of(shape: NetworkShape) -> list[CellPlace]:
    """Where the cells of a derived network of that shape stand."""
    return cell_places(
        channels=shape.channels,
        cells=shape.cells,
        nodes=1,
        stem_stride=shape.stem_stride,
        output_stride=shape.output_stride,
    )


def residual_blocks(inputs: int, outputs: int, place: CellPlace) -> Iterable[nn.Module]:
    """The basic blocks (He et al. 2016) that stand in the place of a cell."""
    stride = 2 if place.reduces else 1
    for number in range(BLOCKS_A_CELL):
        shortcut = None
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        block = BasicBlock(inputs, outputs, stride, shortcut)
        if place.grid.spacing > 1:
            dilate(block, (place.grid if number else place.last_grid).spacing)
        yield block
        inputs, stride = outputs, 1


def residual_of_size(
    parameters: int, shape: NetworkShape, generator: torch.Generator | None = None
) -> ResidualSegmenter:
    """The network whose number of parameters is near ``parameters``.

    Channels double at each reduction, as far as the number allows; what is
    missing is then added at the lowest resolution, and at the one above.
    """
    levels = 1 + sum(place.reduces for place in places_of(shape))

    def count(widths: Sequence[int]) -> int:
        with torch.device("meta"):
            return parameters_of(ResidualSegmenter(widths, shape))

    def doubled(width: int) -> list[int]:
        return [width * 2**level for level in range(levels)]

    sizes = range(1, LARGEST_LAYER >> levels)
    base = max(1, bisect_right(sizes, parameters, key=lambda width: count(doubled(width))))
    widths = doubled(base)
    for level in reversed(range(levels)):

        def with_more(width: int, level: int = level) -> int:
            return count([*widths[:level], width, *widths[level + 1 :]])

        finer = range(widths[level], 2 * widths[level] + 2)
        widths[level] = _nearest(with_more, parameters, finer, above=level == 0)
    return ResidualSegmenter(widths, shape, generator)


def parameters_of(network: nn.Module) -> int:
    """Number of trainable parameters; shared ones count once."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def random_genotype(space: SearchSpace, *, draws: int, scope: Scope, seed: int) -> Genotype:
    """A cell drawn as random search draws it: one code of alphas that are all alike."""
    sampler = CodeSampler(space, draws=draws, scope=scope, route="even", normalisation="softmax")
    random = randomness.generator(seed, "random cell")
    alphas = torch.zeros(len(space.edges), len(space.operations))
    codes = {kind: sampler.draw(alphas, 1.0, random) for kind in space.cell_kinds}
    if space.none_index is not None:
        for code in codes.values():
            code[:, space.none_index] = 0.0
    return from_masks(space, observe_codes(codes), lineage={"drawn": "at random", "seed": seed})


def _nearest(count: Callable[[int], int], wanted: int, sizes: range, *, above: bool = True) -> int:
    """The size whose count is nearest, or the largest that is not above; counts ascend."""
    place = bisect_right(sizes, wanted, key=count)
    below, beyond = sizes[max(0, place - 1)], sizes[min(place, len(sizes) - 1)]
    closer = above and abs(count(beyond) - wanted) < abs(count(below) - wanted)
    return beyond if closer else below
