"""In which search space a run lives."""

from engine.domain.catalog import Catalog
from engine.domain.config import AnyConfig, TrainingConfig
from engine.domain.errors import InvalidConfig, InvalidGenotype
from engine.domain.genotype import from_json
from engine.domain.space import SearchSpace


def space_in(catalog: Catalog | None, config: AnyConfig) -> SearchSpace | None:
    """The space of a run: a training's is in its genotype, a search's in the catalogue.

    None for a space that is gone or was never published, and for a genotype
    that cannot be read.
    """
    try:
        if isinstance(config, TrainingConfig):
            return from_json(config.genotype).space
        return catalog.space(config.space).with_nodes(config.nodes) if catalog else None
    except (InvalidConfig, InvalidGenotype):
        return None
