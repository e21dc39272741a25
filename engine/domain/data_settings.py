"""Settings that follow from the data and the device alone, whatever the budget."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log2
from typing import Any

from engine.domain.facts import DataFacts, DeviceKind
from engine.domain.proposal_limits import (
    FIRST_GRID,
    IMAGE_BATCH,
    LARGEST_IMAGE,
    LARGEST_SCENE,
    LARGEST_STRIDE,
    LARGEST_VALIDATION_SHARE,
    LARGEST_VOCABULARY,
    OUTPUT_STRIDE_PER_STEM,
    SCENE_BATCH,
    SCENE_LEARNING_RATE,
    SCENE_PIXELS,
    SHORT_TEXT,
    SHORT_TEXT_WINDOW,
    SMALLEST_GRID,
    SMALLEST_IMAGE_BATCH,
    SMALLEST_OUTPUT_STRIDE,
    SMALLEST_SCENE_BATCH,
    SMALLEST_VALIDATION_SHARE,
    STEPS_PER_EPOCH,
    STEPS_PER_TEXT_EPOCH,
    TEXT_BATCHES,
    TEXT_OPTIMISER,
    TEXT_WINDOW,
    VALIDATION_ITEMS,
)
from engine.domain.proposed import Proposed, Suggestions

DEVICES: dict[DeviceKind, str] = {"cpu": "a CPU", "gpu": "a GPU"}


def reading(facts: DataFacts, kind: DeviceKind) -> Suggestions:
    """Propose how the data are read: size, vocabulary, validation split, mirroring."""
    if facts.is_text:
        return _vocabulary(facts, kind)
    return {**_image_size(facts, kind), **_validation(facts), "flip": _mirroring(facts)}


def network(facts: DataFacts, kind: DeviceKind, given: Mapping[str, Any]) -> Suggestions:
    """Propose what surrounds the cells, and how weights are trained for this task.

    Args:
        facts: The data as they are read, after :func:`reading`.
        kind: The device.
        given: Settings that are fixed.
    """
    if facts.is_text:
        return _text_training(given)
    stride = _stem_stride(facts, kind)
    if not facts.is_scenes:
        return {"stem_stride": stride}
    stem = given.get("stem_stride", stride.value)
    output = max(SMALLEST_OUTPUT_STRIDE, OUTPUT_STRIDE_PER_STEM * stem)
    return {
        "stem_stride": stride,
        "output_stride": Proposed(output, "half the usual reduction, for sharper borders"),
        "class_weights": Proposed("balanced", "classes of scenes cover very different areas"),
        "learning_rate": Proposed(SCENE_LEARNING_RATE, "as in the presets for scenes"),
    }


def _text_training(given: Mapping[str, Any]) -> Suggestions:
    why = "SGD as published for recurrent language models"
    values = dict(TEXT_OPTIMISER)
    if "learning_rate" in given:
        values["learning_rate_end"] *= given["learning_rate"] / values["learning_rate"]
    optimiser = {name: Proposed(value, why) for name, value in values.items()}
    return {"space": Proposed("rnn", "the space for texts"), **optimiser}


def batches(facts: DataFacts, items: int) -> Suggestions:
    """Propose the batch, and of a text the window.

    Args:
        facts: The data as they are read.
        items: Images, scenes or tokens to train on.
    """
    if facts.is_text:
        return _text_batches(items)
    largest, smallest = IMAGE_BATCH, SMALLEST_IMAGE_BATCH
    if facts.is_scenes:
        largest = SCENE_BATCH if facts.height * facts.width <= SCENE_PIXELS else SCENE_BATCH // 2
        smallest = SMALLEST_SCENE_BATCH
    batch = largest
    while batch > smallest and items // batch < STEPS_PER_EPOCH:
        batch //= 2
    while batch > 2 and items < batch:
        batch //= 2
    kind = "scenes" if facts.is_scenes else "images"
    if batch == largest:
        return {"batch_size": Proposed(batch, f"the usual number of {kind}")}
    why = f"{items // batch} steps per epoch from {items:,} {kind}"
    return {"batch_size": Proposed(batch, why)}


def _text_batches(tokens: int) -> Suggestions:
    window = SHORT_TEXT_WINDOW if tokens < SHORT_TEXT else TEXT_WINDOW
    fitting = [b for b in TEXT_BATCHES if tokens // (b * window) >= STEPS_PER_TEXT_EPOCH]
    streams = fitting[-1] if fitting else TEXT_BATCHES[0]
    while streams > 2 and tokens < streams * (window + 1):
        streams //= 2
    steps = tokens // (streams * window)
    return {
        "batch_size": Proposed(streams, f"{steps:,} steps per epoch from {tokens:,} tokens"),
        "bptt": Proposed(
            window, "short, for a short text" if tokens < SHORT_TEXT else "as published"
        ),
    }


def _vocabulary(facts: DataFacts, kind: DeviceKind) -> Suggestions:
    limit = LARGEST_VOCABULARY[kind]
    if facts.complete and facts.classes <= limit:
        return {}
    found = f"{facts.classes:,} different tokens" if facts.complete else "a large text"
    why = f"{found}: each one costs time, and rare ones are hardly learned"
    return {"vocabulary_limit": Proposed(limit, why)}


def _image_size(facts: DataFacts, kind: DeviceKind) -> Suggestions:
    largest = (LARGEST_SCENE if facts.is_scenes else LARGEST_IMAGE)[kind]
    if not facts.resizable or facts.side <= largest:
        return {}
    why = f"images of {facts.height}x{facts.width} pixels take too long on {DEVICES[kind]}"
    return {"image_size": Proposed(largest, why)}


def _stem_stride(facts: DataFacts, kind: DeviceKind) -> Proposed:
    """The power of two that brings the first cell closest to its grid."""
    power = max(0, round(log2(facts.side / FIRST_GRID[kind])))
    stride = min(2**power, LARGEST_STRIDE)
    while stride > 1 and ceil(facts.side / stride) < SMALLEST_GRID:
        stride //= 2
    before = f"{facts.height}x{facts.width}"
    if stride == 1:
        return Proposed(1, f"{before} images are small enough")
    after = f"{ceil(facts.height / stride)}x{ceil(facts.width / stride)}"
    return Proposed(stride, f"{before} images become {after} for the first cell")


def _validation(facts: DataFacts) -> Suggestions:
    if facts.validation:
        return {}
    share = min(
        LARGEST_VALIDATION_SHARE,
        max(SMALLEST_VALIDATION_SHARE, round(VALIDATION_ITEMS / max(1, facts.train), 2)),
    )
    kind = "scenes" if facts.is_scenes else "images"
    why = f"{round(share * facts.train):,} of {facts.train:,} {kind} are held out"
    return {"validation_fraction": Proposed(share, why)}


def _mirroring(facts: DataFacts) -> Proposed:
    if facts.characters:
        return Proposed(False, "mirrored digits and letters lose their meaning")
    if facts.channels == 1:
        return Proposed(False, "grey images are often scans or characters")
    if facts.characters is None:
        return Proposed(True, "mirrored photographs keep their meaning; turn it off for characters")
    return Proposed(True, "mirrored photographs keep their meaning")


def read_as(facts: DataFacts, values: Mapping[str, Any]) -> DataFacts:
    """Return the facts of data that are read with these settings."""
    size, limit = values.get("image_size", 0), values.get("vocabulary_limit", 0)
    if size and facts.resizable and facts.height:
        width = round(facts.width * size / facts.height) if facts.is_scenes else size
        facts = replace(facts, height=size, width=max(8, width))
    if limit and facts.is_text:
        facts = replace(facts, classes=min(limit, facts.classes) if facts.complete else limit)
    return facts
