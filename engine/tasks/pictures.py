"""What all tasks on images share: their place, their order, and their batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int, Shaped, UInt8
from numpy.typing import NDArray
from torch import Tensor

from engine.domain.errors import DataError
from engine.tasks.augmentation import Normalise
from engine.tasks.randomness import generator

Targets = Shaped[Tensor, "B *HW"]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images uint8 [N, H, W, C] and what is to be said of them, [N, ...], as arrays."""

    images: NDArray[np.uint8]
    targets: NDArray[Any]


class PictureBatches:
    """Serves raw batches of training images in an order that the seed fixes.

    In an alternating search the training images are halved by the seed: one
    half moves the weights, the other the alphas. The validation images move
    neither, whatever the update.

    Args:
        train: Kept on the device where they take less than half its free memory.
        validation: Served from main memory.
        test: The same.
        batch_size: Images a step.
        evaluation_batch: Images of a validation batch, at most; batch
            statistics are taken over one.
        seed: Of order and halves.
        halved: Whether the update is alternating.
        device: Where batches go.

    Attributes:
        images: The training images.
        parts: Indices of those that move the weights (``weight``) and the
            alphas (``alpha``).
        normalise: By the statistics of the training images.

    Raises:
        DataError: A batch is larger than the training images.
    """

    def __init__(
        self,
        train: Pictures,
        validation: Pictures,
        test: Pictures,
        *,
        batch_size: int,
        evaluation_batch: int,
        seed: int,
        halved: bool,
        device: torch.device,
    ) -> None:
        self.device = device
        self._seed = seed
        self._batch_size = batch_size
        self._evaluation_batch = evaluation_batch
        self.images, self._targets = _on_device(train, device)
        self._held_out = {"validation": validation, "test": test}
        self.in_channels = self.images.shape[1]
        self.normalise = _moved(Normalise.of(self.images), device)
        self.parts = self._training_parts(halved)
        self._orders: dict[str, tuple[int, Tensor]] = {}
        if self.steps_per_epoch == 0:
            raise DataError(
                asked=f"batch_size = {batch_size}",
                found=f"{len(self.parts['weight'])} images to train on",
                allowed="a batch that is not larger than the training images",
                advice="lower batch_size",
            )

    def _training_parts(self, halved: bool) -> dict[str, Int[Tensor, " n"]]:
        """Indices that move the weights, and those that move the alphas."""
        order = torch.randperm(len(self.images), generator=generator(self._seed, "halves"))
        if not halved:
            return {"weight": order, "alpha": order}
        middle = len(order) // 2
        return {"weight": order[:middle], "alpha": order[middle : 2 * middle]}

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass; the rest is left out, another one each time."""
        return len(self.parts["weight"]) // self._batch_size

    def training(
        self, purpose: Literal["weight", "alpha"], epoch: int, index: int
    ) -> tuple[UInt8[Tensor, "B C H W"], Targets, torch.Generator]:
        """The batch of step ``index`` of an epoch, and the randomness of its augmentation."""
        chosen = self.chosen(purpose, epoch, index).to(self.images.device)
        images = self.images[chosen].to(self.device, non_blocking=True)
        targets = self._targets[chosen].to(self.device, non_blocking=True)
        return images, targets, generator(self._seed, f"{purpose} augmentation", epoch, index)

    def chosen(
        self, purpose: Literal["weight", "alpha"], epoch: int, index: int
    ) -> Int[Tensor, " B"]:
        """Indices of the training images in one batch."""
        part = self.parts[purpose]
        start = index * self._batch_size
        order = self._order(len(part), purpose, epoch)
        return part[order[start : start + self._batch_size]]

    def _order(self, count: int, purpose: str, epoch: int) -> Int[Tensor, " n"]:
        """The shuffled order of one epoch, kept until the next epoch asks."""
        if self._orders.get(purpose, (-1, None))[0] != epoch:
            order = torch.randperm(count, generator=generator(self._seed, purpose, epoch))
            self._orders[purpose] = (epoch, order)
        return self._orders[purpose][1]

    def held_out(
        self, purpose: Literal["validation", "test"]
    ) -> Iterator[tuple[UInt8[Tensor, "B C H W"], Targets]]:
        """All validation or test images in equal parts, shuffled once by the seed.

        Shuffling matters: batch normalisation in the search takes its
        statistics from the batch, which must therefore look like the whole.
        """
        split = self._held_out[purpose]
        count = len(split.images)
        order = torch.randperm(count, generator=generator(self._seed, purpose)).numpy()
        for chosen in np.array_split(order, -(-count // self._evaluation_batch)):
            images, targets = _tensors(Pictures(split.images[chosen], split.targets[chosen]))
            yield images.to(self.device), targets.to(self.device)


def _tensors(pictures: Pictures) -> tuple[UInt8[Tensor, "B C H W"], Targets]:
    images = torch.from_numpy(pictures.images).permute(0, 3, 1, 2).contiguous()
    return images, torch.from_numpy(pictures.targets)


def _on_device(
    pictures: Pictures, device: torch.device
) -> tuple[UInt8[Tensor, "N C H W"], Shaped[Tensor, "N ..."]]:
    """Images and targets, on the device where they take less than half its free memory."""
    images, targets = _tensors(pictures)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if images.nbytes + targets.nbytes > free // 2:
            return images.pin_memory(), targets.pin_memory()
    return images.to(device), targets.to(device)


def _moved(normalise: Normalise, device: torch.device) -> Normalise:
    return Normalise(normalise.mean.to(device), normalise.std.to(device))
