"""From the name or path in a configuration to three splits of images."""

from pathlib import Path

from engine.data.arrays import read_npz
from engine.data.builtin import read_digits
from engine.data.download import read_published
from engine.data.folders import read_folder
from engine.data.images import DataSummary, ImageData, RawImages, Report, Split, digest_of
from engine.data.inspection import inspect_images, locate
from engine.data.splits import three_splits
from engine.data.table import DATA_SOURCES, DataSource
from engine.domain.config import SearchConfig

__all__ = [
    "DATA_SOURCES",
    "DataSource",
    "DataSummary",
    "ImageData",
    "Split",
    "inspect_images",
    "load_images",
]

DEFAULT_CACHE = Path("~/.egs-studio/data")


def load_images(
    config: SearchConfig, *, cache: Path | None = None, progress: Report | None = None
) -> ImageData:
    """Load the data of a configuration and make its three splits.

    Args:
        config: Names the data, the shares of the splits and the seed.
        cache: Folder for downloads; None is below the user's home.
        progress: Takes sentences about what happens.

    Raises:
        NoNetwork: The data have to be downloaded and cannot be.
        DataError: The data are missing or malformed.
    """
    report = progress or _silent
    raw = _read(config, (cache or DEFAULT_CACHE).expanduser(), report)
    train, validation, test = three_splits(
        config.data,
        raw,
        validation_fraction=config.validation_fraction,
        test_fraction=config.test_fraction,
        train_limit=config.train_limit,
        seed=config.seed,
    )
    for line in raw.skipped:
        report(f"Skipped a broken image: {line}")
    data = ImageData(
        train=train,
        validation=validation,
        test=test,
        class_names=raw.class_names,
        source=config.data,
        skipped=raw.skipped,
        digest=digest_of(train, validation, test),
    )
    report(_sentence(data.summary))
    return data


def _read(config: SearchConfig, cache: Path, report: Report) -> RawImages:
    source = DATA_SOURCES.get(config.data)
    if source is not None and source.origin == "torchvision":
        return read_published(source, cache, report)
    if source is not None:
        return read_digits()
    path = locate(config.data)
    if path.is_file():
        return read_npz(config.data, path)
    return read_folder(
        config.data,
        path,
        image_size=config.image_size,
        skip_broken=config.broken_images == "skip",
    )


def _sentence(summary: DataSummary) -> str:
    colour = "grey" if summary.in_channels == 1 else "colour"
    skipped = f"; {len(summary.skipped)} broken image(s) skipped" if summary.skipped else ""
    return (
        f"Loaded {summary.train:,} training, {summary.validation:,} validation and "
        f"{summary.test:,} test images: {summary.width}x{summary.height} {colour}, "
        f"{summary.classes} classes{skipped}"
    )


def _silent(_: str) -> None:
    """Nobody listens."""
