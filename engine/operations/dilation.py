"""Operations without their stride: the resolution is kept by dilation (DeepLab).

The weights and their names stay, so that those of a network with strides fit.
The source of this file goes, word for word, into the plain module that a
person can download.
"""

from torch import nn

from engine.operations.blocks import FactorizedReduce, ResidualBlock


def dilate(operation: nn.Module, spacing: int) -> int:
    """Take the strides out of an operation and let its windows skip pixels instead.

    Where the strided operation would have given a pixel, the dilated one gives
    the same value (Chen et al. 2017, Rethinking Atrous Convolution). Average
    pooling has no dilation: it loses its stride and keeps its window.

    Args:
        operation: Its layers follow each other; it is changed in place.
        spacing: Pixels of its input between two that a network with strides
            would have.

    Returns:
        The same of its output.
    """
    if isinstance(operation, FactorizedReduce):
        operation.shift = spacing
        operation.even.stride = operation.odd.stride = (1, 1)
        return 2 * spacing
    if isinstance(operation, ResidualBlock):
        operation.stride = 1
        return dilate(operation.second, dilate(operation.first, spacing))
    if isinstance(operation, nn.Conv2d | nn.AvgPool2d):
        return _dilate_layer(operation, spacing)
    for name, part in list(operation.named_children()):
        if isinstance(part, nn.MaxPool2d):
            setattr(operation, name, dilated_maximum(spacing))
            spacing *= _side(part.stride)
        else:
            spacing = dilate(part, spacing)
    return spacing


def dilated_maximum(spacing: int) -> nn.Sequential:
    """3x3 maximum over pixels that far apart; torch itself pads by one pixel at most."""
    border = nn.ConstantPad2d(spacing, float("-inf"))
    return nn.Sequential(border, nn.MaxPool2d(3, stride=1, dilation=spacing))


def _dilate_layer(layer: nn.Conv2d | nn.AvgPool2d, spacing: int) -> int:
    stride = _side(layer.stride)
    layer.stride = (1, 1)
    if isinstance(layer, nn.Conv2d):
        layer.padding = (spacing * _side(layer.padding),) * 2
        layer.dilation = (spacing * _side(layer.dilation),) * 2
    return stride * spacing


def _side(value: int | str | tuple[int, ...]) -> int:
    """One number of a layer that treats both sides alike."""
    return int(value[0] if isinstance(value, tuple) else value)
