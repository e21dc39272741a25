"""From a configuration and what is known of its data to the size of the network."""

from engine.data.summaries import DataSummary
from engine.domain.cost import NetworkShape
from engine.domain.run_config import RunConfig


def network_shape(config: RunConfig, data: DataSummary) -> NetworkShape:
    """The network of cells that a search or a training on images or scenes has."""
    return NetworkShape(
        channels=config.channels,
        cells=config.cells,
        in_channels=data.in_channels,
        classes=data.classes,
        height=data.height,
        width=data.width,
        stem_stride=config.stem_stride,
        head="pixels" if data.kind == "scenes" else "classes",
        aspp_channels=config.aspp_channels,
        output_stride=config.output_stride,
    )
