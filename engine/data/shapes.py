"""From a configuration and what is known of its data to the size of the network."""

from engine.data.summaries import DataSummary
from engine.domain.config import TrainingConfig
from engine.domain.cost import NetworkShape
from engine.domain.language_cost import LanguageShape
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
        keep_dead=keeps_dead(config),
    )


def language_shape(config: RunConfig, vocabulary: int) -> LanguageShape:
    """The language model that a search or a training on a text of so many tokens has."""
    return LanguageShape(
        vocabulary, config.embedding_size, config.hidden_size, keep_dead=keeps_dead(config)
    )


def keeps_dead(config: RunConfig) -> bool:
    """Whether a run's derived network has its dead parts: only in trainings of long ago."""
    return isinstance(config, TrainingConfig) and not config.leave_out_dead
