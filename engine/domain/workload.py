"""How long a step of a search takes: what it computes, times the speed of a device.

A step is described by three counts (:class:`Workload`), and a device by the
seconds that one unit of each takes (:class:`Speed`). Multiply-adds alone do not
predict the time of small networks: on a CPU most of a step goes into starting
operations and into moving numbers.

The counts are expectations over codes drawn from uniform probabilities, as at
the start of a search: of a row of R items, M draws run each item with
probability 1 - (1 - 1/R)^M (method, property 3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod

from engine.domain.catalog import Catalog, Layer, OperationCard
from engine.domain.config import SearchConfig
from engine.domain.cost import NetworkShape, places_of
from engine.domain.language_cost import LanguageShape
from engine.domain.run_config import IMAGES
from engine.domain.skeleton import ASPP_RATES, CellPlace, Grid, gathered_nodes, stem_plan
from engine.domain.space import NONE, SearchSpace

BACKWARD = 2
"""Backward passes cost this many forward passes: one product for the inputs' gradients and one
for the weights' gradients."""

DEPTHWISE = 20
"""Multiply-adds of a full convolution that take as long as one of a depthwise convolution, which
reads a number for each of them (measured; see docs/proposals.md)."""

POOL_CALLS = 6
POOL_VALUES = 6
"""Pooling works on shifted views, one axis after the other (decision 21)."""

REDUCE_CALLS = 6
"""Kernels of a skip connection with stride 2: two halves, joined and normalised."""

STEP_CALLS = 1500
"""Kernels of a step outside the network: drawing codes, clipping, two optimisers (measured)."""

PASSES_OF_HARMONY = 2
"""Forward and backward passes that the penalty on disagreeing cells adds to a step."""

CODE_CALLS = 400
"""Kernels that take as long as drawing one more sound code, with its gradient (measured)."""

EVALUATION_CALLS = 300
"""Kernels of a validation batch outside the network (measured)."""

VALUE_ONLY_CALLS = 16
"""Kernels that an operation takes beside its own to be run value only, in the backward pass."""

TOKEN_CALLS = 10
SOURCE_CALLS = 5
ACTIVATION_CALLS = 2
"""Kernels per token of a recurrent cell, per source that a node reads, and per activation."""

EVALUATION_BATCH = {"image_classification": 250, "semantic_segmentation": 32}
"""Images in a validation batch, at most; a text is evaluated in windows like those of training."""

MOST_UNEVEN = 10.0
"""How far the two factors of a measured speed may lie from their mean: more is noise."""

EVALUATIONS = 2
"""Passes over the validation data after an epoch: supernet and child."""


@dataclass(frozen=True)
class Workload:
    """What a device has to do.

    Attributes:
        calls: Kernels that are started.
        multiply_adds: Multiply-adds of full convolutions and linear maps; those
            of depthwise convolutions count :data:`DEPTHWISE` times.
        values: Numbers that kernels write.
    """

    calls: float = 0.0
    multiply_adds: float = 0.0
    values: float = 0.0

    def __add__(self, other: "Workload") -> "Workload":
        return Workload(
            self.calls + other.calls,
            self.multiply_adds + other.multiply_adds,
            self.values + other.values,
        )

    def times(self, factor: float) -> "Workload":
        """The same work done ``factor`` times."""
        return self.batched(factor, calls=factor)

    def batched(self, items: float, *, calls: float = 1.0) -> "Workload":
        """The work for several items at once, in ``calls`` times as many kernels."""
        return Workload(calls * self.calls, items * self.multiply_adds, items * self.values)


@dataclass(frozen=True)
class Speed:
    """How fast a device is; all in seconds.

    Attributes:
        call: To start a kernel.
        multiply_add: For a multiply-add of a full convolution.
        value: To write a number.
    """

    call: float
    multiply_add: float
    value: float

    def seconds(self, work: Workload) -> float:
        """How long the work takes."""
        return (
            self.call * work.calls
            + self.multiply_add * work.multiply_adds
            + self.value * work.values
        )

    def scaled(self, factor: float) -> "Speed":
        """The speed of a device that takes ``factor`` times as long for everything."""
        return Speed(factor * self.call, factor * self.multiply_add, factor * self.value)


def calibrated(base: Speed, measured: Sequence[tuple[Workload, float]]) -> Speed:
    """Return the speed of a device on which work was measured.

    Starting kernels scales by one factor, and numbers by another: the two that
    explain two measurements. If no two positive factors do, one factor scales
    both: the geometric mean of measured over predicted seconds.

    Args:
        base: Speed of a device of this kind.
        measured: Work and the seconds that it took, twice; of more only the
            common factor is found.
    """
    ratios = [seconds / base.seconds(work) for work, seconds in measured]
    common = prod(ratios) ** (1 / len(ratios))
    if len(measured) != 2:
        return base.scaled(common)
    (first, first_seconds), (second, second_seconds) = measured
    calls = [base.call * work.calls for work in (first, second)]
    numbers = [base.seconds(work) - part for work, part in zip((first, second), calls, strict=True)]
    determinant = calls[0] * numbers[1] - calls[1] * numbers[0]
    if not determinant:
        return base.scaled(common)
    of_calls = (first_seconds * numbers[1] - second_seconds * numbers[0]) / determinant
    of_numbers = (calls[0] * second_seconds - calls[1] * first_seconds) / determinant
    if min(of_calls, of_numbers) < common / MOST_UNEVEN:
        return base.scaled(common)
    return Speed(of_calls * base.call, of_numbers * base.multiply_add, of_numbers * base.value)


@dataclass(frozen=True)
class SearchWork:
    """The work of a search.

    Attributes:
        step: A step, on average over all steps.
        evaluation: A validation batch.
    """

    step: Workload
    evaluation: Workload


@dataclass(frozen=True)
class _Passes:
    """Expected work of one forward pass for one item, by how it is run.

    Attributes:
        fixed: Runs always, with gradients: stem, adapters, head.
        drawn: Operations that the code draws, with gradients.
        undrawn: All other operations, run value only for alpha's gradient.
        mixture: All operations.
    """

    fixed: Workload
    drawn: Workload
    undrawn: Workload

    @property
    def mixture(self) -> Workload:
        return self.drawn + self.undrawn


def image_work(
    config: SearchConfig, space: SearchSpace, catalog: Catalog, shape: NetworkShape
) -> SearchWork:
    """The work of a search on images or scenes.

    Args:
        config: Its settings.
        space: Its search space, with the number of nodes.
        catalog: Cards of the operations.
        shape: Its supernet, applied to the data.

    Raises:
        InvalidConfig: The number of cells or the strides do not fit.
    """
    passes = _image_passes(config, space, catalog, shape)
    batch = config.batch_size
    evaluated = EVALUATION_BATCH[config.task]
    step = _step(config, passes, items=batch, calls=1.0)
    return SearchWork(
        step=step + Workload(CODE_CALLS * _further_codes(config, space, shape)),
        evaluation=_forward(config, passes).batched(evaluated) + Workload(EVALUATION_CALLS),
    )


def text_work(config: SearchConfig, space: SearchSpace, shape: LanguageShape) -> SearchWork:
    """The work of a search on a text; kernels are started once per token of a window."""
    passes = _text_passes(config, space, shape)
    items, calls = config.batch_size * config.bptt, config.bptt
    return SearchWork(
        step=_step(config, passes, items=items, calls=calls),
        evaluation=_forward(config, passes).batched(items, calls=calls)
        + Workload(EVALUATION_CALLS),
    )


def _forward(config: SearchConfig, passes: _Passes) -> Workload:
    return passes.fixed + (passes.mixture if config.method == "darts" else passes.drawn)


def _step(config: SearchConfig, passes: _Passes, *, items: float, calls: float) -> Workload:
    """A step on average: forward, backward, and what was not drawn value only."""
    forward = _forward(config, passes).batched(items, calls=calls)
    trained = forward.batched(1.0 + BACKWARD, calls=2.0)
    moves = 2 if config.update == "alternating" else 1
    harmony = PASSES_OF_HARMONY if config.cell_harmony and config.task in IMAGES else 0
    probe = Workload()
    if config.method == "egs":
        share_of_calls, share = _probed(config)
        probe = passes.undrawn.batched(items * share, calls=share_of_calls)
    return trained.times(moves + harmony) + probe + Workload(STEP_CALLS * moves)


def _further_codes(config: SearchConfig, space: SearchSpace, shape: NetworkShape) -> int:
    """How many sound codes a step draws beside one a cell kind; plain ones take no time."""
    if config.cell_codes == "shared" or not config.sound:
        return 0
    kinds = [place.kind for place in places_of(space, shape)]
    return len(kinds) - len(set(kinds))


def _probed(config: SearchConfig) -> tuple[float, float]:
    """The share of value-only kernels that run in a step on average, and of their numbers."""
    if config.gradient == "sampled":
        return 0.0, 0.0
    if config.gradient == "exact":
        return 1.0, 1.0
    if config.probe == "batch":
        return 1.0, config.probe_fraction
    return config.probe_fraction, config.probe_fraction


def on_probabilities(config: SearchConfig, space: SearchSpace) -> list[float]:
    """Per edge, the probability that a draw from a uniform row runs one of its operations."""
    draws = (max(config.draws, config.draws_start) + config.draws) / 2
    found = [0.0] * len(space.edges)
    for row in space.rows(config.scope):
        items = len(row) * len(space.operations)
        for edge in row:
            found[edge] = 1 - (1 - 1 / items) ** draws
    return found


def _image_passes(
    config: SearchConfig, space: SearchSpace, catalog: Catalog, shape: NetworkShape
) -> _Passes:
    places = places_of(space, shape)
    chances = on_probabilities(config, space)
    fixed = sum(_ends(space, shape, places), Workload())
    drawn = undrawn = Workload()
    cards = [catalog.operation(name) for name in space.operations if name != NONE]
    for place in places:
        pixels, before = _pixels(place.grid, shape), _pixels(place.last_grid, shape)
        added = Workload(1, 0, place.channels * pixels)
        for edge, chance in zip(space.edges, chances, strict=True):
            strided = place.reduces and edge.source < place.inputs
            read = before if strided else pixels
            for card in cards:
                once = _operation(
                    card, place.channels, pixels, read, strided=strided, stages=place.inputs == 1
                )
                drawn += (once + added).times(chance)
                undrawn += (once + replace(added, calls=VALUE_ONLY_CALLS)).times(1 - chance)
    return _Passes(fixed, drawn, undrawn)


def _pixels(grid: Grid, shape: NetworkShape) -> int:
    return prod(map(grid.side, (shape.height, shape.width)))


def _operation(
    card: OperationCard, channels: int, pixels: int, read: int, *, strided: bool, stages: bool
) -> Workload:
    """One pass of an operation that reads ``read`` pixels and gives ``pixels``."""
    if card.family == "pool":
        return Workload(POOL_CALLS + (not stages), 0, POOL_VALUES * channels * pixels)
    if card.family == "skip" and not strided:
        return Workload()
    if card.family == "skip":
        values = channels * (2 * read + 3 * pixels)
        return Workload(REDUCE_CALLS, channels**2 * pixels, values)
    total = Workload()
    for layer in card.layers:
        activates = layer.depthwise or len(card.layers) == 1
        total += _convolution(channels, channels, layer, pixels, activated=read if activates else 0)
        read = pixels
    return total


def _convolution(
    inputs: int, outputs: int, layer: Layer, pixels: int, *, activated: int = 0
) -> Workload:
    """A convolution that gives ``pixels``, its normalisation, and before it a ReLU if any."""
    weights = layer.kernel**2 * (DEPTHWISE * outputs if layer.depthwise else inputs * outputs)
    written = outputs * pixels * (2 if layer.norm else 1) + inputs * activated
    return Workload(1 + layer.norm + (activated > 0), weights * pixels, written)


ONE, THREE = Layer(1, norm=True), Layer(3, norm=True)


def _ends(space: SearchSpace, shape: NetworkShape, places: list[CellPlace]) -> Iterator[Workload]:
    """Stem, adapters, residual blocks and head."""
    inputs, height, width = shape.in_channels, shape.height, shape.width
    plan = stem_plan(shape.channels, skeleton=space.skeleton, stem_stride=shape.stem_stride)
    for outputs, stride in plan:
        height, width = ceil(height / stride), ceil(width / stride)
        yield _convolution(inputs, outputs, THREE, height * width)
        inputs = outputs
    for place in places:
        before, last, pixels = (
            _pixels(grid, shape) for grid in (place.before_grid, place.last_grid, place.grid)
        )
        channels = place.channels
        if place.inputs > 1:
            yield _convolution(place.before, channels, ONE, last, activated=before)
            yield _convolution(place.last, channels, ONE, last, activated=last)
        if place.widens:
            yield _convolution(place.last, channels, THREE, pixels, activated=last)
            yield _convolution(channels, channels, THREE, pixels, activated=pixels)
            yield _convolution(place.last, channels, Layer(1), pixels)
    features = gathered_nodes(space.nodes, space.output) * places[-1].channels
    yield _head(shape, features, _pixels(places[-1].grid, shape))


def _head(shape: NetworkShape, features: int, pixels: int) -> Workload:
    if shape.head == "classes":
        return Workload(3, features * shape.classes, features * pixels)
    channels = shape.aspp_channels
    looks = [
        _convolution(features, channels, layer, pixels)
        for layer in (ONE, *[THREE] * len(ASPP_RATES))
    ]
    joined = (2 + len(ASPP_RATES)) * channels
    scores = Workload(
        6,
        channels * shape.classes * pixels,
        2 * shape.classes * shape.height * shape.width + 2 * channels * pixels,
    )
    return sum(looks, _convolution(joined, channels, ONE, pixels)) + scores


def _text_passes(config: SearchConfig, space: SearchSpace, shape: LanguageShape) -> _Passes:
    """Per token; a source is projected once, whatever the number of its activations."""
    hidden, functions = shape.hidden, len([name for name in space.operations if name != NONE])
    project = Workload(SOURCE_CALLS, 2 * hidden**2, 4 * hidden)
    activate = Workload(ACTIVATION_CALLS, 0, 3 * hidden)
    first = 2 * hidden * (shape.embedding + hidden)
    decoder = shape.vocabulary * hidden
    fixed = Workload(TOKEN_CALLS, first + decoder, 3 * shape.vocabulary + 4 * hidden)
    drawn = undrawn = Workload()
    for chance in on_probabilities(config, space):
        drawn += project.times(1 - (1 - chance) ** functions)
        drawn += activate.times(chance * functions)
        undrawn += replace(project + activate.times(functions), calls=1)
    return _Passes(fixed, drawn, undrawn)
