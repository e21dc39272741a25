"""The examination of images and scenes, on data that are bad in a known way."""

import io
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data.contact_sheet import overlay, sheet_of_images, sheet_of_scenes
from engine.data.doctor import (
    class_counts,
    constant_count,
    digests_of,
    examine_images,
    examine_scenes,
    is_grey,
    shared_count,
)
from engine.data.examination import Examination, per_cent, shown_bars
from engine.data.images import ImageData
from engine.data.scenes import SceneData
from engine.data.sources import load_images, load_scenes
from engine.domain.config import make_config
from engine.domain.errors import DataError
from tests.engine.data.bad_data import image_folder, picture, save, scene_folder


def images_in(root: Path, **settings: Any) -> ImageData:
    return load_images(make_config({"data": str(root), "broken_images": "skip", **settings}))


def scenes_in(root: Path, **settings: Any) -> SceneData:
    task = {"task": "semantic_segmentation", "broken_images": "skip"}
    return load_scenes(make_config({"data": str(root), **task, **settings}))


def examined(root: Path, *, refuses_broken: bool = True, **settings: Any) -> Examination:
    return examine_images(images_in(root, **settings), refuses_broken=refuses_broken)


def texts(found: Examination, *levels: str) -> list[str]:
    return [one.text for one in found.findings if one.level in levels]


def test_good_images_give_good_findings_only(tmp_path: Path) -> None:
    found = examined(image_folder(tmp_path))
    assert texts(found, "note", "warning", "error") == []
    assert texts(found, "ok") == [
        "12 training, 8 validation and 8 test images of 8x8 pixels, colour, in 2 classes.",
        "Classes are balanced: from 6 (cat) to 6 (cat) training images.",
        "No two splits share any of their images.",
    ]
    assert found.counts == {"training": 12, "validation": 8, "test": 8}
    assert [(bar.name, bar.counts) for bar in found.bars] == [
        ("cat", (6, 4, 4)),
        ("dog", (6, 4, 4)),
    ]


def test_broken_picture_is_an_error_unless_it_may_be_skipped(tmp_path: Path) -> None:
    root = image_folder(tmp_path)
    (root / "train" / "cat" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    [error] = texts(examined(root), "error")
    assert error.startswith("1 file(s) cannot be read: train/cat/0.png (")
    assert "set broken_images = 'skip'" in error
    [warning] = texts(examined(root, refuses_broken=False), "warning")
    assert warning.endswith("They are left out; replace them if they matter.")


def test_leak_of_three_images_is_found_whatever_their_files(tmp_path: Path) -> None:
    root = image_folder(tmp_path)
    for number in range(3):
        image = Image.open(root / "train" / "cat" / f"{number}.png")
        image.save(root / "test" / "cat" / f"{number}.bmp")
        (root / "test" / "cat" / f"{number}.png").unlink()
    assert texts(examined(root), "warning") == [
        "3 of 8 test images (38 %) are the same as one of the training images, so that figures "
        "look better than they are; keep each picture in one split."
    ]


def test_shared_pictures_are_those_that_are_equal_pixel_by_pixel() -> None:
    random = np.random.default_rng(0)
    first = random.integers(0, 2, (30, 2, 2, 1), dtype=np.uint8)
    second = random.integers(0, 2, (20, 2, 2, 1), dtype=np.uint8)
    expected = sum(any(np.array_equal(a, b) for a in first) for b in second)
    assert 0 < expected < 20
    assert shared_count(digests_of(first), digests_of(second)) == expected


def test_copies_and_contradictory_labels_are_found(tmp_path: Path) -> None:
    root = image_folder(tmp_path)
    save(picture(999), root / "train" / "cat" / "a.png")
    save(picture(999), root / "train" / "cat" / "b.png")
    save(picture(999), root / "train" / "dog" / "c.png")
    found = examined(root)
    assert texts(found, "note") == ["2 of 15 training images are copies of another one there."]
    assert texts(found, "warning") == [
        "1 picture(s) are there with more than one label; correct the labels."
    ]


def test_class_with_one_image_and_uneven_classes_are_warned_of(tmp_path: Path) -> None:
    root = image_folder(tmp_path, train=12)
    for number in range(1, 12):
        (root / "train" / "dog" / f"{number}.png").unlink()
    few, uneven = texts(examined(root), "warning")
    assert few.startswith("1 class(es) have one training image or none, such as dog;")
    assert "from 1 (dog) to 12 (cat) training images" in uneven
    assert "always answering cat would be right for 50 % of the test images" in uneven


def test_class_with_one_image_of_which_some_are_split_off_is_refused_with_a_sentence(
    tmp_path: Path,
) -> None:
    root = image_folder(tmp_path, train=1)
    for split in ("val", "test"):
        for file in (root / split).rglob("*.png"):
            file.unlink()
        for folder in (root / split).iterdir():
            folder.rmdir()
        (root / split).rmdir()
    with pytest.raises(DataError, match=r"1 training image\(s\) of class 'cat'"):
        images_in(root)


def test_class_without_test_images_is_warned_of(tmp_path: Path) -> None:
    root = image_folder(tmp_path)
    for file in (root / "test" / "dog").iterdir():
        file.unlink()
    [warning] = texts(examined(root), "warning")
    assert warning.startswith("The test data have no images of 1 class(es): dog.")


def test_constant_dark_and_grey_pictures_are_named(tmp_path: Path) -> None:
    shapes = {"train": 10, "val": 4, "test": 4}
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {}
    for split, count in shapes.items():
        grey = random.integers(0, 2, (count, 6, 6, 1), dtype=np.uint8)
        arrays[f"{split}_images"] = np.repeat(grey, 3, axis=-1)
        arrays[f"{split}_labels"] = np.arange(count) % 2
    arrays["train_images"][0] = 1
    path = tmp_path / "dark.npz"
    np.savez(path, **arrays)
    found = examined(path)
    constant, dark = texts(found, "warning")
    assert constant == "1 images have one colour only; look whether they are damaged."
    assert dark.startswith("No pixel is brighter than 1 of 255;")
    [note] = texts(found, "note")
    assert note.startswith("All images are grey but stored in colour")


def test_counts_agree_with_counting_one_by_one() -> None:
    random = np.random.default_rng(1)
    labels = [random.integers(0, 4, count) for count in (50, 9)]
    expected = [[sum(x == k for x in each) for k in range(5)] for each in labels]
    assert class_counts(labels, 5).tolist() == expected
    pictures = random.integers(0, 2, (60, 2, 1, 3), dtype=np.uint8)
    one_colour = [len({tuple(p) for p in each.reshape(-1, 3).tolist()}) == 1 for each in pictures]
    assert constant_count(pictures) == sum(one_colour) > 0
    grey = [all(len(set(p)) == 1 for p in each.reshape(-1, 3).tolist()) for each in pictures]
    assert [is_grey(each[None]) for each in pictures] == grey


def test_good_scenes_give_good_findings_only(tmp_path: Path) -> None:
    found = examine_scenes(scenes_in(scene_folder(tmp_path)), refuses_broken=True)
    assert texts(found, "note", "warning", "error") == []
    assert "The most frequent class, sky, has 38 % of the training pixels." in texts(found, "ok")
    assert [bar.counts for bar in found.bars] == [(96, 72, 72), (96, 72, 72), (64, 48, 48)]


def test_leak_and_missing_class_of_scenes_are_found(tmp_path: Path) -> None:
    root = scene_folder(tmp_path)
    (root / "classes.txt").write_text("sky\nroad\ncar\ntram\n")
    save(picture(101), root / "test" / "images" / "0.png")
    mask = np.full((8, 8), 255, np.uint8)
    mask[0] = 0
    save(Image.fromarray(mask), root / "train" / "masks" / "3.png")
    found = examine_scenes(scenes_in(root), refuses_broken=True)
    first, validation, test, leak = texts(found, "warning")
    assert first.startswith("No training pixel has the class tram;")
    assert validation.startswith("The validation data have no pixels of 1 class(es): tram.")
    assert test.startswith("The test data have no pixels")
    assert leak.startswith("1 of 3 test scenes (33 %) are the same as one of the training scenes")
    assert texts(found, "note") == ["8.8 % of all pixels do not count (ignore_index = 255)."]


def test_mask_value_out_of_range_is_refused_with_a_sentence(tmp_path: Path) -> None:
    root = scene_folder(tmp_path)
    save(Image.fromarray(np.full((8, 8), 7, np.uint8)), root / "train" / "masks" / "1.png")
    with pytest.raises(DataError, match=r"the value\(s\) 7 in train/masks/1.png"):
        scenes_in(root)


def test_shares_never_call_something_nothing() -> None:
    assert [per_cent(part, 1000) for part in (0, 0.4, 14, 95, 380, 1000)] == [
        "0 %",
        "under 0.1 %",
        "1.4 %",
        "9.5 %",
        "38 %",
        "100 %",
    ]
    assert per_cent(1, 0) == "0 %"


def test_of_many_classes_the_largest_and_the_smallest_are_shown() -> None:
    names = [f"class {number}" for number in range(100)]
    bars, left_out = shown_bars(names, [[number] for number in range(100)])
    assert (len(bars), left_out) == (30, 70)
    assert (bars[0].counts, bars[14].counts, bars[15].counts, bars[-1].counts) == (
        (99,),
        (85,),
        (14,),
        (0,),
    )


# Pictures


def test_sheet_shows_each_class_and_stays_small(tmp_path: Path) -> None:
    for side in (8, 200):
        root = tmp_path / str(side)
        for count, name in enumerate(("cat", "dog")):
            for number in range(6):
                save(picture(20 * count + number, side), root / "train" / name / f"{number}.png")
        sheet = sheet_of_images(images_in(root))
        assert sheet.words == "Up to 6 training images of each class, a row each: cat, dog"
        assert len(sheet.content) < 140_000
        assert Image.open(io.BytesIO(sheet.content)).width == sheet.width


def test_overlay_mixes_colours_by_the_formula() -> None:
    random = np.random.default_rng(5)
    image = random.integers(0, 256, (3, 4, 1), dtype=np.uint8)
    mask = random.integers(0, 4, (3, 4), dtype=np.uint8)
    colours = ("#000000", "#ff0000", "#102030")
    drawn = overlay(image, mask, ignore_index=3, colours=colours)
    for y, x in np.ndindex(3, 4):
        grey, number = float(image[y, x, 0]), int(mask[y, x])
        colour = {1: (255, 0, 0), 2: (16, 32, 48)}.get(number)
        expected = [grey] * 3 if colour is None else [0.45 * grey + 0.55 * c for c in colour]
        assert np.abs(drawn[y, x] - np.array(expected)).max() <= 0.5


def test_sheet_of_scenes_names_the_classes(tmp_path: Path) -> None:
    sheet = sheet_of_scenes(scenes_in(scene_folder(tmp_path)), ("#000000", "#ff0000"))
    assert "0 sky, 1 road, 2 car" in sheet.words
    assert sheet.media_type == "image/png"


def test_prepared_pictures_all_differ(tmp_path: Path) -> None:
    data = images_in(image_folder(tmp_path))
    for first, second in combinations((data.train, data.validation, data.test), 2):
        assert shared_count(digests_of(first.images), digests_of(second.images)) == 0
