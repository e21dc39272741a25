"""Image classification: batches, loss and figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from engine.data.images import ImageData
from engine.tasks.augmentation import Augmentation
from engine.tasks.pictures import PictureBatches, Pictures
from engine.tasks.task import NothingCarried

EVALUATION_BATCH = 250
"""Images a validation batch, at most; batch statistics are taken over one."""

Batch = tuple[Float[Tensor, "B C H W"], Int[Tensor, " B"]]


@dataclass(frozen=True)
class ImageTally:
    """Counts over a number of classified images.

    Attributes:
        loss_sum: Sum of the cross-entropies in nats.
        right: Images whose class got the highest score.
        count: All images.
    """

    loss_sum: float
    right: int
    count: int

    def __add__(self, other: "ImageTally") -> "ImageTally":
        return ImageTally(
            self.loss_sum + other.loss_sum, self.right + other.right, self.count + other.count
        )

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.loss_sum / self.count

    @property
    def score(self) -> float:
        """Accuracy: share of right answers in per cent."""
        return 100.0 * self.right / self.count

    @property
    def error(self) -> float:
        """Share of wrong answers in per cent."""
        return 100.0 - self.score


class ImageClassification(NothingCarried):
    """Serves augmented batches of one data set and judges the answers.

    In an alternating search the training images are halved by the seed: one
    half moves the weights, the other the alphas. The validation images move
    neither, whatever the update; the test images wait for :meth:`test_batches`.

    Args:
        data: The three splits.
        batch_size: Images a step.
        augmentation: What happens to training images.
        seed: Of order, halves and augmentation.
        halved: Whether the update is alternating.
        device: Where the images live if they fit, and the batches always.
        label_smoothing: Share of each target that is spread over all classes.
    """

    score_name = "accuracy"

    def __init__(
        self,
        data: ImageData,
        *,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        halved: bool,
        device: torch.device,
        label_smoothing: float = 0.0,
    ) -> None:
        self.device = device
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.summary = data.summary
        self.classes = len(data.class_names)
        self.batches = PictureBatches(
            *(Pictures(s.images, s.labels) for s in (data.train, data.validation, data.test)),
            batch_size=batch_size,
            evaluation_batch=EVALUATION_BATCH,
            seed=seed,
            halved=halved,
            device=device,
        )
        self.in_channels = self.batches.in_channels
        self.normalise = self.batches.normalise

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass; the rest is left out, another one each time."""
        return self.batches.steps_per_epoch

    def weight_batch(self, epoch: int, index: int) -> Batch:
        """The batch of step ``index`` of an epoch, for the weights."""
        return self._augmented("weight", epoch, index)

    def alpha_batch(self, epoch: int, index: int) -> Batch:
        """The batch of an alternating step for the alphas."""
        return self._augmented("alpha", epoch, index)

    def _augmented(self, purpose: Literal["weight", "alpha"], epoch: int, index: int) -> Batch:
        images, labels, random = self.batches.training(purpose, epoch, index)
        return self.augmentation(images, self.normalise, random), labels

    def validation_batches(self) -> Iterator[Batch]:
        """The validation images in equal parts, shuffled once by the seed."""
        return self._normalised("validation")

    def test_batches(self) -> Iterator[Batch]:
        """The test images in equal parts; for the end of a training, once."""
        return self._normalised("test")

    def _normalised(self, purpose: Literal["validation", "test"]) -> Iterator[Batch]:
        for images, labels in self.batches.held_out(purpose):
            yield self.normalise(images), labels

    def loss(
        self, logits: Float[Tensor, "B classes"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats, against smoothed labels where asked."""
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    @staticmethod
    def tally(logits: Float[Tensor, "B classes"], labels: Int[Tensor, " B"]) -> ImageTally:
        """Counts of one batch of answers."""
        right = int((logits.argmax(1) == labels).sum())
        mean = functional.cross_entropy(logits, labels).item()
        return ImageTally(mean * len(labels), right, len(labels))
