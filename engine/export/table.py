"""The literal table of export formats."""

from engine.export.checkpoint import CHECKPOINT
from engine.export.darts import DARTS
from engine.export.dot import DOT
from engine.export.exporter import Exporter
from engine.export.genotype import GENOTYPE
from engine.export.graphml import GRAPHML
from engine.export.module import MODULE
from engine.export.png import PNG
from engine.export.svg import SVG
from engine.export.tuple_text import TUPLE

EXPORTERS: dict[str, Exporter] = {
    "genotype": GENOTYPE,
    "darts": DARTS,
    "tuple": TUPLE,
    "graphml": GRAPHML,
    "dot": DOT,
    "svg": SVG,
    "png": PNG,
    "module": MODULE,
    "checkpoint": CHECKPOINT,
}
