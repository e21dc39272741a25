"""Facts of data for proposals of settings, from what is known without reading them."""

from pathlib import Path

from engine.data.inspection import absolute_path, is_path
from engine.data.summaries import DataSummary, Summary, TextSummary
from engine.data.table import PUBLISHED_SIDE, SCENE_SOURCES
from engine.data.text_files import COUNTED_BYTES
from engine.domain.facts import TEXT, DataFacts
from engine.domain.run_config import RunConfig

OF_CHARACTERS = frozenset({"digits", "mnist", "svhn", "digit_scenes"})
"""Named data sets whose classes are digits or letters."""

BYTES_PER_TOKEN = 6
"""Of English text in words, roughly; only used for texts too large to be counted at once."""


def facts_of(config: RunConfig, summary: Summary) -> DataFacts:
    """Return the facts of data that a configuration reads.

    Args:
        config: Says which data, and how they are read.
        summary: What inspecting them gave.
    """
    if isinstance(summary, TextSummary):
        return _of_text(summary)
    return DataFacts(
        task=config.task,
        train=summary.train,
        classes=summary.classes,
        validation=summary.validation,
        test=summary.test,
        height=summary.height or PUBLISHED_SIDE,
        width=summary.width or PUBLISHED_SIDE,
        channels=summary.in_channels,
        resizable=_is_resizable(config),
        characters=_are_characters(config, summary),
    )


def _of_text(summary: TextSummary) -> DataFacts:
    counted = summary.vocabulary > 0
    return DataFacts(
        task=TEXT,
        train=summary.train if counted else COUNTED_BYTES // BYTES_PER_TOKEN,
        classes=summary.vocabulary,
        validation=summary.validation,
        test=summary.test,
        complete=counted,
    )


def _is_resizable(config: RunConfig) -> bool:
    """Whether the images lie in a folder, or are published in many sizes."""
    if config.data in SCENE_SOURCES:
        return SCENE_SOURCES[config.data].side == 0
    return is_path(config.data) and absolute_path(config.data).is_dir()


def _are_characters(config: RunConfig, summary: DataSummary) -> bool | None:
    """Whether the classes are digits or letters; None if they have no names of their own."""
    if config.data in OF_CHARACTERS:
        return True
    names = summary.class_names
    if not names or (_are_numbers(names) and Path(config.data).suffix == ".npz"):
        return None
    return all(len(name) == 1 and name.isalnum() for name in names) or _are_numbers(names)


def _are_numbers(names: tuple[str, ...]) -> bool:
    return all(name.isdecimal() for name in names)
