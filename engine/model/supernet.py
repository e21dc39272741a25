"""The supernet: every network of the search space in one, sharing weights."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from engine.domain.cost import Head
from engine.domain.skeleton import aspp_rates, cell_places, check_cells, gathered_nodes
from engine.domain.space import SearchSpace
from engine.model.cell import Cell
from engine.model.heads import classify, head_for
from engine.model.network import by_cell
from engine.model.probe import Probe
from engine.model.skeleton import Stem, closing
from engine.operations.blocks import SEARCH

ALPHA_SCALE = 1e-3


class Supernet(nn.Module):
    """Stem, cells and classifier; a code chooses what is run.

    The architecture parameters ``alphas`` lie in the ``state_dict`` beside the
    weights, one [E, K] tensor a cell kind; all cells of a kind share them, and
    share one code or have one each.

    Args:
        space: The search space.
        in_channels: Channels of the image.
        classes: Number of classes.
        channels: Channels C of the first cell; doubled at each reduction.
        cells: Number of cells; those at one and two thirds of the depth reduce,
            or in a skeleton of stages there are so many in all stages together.
        stem_stride: By how much the stem reduces the image.
        generator: Source of all initial values.
        alpha_mean: Mean of the initial alphas. A softmax does not see it; the
            relu normalisation needs it above 0, at 1 say, since an alpha
            below 0 is lost to it from the start.
        mixture: Whether codes are the weights of a sum over all operations
            (DARTS) instead of choices.
        equal_votes: Whether the gradients that the cells of a kind send to
            their codes are brought to the same norm before they are added.
        head: ``classes`` scores the image, ``pixels`` each of its pixels
            (DeepLab v3).
        aspp_channels: Channels of the head for pixels.
        output_stride: With the head for pixels, largest reduction of a feature
            map, kept by dilation; 0 for no limit.
        image_size: Height and width that the head for pixels is made for.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        in_channels: int,
        classes: int,
        channels: int,
        cells: int,
        stem_stride: int,
        generator: torch.Generator,
        alpha_mean: float = 0.0,
        mixture: bool = False,
        equal_votes: bool = False,
        head: Head = "classes",
        aspp_channels: int = 64,
        output_stride: int = 0,
        image_size: Sequence[int] = (1, 1),
    ) -> None:
        super().__init__()
        check_cells(space, cells, stem_stride=stem_stride, output_stride=output_stride)
        self.space = space
        self.equal_votes = equal_votes
        shape = (len(space.edges), len(space.operations))
        self.alphas = nn.ParameterDict(
            {
                kind: alpha_mean + ALPHA_SCALE * torch.randn(shape, generator=generator)
                for kind in space.cell_kinds
            }
        )
        places = cell_places(
            channels=channels,
            cells=cells,
            nodes=space.nodes,
            output=space.output,
            skeleton=space.skeleton,
            stem_stride=stem_stride,
            output_stride=output_stride,
        )
        self.stem = Stem(in_channels, channels, stem_stride, space.skeleton, SEARCH)
        self.cells = nn.ModuleList(Cell(space, place, mixture=mixture) for place in places)
        features = gathered_nodes(space.nodes, space.output) * places[-1].channels
        self.closing = closing(features, SEARCH, space.skeleton)
        self.classifier = head_for(
            features,
            classes,
            head=head,
            channels=aspp_channels,
            rates=aspp_rates(image_size, places[-1].grid.scale),
            style=SEARCH,
        )
        initialise_weights(self, generator)

    def forward(
        self,
        images: Float[Tensor, "B in_channels H W"],
        codes: Mapping[str, Float[Tensor, "... E K"]],
        probe: Probe | None = None,
        offsets: Sequence[Float[Tensor, "E K"]] | None = None,
    ) -> Float[Tensor, "B classes *HW"]:
        """The class scores of the network that the codes choose, of images or of pixels.

        Args:
            images: A batch; its statistics are those of all normalisations.
            codes: Per cell kind, entries 0 or 1 (of a mixture: weights), of one
                code or of one for each cell of the kind. If they ask for a
                gradient they get the one that ``probe`` describes.
            probe: How operations that were not drawn are run, value only and
                in the backward pass, for the code's gradient; None never runs
                them.
            offsets: One per cell, see :class:`~engine.model.cell.Cell`; None
                for none.
        """
        plain = {kind: code.detach().cpu() for kind, code in codes.items()}
        own = by_cell(codes, self.kinds_of_cells)
        drawn = [(code > 0.5).tolist() for code in by_cell(plain, self.kinds_of_cells)]
        before, last = self.stem(images)
        for number, cell in enumerate(cast(Iterable[Cell], self.cells)):
            inputs = (before, last)[-len(cell.inputs) :]
            code = own[number]
            if self.equal_votes:
                code = unit_gradient(code)
            offset = None if offsets is None else offsets[number]
            value = cell(inputs, code, drawn[number], probe, offset)
            before, last = last, value
        return classify(self.classifier, self.closing(last), images.shape[2:])

    def weight_parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter but the alphas."""
        return (
            parameter
            for name, parameter in self.named_parameters()
            if not name.startswith("alphas.")
        )

    def alpha_parameters(self) -> Iterator[nn.Parameter]:
        """The architecture parameters, one a cell kind."""
        return iter(self.alphas.values())

    @property
    def kinds_of_cells(self) -> tuple[str, ...]:
        """Kind of each cell, in the order from the image to the scores."""
        return tuple(cell.kind for cell in cast(Iterable[Cell], self.cells))

    def operation_weights(self) -> list[list[nn.Parameter]]:
        """The weights of each operation that has any, per cell and edge: none are shared."""
        found = [
            list(operation.parameters())
            for cell in cast(Iterable[Cell], self.cells)
            for edge in cell.edges
            for operation in edge.children()
        ]
        return [weights for weights in found if weights]


def unit_gradient(code: Float[Tensor, "E K"]) -> Float[Tensor, "E K"]:
    """The same code; its gradient is divided by its Euclidean norm on the way back."""
    if not code.requires_grad:
        return code
    same = code.clone()
    same.register_hook(
        lambda gradient: functional.normalize(gradient.flatten(), dim=0).view_as(code)
    )
    return same


def initialise_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw convolutions and linear layers anew: uniform within 1 / sqrt(fan in).

    That is torch's own default, but from ``generator`` alone.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            for parameter in module.parameters(recurse=False):
                bound = 1 / math.sqrt(fan_in)
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
