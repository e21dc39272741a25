"""The command lines that start a run with the same settings again."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from engine.domain.config import SearchConfig, TrainingConfig
from engine.domain.run import Run
from engine.domain.steering import Change, first_config, in_force
from engine.domain.training_presets import default_training_preset

GENOTYPE_FILE = "genotype.json"
GIVEN_OTHERWISE = frozenset({"data", "genotype"})
"""Settings that a command takes by another way than ``--set``."""


def search_command(config: SearchConfig) -> list[str]:
    """The words of the command that starts a search with exactly these settings."""
    named = chosen_settings(config)
    return ["egs", "search", "--data", config.data, *_assignments(config, named)]


def training_command(config: TrainingConfig) -> list[str]:
    """The words of the command that trains the genotype of a file with exactly these settings.

    The preset is named, and with it everything that it would set, so that no
    other one is chosen by the data.

    Raises:
        InvalidConfig: No training preset is for this task.
    """
    preset = default_training_preset(config.task, config.data)
    named = [name for name in type(config).model_fields if name in preset.settings]
    named += [name for name in chosen_settings(config) if name not in named]
    start = ["egs", "evaluate", GENOTYPE_FILE, "--preset", preset.name, "--data", config.data]
    return [*start, *_assignments(config, named)]


def chosen_settings(config: SearchConfig | TrainingConfig) -> list[str]:
    """Names of the settings that differ from their defaults, in the order of the config."""
    return [
        name
        for name, field in type(config).model_fields.items()
        if getattr(config, name) != field.default
    ]


def command_lines(run: Run, changes: Sequence[Change]) -> str:
    """What to type to start the same again, later changes of settings included."""
    config = run.config
    if isinstance(config, TrainingConfig):
        export = ["egs", "export", str(run.id), "--format", "genotype", "-o", GENOTYPE_FILE]
        return f"{shlex.join(export)}\n{_broken(training_command(config))}"
    lines = [_broken(search_command(first_config(config, changes)))]
    for step, change in in_force(changes):
        words = ["egs", "change", "RUN", *_pairs(change.settings.items())]
        lines.append(f"{shlex.join(words)}  # after step {step}")
    return "\n".join(lines)


def _assignments(config: SearchConfig | TrainingConfig, names: Iterable[str]) -> list[str]:
    kept = [name for name in names if name not in GIVEN_OTHERWISE]
    return _pairs((name, getattr(config, name)) for name in kept)


def _pairs(settings: Iterable[tuple[str, Any]]) -> list[str]:
    return [word for name, value in settings for word in ("--set", f"{name}={_text(value)}")]


def _text(value: Any) -> str:
    """A value as the command line reads it: floats keep every digit."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _broken(words: Sequence[str]) -> str:
    """A long command over several lines, an option with its value on each."""
    first = next((n for n, word in enumerate(words) if word.startswith("--")), len(words))
    pairs = [shlex.join(words[n : n + 2]) for n in range(first, len(words), 2)]
    return " \\\n    ".join([shlex.join(words[:first]), *pairs])
