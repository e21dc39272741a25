"""Augmentation of whole batches on the device: crop, mirror, normalise, cutout."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """What happens to a training batch; zero and False switch a part off.

    Attributes:
        crop_padding: Pixels of black around the image before a random crop.
        flip: Whether half of the images are mirrored left to right.
        cutout: Side in pixels of a square set to the mean (DeVries & Taylor 2017).
    """

    crop_padding: int = 0
    flip: bool = False
    cutout: int = 0

    def __call__(
        self, images: UInt8[Tensor, "B C H W"], normalise: "Normalise", random: torch.Generator
    ) -> Float[Tensor, "B C H W"]:
        """Augmented and normalised images; all randomness comes from ``random``."""
        if self.crop_padding:
            images = random_crop(images, self.crop_padding, random)
        if self.flip:
            images = random_flip(images, random)
        batch = normalise(images)
        if self.cutout:
            batch = batch.masked_fill(cutout_mask(batch, self.cutout, random), 0.0)
        return batch


@dataclass(frozen=True)
class Normalise:
    """Zero mean and unit variance a channel, from the training images.

    Attributes:
        mean: Per channel, in units of the uint8 pixel (0 to 255).
        std: Per channel, in the same units, above 0.
    """

    mean: Float[Tensor, " C"]
    std: Float[Tensor, " C"]

    @classmethod
    def of(cls, images: UInt8[Tensor, "N C H W"]) -> "Normalise":
        """Statistics of a set of images, exact in integer arithmetic."""
        counts = torch.stack([torch.bincount(c.flatten(), minlength=256) for c in images.unbind(1)])
        values = torch.arange(256, dtype=torch.float64, device=images.device)
        share = counts.double() / counts.sum(1, keepdim=True)
        mean = share @ values
        variance = share @ values.square() - mean.square()
        std = variance.clamp_min(0).sqrt().clamp_min(1.0)
        return cls(mean.float(), std.float())

    def __call__(self, images: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Normalised images as float32."""
        return (images.float() - self.mean[:, None, None]) / self.std[:, None, None]


def random_crop(
    images: UInt8[Tensor, "B C H W"], padding: int, random: torch.Generator
) -> UInt8[Tensor, "B C H W"]:
    """Pad with black and cut each image back to its size at its own place."""
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    return random_window(padded, padding, random)


def random_window(
    padded: UInt8[Tensor, "B C Hp Wp"], padding: int, random: torch.Generator
) -> UInt8[Tensor, "B C H W"]:
    """Cut each image, all channels alike, to its size before ``padding`` at its own place."""
    size, channels, height, width = padded.shape
    device = padded.device
    top, left = _integers(2 * padding + 1, (2, size), random, device)
    rows = top[:, None] + torch.arange(height - 2 * padding, device=device)
    columns = left[:, None] + torch.arange(width - 2 * padding, device=device)
    return padded[
        torch.arange(size, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def random_flip(
    images: UInt8[Tensor, "B C H W"], random: torch.Generator
) -> UInt8[Tensor, "B C H W"]:
    """Mirror each image left to right with probability one half."""
    mirrored = _integers(2, (images.shape[0],), random, images.device).bool()
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def cutout_mask(
    batch: Float[Tensor, "B C H W"], side: int, random: torch.Generator
) -> Bool[Tensor, "B 1 H W"]:
    """True in a square around a random pixel of each image, cut off at the border."""
    size, _, height, width = batch.shape
    top = _integers(height, (size,), random, batch.device)[:, None] - side // 2
    left = _integers(width, (size,), random, batch.device)[:, None] - side // 2
    rows = torch.arange(height, device=batch.device)
    columns = torch.arange(width, device=batch.device)
    in_rows = (rows >= top) & (rows < top + side)
    in_columns = (columns >= left) & (columns < left + side)
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]


def _integers(
    high: int, shape: tuple[int, ...], random: torch.Generator, device: torch.device
) -> Int[Tensor, "..."]:
    """Uniform integers 0 … high-1, drawn on the CPU so that devices agree."""
    return torch.randint(high, shape, generator=random).to(device)
