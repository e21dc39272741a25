"""The genotype as DARTS text, for code that reads that."""

from engine.domain.catalog import Card
from engine.domain.genotype import Genotype, to_darts
from engine.export.exporter import TEXT, Exporter


def write_darts(genotype: Genotype) -> bytes:
    """One line of DARTS text, UTF-8."""
    return (to_darts(genotype) + "\n").encode()


DARTS = Exporter(
    Card(
        "darts",
        "Genotype (DARTS text)",
        "The architecture as Genotype(normal=…, reduce=…), flat where each node keeps two "
        "operations, else one list a node.",
        group=TEXT,
    ),
    extension=".txt",
    media_type="text/plain",
    write=write_darts,
)
