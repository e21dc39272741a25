"""What answers from the features of the last cell: a class an image, or a class a pixel.

The source of this file goes into the module that a person can download.
"""

from collections.abc import Sequence

from torch import Tensor, cat, nn
from torch.nn import functional

from engine.operations.blocks import NormStyle, norm


class PixelClassifier(nn.Module):
    """The head of DeepLab v3: atrous spatial pyramid pooling (ASPP).

    Five looks at the features, A channels each: a 1x1 convolution, 3x3
    convolutions with the dilations ``rates``, and the mean of the image. They
    are projected to A channels, classified, and enlarged to the image by
    bilinear interpolation. The mean has a bias instead of a normalisation,
    since it is one value an image: batch statistics of a few such values say
    nothing, and those of one do not exist.

    Args:
        features: Channels F of the features.
        classes: Number of classes K.
        channels: Channels A of the head.
        rates: Dilations of the 3x3 convolutions.
        style: Style of normalisation.
        dropout: Share of the projected features that is left out in training.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        channels: int,
        rates: Sequence[int],
        style: NormStyle,
        dropout: float,
    ) -> None:
        super().__init__()
        self.looks = nn.ModuleList(
            conv_norm_relu(features, channels, style, rate) for rate in (0, *rates)
        )
        self.mean = nn.Sequential(nn.Conv2d(features, channels, 1), nn.ReLU())
        self.projection = conv_norm_relu((2 + len(rates)) * channels, channels, style)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Scores [B, K, *size] of features [B, F, h, w]."""
        mean = self.mean(features.mean(dim=(2, 3), keepdim=True))
        looks = [look(features) for look in self.looks]
        looks.append(mean.expand_as(looks[0]))
        scores = self.classifier(self.dropout(self.projection(cat(looks, dim=1))))
        return functional.interpolate(
            scores, size=tuple(size), mode="bilinear", align_corners=False
        )


def conv_norm_relu(inputs: int, outputs: int, style: NormStyle, rate: int = 0) -> nn.Sequential:
    """A 3x3 convolution of that dilation, 1x1 at rate 0; normalisation and ReLU."""
    if rate:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate, bias=False)
    else:
        convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Sequential(convolution, norm(outputs, style), nn.ReLU())


def head_for(
    features: int,
    classes: int,
    *,
    head: str,
    channels: int,
    rates: Sequence[int],
    style: NormStyle,
    dropout: float = 0.0,
) -> nn.Module:
    """A linear layer for ``classes``, a :class:`PixelClassifier` for ``pixels``."""
    if head == "classes":
        return nn.Linear(features, classes)
    return PixelClassifier(
        features, classes, channels=channels, rates=rates, style=style, dropout=dropout
    )


def classify(classifier: nn.Module, features: Tensor, size: Sequence[int]) -> Tensor:
    """Scores [B, K] by a linear layer on the mean, or [B, K, *size] by a head for pixels."""
    if isinstance(classifier, nn.Linear):
        return classifier(features.mean(dim=(2, 3)))
    return classifier(features, size)
