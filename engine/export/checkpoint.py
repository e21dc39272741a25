"""The checkpoint itself: the file lies in the artifact store already."""

from engine.domain.catalog import Card
from engine.export.exporter import NETWORK, Exporter

CHECKPOINT = Exporter(
    Card(
        "checkpoint",
        "Checkpoint",
        "Weights, alphas and the state of the search; the exported module can load its weights.",
        group=NETWORK,
    ),
    extension=".pt",
    media_type="application/octet-stream",
)
