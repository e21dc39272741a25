from collections.abc import Callable

import pytest
import torch

from engine.domain.genotype import Genotype, from_masks
from engine.domain.pruning import liveness_of
from engine.domain.snapshot import mask_of
from engine.domain.space import SearchSpace
from engine.model.supernet import Supernet
from engine.spaces import SPACES


@pytest.fixture
def space() -> SearchSpace:
    return SPACES["darts"].with_nodes(2)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 1, 7, 6, dtype=torch.float64)


@pytest.fixture
def build(space) -> Callable[..., Supernet]:
    def make(seed: int = 0, *, of: SearchSpace = space, **changes) -> Supernet:
        arguments = {"in_channels": 1, "classes": 3, "channels": 2, "cells": 3, "stem_stride": 1}
        generator = torch.Generator().manual_seed(seed)
        return Supernet(of, **arguments | changes, generator=generator).double()

    return make


@pytest.fixture
def draw() -> Callable[..., dict[str, torch.Tensor]]:
    """Codes at random, each operation on with the given probability."""

    def make(space: SearchSpace, share: float = 0.3, seed: int = 0) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        shape = (len(space.edges), len(space.operations))
        return {
            kind: (torch.rand(shape, generator=generator) < share).double().requires_grad_()
            for kind in space.cell_kinds
        }

    return make


def genotype_of(space: SearchSpace, codes) -> Genotype:
    return from_masks(
        space, {kind: tuple(map(mask_of, code.tolist())) for kind, code in codes.items()}
    )


@pytest.fixture
def draw_connected(draw) -> Callable[..., dict[str, torch.Tensor]]:
    """The first codes at random in whose network a path leads from the image to the scores."""

    def make(space: SearchSpace, share: float, cells: int) -> dict[str, torch.Tensor]:
        codes = (draw(space, share, seed) for seed in range(1000))
        return next(
            one for one in codes if liveness_of(genotype_of(space, one), cells).is_connected
        )

    return make
