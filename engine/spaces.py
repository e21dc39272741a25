"""The literal table of search spaces."""

from engine.domain.space import SearchSpace

SPACES: dict[str, SearchSpace] = {
    "darts": SearchSpace(
        name="darts",
        label="Convolutional cell (DARTS)",
        cell_kinds=("normal", "reduction"),
        inputs=2,
        nodes=4,
        operations=(
            "none",
            "max_pool_3x3",
            "avg_pool_3x3",
            "skip_connect",
            "sep_conv_3x3",
            "sep_conv_5x5",
            "dil_conv_3x3",
            "dil_conv_5x5",
        ),
    ),
    "rnn": SearchSpace(
        name="rnn",
        label="Recurrent cell (DARTS)",
        cell_kinds=("recurrent",),
        inputs=1,
        nodes=8,
        operations=("none", "tanh", "relu", "sigmoid", "identity"),
        output="mean",
        skeleton="recurrent",
    ),
    "nb201": SearchSpace(
        name="nb201",
        label="Convolutional cell (NAS-Bench-201)",
        cell_kinds=("cell",),
        inputs=1,
        nodes=3,
        operations=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
        output="last",
        skeleton="stages",
    ),
}
