import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data import pictures
from engine.data.folders import inspect_folder, read_folder
from engine.domain.errors import DataError

SOURCE = "pictures"
GREY, RED = 90, (200, 10, 30)


def draw(path: Path, colour: int | tuple[int, int, int] = RED, size: tuple[int, int] = (4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        for number in range(3):
            draw(tmp_path / "train" / name / f"{number}.png")
    return tmp_path


def read(root: Path, *, image_size: int = 0, skip_broken: bool = False):
    return read_folder(SOURCE, root, image_size=image_size, skip_broken=skip_broken)


def refusal(root: Path, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        read(root, **options)
    return caught.value


def looked_and_read(root: Path) -> str:
    """What both looking and reading find wrong."""
    with pytest.raises(DataError) as looked:
        inspect_folder(SOURCE, root, 0)
    error = refusal(root)
    assert str(looked.value) == str(error)
    return error.found


def test_classes_are_the_folders_of_train_in_order_of_their_names(root):
    draw(root / "test" / "dog" / "x.png")
    raw = read(root)
    assert raw.class_names == ("cat", "dog")
    assert raw.train.images.shape == (6, 3, 4, 3)
    assert raw.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert raw.train.images[0, 0, 0].tolist() == list(RED)
    assert raw.validation is None
    assert raw.test is not None
    assert raw.test.labels.tolist() == [1]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_folder_may_have_three_names(root, name):
    draw(root / name / "cat" / "x.png")
    raw = read(root)
    assert raw.validation is not None
    assert len(raw.validation) == 1
    assert inspect_folder(SOURCE, root, 0).validation == 1


def test_two_validation_folders_are_refused(root):
    draw(root / "val" / "cat" / "x.png")
    draw(root / "valid" / "cat" / "x.png")
    assert looked_and_read(root) == "the folders val and valid"


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "webp", "gif", "tif", "PNG"])
def test_images_of_each_format_are_read(root, suffix):
    draw(root / "train" / "cat" / f"other.{suffix}")
    raw = read(root)
    assert len(raw.train) == 7
    assert np.abs(raw.train.images.astype(int) - RED).max() < 12


def test_images_stay_grey_if_all_are_grey(tmp_path):
    for name in ("a", "b"):
        draw(tmp_path / "train" / name / "0.png", GREY)
    raw = read(tmp_path)
    assert raw.train.images.shape == (2, 3, 4, 1)
    assert set(raw.train.images.ravel().tolist()) == {GREY}
    assert inspect_folder(SOURCE, tmp_path, 0).in_channels == 1


def test_one_colour_image_in_another_split_makes_all_of_them_colour(tmp_path):
    for name in ("a", "b"):
        draw(tmp_path / "train" / name / "0.png", GREY)
    draw(tmp_path / "test" / "a" / "0.png", RED)
    raw = read(tmp_path)
    assert raw.train.images.shape == (2, 3, 4, 3)
    assert raw.train.images[0, 0, 0].tolist() == [GREY] * 3


def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        deep = Image.fromarray(np.full((3, 4), 0x7F12, np.uint16))
        deep.save(tmp_path / "train" / name / "0.png")
    assert set(read(tmp_path).train.images.ravel().tolist()) == {0x7F}


def see_through(mode: str) -> Image.Image:
    """Two pixels side by side: one that is seen, and one whose colour nobody sees."""
    if mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([*RED, 0, 0, 0])
        image.putpixel((1, 0), 1)
        image.info["transparency"] = 1
        return image
    grey = mode == "LA"
    image = Image.new(mode, (2, 1), (GREY, 255) if grey else (*RED, 255))
    image.putpixel((1, 0), (0, 0) if grey else (0, 0, 0, 0))
    return image


@pytest.mark.parametrize(("mode", "seen"), [("RGBA", RED), ("P", RED), ("LA", (GREY,))])
def test_what_is_transparent_shows_white(tmp_path, mode, seen):
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        see_through(mode).save(tmp_path / "train" / name / "0.png")
    assert inspect_folder(SOURCE, tmp_path, 0).in_channels == len(seen)
    left, right = read(tmp_path).train.images[0].reshape(2, -1).tolist()
    assert tuple(left) == seen
    assert set(right) == {255}


def test_half_transparent_pixels_are_mixed_with_white(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.new("RGBA", (1, 1), (*RED, 51)).save(tmp_path / "train" / name / "0.png")
    mixed = [round(0.2 * colour + 0.8 * 255) for colour in RED]
    assert read(tmp_path).train.images[0].ravel().tolist() == mixed


def test_image_turned_by_its_camera_is_turned_back(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (4, 3), RED).save(tmp_path / "train" / name / "0.jpg", exif=exif)
    assert read(tmp_path).train.images.shape == (2, 4, 3, 3)


@pytest.mark.parametrize("remarks", [b"Exif\0\0II*\0\x01", b"Exif\0\0XX"])
def test_image_with_damaged_remarks_is_read_as_it_lies(root, remarks):
    Image.new("RGB", (4, 3), RED).save(root / "train" / "cat" / "9.png", exif=remarks)
    raw = read(root)
    assert raw.skipped == ()
    assert raw.train.images.shape == (7, 3, 4, 3)


def test_names_that_are_no_unicode_can_be_stored(root):
    coffee = os.fsdecode(b"caf\xe9")
    draw(root / "train" / coffee / "0.png")
    (root / "train" / "cat" / f"{coffee}.png").write_bytes(b"no image")
    raw = read(root, skip_broken=True)
    assert raw.class_names == ("caf\\udce9", "cat", "dog")
    assert raw.train.labels.tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert raw.skipped[0].startswith("train/cat/caf\\udce9.png (")
    assert inspect_folder(SOURCE, root, 0).class_names == raw.class_names
    assert str(refusal(root)).encode()
    (root / "test" / f"{coffee}s").mkdir(parents=True)
    assert looked_and_read(root).startswith("the class folder test/caf\\udce9s, which")


def test_hidden_files_and_other_files_are_left_alone(root):
    (root / "train" / "cat" / ".hidden.png").write_text("no image")
    (root / "train" / "cat" / "notes.txt").write_text("no image")
    (root / "train" / ".cache").mkdir()
    assert len(read(root).train) == 6


def test_images_of_different_sizes_are_refused_with_both_names(root):
    draw(root / "train" / "dog" / "9.png", size=(5, 5))
    error = refusal(root)
    assert error.found == "train/cat/0.png of 4x3 beside train/dog/9.png of 5x5 pixels"
    assert "image_size" in error.advice


def test_image_size_makes_all_images_one_square(root):
    draw(root / "train" / "dog" / "9.png", size=(5, 5))
    raw = read(root, image_size=8)
    assert raw.train.images.shape == (7, 8, 8, 3)
    assert inspect_folder(SOURCE, root, 8).height == 8


def test_broken_images_are_named_and_counted_when_refused(root):
    (root / "train" / "cat" / "1.png").write_bytes(b"")
    (root / "train" / "dog" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    error = refusal(root)
    assert error.found.startswith("2 image(s) that cannot be read: train/cat/1.png (")
    assert "train/dog/2.png (" in error.found
    assert "skip" in error.allowed


def test_broken_images_are_named_and_left_out_when_skipped(root):
    (root / "train" / "cat" / "1.png").write_bytes(b"no image")
    raw = read(root, skip_broken=True)
    assert len(raw.train) == 5
    assert [line.split(" (")[0] for line in raw.skipped] == ["train/cat/1.png"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "gif", "tif"])
def test_damage_anywhere_in_a_file_ends_in_a_sentence_or_an_image(root, suffix):
    whole = root / "train" / "cat" / f"9.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    content = whole.read_bytes()
    random = np.random.default_rng(1)
    kept = 0
    for _ in range(60):
        damaged = bytearray(content)
        damaged[int(random.integers(len(content)))] = int(random.integers(256))
        whole.write_bytes(bytes(damaged[: int(random.integers(8, len(content) + 1))]))
        raw = read(root, image_size=4, skip_broken=True)
        kept += len(raw.train) + len(raw.skipped)
    assert kept == 60 * 7


def test_decompression_bomb_counts_as_broken(root, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_IMAGE_PIXELS", 20)
    draw(root / "train" / "dog" / "9.png", size=(7, 3))
    assert "7x3 pixels are more than 20" in refusal(root).found


def test_split_without_a_readable_image_is_refused(root):
    (root / "test" / "cat").mkdir(parents=True)
    (root / "test" / "cat" / "0.png").write_bytes(b"no image")
    assert refusal(root, skip_broken=True).found == "no readable image for test"


def test_empty_folder_is_refused(tmp_path):
    assert looked_and_read(tmp_path) == "no folder train, no folder in it"


def test_folder_without_train_names_what_is_there(tmp_path):
    draw(tmp_path / "pictures" / "0.png")
    assert looked_and_read(tmp_path) == "no folder train, only pictures"


def test_train_without_class_folders_is_refused(tmp_path):
    draw(tmp_path / "train" / "0.png")
    assert looked_and_read(tmp_path) == "no class folder in train"


def test_one_class_only_is_refused(tmp_path):
    draw(tmp_path / "train" / "cat" / "0.png")
    assert looked_and_read(tmp_path) == "one class only, 'cat'"


def test_class_folder_without_images_is_refused(root):
    (root / "train" / "emu").mkdir()
    assert looked_and_read(root) == "no image in train/emu"


def test_class_of_the_test_split_that_train_does_not_have_is_refused(root):
    draw(root / "test" / "emu" / "0.png")
    assert looked_and_read(root) == "the class folder test/emu, which train does not have"


def test_test_folder_without_images_is_refused(root):
    (root / "test" / "cat").mkdir(parents=True)
    assert looked_and_read(root) == "no image in test"


def test_link_out_of_the_folder_is_refused(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    draw(outside)
    (root / "train" / "cat" / "link.png").symlink_to(outside)
    assert looked_and_read(root) == "the link 'link.png', which leads out of its folder"


def test_link_within_its_folder_is_followed(root):
    (root / "train" / "cat" / "link.png").symlink_to(root / "train" / "cat" / "0.png")
    assert len(read(root).train) == 7


def test_looking_agrees_with_reading(root):
    summary, raw = inspect_folder(SOURCE, root, 0), read(root)
    assert (summary.height, summary.width, summary.in_channels) == raw.train.images.shape[1:]
    assert summary.train == len(raw.train)
    assert summary.class_names == raw.class_names
