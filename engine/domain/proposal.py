"""Propose the settings of a search from facts: its data, its machine, and a time budget.

The order is that of the dependences. The data say how they are read and how
large the first grid is. Sizes of networks are tried from small to large; of
each, the speed of the machine says how many steps fit into the budget. The
number of updates gives alpha's learning rate (:mod:`engine.domain.alpha_pace`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

from engine.domain.alpha_pace import fewest_updates, path_length, path_of, rate_for
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig, make_config
from engine.domain.data_settings import DEVICES, batches, network, read_as, reading
from engine.domain.errors import InvalidConfig
from engine.domain.facts import SPEED_SOURCES, TEXT, DataFacts, Machine
from engine.domain.fields import bounds_of
from engine.domain.proposal_limits import (
    ASPP_PER_CHANNEL,
    FEWEST_EPOCHS,
    HIDDEN_SIZES,
    IMAGE_SIZES,
    LARGER_NETWORK,
    LARGEST_RATE,
    MOST_EPOCHS,
    ONE_THREAD_CHANNELS,
    ONE_THREAD_UNITS,
    PROBE_SHARE,
    PUBLISHED_HIDDEN,
    RESERVE,
    SCENE_SIZES,
    SCHEDULE,
    SMALL_TEXT_DROPOUT,
    STAGE_SIZES,
    TEXT_OPTIMISER,
)
from engine.domain.proposed import (
    PROPOSED,
    Proposed,
    Suggestions,
    minutes_text,
    seconds_text,
    values_of,
)
from engine.domain.search_time import (
    Duration,
    duration,
    items_for,
    items_per_epoch,
    steps_per_epoch,
    training_items,
)

LONGEST_MINUTES = 60 * 24 * 365
"""Budgets are at most a year."""

MOST_EPOCHS_ALLOWED = int(bounds_of(SearchConfig.model_fields["epochs"])[1] or 0)
"""Stands for epochs that are not known yet, so that the checks between settings pass."""


class TooLittleTime(InvalidConfig):
    """The budget is too small for a search that can decide.

    Attributes:
        smallest_minutes: The smallest budget that would do.
    """

    def __init__(self, minutes: float, smallest_minutes: int, fit: "_Fit") -> None:
        self.smallest_minutes = smallest_minutes
        smallest = "1 minute" if smallest_minutes == 1 else f"{smallest_minutes:,} minutes"
        needed = (
            f"the smallest network needs {fit.fewest:,} updates to decide, "
            f"at {seconds_text(fit.duration.step_seconds)} each"
        )
        super().__init__(
            asked=f"a search within {minutes_text(minutes)}",
            found=f"that {needed}",
            allowed=f"{smallest} or more",
            advice=f"allow {smallest}, or use a faster device",
            text=f"{minutes_text(minutes)} is too short: {needed}. "
            f"Allow at least {smallest}, or use a faster device.",
        )


@dataclass(frozen=True)
class Proposal:
    """Proposed settings of a search, with reasons.

    Attributes:
        config: All settings.
        reasons: Why a setting has its value, for each one that was proposed.
        kept: Settings that could have been proposed but were given.
        duration: How long the search takes, as predicted.
        path: How far an alpha can move.
        minutes: The budget.
        machine: The device, and where its speed is known from.
        facts: The data as these settings read them.
        notes: What else a person should know, in sentences.
    """

    config: SearchConfig
    reasons: Mapping[str, str]
    kept: tuple[str, ...]
    duration: Duration
    path: float
    minutes: float
    machine: Machine
    facts: DataFacts
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """The proposed values alone."""
        return {name: getattr(self.config, name) for name in self.reasons}

    @property
    def summary(self) -> str:
        """The proposal in one sentence."""
        return (
            f"About {seconds_text(self.duration.seconds)} on {DEVICES[self.machine.kind]} "
            f"(budget: {minutes_text(self.minutes)}): {self.config.epochs:,} epochs of "
            f"{self.duration.steps_per_epoch:,} steps at "
            f"{seconds_text(self.duration.step_seconds)} per step."
        )


def propose(
    given: Mapping[str, Any],
    facts: DataFacts,
    machine: Machine,
    catalog: Catalog,
    *,
    minutes: float,
) -> Proposal:
    """Propose all settings of a search that were not given.

    Args:
        given: Settings that a person or a preset has fixed; they are respected.
        facts: The data, read with the given settings.
        machine: The device and its speed.
        catalog: Search spaces and cards of operations.
        minutes: The time budget.

    Returns:
        A proposal whose predicted time is within the budget, unless given
        settings exceed it; then a note says so.

    Raises:
        TooLittleTime: No search that can decide fits into the budget.
        InvalidConfig: The given settings do not fit together, or the budget is
            no number of minutes above 0.
    """
    check_budget(minutes)
    request = _Request(_typed(given, facts), facts, machine, catalog, minutes)
    frame = _frame(request)
    fits = [_fitted(request, frame, size) for size in _sizes(request, frame)]
    if "epochs" in request.given:
        chosen = fits[0]
    else:
        deciding = [fit for fit in fits if fit.decides]
        if not deciding:
            raise TooLittleTime(minutes, _smallest_minutes(fits[0]), fits[0])
        ample = [fit for fit in deciding if fit.is_ample]
        chosen = ample[-1] if ample else deciding[0]
    return _finished(request, chosen, is_smallest=chosen is fits[0])


@dataclass(frozen=True)
class _Request:
    """What was asked for."""

    given: Mapping[str, Any]
    facts: DataFacts
    machine: Machine
    catalog: Catalog
    minutes: float

    @property
    def budget_seconds(self) -> float:
        """Time for steps and evaluations."""
        return 60 * self.minutes * (1 - RESERVE)


@dataclass(frozen=True)
class _Frame:
    """What no size of network changes: suggestions so far, and the data that they read."""

    suggestions: Suggestions
    facts: DataFacts


@dataclass(frozen=True)
class _Fit:
    """A network of one size, fitted into the budget.

    Attributes:
        suggestions: Everything that is proposed, but for alpha's rate.
        config: The settings, with a rate that was not fitted yet.
        facts: The data as they are read.
        duration: How long it takes.
        whole: Steps of a pass over all training data.
        fewest: Updates of alpha that it needs to decide.
    """

    suggestions: Suggestions
    config: SearchConfig
    facts: DataFacts
    duration: Duration
    whole: int
    fewest: int

    @property
    def updates(self) -> int:
        """Updates of the alphas."""
        return (self.duration.epochs - self.config.alpha_warmup_epochs) * (
            self.duration.steps_per_epoch
        )

    @property
    def decides(self) -> bool:
        """Whether it can decide."""
        return self.updates >= self.fewest

    @property
    def is_ample(self) -> bool:
        """Whether it has updates to spare."""
        return self.updates >= LARGER_NETWORK * self.fewest


def check_budget(minutes: float) -> None:
    """Reject a time budget that is not above 0, or longer than a year.

    Raises:
        InvalidConfig: It is.
    """
    if 0 < minutes <= LONGEST_MINUTES:
        return
    allowed = f"above 0 and at most {LONGEST_MINUTES:,} minutes"
    raise InvalidConfig(
        asked=f"a search within {minutes:g} minutes",
        found="no such budget",
        allowed=allowed,
        advice="choose another budget",
        text=f"A time budget of {minutes:g} minutes is not possible. Choose one {allowed}.",
    )


def draft(given: Mapping[str, Any]) -> SearchConfig:
    """Return a configuration of the given settings alone, good enough to look at the data.

    Raises:
        InvalidConfig: They do not fit together.
    """
    usual: dict[str, Any] = {"epochs": MOST_EPOCHS_ALLOWED}
    if given.get("task") == TEXT:
        usual |= {"space": "rnn", **TEXT_OPTIMISER}
    return make_config({**usual, **given})


def _typed(given: Mapping[str, Any], facts: DataFacts) -> dict[str, Any]:
    """The given settings as values of their types; a command line gives text."""
    config = draft({"task": facts.task, **given})
    return {name: getattr(config, name) for name in given}


def _frame(request: _Request) -> _Frame:
    """Suggestions that hold for networks of every size."""
    given, kind = request.given, request.machine.kind
    found = dict(reading(request.facts, kind))
    facts = read_as(request.facts, {**values_of(found), **given})
    found |= network(facts, kind, given)
    found |= _alpha_settings(request, {**values_of(found), **given})
    config = _config(request, found)
    found |= batches(facts, items_per_epoch(config, facts))
    return _Frame(found, facts)


def _alpha_settings(request: _Request, values: Mapping[str, Any]) -> Suggestions:
    """How often all operations report to alpha, and the schedule of its rate."""
    config = make_config({"task": request.facts.task, **values, "epochs": MOST_EPOCHS_ALLOWED})
    if config.method == "random":
        return {}
    why = "the rate ends at 0, which lets the architecture settle"
    found = {"alpha_learning_rate_schedule": Proposed(SCHEDULE, why)}
    asked = request.given.get("gradient")
    if config.method != "egs" or request.machine.kind == "gpu" or asked not in {None, "probed"}:
        return found
    share = PROBE_SHARE[config.scope]
    return {
        **found,
        "gradient": Proposed("probed", "alpha also learns from operations that were not drawn"),
        "probe": Proposed("steps", "all other steps save the time of these operations"),
        "probe_fraction": Proposed(share, f"one step in {round(1 / share)}, enough on a CPU"),
    }


def _config(request: _Request, suggestions: Suggestions, **more: Any) -> SearchConfig:
    """The settings so far; a person's own win, and epochs that nobody set do not matter yet."""
    values = {"task": request.facts.task, "epochs": MOST_EPOCHS_ALLOWED, **values_of(suggestions)}
    return make_config({**values, **more, **request.given})


def _sizes(request: _Request, frame: _Frame) -> list[Suggestions]:
    """Sizes of networks from small to large, without their reasons; given ones stay."""
    given = request.given
    config = _config(request, frame.suggestions)
    if frame.facts.is_text:
        found = [_text_size(units) for units in HIDDEN_SIZES]
    else:
        space = request.catalog.space(config.space)
        ladder = STAGE_SIZES if space.skeleton == "stages" else IMAGE_SIZES
        ladder = SCENE_SIZES if frame.facts.is_scenes else ladder
        found = [_image_size(*size, frame.facts, given) for size in ladder]
    if request.machine.kind == "gpu":
        return found
    return [{**size, **_threads({**values_of(size), **given})} for size in found]


def _text_size(units: int) -> Suggestions:
    sizes = {name: Proposed(units, "") for name in ("embedding_size", "hidden_size")}
    if units >= PUBLISHED_HIDDEN:
        return sizes
    why = "less dropout for a network smaller than the published one"
    return {**sizes, **{name: Proposed(v, why) for name, v in SMALL_TEXT_DROPOUT.items()}}


def _image_size(
    cells: int, channels: int, facts: DataFacts, given: Mapping[str, Any]
) -> Suggestions:
    sizes = {"cells": Proposed(cells, ""), "channels": Proposed(channels, "")}
    if not facts.is_scenes:
        return sizes
    head = ASPP_PER_CHANNEL * int(given.get("channels", channels))
    return {**sizes, "aspp_channels": Proposed(head, f"{ASPP_PER_CHANNEL} per channel")}


def _threads(values: Mapping[str, Any]) -> Suggestions:
    """How many threads a network of this size uses."""
    small = values.get("channels", 0) <= ONE_THREAD_CHANNELS
    small = small and values.get("hidden_size", 0) <= ONE_THREAD_UNITS
    if small:
        return {"cpu_threads": Proposed(1, "small networks are as fast on one thread")}
    return {"cpu_threads": Proposed(0, "wide networks gain from all cores")}


def _fitted(request: _Request, frame: _Frame, size: Suggestions) -> _Fit:
    """A network of one size with as many steps as the budget has room for."""
    found = {**frame.suggestions, **size}
    config, facts = _config(request, found), frame.facts
    space = request.catalog.space(config.space).with_nodes(config.nodes)
    fewest = fewest_updates(config, space)
    once = duration(config, facts, request.catalog, request.machine.speed)
    epochs, steps = _length(request, config, once, fewest)
    if steps < once.steps_per_epoch:
        limit = items_for(config, facts, steps)
        found["train_limit"] = Proposed(limit, _limit_reason(config, facts, once, epochs))
    found["epochs"] = Proposed(epochs, _epochs_reason(request, once, epochs, fewest))
    config = _config(request, found)
    planned = replace(once, epochs=config.epochs, steps_per_epoch=steps_per_epoch(config, facts))
    return _Fit(found, config, facts, planned, once.steps_per_epoch, fewest)


def _length(
    request: _Request, config: SearchConfig, once: Duration, fewest: int
) -> tuple[int, int]:
    """Epochs and steps of each: as many as fit, over a part of the data if few epochs do."""
    given, budget = request.given, request.budget_seconds
    whole = max(1, once.steps_per_epoch)
    least, most = _bounds(config, whole, fewest)
    epochs = given.get("epochs") or max(1, min(most, floor(budget / once.epoch_seconds)))
    wanted = given.get("epochs") or least
    if "train_limit" in given or (epochs * once.epoch_seconds <= budget and epochs >= wanted):
        return epochs, whole
    steps = floor((budget / wanted - once.evaluation_seconds) / once.step_seconds)
    return wanted, min(whole, max(1, steps))


def _bounds(config: SearchConfig, whole: int, fewest: int) -> tuple[int, int]:
    """Fewest and most epochs of a proposal."""
    warmup = config.alpha_warmup_epochs
    least = warmup + FEWEST_EPOCHS
    if config.method == "random":
        least = max(least, config.candidates)
    ample = ceil(LARGER_NETWORK * fewest / whole)
    most = warmup + max(MOST_EPOCHS, ample)
    return least, max(least, min(most, MOST_EPOCHS_ALLOWED))


def _limit_reason(config: SearchConfig, facts: DataFacts, once: Duration, epochs: int) -> str:
    kind = "tokens" if facts.is_text else "scenes" if facts.is_scenes else "images"
    items = training_items(config, facts)
    whole = seconds_text(epochs * once.epoch_seconds)
    return f"{epochs} passes over all {items:,} {kind} would take {whole}"


def _epochs_reason(request: _Request, once: Duration, epochs: int, fewest: int) -> str:
    step = f"{seconds_text(once.step_seconds)} per step"
    if epochs * once.epoch_seconds > request.budget_seconds:
        return f"the fewest over which a search can be judged, at {step}"
    if (epochs + 1) * once.epoch_seconds <= request.budget_seconds:
        return f"more would add little: {fewest:,} updates are enough to decide"
    return f"as many as fit into {minutes_text(request.minutes)} at {step}"


def _smallest_minutes(fit: _Fit) -> int:
    """Whole minutes in which this network can decide."""
    warmup = fit.config.alpha_warmup_epochs
    whole = max(1, fit.whole)
    least, _ = _bounds(fit.config, whole, fit.fewest)
    steps = min(whole, ceil(fit.fewest / (least - warmup)))
    if fit.config.train_limit and "train_limit" not in fit.suggestions:
        steps = whole
    epochs = max(least, warmup + ceil(fit.fewest / steps))
    seconds = epochs * replace(fit.duration, steps_per_epoch=steps).epoch_seconds
    return ceil(seconds / (1 - RESERVE) / 60)


def _finished(request: _Request, fit: _Fit, *, is_smallest: bool) -> Proposal:
    """The chosen network with alpha's rate and all reasons."""
    found = {**fit.suggestions, **_size_reasons(fit, is_smallest)}
    config = _config(request, found)
    if config.method != "random":
        rate = min(rate_for(config, max(1, fit.updates)), LARGEST_RATE)
        why = f"an alpha can move by {path_length(config):g} in {fit.updates:,} updates"
        found["alpha_learning_rate"] = Proposed(rate, why)
        config = _config(request, found)
    kept = tuple(name for name in PROPOSED if name in request.given and name in found)
    return Proposal(
        config=config,
        reasons={
            name: found[name].reason
            for name in PROPOSED
            if name in found and name not in request.given
        },
        kept=kept,
        duration=fit.duration,
        path=path_of(config, fit.updates),
        minutes=request.minutes,
        machine=request.machine,
        facts=fit.facts,
        notes=tuple(_notes(request, fit, config)),
    )


def _size_reasons(fit: _Fit, is_smallest: bool) -> Suggestions:
    names = [
        n for n in ("cells", "channels", "hidden_size", "embedding_size") if n in fit.suggestions
    ]
    why = "the smallest network; a larger one would have too few updates"
    if not is_smallest:
        why = f"the largest network with {ceil(LARGER_NETWORK * fit.fewest):,} updates or more"
    return {name: replace(fit.suggestions[name], reason=why) for name in names}


def _notes(request: _Request, fit: _Fit, config: SearchConfig) -> Iterator[str]:
    """What a person should know about the whole."""
    seconds, budget = fit.duration.seconds, 60 * request.minutes
    if seconds > budget:
        yield (
            f"With the settings that you fixed, the search takes about {seconds_text(seconds)}, "
            f"more than {minutes_text(request.minutes)}."
        )
    if seconds < budget / 2:
        yield (
            f"The search needs only {seconds_text(seconds)}: more passes over so little data would "
            "add little."
        )
    if config.method != "random" and path_of(config, fit.updates) < path_length(config) / 2:
        yield (
            f"The search may end undecided: in {fit.updates:,} updates an alpha can move by "
            f"{path_of(config, fit.updates):.2g} only, and {path_length(config):g} are needed."
        )
    if not request.facts.complete:
        yield "The text is too large to be counted at once; only its size was used."
    yield f"The time is {SPEED_SOURCES[request.machine.source]}."
