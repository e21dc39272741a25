import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.data.arrays import inspect_npz, read_npz
from engine.domain.errors import DataError

SOURCE = "some.npz"


def arrays(count: int = 6, **changes: object) -> dict[str, object]:
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (count, 5, 4, 3), dtype=np.uint8),
        "train_labels": np.arange(count) % 2,
        **changes,
    }


def written(folder: Path, values: dict[str, object]) -> Path:
    path = folder / "data.npz"
    np.savez_compressed(path, **{k: v for k, v in values.items() if v is not None})
    return path


def refusal(folder: Path, **changes: object) -> str:
    """The sentence with which both looking and reading refuse the same file."""
    path = written(folder, arrays(**changes))
    with pytest.raises(DataError) as looked:
        inspect_npz(SOURCE, path)
    with pytest.raises(DataError) as read:
        read_npz(SOURCE, path)
    assert str(looked.value) == str(read.value)
    return looked.value.found


def test_colour_images_with_labels_are_read_as_they_are(tmp_path):
    values = arrays(class_names=np.array(["cat", "dog"]))
    raw = read_npz(SOURCE, written(tmp_path, values))
    np.testing.assert_array_equal(raw.train.images, values["train_images"])
    assert raw.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert raw.train.labels.dtype == np.int64
    assert raw.class_names == ("cat", "dog")
    assert raw.validation is None
    assert raw.test is None


def test_grey_images_get_one_channel_and_column_labels_become_flat(tmp_path):
    grey = np.zeros((4, 3, 3), np.uint8)
    labels = np.array([[0], [1], [2], [0]], np.uint8)
    raw = read_npz(
        SOURCE,
        written(
            tmp_path,
            {
                "train_images": grey,
                "train_labels": labels,
                "val_images": grey[:2],
                "val_labels": labels[:2],
                "test_images": grey[:1],
                "test_labels": labels[:1],
            },
        ),
    )
    assert raw.train.images.shape == (4, 3, 3, 1)
    assert raw.train.labels.tolist() == [0, 1, 2, 0]
    assert raw.validation is not None
    assert len(raw.validation) == 2
    assert raw.test is not None
    assert len(raw.test) == 1
    assert raw.class_names == ("0", "1", "2")


def test_looking_says_the_same_as_reading(tmp_path):
    values = arrays(test_images=np.zeros((2, 5, 4, 3), np.uint8), test_labels=np.array([0, 1]))
    path = written(tmp_path, values)
    summary, raw = inspect_npz(SOURCE, path), read_npz(SOURCE, path)
    assert (summary.train, summary.validation, summary.test) == (6, 0, 2)
    assert (summary.height, summary.width, summary.in_channels) == raw.train.images.shape[1:]
    assert summary.class_names == raw.class_names


def test_class_names_may_be_bytes(tmp_path):
    raw = read_npz(SOURCE, written(tmp_path, arrays(class_names=np.array([b"cat", b"dog"]))))
    assert raw.class_names == ("cat", "dog")


@pytest.mark.parametrize("name", ["train_images", "train_labels"])
def test_missing_name_is_refused_with_the_names_that_are_there(tmp_path, name):
    found = refusal(tmp_path, **{name: None, "pictures": np.zeros(1)})
    assert f"no array {name!r}" in found
    assert "pictures" in found


def test_validation_images_without_labels_are_refused(tmp_path):
    found = refusal(tmp_path, val_images=np.zeros((1, 5, 4, 3), np.uint8))
    assert found == "only one of val_images and val_labels"


def test_label_beyond_the_class_names_is_refused(tmp_path):
    found = refusal(tmp_path, train_labels=np.array([0, 1, 0, 1, 0, 9]), class_names=["a", "b"])
    assert found == "the label 9 in train_labels"


def test_test_label_that_training_does_not_have_is_refused(tmp_path):
    found = refusal(
        tmp_path, test_images=np.zeros((1, 5, 4, 3), np.uint8), test_labels=np.array([2])
    )
    assert found == "the label 2 in test_labels"


def test_negative_label_is_refused(tmp_path):
    found = refusal(tmp_path, train_labels=np.array([0, 1, 0, 1, 0, -1]))
    assert found == "the label -1 in train_labels"


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_labels_that_are_no_integers_are_refused(tmp_path, dtype):
    found = refusal(tmp_path, train_labels=np.array([0, 1, 0, 1, 0, 1], dtype))
    assert found == f"train_labels of type {np.dtype(dtype)}"


@pytest.mark.parametrize("labels", [np.arange(5), np.zeros((6, 2), int), np.array(3)])
def test_labels_of_the_wrong_length_are_refused(tmp_path, labels):
    found = refusal(tmp_path, train_labels=labels)
    assert found == f"train_labels of shape {labels.shape} for 6 images"


def test_gap_in_the_labels_is_refused_with_the_class_that_is_missing(tmp_path):
    found = refusal(tmp_path, train_labels=np.array([0, 3, 0, 3, 0, 3]))
    assert found == "no training image of 2 class(es), the first is '1'"


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.array([0, 1, 2, 0, 4, 4]), "no training image of 1 class(es), the first is '3'"),
        (
            np.array([1_700_000_000, 1_700_000_001] * 3),
            "no training image of 1700000000 class(es), the first is '0'",
        ),
        (
            np.array([0, 1, 2, 2, 1, 2**64 - 1], np.uint64),
            "no training image of 18446744073709551612 class(es), the first is '3'",
        ),
    ],
)
def test_classes_without_images_are_counted_not_listed(tmp_path, labels, found):
    assert refusal(tmp_path, train_labels=labels) == found


def test_largest_label_of_all_is_not_taken_for_a_negative_one(tmp_path):
    found = refusal(
        tmp_path,
        test_images=np.zeros((1, 5, 4, 3), np.uint8),
        test_labels=np.array([2**64 - 1], np.uint64),
    )
    assert found == "the label 18446744073709551615 in test_labels"


@pytest.mark.parametrize(
    ("names", "kind"), [(np.zeros(7, "U1"), "<U1"), (np.zeros(2, "S3000000"), "|S3000000")]
)
def test_class_names_that_are_too_many_or_too_long_are_refused_by_their_header(
    tmp_path, names, kind
):
    found = refusal(tmp_path, class_names=names)
    assert found == f"class_names of shape {names.shape} and type {kind} for 6 training images"


def test_class_names_declared_without_end_are_never_read(tmp_path):
    path = written(tmp_path, arrays())
    header = io.BytesIO()
    declared = {"descr": "<U0", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, declared)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("class_names.npy", header.getvalue())
    with pytest.raises(DataError, match=r"class_names of shape \(1000000000000,\)"):
        inspect_npz(SOURCE, path)


def test_class_names_that_are_no_unicode_are_escaped(tmp_path):
    names = np.array([b"caf\xe9", b"dog"])
    raw = read_npz(SOURCE, written(tmp_path, arrays(class_names=names)))
    assert raw.class_names == ("caf\\xe9", "dog")
    raw = read_npz(SOURCE, written(tmp_path, arrays(class_names=np.array(["caf\udce9", "dog"]))))
    assert raw.class_names == ("caf\\udce9", "dog")


def test_more_images_than_anybody_can_look_at_are_refused_before_their_labels_are_read(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, kind, shape in (
            ("train_images", "|u1", (10**9, 1, 1)),
            ("train_labels", "<i8", (10**9,)),
        ):
            header = io.BytesIO()
            declared = {"descr": kind, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(header, declared)
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(DataError, match=r"train_images of shape \(1000000000, 1, 1\)"):
        inspect_npz(SOURCE, path)


def test_one_class_only_is_refused(tmp_path):
    assert refusal(tmp_path, train_labels=np.zeros(6, int)) == "one class only, '0'"


@pytest.mark.parametrize("name", ["train_images", "train_labels", "class_names"])
def test_pickled_objects_are_refused_without_being_loaded(tmp_path, name):
    objects = np.array([{"a": 1}] * 6, dtype=object)
    found = refusal(tmp_path, **{name: objects})
    assert found == f"{name} with pickled objects, which could run code"


def test_type_other_than_bytes_is_refused(tmp_path):
    found = refusal(tmp_path, train_images=np.zeros((6, 5, 4, 3), np.float32))
    assert found == "train_images of type float32"


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4, 2), (6, 5, 4, 3, 1), (0, 5, 4, 3)])
def test_shape_that_is_no_stack_of_images_is_refused(tmp_path, shape):
    found = refusal(
        tmp_path, train_images=np.zeros(shape, np.uint8), train_labels=np.arange(shape[0])
    )
    assert found == f"train_images of shape {shape}"


def test_splits_of_different_sizes_are_refused(tmp_path):
    found = refusal(tmp_path, val_images=np.zeros((1, 4, 4, 3), np.uint8), val_labels=np.array([0]))
    assert found == (
        "val_images of size 4x4 with 3 channel(s) beside train_images of size 5x4 with 3 channel(s)"
    )


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04" + b"\0" * 40])
def test_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        inspect_npz(SOURCE, path)


def test_file_damaged_in_its_images_is_refused(tmp_path):
    path = written(tmp_path, arrays(count=200))
    damaged = bytearray(path.read_bytes())
    damaged[2000:2100] = b"\xff" * 100
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(SOURCE, path)
