"""The modules that cells are made of.

This file imports nothing but torch: its source goes, word for word, into the
plain module that a person can download.
"""

from dataclasses import dataclass

from torch import Tensor, cat, nn
from torch.nn import functional


@dataclass(frozen=True)
class NormStyle:
    """How batch normalisations behave.

    Attributes:
        affine: Whether they learn a scale and a shift.
        running: Whether they keep running statistics for evaluation. Without,
            they use the statistics of the batch, always.
        pools: Whether one follows each pooling too.
    """

    affine: bool
    running: bool
    pools: bool = True


SEARCH = NormStyle(affine=False, running=False)
EVALUATION = NormStyle(affine=True, running=True)


def norm(channels: int, style: NormStyle) -> nn.BatchNorm2d:
    """A batch normalisation in the given style."""
    return nn.BatchNorm2d(channels, affine=style.affine, track_running_stats=style.running)


class ReLUConvNorm(nn.Sequential):
    """ReLU, a full convolution and normalisation."""

    def __init__(
        self, inputs: int, outputs: int, style: NormStyle, kernel: int = 1, stride: int = 1
    ) -> None:
        convolution = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        super().__init__(nn.ReLU(), convolution, norm(outputs, style))


class ResidualBlock(nn.Module):
    """Half the resolution: two 3x3 convolutions beside a mean over 2x2 pixels (NAS-Bench-201).

    At an odd size the mean at the border is that of the pixels that are there,
    so that both ways give ceil(size / 2).
    """

    def __init__(self, inputs: int, outputs: int, style: NormStyle) -> None:
        super().__init__()
        self.first = ReLUConvNorm(inputs, outputs, style, 3, 2)
        self.second = ReLUConvNorm(outputs, outputs, style, 3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.stride = 2

    def forward(self, images: Tensor) -> Tensor:
        """From [B, inputs, H, W] to [B, outputs, ceil(H / 2), ceil(W / 2)]."""
        if self.stride == 1:
            images_and_border = functional.pad(images, (0, 1, 0, 1), mode="replicate")
            means = functional.avg_pool2d(images_and_border, 2, stride=1)
        else:
            means = functional.avg_pool2d(images, 2, ceil_mode=True)
        return self.second(self.first(images)) + self.shortcut(means)


class FactorizedReduce(nn.Module):
    """Half the resolution without losing pixels: two 1x1 convolutions of stride 2.

    The second sees the image shifted by one pixel; at an odd size a row or
    column of zeros follows, so that both give ceil(size / 2).
    """

    def __init__(self, inputs: int, outputs: int, style: NormStyle) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.norm = norm(outputs, style)
        self.shift = 1

    def forward(self, images: Tensor) -> Tensor:
        """From [B, inputs, H, W] to [B, outputs, ceil(H / 2), ceil(W / 2)]."""
        active = functional.relu(images)
        down, right = (min(self.shift, side) for side in images.shape[2:])
        shifted = functional.pad(active, (-right, right, -down, down))
        return self.norm(cat([self.even(active), self.odd(shifted)], dim=1))


class SeparableConvolution(nn.Sequential):
    """Depthwise and pointwise convolution, applied twice; the first is strided."""

    def __init__(self, channels: int, kernel: int, stride: int, style: NormStyle) -> None:
        super().__init__(
            *_separable(channels, kernel, stride, 1, style),
            *_separable(channels, kernel, 1, 1, style),
        )


class DilatedConvolution(nn.Sequential):
    """Depthwise convolution with gaps of one pixel, then a pointwise one."""

    def __init__(self, channels: int, kernel: int, stride: int, style: NormStyle) -> None:
        super().__init__(*_separable(channels, kernel, stride, 2, style))


def _separable(
    channels: int, kernel: int, stride: int, dilation: int, style: NormStyle
) -> list[nn.Module]:
    depthwise = nn.Conv2d(
        channels,
        channels,
        kernel,
        stride=stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=channels,
        bias=False,
    )
    pointwise = nn.Conv2d(channels, channels, 1, bias=False)
    return [nn.ReLU(), depthwise, pointwise, norm(channels, style)]


class MaxPool(nn.Sequential):
    """3x3 maximum, then a normalisation that never learns a scale, unless the style has none."""

    def __init__(self, channels: int, stride: int, style: NormStyle) -> None:
        super().__init__(nn.MaxPool2d(3, stride, padding=1), *_after_pool(channels, style))


class AveragePool(nn.Sequential):
    """3x3 mean over the pixels that are there, normalised as a maximum is."""

    def __init__(self, channels: int, stride: int, style: NormStyle) -> None:
        pool = nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        super().__init__(pool, *_after_pool(channels, style))


def _after_pool(channels: int, style: NormStyle) -> list[nn.Module]:
    plain = NormStyle(affine=False, running=style.running)
    return [norm(channels, plain)] if style.pools else []


def skip_connection(channels: int, stride: int, style: NormStyle) -> nn.Module:
    """The input itself; at stride 2 a :class:`FactorizedReduce`."""
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, style)


class Zero(nn.Module):
    """Nothing: zeros in the shape that any other operation would give."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """From [B, C, H, W] to zeros [B, C, ceil(H / stride), ceil(W / stride)]."""
        return zeros_like_strided(images, self.stride)


def zeros_like_strided(images: Tensor, stride: int) -> Tensor:
    """Zeros in the shape of [B, C, H, W] images after an operation of that stride."""
    batch, channels, height, width = images.shape
    return images.new_zeros(batch, channels, -(-height // stride), -(-width // stride))
