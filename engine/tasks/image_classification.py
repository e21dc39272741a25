"""Image classification: batches, loss and figures."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from engine.data.images import ImageData, Split
from engine.domain.errors import DataError
from engine.tasks.augmentation import Augmentation, Normalise
from engine.tasks.randomness import generator
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
        self.seed = seed
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.summary = data.summary
        self.classes = len(data.class_names)
        self._images, self._labels = _on_device(data.train, device)
        self._validation, self._test = data.validation, data.test
        self.in_channels = self._images.shape[1]
        self.normalise = _moved(Normalise.of(self._images), device)
        self._parts = self._training_parts(halved)
        self._orders: dict[str, tuple[int, Tensor]] = {}
        if self.steps_per_epoch == 0:
            raise DataError(
                asked=f"batch_size = {batch_size}",
                found=f"{len(self._parts[0])} images to train on",
                allowed="a batch that is not larger than the training images",
                advice="lower batch_size",
            )

    def _training_parts(self, halved: bool) -> list[Int[Tensor, " n"]]:
        """Indices that move the weights, and those that move the alphas."""
        order = torch.randperm(len(self._images), generator=generator(self.seed, "halves"))
        if not halved:
            return [order, order]
        middle = len(order) // 2
        return [order[:middle], order[middle : 2 * middle]]

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass; the rest is left out, another one each time."""
        return len(self._parts[0]) // self.batch_size

    def weight_batch(self, epoch: int, index: int) -> Batch:
        """The batch of step ``index`` of an epoch, for the weights."""
        return self._batch(self._parts[0], "weight", epoch, index)

    def alpha_batch(self, epoch: int, index: int) -> Batch:
        """The batch of an alternating step for the alphas."""
        return self._batch(self._parts[1], "alpha", epoch, index)

    def _batch(self, part: Int[Tensor, " n"], purpose: str, epoch: int, index: int) -> Batch:
        start = index * self.batch_size
        order = self._order(len(part), purpose, epoch)
        chosen = part[order[start : start + self.batch_size]].to(self._images.device)
        images = self._images[chosen].to(self.device, non_blocking=True)
        labels = self._labels[chosen].to(self.device, non_blocking=True)
        random = generator(self.seed, f"{purpose} augmentation", epoch, index)
        return self.augmentation(images, self.normalise, random), labels

    def _order(self, count: int, purpose: str, epoch: int) -> Int[Tensor, " n"]:
        """The shuffled order of one epoch, kept until the next epoch asks."""
        if self._orders.get(purpose, (-1, None))[0] != epoch:
            order = torch.randperm(count, generator=generator(self.seed, purpose, epoch))
            self._orders[purpose] = (epoch, order)
        return self._orders[purpose][1]

    def validation_batches(self) -> Iterator[Batch]:
        """The validation images in equal parts, shuffled once by the seed.

        Shuffling matters: batch normalisation in the search takes its
        statistics from the batch, which must therefore look like the whole.
        """
        yield from self._held_out(self._validation, "validation")

    def test_batches(self) -> Iterator[Batch]:
        """The test images in equal parts; for the end of a training, once."""
        yield from self._held_out(self._test, "test")

    def _held_out(self, split: Split, purpose: str) -> Iterator[Batch]:
        count = len(split)
        order = torch.randperm(count, generator=generator(self.seed, purpose)).numpy()
        for chosen in np.array_split(order, -(-count // EVALUATION_BATCH)):
            images = torch.from_numpy(split.images[chosen]).permute(0, 3, 1, 2).contiguous()
            labels = torch.from_numpy(split.labels[chosen])
            yield self.normalise(images.to(self.device)), labels.to(self.device)

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


def _on_device(
    split: Split, device: torch.device
) -> tuple[UInt8[Tensor, "N C H W"], Int[Tensor, " N"]]:
    """A split as two tensors, on the device where they take less than half its free memory."""
    images = torch.from_numpy(split.images).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(split.labels)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if images.nbytes > free // 2:
            return images.pin_memory(), labels
    return images.to(device), labels.to(device)


def _moved(normalise: Normalise, device: torch.device) -> Normalise:
    return Normalise(normalise.mean.to(device), normalise.std.to(device))
