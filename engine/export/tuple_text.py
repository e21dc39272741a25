"""The genotype as the named tuple of DARTS, in a Python file that can be imported."""

from engine.domain.catalog import Card
from engine.domain.genotype import Genotype, to_tuple_text
from engine.export.exporter import TEXT, Exporter


def write_tuple(genotype: Genotype) -> bytes:
    """Python text that defines the tuple, UTF-8."""
    return to_tuple_text(genotype).encode()


TUPLE = Exporter(
    Card(
        "tuple",
        "Genotype (Python tuple)",
        "The architecture as the named tuple that code in the manner of DARTS imports.",
        group=TEXT,
    ),
    extension="-genotype.py",
    media_type="text/x-python",
    write=write_tuple,
)
