"""Scenes as they are served, and how answers about their pixels are judged."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.data.scenes import SceneData, SceneSplit
from engine.domain.errors import DataError
from engine.tasks.randomness import generator
from engine.tasks.semantic_segmentation import (
    SceneAugmentation,
    SceneTally,
    SemanticSegmentation,
    balanced_weights,
)

IGNORED = 255
CPU = torch.device("cpu")


def scenes(count: int, seed: int) -> SceneSplit:
    """Images whose pixels tell their mask: 20 a class, 200 where it is ignored."""
    random = np.random.default_rng(seed)
    masks = random.choice(np.array([0, 1, 2, IGNORED], np.uint8), (count, 6, 8))
    images = np.where(masks == IGNORED, 200, 20 * (masks + 1)).astype(np.uint8)
    return SceneSplit(images[..., None], masks)


@pytest.fixture
def data() -> SceneData:
    return SceneData(
        scenes(10, 0), scenes(5, 1), scenes(4, 2), ("a", "b", "c"), ignore_index=IGNORED
    )


@pytest.fixture
def make_task(data):
    def make(**changes) -> SemanticSegmentation:
        arguments = {
            "batch_size": 4,
            "augmentation": SceneAugmentation(),
            "seed": 0,
            "halved": False,
            "device": CPU,
        }
        return SemanticSegmentation(data, **arguments | changes)

    return make


def test_image_and_mask_move_together_and_what_comes_from_outside_is_ignored():
    split = scenes(40, 3)
    images = torch.from_numpy(split.images).permute(0, 3, 1, 2)
    masks = torch.from_numpy(split.masks)
    augment = SceneAugmentation(crop_padding=3, flip=True)
    moved, moved_masks = augment(images, masks, IGNORED, generator(0, "scenes"))
    assert moved.shape == images.shape
    assert moved_masks.shape == masks.shape
    expected = torch.where(moved_masks == IGNORED, 200, 20 * (moved_masks.int() + 1))
    outside = moved[:, 0] == 0
    assert 0 < outside.float().mean() < 0.6
    assert (moved_masks[outside] == IGNORED).all()
    assert torch.equal(moved[:, 0][~outside].int(), expected[~outside].int())
    assert not torch.equal(moved, images)


def test_without_augmentation_scenes_stay_as_they_are():
    split = scenes(4, 3)
    images = torch.from_numpy(split.images).permute(0, 3, 1, 2)
    masks = torch.from_numpy(split.masks)
    moved, moved_masks = SceneAugmentation()(images, masks, IGNORED, generator(0, "scenes"))
    assert torch.equal(moved, images)
    assert torch.equal(moved_masks, masks)


def test_a_batch_depends_on_nothing_but_the_seed_and_its_place(make_task):
    augmentation = SceneAugmentation(crop_padding=2, flip=True)
    one, two = make_task(augmentation=augmentation), make_task(augmentation=augmentation)
    two.weight_batch(0, 0)
    for served, again in zip(one.weight_batch(1, 1), two.weight_batch(1, 1), strict=True):
        assert torch.equal(served, again)
    other = make_task(augmentation=augmentation, seed=1).weight_batch(1, 1)
    assert not torch.equal(one.weight_batch(1, 1)[1], other[1])


def test_batches_are_normalised_images_with_whole_numbers_as_masks(make_task, data):
    images, masks = make_task().weight_batch(0, 1)
    assert images.shape == (4, 1, 6, 8)
    assert images.dtype == torch.float32
    assert masks.dtype == torch.int64
    pixels = data.train.images.astype(np.float64)
    expected = (200 - pixels.mean()) / pixels.std()
    assert images[masks[:, None] == IGNORED].mean().item() == pytest.approx(expected, rel=1e-4)


def test_halves_of_an_alternating_search_share_no_scene(make_task):
    weights, alphas = (set(part.tolist()) for part in make_task(halved=True).batches.parts.values())
    assert len(weights) == len(alphas) == 5
    assert not weights & alphas


def test_held_out_scenes_are_served_once_each(make_task, data):
    for split, batches in (
        (data.validation, make_task().validation_batches()),
        (data.test, make_task().test_batches()),
    ):
        masks = torch.cat([masks for _, masks in batches])
        assert sorted(masks.flatten(1).tolist()) == sorted(
            split.masks.reshape(len(split), -1).tolist()
        )


def test_a_batch_larger_than_the_training_scenes_is_refused(make_task):
    with pytest.raises(DataError, match="batch_size = 11; found 10 images to train on"):
        make_task(batch_size=11)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs_mean_over_the_pixels_with_a_class(make_task, balanced, smoothing):
    task = make_task(balanced=balanced, label_smoothing=smoothing)
    _, masks = task.weight_batch(0, 0)
    scores = torch.randn(4, 3, 6, 8)
    expected = functional.cross_entropy(
        scores,
        masks,
        weight=task.class_weights,
        ignore_index=IGNORED,
        label_smoothing=smoothing,
    )
    torch.testing.assert_close(task.loss(scores, masks), expected)


def test_a_batch_without_any_class_has_the_loss_zero_and_no_gradient(make_task):
    scores = torch.randn(2, 3, 6, 8, requires_grad=True)
    masks = torch.full((2, 6, 8), IGNORED)
    loss = make_task().loss(scores, masks)
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.abs().max() == 0
    assert make_task().tally(scores.detach(), masks).loss == 0


def test_balanced_weights_give_every_class_the_same_total():
    masks = torch.tensor([[[0] * 6 + [1] * 2 + [3] * 1 + [IGNORED] * 3]], dtype=torch.uint8)
    weights = balanced_weights(masks, classes=4, ignore_index=IGNORED)
    assert weights.tolist() == pytest.approx([9 / 18, 9 / 6, 1.0, 9 / 3])
    counts = torch.tensor([6, 2, 1])
    assert (weights[[0, 1, 3]] * counts).tolist() == pytest.approx([3.0] * 3)


def test_an_ignored_value_within_the_classes_weighs_nothing():
    masks = torch.tensor([[[0, 0, 0, 1, 2, 2]]], dtype=torch.uint8)
    weights = balanced_weights(masks, classes=3, ignore_index=0)
    assert weights.tolist() == pytest.approx([1.0, 1.5, 0.75])


def test_the_tally_counts_as_a_loop_over_all_pixels_does(make_task):
    task = make_task()
    _, masks = task.weight_batch(0, 0)
    scores = torch.randn(4, 3, 6, 8)
    tally = task.tally(scores, masks)
    shares = []
    predicted = scores.argmax(1)
    counted = masks != IGNORED
    for label in range(3):
        truth, found = (masks == label) & counted, (predicted == label) & counted
        shares.append(100 * int((truth & found).sum()) / int((truth | found).sum()))
    assert tally.score == pytest.approx(np.mean(shares))
    assert tally.error == pytest.approx(100 - np.mean(shares))
    right = (predicted == masks)[counted].double().mean().item()
    assert tally.pixel_accuracy == pytest.approx(100 * right)
    expected = functional.cross_entropy(scores, masks, ignore_index=IGNORED).item()
    assert tally.loss == pytest.approx(expected, rel=1e-5)


def test_tallies_of_parts_add_up_to_that_of_the_whole(make_task):
    task = make_task()
    _, masks = task.weight_batch(0, 0)
    scores = torch.randn(4, 3, 6, 8)
    parts = task.tally(scores[:1], masks[:1]) + task.tally(scores[1:], masks[1:])
    whole = task.tally(scores, masks)
    assert torch.equal(parts.confusion, whole.confusion)
    assert parts.loss == pytest.approx(whole.loss)


def test_a_class_that_nobody_has_or_gets_is_left_out_of_the_mean():
    tally = SceneTally(0.0, torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert tally.score == pytest.approx(100 * (3 / 4 + 4 / 5) / 2)
    wrongly_given = SceneTally(0.0, torch.tensor([[3, 0, 1], [0, 4, 0], [0, 0, 0]]))
    assert wrongly_given.score == pytest.approx(100 * (3 / 4 + 1 + 0) / 3)
    assert SceneTally(0.0, torch.zeros(3, 3, dtype=torch.int64)).score == 0
