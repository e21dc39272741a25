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
    )
}
