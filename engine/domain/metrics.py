"""Names, labels and units of every figure that a snapshot may carry."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One figure over time.

    Attributes:
        name: Stored name, never renamed.
        label: What people read.
        unit: ``%``, ``points`` (percentage points), ``s`` or empty.
        better: Which direction is good; None where neither is.
    """

    name: str
    label: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None


@dataclass(frozen=True)
class MainFigure:
    """What a task is judged by, as people read it.

    Attributes:
        name: In stored names, such as the ``accuracy`` of ``child_accuracy``.
        label: What people read, in lower case.
        unit: Unit of the figure, with a blank before it; empty for none.
        gap_unit: Unit of a difference of two such figures, in the same form.
        of: What it is measured on.
    """

    name: str
    label: str
    unit: str
    gap_unit: str
    of: str

    def text(self, value: float | None) -> str:
        """A value with its unit, or a dash where nothing was measured."""
        return "–" if value is None else f"{value:.1f}{self.unit}"

    def gap_text(self, value: float | None) -> str:
        """A difference with its sign and unit, or a dash."""
        return "–" if value is None else f"{value:+.1f}{self.gap_unit}"


MAIN_FIGURES: dict[str, MainFigure] = {
    "image_classification": MainFigure("accuracy", "accuracy", " %", " points", "images"),
    "semantic_segmentation": MainFigure("mean_iou", "mean IoU", " %", " points", "images"),
    "language_modelling": MainFigure("perplexity", "perplexity", "", "", "text"),
}
"""By task. The gap is an error minus an error: of a perplexity, the difference itself."""


def main_figure(task: str) -> MainFigure:
    """What a task is judged by; that of image classification for a task that is gone."""
    return MAIN_FIGURES.get(task, MAIN_FIGURES["image_classification"])


METRICS: tuple[Metric, ...] = (
    Metric("train_loss", "Training loss", better="lower"),
    Metric("train_accuracy", "Training accuracy", "%", "higher"),
    Metric("train_perplexity", "Training perplexity", "", "lower"),
    Metric("train_mean_iou", "Training mean IoU", "%", "higher"),
    Metric("supernet_loss", "Supernet validation loss", better="lower"),
    Metric("supernet_accuracy", "Supernet validation accuracy", "%", "higher"),
    Metric("supernet_perplexity", "Supernet validation perplexity", "", "lower"),
    Metric("supernet_mean_iou", "Supernet validation mean IoU", "%", "higher"),
    Metric("child_loss", "Child validation loss", better="lower"),
    Metric("child_accuracy", "Child validation accuracy", "%", "higher"),
    Metric("child_perplexity", "Child validation perplexity", "", "lower"),
    Metric("child_mean_iou", "Child validation mean IoU", "%", "higher"),
    Metric("validation_loss", "Validation loss", better="lower"),
    Metric("validation_accuracy", "Validation accuracy", "%", "higher"),
    Metric("validation_perplexity", "Validation perplexity", "", "lower"),
    Metric("validation_mean_iou", "Validation mean IoU", "%", "higher"),
    Metric("test_loss", "Test loss", better="lower"),
    Metric("test_accuracy", "Test accuracy", "%", "higher"),
    Metric("test_perplexity", "Test perplexity", "", "lower"),
    Metric("test_mean_iou", "Test mean IoU", "%", "higher"),
    Metric("candidate_accuracy", "Present random child's validation accuracy", "%", "higher"),
    Metric("candidate_perplexity", "Present random child's validation perplexity", "", "lower"),
    Metric("candidate_mean_iou", "Present random child's validation mean IoU", "%", "higher"),
    Metric("gap", "Gap: child error minus supernet error", "points", "lower"),
    Metric("stopped_operations", "Operations stopped early", "%"),
    Metric("cell_harmony", "Agreement of the cells of a kind, 1 is full", better="higher"),
    Metric("entropy", "Entropy of the architecture, 1 is uniform"),
    Metric("learning_rate", "Learning rate of the weights"),
    Metric("alpha_learning_rate", "Learning rate of alpha"),
    Metric("gradient_norm", "Gradient norm of the weights"),
    Metric("step_seconds", "Seconds a step", "s", "lower"),
)


def metric(name: str) -> Metric:
    """The metric of that name; a plain one for a name that is not listed."""
    for known in METRICS:
        if known.name == name:
            return known
    return Metric(name, name.replace("_", " ").capitalize())
