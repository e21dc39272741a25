"""Pooling over 3x3 windows on a CPU, one axis after the other.

torch's own loop looks at nine pixels for each output and does not use vector
instructions in the usual order of memory. A 3x3 window is a row of rows: three
shifted views of the image, added or compared in place, give the sums or maxima
of the columns, and three of those give the windows. The values are the same
(sums to rounding), also those of the gradients; see decision 0021 for the
times. Networks that are taken home keep torch's layers.
"""

from typing import Any

import torch
from torch import Tensor, nn

WINDOW = 3


class SeparableMean(nn.AvgPool2d):
    """A 3x3 mean over the pixels that are there, at stride 1."""

    def forward(self, images: Tensor) -> Tensor:
        """From [B, C, H, W] to the same shape."""
        if images.device.type != "cpu":
            return super().forward(images)
        shares = _pixels_in_window(images).reciprocal_()
        return _Mean.apply(images, shares)


class SeparableMaximum(nn.MaxPool2d):
    """A 3x3 maximum at stride 1."""

    def forward(self, images: Tensor) -> Tensor:
        """From [B, C, H, W] to the same shape."""
        if images.device.type != "cpu":
            return super().forward(images)
        return _Maximum.apply(images)


def hasten(operation: nn.Module) -> nn.Module:
    """Put the poolings of this file in the place of torch's, where they fit.

    They fit a 3x3 window at stride 1 with a border of one pixel. The names of
    all weights stay.

    Args:
        operation: Changed in place.

    Returns:
        The same operation.
    """
    for name, part in list(operation.named_children()):
        if isinstance(part, nn.AvgPool2d) and _fits(part) and not part.count_include_pad:
            setattr(operation, name, SeparableMean(WINDOW, 1, 1, count_include_pad=False))
        elif isinstance(part, nn.MaxPool2d) and _fits(part) and part.dilation == 1:
            setattr(operation, name, SeparableMaximum(WINDOW, 1, 1))
        else:
            hasten(part)
    return operation


def _fits(pool: nn.AvgPool2d | nn.MaxPool2d) -> bool:
    return (pool.kernel_size, pool.stride, pool.padding) == (WINDOW, 1, 1)


class _Mean(torch.autograd.Function):
    """y = s * box(x); the box is symmetric, so that the gradient is box(s * dy)."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(shares)
        return _window_sums(images).mul_(shares)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (shares,) = ctx.saved_tensors
        return _window_sums(gradients[0] * shares), None


class _Maximum(torch.autograd.Function):
    """The gradient of a window goes to its first pixel, in reading order, with the maximum."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        rows = _row_maxima(images, 3)
        windows = _row_maxima(rows, 2)
        ctx.save_for_backward(images, rows, windows)
        return windows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        images, rows, windows = ctx.saved_tensors
        of_rows = _to_first_maximum(gradients[0], rows, windows, 2)
        return _to_first_maximum(of_rows, images, rows, 3)


def _window_sums(images: Tensor) -> Tensor:
    return _row_sums(_row_sums(images, 2), 3)


def _row_sums(images: Tensor, axis: int) -> Tensor:
    """Each pixel and its neighbours before and after it on an axis, added."""
    sums = images.clone()
    inner = images.shape[axis] - 1
    sums.narrow(axis, 1, inner).add_(images.narrow(axis, 0, inner))
    sums.narrow(axis, 0, inner).add_(images.narrow(axis, 1, inner))
    return sums


def _row_maxima(images: Tensor, axis: int) -> Tensor:
    """The greatest of each pixel and its neighbours before and after it on an axis."""
    maxima = images.clone()
    inner = images.shape[axis] - 1
    for target, neighbour in ((1, 0), (0, 1)):
        part = maxima.narrow(axis, target, inner)
        torch.maximum(part, images.narrow(axis, neighbour, inner), out=part)
    return maxima


def _to_first_maximum(gradients: Tensor, images: Tensor, maxima: Tensor, axis: int) -> Tensor:
    """Send the gradient of each row of three to the first of its pixels with the maximum."""
    inner = images.shape[axis] - 1
    before = gradients.narrow(axis, 1, inner) * (
        maxima.narrow(axis, 1, inner) == images.narrow(axis, 0, inner)
    )
    rest = gradients.clone()
    rest.narrow(axis, 1, inner).sub_(before)
    given = rest * (maxima == images)
    rest.sub_(given)
    given.narrow(axis, 0, inner).add_(before)
    given.narrow(axis, 1, inner).add_(rest.narrow(axis, 0, inner))
    return given


def _pixels_in_window(images: Tensor) -> Tensor:
    """How many pixels of each 3x3 window lie inside the image, [H, W]."""
    return _window_sums(images.new_ones(1, 1, *images.shape[2:]))[0, 0]
