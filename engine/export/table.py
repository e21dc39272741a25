"""The literal table of export formats."""

from engine.export.checkpoint import CHECKPOINT
from engine.export.darts import DARTS
from engine.export.exporter import Exporter
from engine.export.genotype import GENOTYPE
from engine.export.module import MODULE

EXPORTERS: dict[str, Exporter] = {
    "genotype": GENOTYPE,
    "darts": DARTS,
    "module": MODULE,
    "checkpoint": CHECKPOINT,
}
