import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data.images import DataSummary, Split, digest_of
from engine.data.inspection import inspect_images
from engine.data.sources import load_images
from engine.data.table import IMAGE_SOURCES
from engine.domain.config import SearchConfig
from engine.domain.errors import DataError


def config(**changes) -> SearchConfig:
    return SearchConfig(**changes)


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    random = np.random.default_rng(0)
    np.savez(
        path,
        train_images=random.integers(0, 256, (30, 4, 4), dtype=np.uint8),
        train_labels=np.arange(30) % 3,
    )
    return path


def test_digits_are_the_1797_images_of_scikit_learn_in_three_splits():
    said: list[str] = []
    data = load_images(config(), progress=said.append)
    assert sum(map(len, (data.train, data.validation, data.test))) == 1797
    assert data.train.images.shape[1:] == (8, 8, 1)
    assert data.train.images.dtype == np.uint8
    assert data.train.images.max() == 255
    assert data.class_names == tuple("0123456789")
    assert said == [
        "Loaded 1,079 training, 359 validation and 359 test images: 8x8 grey, 10 classes"
    ]


def test_digest_is_the_same_for_the_same_seed_and_another_for_another():
    first, same, other = (load_images(config(seed=seed)).digest for seed in (1, 1, 2))
    assert first == same
    assert first != other
    assert len(first) == 64


def test_digest_depends_on_pixels_labels_and_shape():
    images, labels = np.zeros((4, 2, 2, 1), np.uint8), np.zeros(4, np.int64)
    base = digest_of(Split(images, labels))
    brighter = images.copy()
    brighter[3, 1, 1, 0] = 1
    assert digest_of(Split(brighter, labels)) != base
    assert digest_of(Split(images, labels + 1)) != base
    assert digest_of(Split(images.reshape(4, 4, 1, 1), labels)) != base


def test_arrays_are_loaded_by_their_path(npz):
    data = load_images(config(data=str(npz)))
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 6, 6)
    assert data.source == str(npz)


def test_folders_are_loaded_by_their_path_and_skipped_images_are_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (4, 4)).save(tmp_path / "train" / name / f"{number}.png")
    (tmp_path / "train" / "a" / "9.png").write_bytes(b"no image")
    said: list[str] = []
    data = load_images(config(data=str(tmp_path), broken_images="skip"), progress=said.append)
    assert data.summary.skipped == data.skipped
    assert said[0].startswith("Skipped a broken image: train/a/9.png")
    assert said[-1].endswith("; 1 broken image(s) skipped")


def test_looking_at_a_name_reads_nothing():
    summary = inspect_images(config(data="cifar10"))
    assert (summary.train, summary.test, summary.classes) == (50_000, 10_000, 10)


def test_looking_at_digits_agrees_with_loading_them():
    looked, loaded = inspect_images(config()), load_images(config()).summary
    assert (looked.height, looked.width, looked.in_channels, looked.classes) == (
        loaded.height,
        loaded.width,
        loaded.in_channels,
        loaded.classes,
    )
    assert looked.train == loaded.train + loaded.validation + loaded.test


def test_unknown_name_is_refused_with_all_names():
    with pytest.raises(DataError) as caught:
        inspect_images(config(data="digit"))
    for name in IMAGE_SOURCES:
        assert name in caught.value.allowed


def test_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b")
    with pytest.raises(DataError) as caught:
        inspect_images(config(data=str(path)))
    assert caught.value.found == "a file that ends in '.csv'"


@pytest.mark.parametrize("data", ["a\0b", "s3://bucket/x.npz", "zip::file", r"\\host\share"])
def test_text_that_is_no_local_path_is_refused(data):
    with pytest.raises(DataError, match="no path of this machine"):
        inspect_images(config(data=data))


@pytest.mark.parametrize("data", ["~nobody-of-that-name/x", "x" * 300, "a:b", "a/\n/b"])
def test_path_that_cannot_exist_is_refused_like_one_that_does_not(data):
    with pytest.raises(DataError, match="neither a data set of that name"):
        inspect_images(config(data=data))


def test_device_file_is_refused():
    with pytest.raises(DataError, match="a file that ends in"):
        inspect_images(config(data="/dev/null"))


def test_path_outside_the_allowed_folders_is_refused(npz, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    for data in (str(npz), str(allowed / ".." / npz.name)):
        with pytest.raises(DataError, match="outside the folders"):
            inspect_images(config(data=data), [allowed])
    link = allowed / "link.npz"
    link.symlink_to(npz)
    with pytest.raises(DataError, match="outside the folders"):
        inspect_images(config(data=str(link)), [allowed])
    assert inspect_images(config(data=str(npz)), [tmp_path]).train == 30


def test_summary_survives_its_text_form(npz):
    summary = load_images(config(data=str(npz))).summary
    assert DataSummary.from_json(summary.to_json()) == summary


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class_names": [], "skipped": []}'])
def test_text_that_is_no_summary_is_refused(text):
    with pytest.raises(DataError, match="summary"):
        DataSummary.from_json(text)


def test_package_is_imported_without_torch_and_scikit_learn():
    code = (
        "import sys, engine.data.sources\n"
        "assert not {'torch', 'torchvision', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
