"""The language model as a graph for any number of tokens."""

from collections.abc import Mapping, Sequence
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
        ends, cell = self.network.ends, self.network.cell
        of_inputs, of_state = cell.parts()
        maps = {int(node): cast(nn.Linear, map_).weight for node, map_ in cell.nodes.items()}

        def step(before: Tensor, projected: Tensor, *weights: Tensor) -> list[Tensor]:
            of_nodes = dict(zip(maps, weights[1:], strict=True))
            read = projected + functional.linear(before, weights[0])
            after = cell.step(
                read, before, lambda node, states: self._value(node, states, of_nodes)
            )
            return [after, after.clone()]

        projected = functional.linear(ends.embed(tokens, None), of_inputs)
        last, states = torch.ops.higher_order.scan(
            step, [state], [projected], (of_state, *maps.values())
        )
        return ends.decode(states), last

    def _value(self, node: int, states: Sequence[Tensor], of_nodes: Mapping[int, Tensor]) -> Tensor:
        """The mean of what a node keeps, from products of matrices only.

        The body of ONNX's Scan takes no free length from outside, which
        products of larger tensors would ask for.
        """
        genes, dead = self.network.genes[node], self.network.dead[node]
        if not genes:
            return states[0] * 0 + dead.total / max(1, dead.count)
        read = {
            source: functional.linear(states[source], of_nodes[node]).chunk(2, dim=-1)
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
        return (torch.stack(kept).sum(dim=0) + dead.total) / (len(kept) + dead.count)
