"""The literal table of formats that the engine makes."""

from engine.conversion.bundle import BUNDLE
from engine.conversion.conversion import Conversion
from engine.conversion.graph_data import GRAPH
from engine.conversion.onnx_graph import ONNX
from engine.conversion.program import PROGRAM
from engine.conversion.weights import WEIGHTS

CONVERSIONS: dict[str, Conversion] = {
    "bundle": BUNDLE,
    "onnx": ONNX,
    "torch_export": PROGRAM,
    "safetensors": WEIGHTS,
    "pyg": GRAPH,
}
