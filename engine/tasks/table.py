"""The literal table of tasks."""

from engine.domain.catalog import Card

TASKS: dict[str, Card] = {
    card.name: card
    for card in (
        Card(
            "image_classification",
            "Image classification",
            "One label for each image.",
        ),
        Card(
            "semantic_segmentation",
            "Semantic segmentation",
            "A class for each pixel of an image.",
        ),
        Card(
            "language_modelling",
            "Language modelling",
            "The next token of a text, with a recurrent cell.",
        ),
    )
}
