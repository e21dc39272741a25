"""The recurrent supernet: every recurrent cell of the search space in one."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engine.domain.space import NONE, SearchSpace
from engine.model.dropouts import Dropouts
from engine.model.probe import Probe
from engine.model.recurrent_derived import (
    RecurrentCell,
    TokenEnds,
    initialise_recurrent,
    read_text,
)
from engine.model.recurrent_nodes import KIND, CodedNodes, MixedNodes
from engine.model.supernet import ALPHA_SCALE
from engine.operations.blocks import SEARCH
from engine.operations.table import OPERATIONS
from engine.operations.text import Predictions, Text


class RecurrentSupernet(nn.Module):
    """Embedding, one recurrent cell over time, decoder; a code chooses what is run.

    Every node has one linear map, shared by all of its incoming edges and
    activations. The architecture parameters ``alphas`` lie in the
    ``state_dict`` beside the weights, one [E, K] tensor.

    Args:
        space: The search space, of the one cell kind ``recurrent``.
        vocabulary: Number V of tokens.
        embedding: Size of a token's vector.
        hidden: Size H of the state; if the embedding has it too, embedding and
            decoder are one.
        dropouts: What is dropped while training.
        generator: Source of all initial values.
        alpha_mean: Mean of the initial alphas.
        mixture: Whether a code other than 0 and 1 is taken as the weights of a
            mixture of all operations, with plain autograd (DARTS).
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        vocabulary: int,
        embedding: int,
        hidden: int,
        dropouts: Dropouts,
        generator: torch.Generator,
        alpha_mean: float = 0.0,
        mixture: bool = False,
    ) -> None:
        super().__init__()
        self.space = space
        self.hidden = hidden
        self.dropouts = dropouts
        self.mixture = mixture
        shape = (len(space.edges), len(space.operations))
        self.alphas = nn.ParameterDict(
            {KIND: alpha_mean + ALPHA_SCALE * torch.randn(shape, generator=generator)}
        )
        self.activations = nn.ModuleDict(
            {
                name: OPERATIONS[name].build(hidden, 1, SEARCH)
                for name in space.operations
                if name != NONE
            }
        )
        self.ends = TokenEnds(vocabulary, embedding, hidden)
        self.cell = RecurrentCell(
            range(space.nodes), count=space.nodes, inputs=embedding, hidden=hidden
        )
        initialise_recurrent(self, generator)

    def forward(
        self,
        inputs: Text,
        codes: Mapping[str, Float[Tensor, "E K"]],
        probe: Probe | None = None,
    ) -> Predictions:
        """The predictions of the network that the code chooses.

        Args:
            inputs: A window of text.
            codes: Of the kind ``recurrent``, entries 0 or 1, or weights in a
                mixture. If a code asks for a gradient it gets the one that
                ``probe`` describes.
            probe: How operations that were not drawn are run, value only and
                in the backward pass, for the code's gradient; None never runs
                them.
        """
        code = codes[KIND]

        def unroll(embedded: Tensor, state: Tensor, mask: Tensor | None) -> Tensor:
            streams, hidden = state.shape
            shape = (len(embedded), streams, hidden)
            values = self._node_values(code, probe, mask, shape)
            return self.cell.unroll(embedded, state, mask, values)

        return read_text(self.ends, unroll, inputs, self.dropouts if self.training else Dropouts())

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
        """The kind of its one cell."""
        return (KIND,)

    def _node_values(
        self, code: Tensor, probe: Probe | None, mask: Tensor | None, shape: tuple[int, int, int]
    ) -> CodedNodes | MixedNodes:
        if self.mixture and not _is_binary(code):
            return MixedNodes(self.cell, self.activations, self.space, code=code, mask=mask)
        return CodedNodes(
            self.cell,
            self.activations,
            self.space,
            code=code,
            probe=probe,
            mask=mask,
            shape=shape,
        )


def _is_binary(code: Tensor) -> bool:
    return bool(((code == 0) | (code == 1)).all())
