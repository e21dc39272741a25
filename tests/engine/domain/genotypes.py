"""Architectures that several tests use."""

from engine.domain.genotype import Gene, Genotype
from engine.spaces import SPACES


def older_input_only() -> Genotype:
    """A DARTS cell in which every operation reads c_{k-2}, so that every other cell is dead."""
    node = frozenset({Gene(0, "sep_conv_3x3"), Gene(0, "skip_connect")})
    return Genotype(SPACES["darts"], dict.fromkeys(("normal", "reduction"), (node,) * 4))
