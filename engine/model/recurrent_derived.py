"""The recurrent network of a genotype: embedding, one cell over time, decoder.

The names of its parameters are those of the recurrent supernet, so that
weights can be copied by name. The source of this file goes into the module
that a person can download, apart from what needs the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.domain.genotype import Genotype, plain_nodes
from engine.domain.liveness import network_liveness, unpruned
from engine.domain.pruning import check_connected
from engine.model.dropouts import Dropouts, dropout_mask, masked
from engine.operations.table import OPERATIONS
from engine.operations.text import Predictions, Text

Genes = Sequence[tuple[str, int]]
"""The (activation, source) pairs of a node; source 0 is the first state s_0."""

NodeValue = Callable[[int, int, Sequence[Tensor]], Tensor]
"""The value [B, H] of a node from its number, the time step and the states so far."""

INITIAL_RANGE = 0.04
"""Weights start uniformly within this bound (DARTS)."""


@dataclass(frozen=True)
class DeadValue:
    """What the dead operations of a node add to its mean, without being run.

    A dead operation f reads a node that keeps nothing and so is zero. No map
    has a bias, hence it gives sigmoid(0) (f(0) - 0), a constant.

    Attributes:
        count: How many there are.
        total: Sum of their values.
    """

    count: int
    total: float


class RecurrentCell(nn.Module):
    """The weights of a recurrent cell, and its way through time.

    With input x and state h (Pham et al. 2018; DARTS, appendix A.1.2)::

        (c, u) = [x, h] W                 s_0 = h + sigmoid(c) (tanh(u) - h)
        (c, u) = s_i W_j                  f@i = s_i + sigmoid(c) (f(u) - s_i)
        s_j = mean of what node j keeps   new h = mean of all s_j, j >= 1

    A node that keeps nothing is zero. The paper writes a sum; the mean keeps
    every state within the range of the activations however many are kept, so
    that no normalisation is needed, and equals the sum where one is kept, as
    in DARTS.

    Args:
        nodes: Which nodes have a linear map.
        count: Number N of nodes.
        inputs: Size E of the input.
        hidden: Size H of the state.
    """

    def __init__(self, nodes: Sequence[int], *, count: int, inputs: int, hidden: int) -> None:
        super().__init__()
        self.count = count
        self.inputs = inputs
        self.first = nn.Linear(inputs + hidden, 2 * hidden, bias=False)
        self.nodes = nn.ModuleDict(
            {str(node): nn.Linear(hidden, 2 * hidden, bias=False) for node in nodes}
        )

    def unroll(
        self, inputs: Tensor, state: Tensor, mask: Tensor | None, value: NodeValue
    ) -> Tensor:
        """The states [T, B, H] after each of the inputs [T, B, E].

        Args:
            inputs: What the cell reads at each step.
            state: The state [B, H] before the first step.
            mask: Dropout mask [B, H] of every state that a linear map reads.
            value: The rule by which a node's value is found.
        """
        of_inputs, of_state = self.parts()
        outputs = []
        for time, projected in enumerate(functional.linear(inputs, of_inputs)):
            read = projected + functional.linear(masked(state, mask), of_state)

            def value_now(node: int, states: Sequence[Tensor], time: int = time) -> Tensor:
                return value(node, time, states)

            state = self.step(read, state, value_now)
            outputs.append(state)
        return torch.stack(outputs)

    def parts(self) -> tuple[Tensor, Tensor]:
        """The parts of W that read x, [2 H, E], and h, [2 H, H]."""
        of_inputs, of_state = self.first.weight.split(
            [self.inputs, self.first.in_features - self.inputs], dim=1
        )
        return of_inputs, of_state

    def step(
        self, read: Tensor, state: Tensor, value: Callable[[int, Sequence[Tensor]], Tensor]
    ) -> Tensor:
        """The state [B, H] after one input.

        Args:
            read: (c, u) = [x, h] W, [B, 2 H].
            state: The state h before it.
            value: The value of a node from its number and the states so far.
        """
        gate, candidate = read.chunk(2, dim=-1)
        states = [torch.lerp(state, candidate.tanh(), gate.sigmoid())]
        for node in range(self.count):
            states.append(value(node, states))
        return torch.stack(states[1:]).mean(dim=0)

    def project(self, node: int, sources: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gates sigmoid(c) and candidates u of a node for sources [..., B, H]."""
        gates, candidates = self.nodes[str(node)](masked(sources, mask)).chunk(2, dim=-1)
        return gates.sigmoid(), candidates

    def mean_of(
        self,
        node: int,
        genes: Genes,
        states: Sequence[Tensor],
        mask: Tensor | None,
        activations: nn.ModuleDict,
        dead: DeadValue | None = None,
    ) -> Tensor:
        """The mean of what a node keeps; zeros where that is nothing.

        Args:
            node: Number of the node.
            genes: The operations that are run.
            states: The states so far, [B, H] each.
            mask: Dropout mask of what the node's map reads.
            activations: The functions by name.
            dead: What the node keeps beside them; None for nothing.
        """
        dead = dead or DeadValue(0, 0.0)
        if not genes:
            return torch.full_like(states[0], dead.total / max(1, dead.count))
        sources = sorted({source for _, source in genes})
        read = torch.stack([states[source] for source in sources])
        gates, candidates = self.project(node, read, mask)
        row = {source: place for place, source in enumerate(sources)}
        kept = [
            torch.lerp(
                states[source], activations[name](candidates[row[source]]), gates[row[source]]
            )
            for name, source in genes
        ]
        total = reduce(torch.add, kept)
        if dead.total:
            total = total + dead.total
        return total / (len(kept) + dead.count)


class TokenEnds(nn.Module):
    """Below the cell the embedding, above it the decoder; tied where their sizes agree.

    Args:
        vocabulary: Number V of tokens.
        embedding: Size E of a token's vector.
        hidden: Size H of the cell's output; the decoder is the embedding if
            it is E.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.decoder = None if embedding == hidden else nn.Linear(hidden, vocabulary, bias=False)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def embed(self, tokens: Tensor, words: Tensor | None) -> Tensor:
        """Vectors [T, B, E] of tokens [T, B]; ``words`` [V, 1] is a mask over the vocabulary."""
        vectors: Tensor = self.embedding(tokens)
        return masked(vectors, None if words is None else words[tokens])

    def decode(self, hidden: Tensor) -> Tensor:
        """Scores [T, B, V] of the next token from [T, B, H]."""
        matrix = self.embedding.weight if self.decoder is None else self.decoder.weight
        return functional.linear(hidden, matrix, self.bias)


def read_text(
    ends: TokenEnds,
    unroll: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    inputs: Text,
    dropouts: Dropouts,
) -> Predictions:
    """Embed, run through time, decode, with the dropout masks of one window.

    Args:
        ends: Embedding and decoder.
        unroll: From embedded tokens [T, B, E], state [B, H] and the mask of
            the states to the states [T, B, H].
        inputs: The window.
        dropouts: What is dropped if the window brings a generator.
    """
    streams, hidden = inputs.state.shape
    like, random = ends.embedding.weight, inputs.random
    words = dropout_mask((len(like), 1), dropouts.words, random, like)
    of_inputs = dropout_mask((streams, like.shape[1]), dropouts.inputs, random, like)
    of_states = dropout_mask((streams, hidden), dropouts.hidden, random, like)
    of_outputs = dropout_mask((streams, hidden), dropouts.outputs, random, like)
    embedded = masked(ends.embed(inputs.tokens, words), of_inputs)
    states = unroll(embedded, inputs.state, of_states)
    dropped = masked(states, of_outputs)
    return Predictions(ends.decode(dropped), states[-1], states, dropped)


def initialise_recurrent(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all maps and the embedding uniformly within :data:`INITIAL_RANGE`."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.uniform_(module.weight, -INITIAL_RANGE, INITIAL_RANGE, generator=generator)


class RecurrentNetwork(nn.Module):
    """A language model with one recurrent cell, from plain values.

    Only what is alive is built; what is dead counts in the means by its constant
    value, see :class:`DeadValue`.

    Args:
        nodes: What each node keeps, dead operations included.
        operations: Builders of the activations by name.
        vocabulary: Number V of tokens.
        embedding: Size E of a token's vector.
        hidden: Size H of the state; equal to E, embedding and decoder are one.
        dropouts: What is dropped while training.
        generator: Source of all initial values; None is torch's own.
        keep_dead: Whether to build also what lies on no path from the text to
            the scores.

    Raises:
        ValueError: No path leads from the text to the scores.
    """

    def __init__(
        self,
        nodes: Sequence[Genes],
        operations: Mapping[str, Callable[..., nn.Module]],
        *,
        vocabulary: int,
        embedding: int,
        hidden: int,
        dropouts: Dropouts | None = None,
        generator: torch.Generator | None = None,
        keep_dead: bool = False,
    ) -> None:
        super().__init__()
        find = unpruned if keep_dead else network_liveness
        liveness = find({"recurrent": nodes}, ["recurrent"], inputs=1, output="mean")
        if not liveness.is_connected:
            raise ValueError("no path leads from the text to the scores")
        self.genes = liveness.cells[0].genes
        self.dead = [
            _dead_value([name for name, source in genes if (name, source) not in alive], operations)
            for genes, alive in zip(nodes, self.genes, strict=True)
        ]
        self.hidden = hidden
        self.dropouts = dropouts or Dropouts()
        self.activations = nn.ModuleDict(
            {name: operations[name]() for genes in self.genes for name, _ in genes}
        )
        self.ends = TokenEnds(vocabulary, embedding, hidden)
        self.cell = RecurrentCell(
            [node for node, genes in enumerate(self.genes) if genes],
            count=len(nodes),
            inputs=embedding,
            hidden=hidden,
        )
        initialise_recurrent(self, generator)

    def forward(self, inputs: Text) -> Predictions:
        """What comes after each token; dropout only in training and with a generator."""
        return read_text(
            self.ends, self._unroll, inputs, self.dropouts if self.training else Dropouts()
        )

    def initial_state(self, streams: int) -> Tensor:
        """The state [B, H] before any text: zeros."""
        return self.ends.bias.new_zeros(streams, self.hidden)

    def _unroll(self, inputs: Tensor, state: Tensor, mask: Tensor | None) -> Tensor:
        def value(node: int, _: int, states: Sequence[Tensor]) -> Tensor:
            genes, dead = self.genes[node], self.dead[node]
            return self.cell.mean_of(node, genes, states, mask, self.activations, dead)

        return self.cell.unroll(inputs, state, mask, value)


def _dead_value(
    names: Sequence[str], operations: Mapping[str, Callable[..., nn.Module]]
) -> DeadValue:
    values = [float(operations[name]()(torch.zeros((), device="cpu"))) / 2 for name in names]
    return DeadValue(len(values), sum(values, start=0.0))


class LanguageModel(nn.Module):
    """The same network with tensors in and out, for use and for graph formats.

    Args:
        network: The network; it is shared, not copied.
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scores [T, B, V] of the next token, and the state [B, H] to go on from.

        Args:
            tokens: Token numbers, int64 [T, B].
            state: The state that an earlier call gave; None at the start.
        """
        start = self.network.initial_state(tokens.shape[1]) if state is None else state
        answer: Predictions = self.network(Text(tokens, start))
        return answer.logits, answer.state


def load_recurrent_weights(network: RecurrentNetwork, shared: Mapping[str, Tensor]) -> None:
    """Copy a supernet's weights by name into a network of its cell.

    Raises:
        KeyError: The supernet lacks a weight of the network.
    """
    network.load_state_dict({name: shared[name] for name in network.state_dict()})


class DerivedRecurrentNetwork(RecurrentNetwork):
    """The language model of a genotype of the kind ``recurrent``.

    Args:
        genotype: The cell.

    The other arguments are those of :class:`RecurrentNetwork`.

    Raises:
        InvalidGenotype: No path leads from the text to the scores.
    """

    def __init__(
        self,
        genotype: Genotype,
        *,
        vocabulary: int,
        embedding: int,
        hidden: int,
        dropouts: Dropouts | None = None,
        generator: torch.Generator | None = None,
        keep_dead: bool = False,
    ) -> None:
        if not keep_dead:
            check_connected(genotype, 1)
        super().__init__(
            plain_nodes(genotype)["recurrent"],
            {name: OPERATIONS[name].build for name in genotype.space.operations},
            vocabulary=vocabulary,
            embedding=embedding,
            hidden=hidden,
            dropouts=dropouts,
            generator=generator,
            keep_dead=keep_dead,
        )
