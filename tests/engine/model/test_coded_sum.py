import pytest
import torch

from engine.model.coded_sum import Undrawn, coded_sum


def tensor(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def never() -> torch.Tensor:
    raise AssertionError("something was drawn")


def test_value_and_all_gradients_are_those_of_the_sum_with_all_products_written_out():
    x, weight = tensor(4, 2, 3, 3).requires_grad_(), tensor(1).requires_grad_()
    operations = [torch.sin, lambda v: weight * v, torch.exp, torch.cos]
    code = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    pull = tensor(4, 2, 3, 3)

    flat = code.flatten()
    expected = sum(b * operation(x) for b, operation in zip(flat, operations, strict=True))
    wanted = torch.autograd.grad((expected * pull).sum(), [code, x, weight])

    undrawn = [
        Undrawn((1, k), operation, x.detach(), 1.0) for k, operation in enumerate(operations[2:])
    ]
    drawn = [operation(x) for operation in operations[:2]]
    value = coded_sum(code, [(0, 0), (0, 1)], drawn, undrawn, never)
    found = torch.autograd.grad((value * pull).sum(), [code, x, weight])

    torch.testing.assert_close(value, expected)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_part_of_the_batch_stands_for_the_whole_through_its_weight():
    x, pull = tensor(4, 2, 3, 3), tensor(4, 2, 3, 3)
    code = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    undrawn = [Undrawn((0, 0), torch.sin, x[:1], 4.0)]
    (coded_sum(code, [], [], undrawn, lambda: torch.zeros_like(x)) * pull).sum().backward()
    assert code.grad.item() == pytest.approx(4 * (pull[0] * x[0].sin()).sum().item())


def test_a_sum_of_nothing_is_zero_and_still_tells_the_code_its_gradient():
    x, pull = tensor(4, 2, 3, 3), tensor(4, 2, 3, 3)
    code = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    undrawn = [Undrawn((0, 1), torch.cos, x, 1.0)]
    value = coded_sum(code, [], [], undrawn, lambda: torch.zeros_like(x))
    assert torch.equal(value, torch.zeros_like(x))
    (value * pull).sum().backward()
    assert code.grad[0].tolist() == [0.0, pytest.approx((pull * x.cos()).sum().item())]


def test_one_drawn_identity_leaves_its_source_as_it_is():
    x = tensor(4, 2, 3, 3).requires_grad_()
    code = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    value = coded_sum(code, [(0, 0)], [x], [], never)
    (2 * value).sum().backward()
    assert torch.equal(value, x)
    assert torch.equal(x.grad, torch.full_like(x, 2.0))
    assert code.grad.item() == pytest.approx(2 * x.sum().item())


def test_a_code_without_a_gradient_runs_nothing_else():
    x = tensor(4, 2, 3, 3).requires_grad_()
    undrawn = [Undrawn((0, 1), lambda _: never(), x.detach(), 1.0)]
    coded_sum(torch.tensor([[1.0, 0.0]]), [(0, 0)], [x], undrawn, never).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
