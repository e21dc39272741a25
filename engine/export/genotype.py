"""The genotype as JSON: everything that is known about the architecture."""

from engine.domain.catalog import Card
from engine.domain.genotype import Genotype, to_json
from engine.export.exporter import TEXT, Exporter


def write_genotype(genotype: Genotype) -> bytes:
    """The genotype's JSON, UTF-8."""
    return to_json(genotype).encode()


GENOTYPE = Exporter(
    Card(
        "genotype",
        "Genotype (JSON)",
        "The architecture with its search space, rule and origin, to be read again by the studio.",
        group=TEXT,
    ),
    extension=".json",
    media_type="application/json",
    write=write_genotype,
)
