"""Gathers the cards of the literal tables."""

from engine.conversion.table import CONVERSIONS
from engine.domain.catalog import Catalog
from engine.export.table import EXPORTERS
from engine.operations.table import OPERATIONS
from engine.spaces import SPACES
from engine.tasks.table import TASKS


def gather_catalog() -> Catalog:
    """Everything that this engine can do, told in plain values."""
    return Catalog(
        operations=tuple(operation.card for operation in OPERATIONS.values()),
        spaces=tuple(SPACES.values()),
        tasks=tuple(TASKS.values()),
        exporters=(
            *(exporter.card for exporter in EXPORTERS.values()),
            *(conversion.card for conversion in CONVERSIONS.values()),
        ),
    )
