"""From the name or path in a configuration to three splits of images, scenes or text."""

from pathlib import Path

from engine.data.arrays import read_npz
from engine.data.builtin import read_digits
from engine.data.digit_scenes import read_digit_scenes
from engine.data.download import read_published
from engine.data.download_scenes import read_published_scenes
from engine.data.folders import read_folder
from engine.data.images import DataSummary, ImageData, RawImages, Report, Split, digest_of
from engine.data.inspection import inspect_data, inspect_images, locate, text_options
from engine.data.memory import available_bytes
from engine.data.scene_folders import read_scenes
from engine.data.scenes import RawScenes, SceneData, scene_data
from engine.data.signs import Alive, unheard
from engine.data.splits import three_splits
from engine.data.table import (
    DATA_SOURCES,
    IMAGE_SOURCES,
    LANGUAGE,
    SCENE_SOURCES,
    SEGMENTATION,
    TEXT_SOURCES,
    DataSource,
    check_task,
)
from engine.data.text import TextData, check_vocabulary
from engine.data.text_files import read_text
from engine.data.topics import read_topics
from engine.domain.run_config import RunConfig

__all__ = [
    "DATA_SOURCES",
    "DataSource",
    "DataSummary",
    "ImageData",
    "SceneData",
    "Split",
    "TextData",
    "inspect_data",
    "inspect_images",
    "load_data",
    "load_images",
    "load_scenes",
    "load_text",
]

DEFAULT_CACHE = Path("~/.egs-studio/data")


def load_data(
    config: RunConfig,
    *,
    cache: Path | None = None,
    progress: Report | None = None,
    alive: Alive = unheard,
) -> ImageData | SceneData | TextData:
    """Load the data of a configuration, whatever its task, and make the three splits.

    Args:
        config: Names the task, the data, the shares of the splits and the seed.
        cache: Folder for downloads; None is below the user's home.
        progress: Takes sentences about what happens.
        alive: Called whenever a part of the data was read or fetched.

    Raises:
        NoNetwork: The data have to be downloaded and cannot be.
        DataError: The data are missing, malformed, too large or for another task.
        DiskFull: There was no room for a download.
    """
    if config.task == LANGUAGE:
        return load_text(config, progress=progress, alive=alive)
    if config.task == SEGMENTATION:
        return load_scenes(config, cache=cache, progress=progress, alive=alive)
    return load_images(config, cache=cache, progress=progress, alive=alive)


def load_images(
    config: RunConfig,
    *,
    cache: Path | None = None,
    progress: Report | None = None,
    alive: Alive = unheard,
) -> ImageData:
    """Load images with one label each; arguments and errors are those of :func:`load_data`."""
    check_task(config)
    report = progress or _silent
    raw = _read(config, _cache(cache), report, alive)
    train, validation, test = three_splits(
        config.data,
        raw,
        validation_fraction=config.validation_fraction,
        test_fraction=config.test_fraction,
        train_limit=config.train_limit,
        seed=config.seed,
    )
    _report_skipped(raw.skipped, report)
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


def load_scenes(
    config: RunConfig,
    *,
    cache: Path | None = None,
    progress: Report | None = None,
    alive: Alive = unheard,
) -> SceneData:
    """Load images with a mask each; arguments and errors are those of :func:`load_data`."""
    check_task(config)
    report = progress or _silent
    raw = _read_scenes(config, _cache(cache), report, alive)
    data = scene_data(
        config.data,
        raw,
        ignore_index=config.ignore_index,
        validation_fraction=config.validation_fraction,
        test_fraction=config.test_fraction,
        train_limit=config.train_limit,
        seed=config.seed,
    )
    _report_skipped(raw.skipped, report)
    report(_sentence(data.summary))
    return data


def load_text(
    config: RunConfig, *, progress: Report | None = None, alive: Alive = unheard
) -> TextData:
    """Load a text; arguments and errors are those of :func:`load_data`."""
    check_task(config)
    report = progress or _silent
    if config.data in TEXT_SOURCES:
        data = read_topics(config.data, **text_options(config))
    else:
        path = locate(config.data, task=config.task)
        data = read_text(config.data, path, alive=alive, **text_options(config))
    tied = config.embedding_size == config.hidden_size
    check_vocabulary(
        config.data,
        len(data.vocabulary),
        hidden=config.embedding_size + (0 if tied else config.hidden_size),
        positions=config.batch_size * config.bptt,
        available_bytes=available_bytes(),
    )
    report(_text_sentence(data))
    return data


def _cache(cache: Path | None) -> Path:
    return (cache or DEFAULT_CACHE).expanduser()


def _read(config: RunConfig, cache: Path, report: Report, alive: Alive) -> RawImages:
    source = IMAGE_SOURCES.get(config.data)
    if source is not None and source.origin == "torchvision":
        return read_published(source, cache, report, alive=alive)
    if source is not None:
        return read_digits()
    path = locate(config.data)
    if path.is_file():
        return read_npz(config.data, path, alive=alive)
    return read_folder(
        config.data,
        path,
        image_size=config.image_size,
        skip_broken=config.broken_images == "skip",
        alive=alive,
    )


def _read_scenes(config: RunConfig, cache: Path, report: Report, alive: Alive) -> RawScenes:
    source = SCENE_SOURCES.get(config.data)
    if source is not None and source.origin == "torchvision":
        return read_published_scenes(
            config.data,
            source,
            cache,
            report,
            image_size=config.image_size,
            ignore_index=config.ignore_index,
            alive=alive,
        )
    if source is not None:
        return read_digit_scenes()
    return read_scenes(
        config.data,
        locate(config.data, task=config.task),
        image_size=config.image_size,
        ignore_index=config.ignore_index,
        skip_broken=config.broken_images == "skip",
        alive=alive,
    )


def _report_skipped(skipped: tuple[str, ...], report: Report) -> None:
    for line in skipped:
        report(f"Skipped a broken image: {line}")


def _sentence(summary: DataSummary) -> str:
    colour = "grey" if summary.in_channels == 1 else "colour"
    skipped = f"; {len(summary.skipped)} broken image(s) skipped" if summary.skipped else ""
    return (
        f"Loaded {summary.train:,} training, {summary.validation:,} validation and "
        f"{summary.test:,} test {summary.kind}: {summary.width}x{summary.height} {colour}, "
        f"{summary.classes} classes{skipped}"
    )


def _text_sentence(data: TextData) -> str:
    unknown = [
        f"{count:,} {name}"
        for count, name in zip(data.unknown, ("training", "validation", "test"), strict=True)
        if count
    ]
    words = f"; {' and '.join(unknown)} token(s) became <unk>" if unknown else ""
    return (
        f"Loaded {len(data.train):,} training, {len(data.validation):,} validation and "
        f"{len(data.test):,} test tokens, a {data.tokens} each: "
        f"{len(data.vocabulary):,} different ones{words}"
    )


def _silent(_: str) -> None:
    """Nobody listens."""
