"""Semantic segmentation: a class for each pixel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from engine.data.scenes import SceneData
from engine.tasks.augmentation import Normalise, random_flip, random_window
from engine.tasks.pictures import PictureBatches, Pictures
from engine.tasks.task import NothingCarried

EVALUATION_BATCH = 32
"""Scenes a validation batch, at most; batch statistics are taken over one."""

Batch = tuple[Float[Tensor, "B C H W"], Int[Tensor, "B H W"]]


@dataclass(frozen=True)
class SceneTally:
    """Counts over the pixels that have a class.

    Attributes:
        loss_sum: Sum of their cross-entropies in nats.
        confusion: Pixels by true class (row) and predicted class (column).
    """

    loss_sum: float
    confusion: Int[Tensor, "K K"]

    def __add__(self, other: "SceneTally") -> "SceneTally":
        return SceneTally(self.loss_sum + other.loss_sum, self.confusion + other.confusion)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats a pixel; 0 where no pixel has a class."""
        return self.loss_sum / max(1, int(self.confusion.sum()))

    @property
    def intersections_over_unions(self) -> Float[Tensor, " K"]:
        """Per class, right pixels among those that have it or were given it, in per cent.

        NaN for a class that no pixel has and none was given.
        """
        right = self.confusion.diagonal().double()
        union = self.confusion.sum(0) + self.confusion.sum(1) - self.confusion.diagonal()
        return 100.0 * right / union

    @property
    def score(self) -> float:
        """Mean IoU in per cent, over the classes that some pixel has or was given."""
        shares = self.intersections_over_unions
        known = shares[~shares.isnan()]
        return known.mean().item() if len(known) else 0.0

    @property
    def error(self) -> float:
        """What the mean IoU lacks to 100%."""
        return 100.0 - self.score

    @property
    def pixel_accuracy(self) -> float:
        """Share of right pixels in per cent."""
        return 100.0 * int(self.confusion.diagonal().sum()) / max(1, int(self.confusion.sum()))


@dataclass(frozen=True)
class SceneAugmentation:
    """What happens to a training batch, the same to an image and its mask.

    Attributes:
        crop_padding: Pixels of black around the image before a random crop;
            their mask is ignored.
        flip: Whether half of the scenes are mirrored left to right.
    """

    crop_padding: int = 0
    flip: bool = False

    def __call__(
        self,
        images: UInt8[Tensor, "B C H W"],
        masks: UInt8[Tensor, "B H W"],
        ignore_index: int,
        random: torch.Generator,
    ) -> tuple[UInt8[Tensor, "B C H W"], UInt8[Tensor, "B H W"]]:
        """Augmented scenes; the mask is moved as one more channel of its image."""
        border = (self.crop_padding,) * 4
        padded = functional.pad(masks[:, None], border, value=ignore_index)
        scenes = torch.cat([functional.pad(images, border), padded], dim=1)
        if self.crop_padding:
            scenes = random_window(scenes, self.crop_padding, random)
        if self.flip:
            scenes = random_flip(scenes, random)
        return scenes[:, :-1], scenes[:, -1]


def balanced_weights(
    masks: UInt8[Tensor, "N H W"], *, classes: int, ignore_index: int
) -> Float[Tensor, " K"]:
    """Weights of the classes in the loss, by the inverse of their share of pixels::

        w_c = P / (K P_c)

    with P_c the training pixels of class c, P those of all classes, and K the
    number of classes that occur. Each class then has the same total weight P / K.
    A class without any training pixel has the weight 1, which nothing uses.
    """
    counts = torch.bincount(masks.flatten().int(), minlength=256)
    counts[ignore_index] = 0
    counts = counts[:classes].double()
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts)
    return torch.where(present, weights, 1.0).float()


class SemanticSegmentation(NothingCarried):
    """Serves augmented scenes of one data set and judges the answers.

    Args:
        data: The three splits.
        batch_size: Scenes a step.
        augmentation: What happens to training scenes.
        seed: Of order, halves and augmentation.
        halved: Whether weights and alphas move on halves of their own.
        device: Where the scenes live if they fit, and the batches always.
        balanced: Whether rare classes weigh more in the loss, see
            :func:`balanced_weights`. The reported losses are never weighted.
        label_smoothing: Share of each target that is spread over all classes.
    """

    score_name = "mean_iou"

    def __init__(
        self,
        data: SceneData,
        *,
        batch_size: int,
        augmentation: SceneAugmentation,
        seed: int,
        halved: bool,
        device: torch.device,
        balanced: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        self.device = device
        self.augmentation = augmentation
        self.label_smoothing = label_smoothing
        self.summary = data.summary
        self.ignore_index = data.ignore_index
        self.classes = len(data.class_names)
        self.batches = PictureBatches(
            *(Pictures(s.images, s.masks) for s in (data.train, data.validation, data.test)),
            batch_size=batch_size,
            evaluation_batch=EVALUATION_BATCH,
            seed=seed,
            halved=halved,
            device=device,
        )
        self.in_channels = self.batches.in_channels
        self.image_size = (self.summary.height, self.summary.width)
        weights = torch.ones(self.classes)
        if balanced:
            masks = torch.from_numpy(data.train.masks)
            weights = balanced_weights(masks, classes=self.classes, ignore_index=self.ignore_index)
        self.class_weights = weights.to(device)

    @property
    def normalise(self) -> Normalise:
        """Zero mean and unit variance a channel, by the training images."""
        return self.batches.normalise

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
        images, masks, random = self.batches.training(purpose, epoch, index)
        images, masks = self.augmentation(images, masks, self.ignore_index, random)
        return self.normalise(images), masks.long()

    def validation_batches(self) -> Iterator[Batch]:
        """The validation scenes in equal parts, shuffled once by the seed."""
        return self._normalised("validation")

    def test_batches(self) -> Iterator[Batch]:
        """The test scenes in equal parts; for the end of a training, once."""
        return self._normalised("test")

    def _normalised(self, purpose: Literal["validation", "test"]) -> Iterator[Batch]:
        for images, masks in self.batches.held_out(purpose):
            yield self.normalise(images), masks.long()

    def loss(
        self, scores: Float[Tensor, "B K H W"], masks: Int[Tensor, "B H W"]
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats, weighted by class, over the pixels that have one.

        0 where no pixel of the batch has a class.
        """
        total = functional.cross_entropy(
            scores,
            masks,
            weight=self.class_weights.to(scores.dtype),
            ignore_index=self.ignore_index,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        weight = self.class_weights[masks[masks != self.ignore_index]].sum()
        return total / weight.clamp_min(torch.finfo(weight.dtype).tiny)

    def tally(self, scores: Float[Tensor, "B K H W"], masks: Int[Tensor, "B H W"]) -> SceneTally:
        """Counts of one batch of answers, every pixel alike."""
        loss = functional.cross_entropy(
            scores, masks, ignore_index=self.ignore_index, reduction="sum"
        )
        counted = masks != self.ignore_index
        pairs = masks[counted] * self.classes + scores.argmax(1)[counted]
        confusion = torch.bincount(pairs, minlength=self.classes**2).cpu()
        return SceneTally(loss.item(), confusion.view(self.classes, self.classes))
