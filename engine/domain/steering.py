"""What may be changed about a search that exists: by a fork of it, or while it goes on.

A fork is a new search that starts from the probabilities, and if wanted from
the weights, of another one at some step. A change leaves the search itself as
it is and lets other settings be in force from one of its steps on; the
settings of every moment can be told from those in force now and the list of
changes, so that a search continues exactly from any of its checkpoints.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig, WrongState
from engine.domain.run import Run

ORIGIN = ("origin", "origin_step", "origin_weights")
"""Settings that say where a fork starts."""

FIXED = (
    "task",
    "data",
    "tokens",
    "vocabulary_limit",
    "broken_images",
    "image_size",
    "ignore_index",
    "validation_fraction",
    "test_fraction",
    "method",
    "cell_votes",
    "space",
    "nodes",
    "scope",
    "normalisation",
    "cells",
    "channels",
    "stem_stride",
    "output_stride",
    "aspp_channels",
    "embedding_size",
    "hidden_size",
)
"""Settings that a fork shares with where it came from: the meaning of its alphas,
the shapes of its weights, and which data may never be trained on."""

OF_THE_WEIGHTS = (
    "epochs",
    "learning_rate",
    "learning_rate_end",
    "learning_rate_schedule",
    "momentum",
    "weight_decay",
    "gradient_clip",
)
OF_THE_ALPHAS = (
    "alpha_learning_rate",
    "alpha_learning_rate_schedule",
    "alpha_momentum",
    "alpha_weight_decay",
    "alpha_warmup_epochs",
    "banned",
    "frozen",
)
OF_THE_DRAWS = (
    "draws",
    "sound",
    "route",
    "gradient",
    "probe",
    "probe_fraction",
    "temperature_start",
    "temperature_end",
    "temperature_schedule",
    "context",
    "cell_codes",
    "alpha_rows",
    "exploration",
    "fair_sources",
    "draws_start",
    "shrink_to",
    "alpha_patience",
    "beta_decay",
)
OF_THE_OPERATIONS = ("early_stop_agreement", "early_stop_window", "cell_harmony")
OF_THE_RECORDS = (
    "snapshot_interval",
    "checkpoint_minutes",
    "stop_settled_epochs",
    "stop_unhealthy",
)


@dataclass(frozen=True)
class Change:
    """A wish that other settings be in force, and what became of it.

    Attributes:
        number: Counts the changes of a run from 1, in the order of the wishes.
        asked_at: When a person asked.
        settings: New value of each setting that was named.
        before: The values until then; None while the change is not in force.
        step: Weight updates done when it came into force: the next one is the
            first with the new settings. None while it is not.
        refused: Why it will never be in force; None otherwise.
    """

    number: int
    asked_at: datetime
    settings: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    step: int | None = None
    refused: str | None = None

    @property
    def is_pending(self) -> bool:
        """Whether nothing has become of it yet."""
        return self.step is None and self.refused is None

    @property
    def words(self) -> str:
        """The settings with their values, as ``draws 7 → 4`` between commas."""
        before = self.before or {}
        return ", ".join(
            f"{name} {before[name]!r} → {value!r}" if name in before else f"{name} → {value!r}"
            for name, value in self.settings.items()
        )


def forkable() -> tuple[str, ...]:
    """Settings that a fork may choose anew."""
    return tuple(
        name for name in SearchConfig.model_fields if name not in (*FIXED, "origin", "origin_step")
    )


def steerable(config: SearchConfig) -> tuple[str, ...]:
    """Settings of a search that may change while it goes on.

    A random search trains one cell after the other, each for its share of the
    epochs, so that neither epochs nor draws can change under it.
    """
    if config.method == "random":
        return (*OF_THE_WEIGHTS[1:], *OF_THE_RECORDS)
    draws = OF_THE_DRAWS if config.method == "egs" else ()
    return (*OF_THE_WEIGHTS, *OF_THE_ALPHAS, *draws, *OF_THE_OPERATIONS, *OF_THE_RECORDS)


def forked(
    config: SearchConfig, origin: Run, step: int, changes: Mapping[str, Any]
) -> SearchConfig:
    """The settings of a fork.

    Args:
        config: Those of the search it comes from, as they were at that step.
        origin: That search.
        step: The step of its snapshot.
        changes: Settings that are chosen anew; strings are understood.

    Raises:
        InvalidConfig: A setting is fixed or has no such value.
        WrongState: The other one is a random search.
    """
    _refuse_random(origin)
    for name in changes:
        if name in FIXED or name in {"origin", "origin_step"}:
            raise InvalidConfig(
                asked=f"a fork of run {origin.id} with another {name}",
                found="a setting that the shapes and the meaning of its state depend on",
                allowed=f"changes of {', '.join(forkable())}",
                advice="leave it as it is, or start a new search",
            )
    fresh = {"origin": origin.uid, "origin_step": step, "origin_weights": "checkpoint"}
    return make_config({**dict(config), **fresh, **changes})


def _refuse_random(origin: Run) -> None:
    """Random cells owe nothing to the ones before them, so that there is no state to inherit."""
    if not origin.search.derives:
        raise WrongState(
            asked=f"a fork of run {origin.id}",
            found="a random search, which has no probabilities to start from",
            allowed="a search that trains probabilities",
            advice="start a new search with its settings and another seed",
        )


def check_origin(config: SearchConfig, runs: Iterable[Run]) -> Run | None:
    """The search that a fork starts from; None where it starts anew.

    Args:
        config: All settings of the fork.
        runs: All runs that there are.

    Raises:
        InvalidConfig: There is no such search, or it differs in what is fixed.
        WrongState: It is a random search.
    """
    if not config.origin:
        return None
    found = next((run for run in runs if run.uid == config.origin), None)
    if found is None or not isinstance(found.config, SearchConfig):
        raise InvalidConfig(
            asked=f"origin = {config.origin!r}",
            found="no search of that identity",
            allowed="the uid of a search that is still there",
            advice="fork a search of the list with `egs fork RUN`",
        )
    _refuse_random(found)
    for name in FIXED:
        theirs, ours = getattr(found.config, name), getattr(config, name)
        if theirs != ours:
            raise InvalidConfig(
                asked=f"{name} = {ours!r} in a fork of run {found.id}",
                found=f"{name} = {theirs!r} there",
                allowed="the same value, since its state has that meaning and shape",
                advice="leave it as it is, or start a new search",
            )
    return found


def changed(config: SearchConfig, settings: Mapping[str, Any]) -> SearchConfig:
    """The settings that are in force after a change.

    Raises:
        InvalidConfig: A setting cannot change while the search goes on, has no
            such value, or none differs from what is in force.
    """
    allowed = steerable(config)
    for name in settings:
        if name not in allowed:
            raise InvalidConfig(
                asked=f"another {name} in a search that has begun",
                found="a setting that it rests on",
                allowed=f"changes of {', '.join(allowed)}",
                advice="fork the search instead, or start a new one",
            )
    after = make_config({**dict(config), **settings})
    if after == config:
        raise InvalidConfig(
            asked="a change",
            found="the settings that are in force already",
            allowed="at least one other value",
            advice="change a setting",
        )
    return after


def refuse_late_end(before: SearchConfig, after: SearchConfig, *, step: int, total: int) -> None:
    """Refuse fewer epochs than have been done.

    Args:
        before: Settings in force.
        after: Settings wanted.
        step: Weight updates that will be done then.
        total: Weight updates of the whole search as it is; 0 where not known.

    Raises:
        InvalidConfig: The search would have ended before.
    """
    steps_per_epoch = total // before.epochs
    if after.epochs * steps_per_epoch < step:
        raise InvalidConfig(
            asked=f"epochs = {after.epochs}",
            found=f"{step / steps_per_epoch:.1f} epochs that are done",
            allowed=f"at least {-(-step // steps_per_epoch)}",
            advice="choose more epochs, or stop the search",
        )


def named_values(config: SearchConfig, names: Iterable[str]) -> dict[str, Any]:
    """The values of some settings, as plain values."""
    values = config.model_dump(mode="json")
    return {name: values[name] for name in names}


def in_force(changes: Iterable[Change]) -> list[tuple[int, Change]]:
    """The changes that came into force with their steps, in the order in which they did."""
    taken = [(change.step, change) for change in changes if change.step is not None]
    return sorted(taken, key=lambda one: (one[0], one[1].number))


def first_config(config: SearchConfig, changes: Sequence[Change]) -> SearchConfig:
    """The settings of a search before any change.

    Args:
        config: Those in force now.
        changes: All changes of the search.
    """
    return config_after(config, changes, -1)


def config_after(config: SearchConfig, changes: Sequence[Change], step: int) -> SearchConfig:
    """The settings of the weight update that follows after ``step`` updates.

    Args:
        config: Those in force now.
        changes: All changes of the search.
        step: Weight updates done; -1 for the settings before any change.
    """
    for at, change in reversed(in_force(changes)):
        if at > step:
            config = make_config({**dict(config), **(change.before or {})})
    return config
