"""Weights and running statistics as safetensors."""

import json

from safetensors.torch import save

from engine.conversion.child import Child
from engine.conversion.conversion import Conversion, Converted
from engine.domain.catalog import Card
from engine.domain.genotype import to_json
from engine.export.exporter import NETWORK


def convert_weights(child: Child) -> Converted:
    """All tensors of the network by name; genotype and facts stand in the header."""
    tensors = {name: value.contiguous() for name, value in child.network.state_dict().items()}
    about = {"genotype": json.loads(to_json(child.genotype)), "facts": dict(child.facts)}
    header = {"egs-studio": json.dumps(about, sort_keys=True)}
    return Converted(save(tensors, header), {"tensors": len(tensors)})


WEIGHTS = Conversion(
    Card(
        "safetensors",
        "Weights (safetensors)",
        "Weights and running statistics by name, in a file that cannot run code.",
        group=NETWORK,
        by_engine=True,
    ),
    extension=".safetensors",
    media_type="application/octet-stream",
    convert=convert_weights,
)
