"""The one place where tensors become values."""

from collections.abc import Mapping

from torch import Tensor

from engine.domain.snapshot import Masks, Rows, mask_of
from engine.model.network import by_cell


def observe_rows(tensors: Mapping[str, Tensor]) -> dict[str, Rows]:
    """Per cell kind, E rows of K numbers."""
    return {
        kind: tuple(tuple(row) for row in tensor.detach().tolist())
        for kind, tensor in tensors.items()
    }


def observe_codes(codes: Mapping[str, Tensor]) -> dict[str, Masks]:
    """Per cell kind, one bit mask an edge; where cells have codes of their own, of the first."""
    firsts = by_cell(codes, tuple(codes))
    return {
        kind: tuple(mask_of(row) for row in code.detach().tolist())
        for kind, code in zip(codes, firsts, strict=True)
    }
