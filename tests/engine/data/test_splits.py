import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.images import RawImages, Split
from engine.data.splits import three_splits
from engine.domain.errors import DataError


def numbered(labels: list[int], start: int = 0) -> Split:
    """A split whose image number n holds n in its two pixels."""
    numbers = np.arange(start, start + len(labels))
    images = np.stack([numbers // 256, numbers % 256], -1).astype(np.uint8)
    return Split(images.reshape(-1, 1, 2, 1), np.asarray(labels, np.int64))


def numbers_of(split: Split) -> list[int]:
    return (split.images[:, 0, 0, 0].astype(int) * 256 + split.images[:, 0, 1, 0]).tolist()


def cut(raw: RawImages, **changes):
    options = {"validation_fraction": 0.2, "test_fraction": 0.2, "train_limit": 0, "seed": 0}
    return three_splits("data", raw, **{**options, **changes})


def raw_of(labels: list[int], **splits: Split) -> RawImages:
    names = tuple(f"class {n}" for n in range(max(labels) + 1))
    return RawImages(numbered(labels), splits.get("validation"), splits.get("test"), names)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(5, 30), min_size=2, max_size=6),
    fractions=st.tuples(st.floats(0.01, 0.39), st.floats(0.01, 0.39)),
    seed=st.integers(0, 2**31 - 1),
)
def test_splits_are_disjoint_complete_stratified_and_fixed_by_the_seed(counts, fractions, seed):
    labels = [n for n, count in enumerate(counts) for _ in range(count)]
    options = {"validation_fraction": fractions[0], "test_fraction": fractions[1], "seed": seed}
    splits = cut(raw_of(labels), **options)
    again = cut(raw_of(labels), **options)
    taken = [numbers_of(split) for split in splits]
    assert sorted(n for numbers in taken for n in numbers) == list(range(len(labels)))
    assert taken == [numbers_of(split) for split in again]
    for split, share in zip(splits[1:], fractions, strict=True):
        for number, count in enumerate(counts):
            assert (split.labels == number).sum() == max(1, round(share * count))


def test_labels_stay_with_their_images():
    labels = np.random.default_rng(0).integers(0, 3, 60).tolist()
    for split in cut(raw_of(labels)):
        assert split.labels.tolist() == [labels[n] for n in numbers_of(split)]


def test_another_seed_chooses_other_images():
    raw = raw_of([0, 1] * 50)
    assert numbers_of(cut(raw, seed=0)[1]) != numbers_of(cut(raw, seed=1)[1])


def test_all_seeds_share_the_test_images_so_that_none_of_them_is_ever_searched_on():
    raw = raw_of([0, 1] * 50)
    first, second = cut(raw, seed=0), cut(raw, seed=1)
    assert numbers_of(first[2]) == numbers_of(second[2])
    assert numbers_of(first[1]) != numbers_of(second[1])
    seen = {n for split in (*first[:2], *second[:2]) for n in numbers_of(split)}
    assert not seen & set(numbers_of(first[2]))


def test_splits_that_are_there_are_kept_as_they_are():
    validation, test = numbered([0, 1], 500), numbered([1], 600)
    train, kept_validation, kept_test = cut(raw_of([0, 1] * 10, validation=validation, test=test))
    assert numbers_of(train) == list(range(20))
    assert kept_validation is validation
    assert kept_test is test


def test_only_the_missing_split_is_taken_from_train():
    train, validation, test = cut(raw_of([0, 1] * 10, test=numbered([0], 500)))
    assert (len(train), len(validation), len(test)) == (16, 4, 1)


def test_train_limit_draws_by_the_seed_and_leaves_the_other_splits_alone():
    raw = raw_of([0, 1] * 50)
    full, limited = cut(raw), cut(raw, train_limit=10)
    assert len(limited[0]) == 10
    assert set(numbers_of(limited[0])) < set(numbers_of(full[0]))
    assert numbers_of(limited[1]) == numbers_of(full[1])
    assert numbers_of(cut(raw, train_limit=10, seed=1)[0]) != numbers_of(limited[0])


def test_train_limit_above_the_number_of_images_changes_nothing():
    raw = raw_of([0, 1] * 50)
    assert numbers_of(cut(raw, train_limit=1000)[0]) == numbers_of(cut(raw)[0])


def test_class_with_too_few_images_is_refused_by_name():
    with pytest.raises(DataError) as caught:
        cut(raw_of([0] * 10 + [1] * 2))
    assert caught.value.found == (
        "2 training image(s) of class 'class 1', of which 2 are to be split off"
    )


def test_fractions_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(DataError, match="left to train on"):
        cut(raw_of([0, 1] * 10), validation_fraction=0.5, test_fraction=0.5)


def test_class_that_lost_all_its_images_is_refused():
    raw = RawImages(numbered([0, 0]), numbered([0], 10), numbered([0], 20), ("a", "b"))
    with pytest.raises(DataError) as caught:
        cut(raw)
    assert caught.value.found.startswith("0 training image(s) of class 'b'")
