import math

import pytest
import torch

from engine.domain.distribution import entropy
from engine.domain.snapshot import operations_in
from engine.domain.space import SearchSpace
from engine.search.evaluation import tensors_of
from engine.search.observe import observe_codes, observe_rows

SPACE = SearchSpace("tiny", "Tiny", ("normal",), 2, 2, ("none", "skip_connect", "conv"))


def test_codes_become_masks_and_masks_become_the_same_codes():
    code = torch.randint(0, 2, (5, 3), generator=torch.Generator().manual_seed(1)).float()
    masks = observe_codes({"normal": code})
    assert [operations_in(mask) for mask in masks["normal"]] == [
        tuple(row.nonzero().flatten().tolist()) for row in code
    ]
    assert torch.equal(tensors_of(masks, 3, torch.device("cpu"))["normal"], code)


def test_rows_are_exactly_the_float32_numbers_of_the_tensor():
    tensor = torch.rand(5, 3, generator=torch.Generator().manual_seed(2))
    rows = observe_rows({"normal": tensor})["normal"]
    assert torch.equal(torch.tensor(rows), tensor)


@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_entropy_is_one_for_uniform_rows_and_zero_for_decided_ones(scope):
    uniform = tuple((1.0 / (len(edges) * 3),) * 3 for edges in SPACE.rows(scope) for _ in edges)
    decided = tuple(
        (1.0, 0.0, 0.0) if edge == edges[0] else (0.0, 0.0, 0.0)
        for edges in SPACE.rows(scope)
        for edge in edges
    )
    assert entropy(SPACE, {"normal": uniform}, scope) == pytest.approx(1.0)
    assert entropy(SPACE, {"normal": decided}, scope) == 0.0


def test_entropy_of_one_row_equals_torch_s_categorical():
    row = (0.5, 0.3, 0.2)
    space = SearchSpace("one", "One", ("normal",), 1, 1, ("a", "b", "c"))
    expected = torch.distributions.Categorical(torch.tensor(row)).entropy() / math.log(3)
    assert entropy(space, {"normal": (row,)}, "edge") == pytest.approx(expected.item(), rel=1e-6)
