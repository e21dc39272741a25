"""What an export format is."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.catalog import Card
from engine.domain.cost import NetworkShape
from engine.domain.genotype import Genotype


@dataclass(frozen=True)
class Exporter:
    """An export format.

    Attributes:
        card: Its name, label and one sentence.
        extension: End of its file names, with the dot.
        media_type: For the browser.
        render: The file's content from a genotype and the shape of the run's
            network; None where the run's checkpoint itself is the file.
    """

    card: Card
    extension: str
    media_type: str
    render: Callable[[Genotype, NetworkShape], bytes] | None

    def filename(self, stem: str) -> str:
        """The file's name from the part that names the run and step."""
        return stem + self.extension
