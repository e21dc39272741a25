"""The settings of an old search as the start of a new one, which has no other tie to it."""

from dataclasses import dataclass
from typing import Any

from app.studio import Studio
from engine.domain.catalog import Catalog
from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig
from engine.domain.item_patterns import banned_items, frozen_rows
from engine.domain.run import Run
from engine.domain.space import SearchSpace
from engine.domain.steering import ORIGIN, in_force


@dataclass(frozen=True)
class Clone:
    """What a new search starts from.

    Attributes:
        run: The search whose settings they are.
        config: These settings, so far as they exist here.
        notes: What is not as it was in that search, a sentence each.
    """

    run: Run
    config: SearchConfig
    notes: tuple[str, ...]


def clone(studio: Studio, run: Run) -> Clone:
    """The settings of a search that anybody can start anew.

    A fork's origin is left out, since the new search starts from nothing. What
    is chosen by a name that is gone (task, space, device, patterns of
    operations) becomes the default.

    Raises:
        WrongState: The run is a training, whose form is on the Architecture page.
    """
    config = run.search
    gone = _gone(studio, config)
    fresh = {name: default_of(name) for name in ORIGIN}
    return Clone(run, make_config({**dict(config), **fresh, **gone}), _notes(studio, run, gone))


def default_of(name: str) -> Any:
    """The value of a setting of a search that nobody chose."""
    return SearchConfig.model_fields[name].default


def _gone(studio: Studio, config: SearchConfig) -> dict[str, Any]:
    """The new value of each setting whose value is not to be had here."""
    gone: dict[str, Any] = {}
    if not _has_device(studio, config.device):
        gone["device"] = default_of("device")
    catalog = studio.catalog()
    if catalog is None:
        return gone
    if config.task not in {card.name for card in catalog.tasks}:
        gone["task"] = default_of("task")
    space = _space(catalog, config)
    if space is None:
        task = gone.get("task", config.task)
        gone["space"] = next((s.name for s in catalog.spaces if s.reads(task)), config.space)
        space = catalog.space(gone["space"])
    return gone | _patterns_gone(config, space.with_nodes(config.nodes))


def _has_device(studio: Studio, name: str) -> bool:
    """Whether a living engine has a device; without any engine nobody knows."""
    devices = studio.devices()
    names = {device.id for device in devices}
    names |= {f"cuda:{device.index}" for device in devices if device.index is not None}
    return not devices or name in {"auto", *names}


def _space(catalog: Catalog, config: SearchConfig) -> SearchSpace | None:
    return next((space for space in catalog.spaces if space.name == config.space), None)


def _patterns_gone(config: SearchConfig, space: SearchSpace) -> dict[str, str]:
    """Patterns that name an operation, edge or kind of cell that the space does not have."""
    gone = {}
    for name, read in (("banned", banned_items), ("frozen", frozen_rows)):
        try:
            read(getattr(config, name), space, config.scope)
        except InvalidConfig:
            gone[name] = ""
    return gone


def _notes(studio: Studio, run: Run, gone: dict[str, Any]) -> tuple[str, ...]:
    config, notes = run.search, []
    if gone:
        named = ", ".join(
            f"{SearchConfig.model_fields[name].title} = {getattr(config, name)}" for name in gone
        )
        notes.append(f"Not to be had here any more, and therefore left out: {named}.")
    if config.origin:
        notes.append("It was forked from another search; yours starts from nothing.")
    if in_force(studio.changes(run.id)):
        notes.append("Settings were changed while it went on; these are the last ones.")
    return tuple(notes)
