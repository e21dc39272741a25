"""The genotype as JSON: everything that is known about the architecture."""

from engine.domain.catalog import Card
from engine.domain.genotype import Genotype, to_json
from engine.export.exporter import TEXT, Exporter, Shape


def render_genotype(genotype: Genotype, _: Shape) -> bytes:
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
    render=render_genotype,
)
