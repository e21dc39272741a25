import torch

from engine.tasks.augmentation import (
    Augmentation,
    Normalise,
    cutout_mask,
    random_crop,
    random_flip,
)
from engine.tasks.randomness import generator


def _images(count=16, channels=3, height=9, width=7):
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, height, width), generator=random).to(torch.uint8)


def test_normalised_training_images_have_zero_mean_and_unit_variance():
    images = _images(64)
    batch = Normalise.of(images)(images).double()
    assert batch.mean((0, 2, 3)).abs().max() < 1e-5
    assert (batch.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_a_constant_channel_is_normalised_to_zero_without_nan():
    images = torch.full((4, 1, 5, 5), 17, dtype=torch.uint8)
    assert Normalise.of(images)(images).abs().max() == 0


def test_every_crop_is_a_window_of_the_padded_image():
    images = _images()
    cropped = random_crop(images, 2, generator(0, "crop"))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    for image, crop in zip(padded, cropped, strict=True):
        windows = image.unfold(1, 9, 1).unfold(2, 7, 1)
        same = (windows == crop[:, None, None]).all(0).all(-1).all(-1)
        assert same.any()


def test_flipped_images_are_the_image_or_its_mirror_and_both_occur():
    images = _images(64)
    flipped = random_flip(images, generator(0, "flip"))
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    kept = (flipped == images).flatten(1).all(1)
    assert (mirrored | kept).all()
    assert mirrored.any()
    assert kept.any()


def test_cutout_blanks_a_square_cut_off_at_the_border():
    batch = torch.ones(200, 3, 9, 7)
    mask = cutout_mask(batch, 4, generator(0, "cutout"))
    rows = mask.any(3).sum(2)[:, 0]
    columns = mask.any(2).sum(2)[:, 0]
    assert torch.equal(mask.sum((1, 2, 3)), rows * columns)
    assert set(rows.tolist()) <= {2, 3, 4}
    assert rows.max() == columns.max() == 4


def test_the_same_place_gives_the_same_batch_and_another_place_another():
    images = _images()
    augment = Augmentation(crop_padding=2, flip=True, cutout=3)
    normalise = Normalise.of(images)
    first = augment(images, normalise, generator(3, "augmentation", 1, 2))
    again = augment(images, normalise, generator(3, "augmentation", 1, 2))
    other = augment(images, normalise, generator(3, "augmentation", 1, 3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_augmentation_that_is_switched_off_only_normalises():
    images = _images()
    normalise = Normalise.of(images)
    assert torch.equal(Augmentation()(images, normalise, generator(0, "x")), normalise(images))
