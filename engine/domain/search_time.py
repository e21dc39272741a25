"""How many steps a run has and how long it takes, from its settings and facts of its data."""

from dataclasses import dataclass
from math import ceil

from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig
from engine.domain.cost import NetworkShape
from engine.domain.facts import DataFacts
from engine.domain.language_cost import LanguageShape
from engine.domain.workload import (
    EVALUATION_BATCH,
    EVALUATIONS,
    SearchWork,
    Speed,
    image_work,
    text_work,
)


@dataclass(frozen=True)
class Duration:
    """How long a run takes.

    Attributes:
        epochs: Passes over the training data.
        steps_per_epoch: Weight updates in each of them.
        step_seconds: A step on average.
        evaluation_seconds: The evaluations after an epoch.
    """

    epochs: int
    steps_per_epoch: int
    step_seconds: float
    evaluation_seconds: float

    @property
    def steps(self) -> int:
        """Weight updates in all."""
        return self.epochs * self.steps_per_epoch

    @property
    def epoch_seconds(self) -> float:
        """An epoch with its evaluations."""
        return self.steps_per_epoch * self.step_seconds + self.evaluation_seconds

    @property
    def seconds(self) -> float:
        """The whole run, without its start."""
        return self.epochs * self.epoch_seconds


def search_work(config: SearchConfig, facts: DataFacts, catalog: Catalog) -> SearchWork:
    """Return the work of a search.

    Args:
        config: Its settings.
        facts: Its data as they are read.
        catalog: Search spaces and cards of operations.

    Raises:
        InvalidConfig: The space is unknown, or cells and strides do not fit.
    """
    space = catalog.space(config.space).with_nodes(config.nodes)
    if facts.is_text:
        shape = LanguageShape(facts.classes, config.embedding_size, config.hidden_size)
        return text_work(config, space, shape)
    return image_work(config, space, catalog, shape_of(config, facts))


def shape_of(config: SearchConfig, facts: DataFacts) -> NetworkShape:
    """Return the network of a search on images or scenes."""
    return NetworkShape(
        channels=config.channels,
        cells=config.cells,
        in_channels=facts.channels,
        classes=facts.classes,
        height=facts.height,
        width=facts.width,
        stem_stride=config.stem_stride,
        head="pixels" if facts.is_scenes else "classes",
        aspp_channels=config.aspp_channels,
        output_stride=config.output_stride,
    )


def duration(config: SearchConfig, facts: DataFacts, catalog: Catalog, speed: Speed) -> Duration:
    """Predict how long a search takes.

    Raises:
        InvalidConfig: The space is unknown, or cells and strides do not fit.
    """
    work = search_work(config, facts, catalog)
    passes = 1 if config.method == "random" else EVALUATIONS
    batches = passes * validation_batches(config, facts)
    return Duration(
        epochs=config.epochs,
        steps_per_epoch=steps_per_epoch(config, facts),
        step_seconds=speed.seconds(work.step),
        evaluation_seconds=batches * speed.seconds(work.evaluation),
    )


def training_items(config: SearchConfig, facts: DataFacts) -> int:
    """Return the images, scenes or tokens that are left to train on."""
    left = facts.train
    if not facts.is_text:
        left -= 0 if facts.test else round(config.test_fraction * facts.train)
        left -= 0 if facts.validation else round(config.validation_fraction * facts.train)
    return min(left, config.train_limit) if config.train_limit else left


def items_per_epoch(config: SearchConfig, facts: DataFacts) -> int:
    """Return the items that move the weights; in an alternating search half of them."""
    items = training_items(config, facts)
    return items // 2 if config.update == "alternating" else items


def validation_batches(config: SearchConfig, facts: DataFacts) -> int:
    """Return the batches of one pass over the validation data."""
    if facts.is_text:
        return ceil(facts.validation / (config.batch_size * config.bptt))
    items = facts.validation or round(config.validation_fraction * facts.train)
    return ceil(items / EVALUATION_BATCH[facts.task])


def steps_per_epoch(config: SearchConfig, facts: DataFacts) -> int:
    """Return the weight updates of one pass over the training data."""
    items = items_per_epoch(config, facts)
    if not facts.is_text:
        return items // config.batch_size
    positions = items // config.batch_size - 1
    if positions >= 2 * config.bptt:
        positions -= config.bptt - 1
    return max(0, positions // config.bptt)


def items_for(config: SearchConfig, facts: DataFacts, steps: int) -> int:
    """Return the fewest training items with which an epoch has so many steps."""
    halves = 2 if config.update == "alternating" else 1
    if not facts.is_text:
        return halves * steps * config.batch_size
    return halves * config.batch_size * ((steps + 1) * config.bptt)
