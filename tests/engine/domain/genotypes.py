"""Random architectures of every search space, sparse and dense, with empty nodes."""

from random import Random

from engine.domain.genotype import Gene, Genotype
from engine.domain.space import SearchSpace
from engine.spaces import SPACES

CELLS = (1, 2, 3, 8, 20)
"""Numbers of cells at which a row of cells has different kinds at its ends."""


def random_genotype(stream: Random, space: SearchSpace | None = None) -> Genotype:
    """A genotype whose nodes keep nothing, little or much, each kind with a taste of its own."""
    if space is None:
        space = SPACES[stream.choice(("darts", "darts", "nb201", "rnn"))]
        space = space.with_nodes(stream.randint(1, 4))
    cells = {}
    for kind in space.cell_kinds:
        share = stream.choice((0.02, 0.1, 0.3))
        bias = stream.choice((1.0, 0.0, 0.3))
        """How much less of it goes to the newest input."""
        cells[kind] = tuple(
            frozenset(
                Gene(source, operation)
                for source in range(space.inputs + node)
                for operation in space.operations
                if stream.random() < share * (bias if source == space.inputs - 1 else 1.0)
            )
            for node in range(space.nodes)
        )
    return Genotype(space, cells)


def random_cells(stream: Random, space: SearchSpace) -> int:
    """A number of cells that fits the skeleton of a space."""
    return stream.choice((3, 6, 15)) if space.skeleton == "stages" else stream.choice(CELLS)


def older_input_only() -> Genotype:
    """A DARTS cell in which every operation reads c_{k-2}, so that every other cell is dead."""
    node = frozenset({Gene(0, "sep_conv_3x3"), Gene(0, "skip_connect")})
    return Genotype(SPACES["darts"], dict.fromkeys(("normal", "reduction"), (node,) * 4))
