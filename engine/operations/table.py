"""The literal table of operations: one entry makes one available everywhere.

The expressions after ``build=`` also go, word for word, into the module that
a person can download; they may use the names of ``blocks.py`` only.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from engine.domain.catalog import Layer, OperationCard
from engine.operations.blocks import (
    AveragePool,
    DilatedConvolution,
    MaxPool,
    NormStyle,
    ReLUConvNorm,
    SeparableConvolution,
    Zero,
    skip_connection,
)


@dataclass(frozen=True)
class Operation:
    """A candidate operation.

    Attributes:
        card: Its name, labels and convolutions.
        build: The module for ``channels`` in and out, ``stride`` 1 or 2, and a
            style of normalisation.
    """

    card: OperationCard
    build: Callable[[int, int, NormStyle], nn.Module]


def _separable(kernel: int, *, times: int) -> tuple[Layer, ...]:
    first = (Layer(kernel, depthwise=True, strided=True), Layer(1, norm=True))
    return first + (Layer(kernel, depthwise=True), Layer(1, norm=True)) * (times - 1)


def _table(*operations: Operation) -> dict[str, Operation]:
    table = {operation.card.name: operation for operation in operations}
    if len(table) != len(operations):
        raise ValueError("two operations bear the same name")
    return table


OPERATIONS: dict[str, Operation] = _table(
    Operation(
        OperationCard("none", "None", "none", "none"),
        build=lambda _, stride, __: Zero(stride),
    ),
    Operation(
        OperationCard("max_pool_3x3", "Max pooling 3x3", "max 3", "pool"),
        build=MaxPool,
    ),
    Operation(
        OperationCard("avg_pool_3x3", "Average pooling 3x3", "avg 3", "pool"),
        build=AveragePool,
    ),
    Operation(
        OperationCard(
            "skip_connect",
            "Skip connection",
            "skip",
            "skip",
            layers=(),
            strided_layers=(Layer(1, strided=True, norm=True),),
        ),
        build=skip_connection,
    ),
    Operation(
        OperationCard(
            "sep_conv_3x3",
            "Separable convolution 3x3",
            "sep 3",
            "conv",
            _separable(3, times=2),
        ),
        build=lambda channels, stride, style: SeparableConvolution(channels, 3, stride, style),
    ),
    Operation(
        OperationCard(
            "sep_conv_5x5",
            "Separable convolution 5x5",
            "sep 5",
            "conv",
            _separable(5, times=2),
        ),
        build=lambda channels, stride, style: SeparableConvolution(channels, 5, stride, style),
    ),
    Operation(
        OperationCard(
            "dil_conv_3x3",
            "Dilated convolution 3x3",
            "dil 3",
            "conv",
            _separable(3, times=1),
        ),
        build=lambda channels, stride, style: DilatedConvolution(channels, 3, stride, style),
    ),
    Operation(
        OperationCard(
            "dil_conv_5x5",
            "Dilated convolution 5x5",
            "dil 5",
            "conv",
            _separable(5, times=1),
        ),
        build=lambda channels, stride, style: DilatedConvolution(channels, 5, stride, style),
    ),
    Operation(
        OperationCard(
            "nor_conv_1x1",
            "Convolution 1x1",
            "conv 1",
            "conv",
            (Layer(1, strided=True, norm=True),),
        ),
        build=lambda channels, stride, style: ReLUConvNorm(channels, channels, style, 1, stride),
    ),
    Operation(
        OperationCard(
            "nor_conv_3x3",
            "Convolution 3x3",
            "conv 3",
            "conv",
            (Layer(3, strided=True, norm=True),),
        ),
        build=lambda channels, stride, style: ReLUConvNorm(channels, channels, style, 3, stride),
    ),
    Operation(
        OperationCard("tanh", "Hyperbolic tangent", "tanh", "activation"),
        build=lambda *_: nn.Tanh(),
    ),
    Operation(
        OperationCard("relu", "Rectified linear unit", "relu", "activation"),
        build=lambda *_: nn.ReLU(),
    ),
    Operation(
        OperationCard("sigmoid", "Logistic sigmoid", "sigmoid", "activation"),
        build=lambda *_: nn.Sigmoid(),
    ),
    Operation(
        OperationCard("identity", "Identity", "identity", "activation"),
        build=lambda *_: nn.Identity(),
    ),
)
