"""Parameters and multiply-adds of a derived language model, counted without building it.

Only what is alive counts (:mod:`engine.domain.liveness`), since only that is
built. Multiply-adds are those of linear maps; activations and sums add none.
"""

from dataclasses import dataclass, replace

from engine.domain.cost import Cost, CostPart, DeadShare, total_of
from engine.domain.genotype import Genotype
from engine.domain.pruning import liveness_of


@dataclass(frozen=True)
class LanguageShape:
    """Everything beside the genotype that fixes a language model.

    Attributes:
        vocabulary: Number V of tokens.
        embedding: Size E of a token's vector.
        hidden: Size H of the recurrent state.
        tied: Whether embedding and decoder are one where E = H.
        keep_dead: Whether the network has its dead parts too, as trainings had
            that were started before they were left out.
    """

    vocabulary: int
    embedding: int
    hidden: int
    tied: bool = True
    keep_dead: bool = False

    @property
    def shares_embedding(self) -> bool:
        """Whether embedding and decoder really are one."""
        return self.tied and self.embedding == self.hidden


def language_cost(genotype: Genotype, shape: LanguageShape) -> Cost:
    """Trainable parameters, and multiply-adds of one token.

    The linear maps and the decoder count; a tied embedding counts once. A
    node's map has 2 H x H weights and is applied to each source that the node
    reads, once whatever the number of activations behind it. A network in which
    no path leads from the text to the scores costs nothing.
    """
    return total_of(language_parts(genotype, shape))


def dead_language_share(genotype: Genotype, shape: LanguageShape) -> DeadShare:
    """Count the parameters that are dead in a language model of all parts of a genotype."""
    full, alive = (
        language_cost(genotype, replace(shape, keep_dead=keep_dead)).parameters
        for keep_dead in (True, False)
    )
    return DeadShare(full - alive, full)


def language_parts(genotype: Genotype, shape: LanguageShape) -> list[CostPart]:
    """The same part by part.

    The weights of a node's map stand at the first operation of the node, and
    its multiply-adds at the first operation behind each source, since all that
    follow share them.
    """
    liveness = liveness_of(genotype, 1, keep_dead=shape.keep_dead)
    if not liveness.is_connected:
        ends = ((None, "embedding"), (0, "first"), (None, "decoder"))
        return [CostPart(cell, part, Cost()) for cell, part in ends]
    size, hidden = shape.vocabulary, shape.hidden
    decoder = size * hidden
    first = 2 * hidden * (shape.embedding + hidden)
    parts = [
        CostPart(None, "embedding", Cost(size * shape.embedding)),
        CostPart(0, "first", Cost(first, first)),
    ]
    for number, genes in enumerate(liveness.cells[0].genes):
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
