"""Parameters and multiply-adds of a derived language model, counted without building it."""

from dataclasses import dataclass

from engine.domain.cost import Cost, CostPart, total_of
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
    return total_of(language_parts(genotype, shape))


def language_parts(genotype: Genotype, shape: LanguageShape) -> list[CostPart]:
    """The same part by part.

    The weights of a node's map stand at the first operation of the node, and
    its multiply-adds at the first operation behind each source, since all that
    follow share them.
    """
    size, hidden = shape.vocabulary, shape.hidden
    decoder = size * hidden
    first = 2 * hidden * (shape.embedding + hidden)
    parts = [
        CostPart(None, "embedding", Cost(size * shape.embedding)),
        CostPart(0, "first", Cost(first, first)),
    ]
    for number, genes in enumerate(plain_nodes(genotype)[KIND]):
        weights, seen = 2 * hidden * hidden, set[int]()
        for operation, source in genes:
            parameters = 0 if seen else weights
            adds = 0 if source in seen else weights
            seen.add(source)
            parts.append(
                CostPart(
                    0,
                    operation,
                    Cost(parameters, adds),
                    source=source,
                    target=genotype.space.inputs + number,
                )
            )
    own = 0 if shape.shares_embedding else decoder
    return [*parts, CostPart(None, "decoder", Cost(own + size, decoder))]
