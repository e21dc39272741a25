"""Published cells: convolutional ones of this method, recurrent ones of DARTS."""

from dataclasses import dataclass

from engine.domain.genotype import Cell, Gene, Genotype
from engine.domain.space import SearchSpace

Nodes = tuple[tuple[tuple[str, int], ...], ...]


@dataclass(frozen=True)
class Published:
    """A pair of cells from a publication.

    Attributes:
        label: What people read.
        source: Where it was published.
        draws: Number of draws M of its search.
        normal: Per node, (operation, source) pairs of the normal cell.
        reduction: The same of the reduction cell.
    """

    label: str
    source: str
    draws: int
    normal: Nodes
    reduction: Nodes

    def genotype(self, space: SearchSpace) -> Genotype:
        """The cells as a genotype of a convolutional search space."""
        cells = {"normal": _cell(self.normal), "reduction": _cell(self.reduction)}
        return Genotype(space.with_nodes(len(self.normal)), cells, lineage={"source": self.source})


def _cell(nodes: Nodes) -> Cell:
    return tuple(frozenset(Gene(source, name) for name, source in node) for node in nodes)


_DATA = "Chang et al., DATA: Differentiable ArchiTecture Approximation, NeurIPS 2019"

PUBLISHED: dict[str, Published] = {
    "data_m4": Published(
        label="DATA, M = 4",
        source=f"{_DATA}, cells found on CIFAR-10 with M = 4",
        draws=4,
        normal=(
            (("skip_connect", 0), ("sep_conv_3x3", 1), ("skip_connect", 1)),
            (("skip_connect", 1), ("skip_connect", 2), ("sep_conv_3x3", 2)),
            (("sep_conv_3x3", 3), ("skip_connect", 1), ("skip_connect", 2)),
            (("dil_conv_3x3", 2), ("skip_connect", 2), ("sep_conv_3x3", 4)),
        ),
        reduction=(
            (("skip_connect", 0), ("max_pool_3x3", 1), ("dil_conv_3x3", 1)),
            (("max_pool_3x3", 0), ("dil_conv_3x3", 2)),
            (("skip_connect", 0), ("skip_connect", 1), ("sep_conv_3x3", 3)),
            (("skip_connect", 1), ("dil_conv_3x3", 1), ("sep_conv_3x3", 3), ("dil_conv_3x3", 4)),
        ),
    ),
    "data_m7": Published(
        label="DATA, M = 7",
        source=f"{_DATA}, cells found on CIFAR-10 with M = 7",
        draws=7,
        normal=(
            (("skip_connect", 0), ("sep_conv_3x3", 0), ("skip_connect", 1), ("sep_conv_3x3", 1)),
            (("skip_connect", 0), ("max_pool_3x3", 1), ("skip_connect", 1), ("sep_conv_3x3", 2)),
            (
                ("skip_connect", 0),
                ("skip_connect", 1),
                ("avg_pool_3x3", 1),
                ("dil_conv_3x3", 3),
                ("skip_connect", 3),
            ),
            (("skip_connect", 1), ("sep_conv_3x3", 2), ("skip_connect", 4)),
        ),
        reduction=(
            (("sep_conv_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 1)),
            (
                ("sep_conv_3x3", 0),
                ("dil_conv_3x3", 1),
                ("skip_connect", 1),
                ("dil_conv_3x3", 2),
                ("skip_connect", 2),
            ),
            (
                ("dil_conv_3x3", 1),
                ("skip_connect", 2),
                ("dil_conv_3x3", 2),
                ("sep_conv_3x3", 2),
                ("dil_conv_3x3", 3),
                ("skip_connect", 3),
            ),
            (("skip_connect", 0), ("sep_conv_3x3", 0), ("skip_connect", 2), ("skip_connect", 3)),
        ),
    ),
}


@dataclass(frozen=True)
class PublishedRecurrent:
    """A recurrent cell from a publication.

    Attributes:
        label: What people read.
        source: Where it was published.
        recurrent: Per node, (activation, source) pairs; source 0 is s_0.
    """

    label: str
    source: str
    recurrent: Nodes

    def genotype(self, space: SearchSpace) -> Genotype:
        """The cell as a genotype of a recurrent search space."""
        return Genotype(
            space.with_nodes(len(self.recurrent)),
            {"recurrent": _cell(self.recurrent)},
            lineage={"source": self.source},
        )


_DARTS = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"

PUBLISHED_RECURRENT: dict[str, PublishedRecurrent] = {
    "darts_v1": PublishedRecurrent(
        label="DARTS, first order",
        source=f"{_DARTS}, recurrent cell found on PTB, first order",
        recurrent=(
            (("relu", 0),),
            (("relu", 1),),
            (("tanh", 2),),
            (("relu", 3),),
            (("relu", 4),),
            (("identity", 1),),
            (("relu", 5),),
            (("relu", 1),),
        ),
    ),
    "darts_v2": PublishedRecurrent(
        label="DARTS, second order",
        source=f"{_DARTS}, recurrent cell found on PTB, second order",
        recurrent=(
            (("sigmoid", 0),),
            (("relu", 1),),
            (("relu", 1),),
            (("identity", 1),),
            (("tanh", 2),),
            (("sigmoid", 5),),
            (("tanh", 3),),
            (("relu", 5),),
        ),
    ),
}
