"""Parameters and multiply-adds of a derived language model, counted without building it."""

from dataclasses import dataclass

from engine.domain.cost import Cost
from engine.domain.genotype import Genotype, plain_nodes

KIND = "recurrent"


@dataclass(frozen=True)
class LanguageShape:
    """Everything beside the genotype that fixes a language model.

    Attributes:
        vocabulary: Number V of tokens.
        embedding: Size E of a token's vector.
        hidden: Size H of the recurrent state.
        tied: Whether embedding and decoder are one where E = H.
    """

    vocabulary: int
    embedding: int
    hidden: int
    tied: bool = True

    @property
    def shares_embedding(self) -> bool:
        """Whether embedding and decoder really are one."""
        return self.tied and self.embedding == self.hidden


def language_cost(genotype: Genotype, shape: LanguageShape) -> Cost:
    """Trainable parameters, and multiply-adds of one token.

    The linear maps and the decoder count; a tied embedding counts once. A
    node's map has 2 H x H weights and is applied to each source that the node
    reads, once whatever the number of activations behind it.
    """
    size, hidden = shape.vocabulary, shape.hidden
    decoder = size * hidden
    ends = size * shape.embedding + size + (0 if shape.shares_embedding else decoder)
    first = 2 * hidden * (shape.embedding + hidden)
    total = Cost(ends + first, decoder + first)
    for genes in plain_nodes(genotype)[KIND]:
        if genes:
            weights = 2 * hidden * hidden
            total += Cost(weights, weights * len({source for _, source in genes}))
    return total
