"""What an export format is."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.catalog import Card, Catalog
from engine.domain.cost import NetworkShape
from engine.domain.genotype import Genotype
from engine.domain.language_cost import LanguageShape

TEXT, PICTURE, CODE, NETWORK = "Text", "Picture", "Code", "Weights and graphs"
"""Groups in whose order pages show the formats."""


Shape = NetworkShape | LanguageShape
"""What beside the genotype fixes the network of a run."""


@dataclass(frozen=True)
class Exporter:
    """An export format; where no function is given, the checkpoint itself is the file.

    Attributes:
        card: Its name, label and one sentence.
        extension: End of its file names, with the dot.
        media_type: For the browser.
        write: The file's content from a genotype alone.
        render: The same for a format that holds the whole network: from a
            genotype and the shape of the run's network.
        draw: The same for a format that shows the operations to people: from
            a genotype, the catalogue with their labels, and the number of cells
            of the network, which says what is dead; None if it is not known.
    """

    card: Card
    extension: str
    media_type: str
    write: Callable[[Genotype], bytes] | None = None
    render: Callable[[Genotype, Shape], bytes] | None = None
    draw: Callable[[Genotype, Catalog, int | None], bytes] | None = None

    @property
    def is_checkpoint(self) -> bool:
        """Whether the file lies in the artifact store already."""
        return self.write is None and self.render is None and self.draw is None

    def filename(self, stem: str) -> str:
        """The file's name from the part that names the run and step."""
        return stem + self.extension
