"""What proposals know of data, from real folders, files and names."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.data.facts import facts_of
from engine.data.inspection import inspect_data
from engine.data.summaries import TextSummary
from engine.domain.config import make_config
from engine.domain.facts import DataFacts
from tests.engine.data.bad_data import image_folder, scene_folder, text_folder


def facts(data: object, **settings: object) -> DataFacts:
    config = make_config({"data": str(data), **settings})
    return facts_of(config, inspect_data(config))


def npz(path: Path, **more: object) -> Path:
    images = np.zeros((12, 9, 10, 3), np.uint8)
    np.savez(path, train_images=images, train_labels=np.arange(12) % 3, **more)
    return path


def test_named_data_have_published_sizes():
    found = facts("cifar10")
    assert (found.train, found.test, found.side, found.channels) == (50_000, 10_000, 32, 3)
    assert not found.resizable


@pytest.mark.parametrize("name", ["digits", "mnist", "svhn"])
def test_named_data_of_digits_are_known_as_such(name):
    assert facts(name).characters


def test_a_folder_can_be_resized_and_names_its_classes(tmp_path):
    found = facts(image_folder(tmp_path / "data"))
    assert found.resizable
    assert found.characters is False
    assert found.train == 12


def test_folders_named_by_digits_or_letters_hold_characters(tmp_path):
    root = image_folder(tmp_path / "data") / "train"
    for split in ("val", "test"):
        shutil.rmtree(root.parent / split, ignore_errors=True)
    for folder, name in zip(sorted(root.iterdir()), "7a", strict=True):
        folder.rename(root / name)
    assert facts(root.parent).characters


def test_a_file_without_names_says_nothing_about_its_classes(tmp_path):
    unnamed = facts(npz(tmp_path / "unnamed.npz"))
    assert unnamed.characters is None
    assert (unnamed.height, unnamed.width, unnamed.resizable) == (9, 10, False)
    named = facts(npz(tmp_path / "named.npz", class_names=np.array(["cat", "dog", "owl"])))
    assert named.characters is False


def test_scenes_are_scenes(tmp_path):
    found = facts(scene_folder(tmp_path / "scenes"), task="semantic_segmentation")
    assert found.is_scenes
    assert found.resizable
    assert not facts("digit_scenes", task="semantic_segmentation").resizable
    assert facts("voc2012", task="semantic_segmentation").resizable


def test_texts_are_counted_unless_they_are_too_large(tmp_path):
    text = {"task": "language_modelling"}
    found = facts(text_folder(tmp_path / "text"), **text)
    assert found.is_text
    assert found.complete
    assert found.train > 0
    config = make_config({**text, "data": "large"})
    large = facts_of(config, TextSummary("large", 0, 0, 0, 0))
    assert not large.complete
    assert large.train > 1_000_000
