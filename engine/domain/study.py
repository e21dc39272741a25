"""A study: several configurations, each searched with the same seeds, and what is compared.

It is written as TOML; ``docs/studies.md`` explains the format. A study is only
a plan: its trials are ordinary runs, found again by name and settings.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig
from engine.domain.method_presets import laid_over

COMPARABLE = ("truth", "child", "supernet", "gap", "parameters", "seconds")
"""What configurations can be compared by: names of the measures in a report."""

STUDY_KEYS = ("name", "preset", "seeds", "baseline", "compare", "truth", "shared", "configuration")
CONFIGURATION_KEYS = ("name", "preset", "settings")
OF_ONE_VALIDATION = (
    "task",
    "data",
    "tokens",
    "vocabulary_limit",
    "broken_images",
    "ignore_index",
    "validation_fraction",
    "test_fraction",
)
"""Settings without which figures would be of other validation data."""

STUDY_NAME_LENGTH, NAME_LENGTH = 50, 40
BETWEEN_NAMES = " / "
LARGEST_SEED = 2**31


@dataclass(frozen=True)
class Configuration:
    """One column of a comparison: its name, and its settings with any seed."""

    name: str
    config: SearchConfig


@dataclass(frozen=True)
class Trial:
    """One search of a study: a configuration with one of the seeds.

    Attributes:
        run_name: What the run is called, and by which it is found again.
        configuration: Name of its configuration.
        seed: Its seed.
        config: All settings.
    """

    run_name: str
    configuration: str
    seed: int
    config: SearchConfig


@dataclass(frozen=True)
class Study:
    """A comparison of configurations over the same seeds.

    Attributes:
        name: Unique among studies on the same database.
        seeds: Each configuration runs once with each of them.
        configurations: In the order of the report; all on the same validation data.
        baseline: Name of the configuration that the others are compared with;
            None compares nothing.
        compare: By which measures, of ``COMPARABLE``.
        truth: File of a table of published accuracies, if there is one.
    """

    name: str
    seeds: tuple[int, ...]
    configurations: tuple[Configuration, ...]
    baseline: str | None = None
    compare: tuple[str, ...] = ("child",)
    truth: str | None = None

    @property
    def trials(self) -> list[Trial]:
        """All searches, seed by seed, so that an interrupted study has whole pairs."""
        return [
            Trial(
                BETWEEN_NAMES.join((self.name, one.name, f"seed {seed}")),
                one.name,
                seed,
                one.config.model_copy(update={"seed": seed}),
            )
            for seed in self.seeds
            for one in self.configurations
        ]


def read_study(
    text: str, *, changes: Mapping[str, Any] | None = None, truth: str | None = None
) -> Study:
    """The study that a file describes.

    Args:
        text: The content of the file.
        changes: Settings of every configuration that replace those in the file.
        truth: A table of published accuracies instead of the one in the file.

    Raises:
        InvalidConfig: One sentence about the first fault.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(
            asked="a study in TOML",
            found=f"that it cannot be read ({error})",
            allowed="TOML",
            advice="correct that place",
        ) from None
    _check_keys(table, STUDY_KEYS, "a study")
    changes = _settings({"changes": dict(changes or {})}, "changes", "on the command line")
    configurations = _configurations(table, changes)
    truth = truth or _truth(table)
    return Study(
        name=_name(table, STUDY_NAME_LENGTH, "the study"),
        seeds=_seeds(table),
        configurations=configurations,
        baseline=_baseline(table, configurations),
        compare=_compare(table, truth),
        truth=truth,
    )


def _configurations(
    table: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[Configuration, ...]:
    entries = table.get("configuration")
    if not isinstance(entries, list) or not entries:
        raise _wrong(
            "the configurations of a study", "none", "one [[configuration]] or more", "add one"
        )
    found = tuple(_configuration(table, entry, changes) for entry in entries)
    names = [one.name for one in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise _wrong(
            f"the configuration {twice[0]!r}",
            "several of that name",
            "a name of its own for each",
            "rename one of them",
        )
    for key in OF_ONE_VALIDATION:
        _check_alike(found, key)
    return found


def _check_alike(found: Sequence[Configuration], key: str) -> None:
    """Figures on different data, or of different tasks, cannot be compared."""
    values = {str(getattr(one.config, key)): one.name for one in found}
    if len(values) > 1:
        (first, one), (second, other) = list(values.items())[:2]
        raise _wrong(
            f"a comparison of {one!r} with {other!r}",
            f"{key} = {first!r} and {second!r}",
            f"the same {key} in all configurations",
            "make two studies of it",
        )


def _configuration(
    table: Mapping[str, Any], entry: Any, changes: Mapping[str, Any]
) -> Configuration:
    if isinstance(entry, dict) and "seeds" in entry:
        raise _wrong(
            f"own seeds for the configuration {entry.get('name')!r}",
            "that configurations are compared seed by seed",
            "the same seeds for all of them, in the study",
            "remove them there",
        )
    _check_keys(entry, CONFIGURATION_KEYS, "a configuration")
    name = _name(entry, NAME_LENGTH, "a configuration")
    where = f"of the configuration {name!r}"
    common, own = _presets(table, "of the study"), _presets(entry, where)
    try:
        laid_over([*common, *own])
        config = make_config(
            {
                **laid_over(common),
                **_settings(table, "shared", "in [shared]"),
                **laid_over(own),
                **_settings(entry, "settings", where),
                **changes,
            }
        )
    except InvalidConfig as error:
        raise InvalidConfig(
            asked=f"{error.asked} {where}" if where not in error.asked else error.asked,
            found=error.found,
            allowed=error.allowed,
            advice=error.advice,
        ) from None
    return Configuration(name, config)


def _presets(table: Mapping[str, Any], where: str) -> list[str]:
    value = table.get("preset", [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _wrong(
            f"the preset {where}", repr(value), "a name or a list of names", "see `egs presets`"
        )
    return names


def _settings(table: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    values = table.get(key, {})
    if not isinstance(values, dict):
        raise _wrong(f"the settings {where}", repr(values), "a table", "write key = value in it")
    if "seed" in values:
        raise _wrong(
            f"the setting 'seed' {where}",
            "that the seeds of a study are the same for all its configurations",
            "seeds = [0, 1, 2] in the study",
            "remove it there",
        )
    return values


def _seeds(table: Mapping[str, Any]) -> tuple[int, ...]:
    seeds = table.get("seeds")
    whole = isinstance(seeds, list) and all(
        type(seed) is int and 0 <= seed < LARGEST_SEED for seed in seeds
    )
    if not isinstance(seeds, list) or not seeds or not whole or len(set(seeds)) < len(seeds):
        raise _wrong(
            "the seeds of a study",
            "none" if not seeds else repr(seeds),
            f"different whole numbers from 0 to {LARGEST_SEED - 1}",
            "write for instance seeds = [0, 1, 2]",
        )
    return tuple(seeds)


def _baseline(table: Mapping[str, Any], configurations: Sequence[Configuration]) -> str | None:
    baseline = table.get("baseline")
    names = [one.name for one in configurations]
    if baseline is None or baseline in names:
        return baseline
    raise _wrong(
        f"the baseline {baseline!r}",
        "no configuration of that name",
        f"one of {', '.join(map(repr, names))}",
        "choose one of these",
    )


def _truth(table: Mapping[str, Any]) -> str | None:
    truth = table.get("truth")
    if truth is None or (isinstance(truth, str) and truth):
        return truth
    raise _wrong(
        f"the table of published accuracies {truth!r}", "no text", "a file", "write its name"
    )


def _compare(table: Mapping[str, Any], truth: str | None) -> tuple[str, ...]:
    value = table.get("compare", ["truth"] if truth else ["child"])
    names = [value] if isinstance(value, str) else value
    allowed = [name for name in COMPARABLE if truth or name != "truth"]
    if isinstance(names, list) and names and all(name in allowed for name in names):
        return tuple(dict.fromkeys(names))
    raise _wrong(
        f"a comparison by {value!r}",
        "no such measure" if truth or value != "truth" else "no table of published accuracies",
        f"one or several of {', '.join(map(repr, allowed))}",
        "choose among these",
    )


def _name(table: Mapping[str, Any], length: int, of: str) -> str:
    name = table.get("name")
    tidy = isinstance(name, str) and name.isprintable() and name == " ".join(name.split())
    if isinstance(name, str) and tidy and 0 < len(name) <= length and BETWEEN_NAMES not in name:
        return name
    raise _wrong(
        f"the name of {of}",
        "none" if name is None else repr(name),
        f"text of at most {length} characters on one line, without {BETWEEN_NAMES!r} in it",
        "choose another name",
    )


def _check_keys(table: Any, allowed: Sequence[str], of: str) -> None:
    unknown = [key for key in table if key not in allowed] if isinstance(table, dict) else []
    if unknown or not isinstance(table, dict):
        raise _wrong(
            f"{unknown[0]!r} in {of}" if unknown else f"{of} = {table!r}",
            "no such key" if unknown else "no table",
            f"one of {', '.join(allowed)}" if unknown else f"a table with {', '.join(allowed)}",
            "correct its name" if unknown else "write it as [[configuration]]",
        )


def _wrong(asked: str, found: str, allowed: str, advice: str) -> InvalidConfig:
    return InvalidConfig(asked=asked, found=found, allowed=allowed, advice=advice)
