"""Depthwise convolutions whose backward pass is quick on a CPU.

torch's backward pass of a depthwise 5x5 or dilated convolution takes up to
twenty times as long as its forward pass on a CPU. Both gradients can be
written as convolutions that are quick:

* the gradient of the input is a forward convolution with the flipped kernel;
* the gradient of the weights at dilation 2 is that of an ordinary convolution
  over the four interleaved images of every second row and column;
* the gradient of a 5x5 kernel is found in two blocks of columns, 5x3 and 5x2,
  for which the quick path of the library exists.

The values are the same to rounding; decision 0030 has the times. Networks that
people export keep torch's layers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NARROW = 3
"""Widest kernel for which the library's backward pass is quick."""
SMALLEST_SIDE = 8
"""On smaller images the library's own backward pass is the quicker one."""


class Depthwise(nn.Conv2d):
    """A depthwise convolution at stride 1 that keeps the size of its images.

    In evaluation mode it is torch's own layer, which every export understands.
    """

    def forward(self, images: Tensor) -> Tensor:
        """From [B, C, H, W] to the same shape."""
        is_small = min(images.shape[2:]) < SMALLEST_SIDE
        if images.device.type != "cpu" or is_small or not self.training:
            return super().forward(images)
        output: Tensor = _Convolution.apply(images, self.weight, self.dilation[0])
        return output


def with_quick_backward(module: nn.Module) -> nn.Module:
    """Put :class:`Depthwise` in the place of torch's layers where it gains.

    Parameters and their names stay.

    Args:
        module: Changed in place.

    Returns:
        The same module.
    """
    for name, part in list(module.named_children()):
        if isinstance(part, nn.Conv2d) and gains(part):
            setattr(module, name, as_depthwise(part))
        else:
            with_quick_backward(part)
    return module


def as_depthwise(layer: nn.Conv2d) -> Depthwise:
    """Return the same layer, with the same parameters, as a :class:`Depthwise`."""
    size, dilation = layer.kernel_size[0], layer.dilation[0]
    quick = Depthwise(
        layer.in_channels,
        layer.out_channels,
        size,
        padding=dilation * (size // 2),
        dilation=dilation,
        groups=layer.groups,
        bias=False,
    )
    quick.weight = layer.weight
    return quick


def gains(layer: nn.Module) -> bool:
    """Whether a layer is a depthwise convolution whose backward pass can be made quicker."""
    if not isinstance(layer, nn.Conv2d) or layer.bias is not None:
        return False
    size, dilation = layer.kernel_size[0], layer.dilation[0]
    keeps = layer.padding == (dilation * (size // 2),) * 2 and layer.kernel_size == (size, size)
    is_plain = layer.stride == (1, 1) and layer.dilation == (dilation, dilation) and keeps
    is_depthwise = layer.groups == layer.in_channels == layer.out_channels > 1
    return is_depthwise and is_plain and dilation in (1, 2) and (size == 5 or dilation == 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.dilation = dilation
        return _convolved(images, weight, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        (delta,) = gradients
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            of_images = _convolved(delta, weight.flip(2, 3), ctx.dilation)
        if ctx.needs_input_grad[1]:
            if ctx.dilation == 2:
                images, delta = _interleaved(images), _interleaved(delta)
            of_weight = _weight_gradient(images, delta, weight)
        return of_images, of_weight, None


def _convolved(images: Tensor, weight: Tensor, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(images, weight, padding=padding, dilation=dilation, groups=len(weight))


def _interleaved(images: Tensor) -> Tensor:
    """The four images of every second row and column, side by side along the batch."""
    batch, channels, height, width = images.shape
    if height % 2 or width % 2:
        images = functional.pad(images, (0, width % 2, 0, height % 2))
        height, width = height + height % 2, width + width % 2
    parts = images.view(batch, channels, height // 2, 2, width // 2, 2)
    return parts.permute(3, 5, 0, 1, 2, 4).reshape(4 * batch, channels, height // 2, width // 2)


def _weight_gradient(images: Tensor, delta: Tensor, weight: Tensor) -> Tensor:
    """sum over images and pixels of x shifted by each place of the kernel, times delta."""
    size, width = weight.shape[-1], images.shape[-1]
    border = size // 2
    if size <= NARROW:
        return _block_gradient(images, delta, weight, border)
    padded = functional.pad(images, (border,) * 4)
    blocks = []
    for first, last in ((0, NARROW), (NARROW, size)):
        read = padded[..., first : last + width - 1].contiguous()
        blocks.append(_block_gradient(read, delta, weight[..., first:last], 0))
    return torch.cat(blocks, dim=-1)


def _block_gradient(images: Tensor, delta: Tensor, weight: Tensor, padding: int) -> Tensor:
    """The library's gradient of a depthwise kernel."""
    _, gradient, _ = torch.ops.aten.convolution_backward(
        delta.contiguous(),
        images,
        weight.contiguous(),
        None,
        [1, 1],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        len(weight),
        [False, True, False],
    )
    return gradient
