"""Image classification: batches, loss and figures."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from engine.data.images import ImageData, Split
from engine.domain.errors import DataError
from engine.tasks.augmentation import Augmentation, Normalise
from engine.tasks.randomness import generator

EVALUATION_BATCH = 250
"""Images a validation batch, at most; batch statistics are taken over one."""

Batch = tuple[Float[Tensor, "B C H W"], Int[Tensor, " B"]]


@dataclass(frozen=True)
class Score:
    """Loss and accuracy over a number of images.

    Attributes:
        loss: Mean cross-entropy in nats.
        accuracy: Share of right answers in per cent.
    """

    loss: float
    accuracy: float


class ImageClassification:
    """Serves augmented batches of one data set and judges the answers.

    In an alternating search the training images are halved by the seed: one
    half moves the weights, the other the alphas. The validation images move
    neither, whatever the update; the test images are not even kept.

    Args:
        data: The three splits.
        batch_size: Images a step.
        augmentation: What happens to training images.
        seed: Of order, halves and augmentation.
        halved: Whether the update is alternating.
        device: Where the images live if they fit, and the batches always.
    """

    score_name = "child_accuracy"

    def __init__(
        self,
        data: ImageData,
        *,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        halved: bool,
        device: torch.device,
    ) -> None:
        self.device = device
        self.seed = seed
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.summary = data.summary
        self.classes = len(data.class_names)
        self._images, self._labels = _on_device(data.train, device)
        self._validation_images, self._validation_labels = _on_device(data.validation, device)
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

        Shuffling matters: batch normalisation takes its statistics from the
        batch, which must therefore look like the whole.
        """
        count = len(self._validation_images)
        order = torch.randperm(count, generator=generator(self.seed, "validation"))
        for chosen in order.tensor_split(-(-count // EVALUATION_BATCH)):
            where = chosen.to(self._validation_images.device)
            images = self._validation_images[where].to(self.device)
            yield self.normalise(images), self._validation_labels[where].to(self.device)

    @staticmethod
    def loss(logits: Float[Tensor, "B classes"], labels: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats."""
        return functional.cross_entropy(logits, labels)

    @staticmethod
    def score(logits: Float[Tensor, "B classes"], labels: Int[Tensor, " B"]) -> Score:
        """Loss and accuracy of one batch of answers."""
        right = (logits.argmax(1) == labels).double().mean()
        return Score(functional.cross_entropy(logits, labels).item(), 100.0 * right.item())


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
