"""The language model as a graph for any number of tokens."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.model.recurrent_derived import RecurrentNetwork


class ScannedLanguageModel(nn.Module):
    """Answers as :class:`engine.model.recurrent_derived.LanguageModel` does, by a scan.

    A graph of the model itself repeats the cell for each token, which fixes
    their number. Here the cell is the body of a scan over time. The weights
    are shared, not copied.

    Args:
        network: The network.
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [T, B, V] of tokens [T, B] after a state [B, H], and the last state."""
        from torch._higher_order_ops.scan import scan

        ends, cell = self.network.ends, self.network.cell

        of_inputs, of_state = cell.parts()

        def step(before: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
            read = projected + functional.linear(before, of_state)
            after = cell.step(read, before, self._value)
            return after, after.clone()

        projected = functional.linear(ends.embed(tokens, None), of_inputs)
        last, states = scan(step, state, projected, dim=0)
        return ends.decode(states), last

    def _value(self, node: int, states: Sequence[Tensor]) -> Tensor:
        """The mean of what a node keeps, from products of matrices only.

        The body of ONNX's Scan takes no free length from outside, which
        products of larger tensors would ask for.
        """
        genes = self.network.genes[node]
        if not genes:
            return states[0] * 0
        linear = cast(nn.Linear, self.network.cell.nodes[str(node)])
        read = {
            source: functional.linear(states[source], linear.weight).chunk(2, dim=-1)
            for source in sorted({source for _, source in genes})
        }
        kept = [
            torch.lerp(
                states[source],
                self.network.activations[name](read[source][1]),
                read[source][0].sigmoid(),
            )
            for name, source in genes
        ]
        return torch.stack(kept).mean(dim=0)
