"""The sentences about data that cannot be used."""

from engine.domain.errors import DataError

NPZ_LAYOUT = (
    "an .npz file with train_images uint8 [N, H, W] or [N, H, W, C] and train_labels "
    "integers [N], optionally val_* and test_*"
)
FOLDER_LAYOUT = "a folder with train/<class>/ images, optionally val/ and test/ like it"
TEXT_LAYOUT = (
    "a folder with train.txt, valid.txt and test.txt, or one .txt file, which is cut into "
    "three by position"
)
SCENE_LAYOUT = (
    "a folder with classes.txt, train/images/ and train/masks/, optionally val/ and test/ like it"
)


def refused(source: str, found: str, allowed: str, advice: str) -> DataError:
    """A data error about ``source``, the data as the configuration names it."""
    return DataError(
        asked=f"data {source!r}", found=visible(found), allowed=visible(allowed), advice=advice
    )


def visible(text: str) -> str:
    """The same text, but bytes of file names that are no UTF-8 as ``\\udce9`` and alike.

    Python keeps such bytes as lone surrogates, which no file and no page takes.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def one_class(source: str, name: str) -> DataError:
    """The refusal of data in which there is nothing to tell apart."""
    return refused(
        source,
        f"one class only, {name!r}",
        "two classes or more",
        "add images of another class",
    )
