"""Named starting points of a search, each explained in one sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import InvalidConfig


@dataclass(frozen=True)
class Preset:
    """A label, one sentence, and the settings that differ from the defaults.

    Attributes:
        minutes: About how long a search takes on the device that it is for, and
            so the time budget on other data; None for methods and trainings.
    """

    name: str
    label: str
    description: str
    settings: Mapping[str, Any]
    minutes: float | None = None


PRESETS: tuple[Preset, ...] = (
    Preset(
        "digits",
        "Handwritten digits",
        "1,797 real 8x8 digits from scikit-learn; ends within three minutes on a CPU.",
        {
            "data": "digits",
            "cells": 4,
            "channels": 8,
            "epochs": 20,
            "alpha_learning_rate": 0.1,
            "alpha_learning_rate_schedule": "cosine",
            "cpu_threads": 1,
        },
        minutes=3,
    ),
    Preset(
        "topics",
        "Python's help texts",
        "A recurrent cell for the help texts that come with Python; took two and a half minutes on "
        "one CPU core, to a perplexity of 120.",
        {
            "task": "language_modelling",
            "data": "python_topics",
            "space": "rnn",
            "scope": "node",
            "draws": 4,
            "epochs": 6,
            "batch_size": 16,
            "bptt": 20,
            "embedding_size": 96,
            "hidden_size": 96,
            "learning_rate": 20.0,
            "learning_rate_end": 1.0,
            "momentum": 0.0,
            "gradient_clip": 0.25,
            "weight_decay": 5e-7,
            "dropout": 0.4,
            "dropout_hidden": 0.1,
            "dropout_input": 0.3,
            "dropout_embedding": 0.0,
            "alpha_learning_rate": 0.01,
            "cpu_threads": 1,
        },
        minutes=3,
    ),
    Preset(
        "wikitext2-cpu",
        "WikiText-2 on a CPU",
        "A small cell on a part of WikiText-2, whose folder has to be given as data; takes about "
        "seven minutes on one CPU core.",
        {
            "task": "language_modelling",
            "data": "wikitext2",
            "space": "rnn",
            "vocabulary_limit": 6000,
            "train_limit": 250_000,
            "scope": "node",
            "draws": 4,
            "epochs": 3,
            "batch_size": 40,
            "embedding_size": 96,
            "hidden_size": 96,
            "learning_rate": 20.0,
            "learning_rate_end": 1.0,
            "momentum": 0.0,
            "gradient_clip": 0.25,
            "weight_decay": 5e-7,
            "dropout": 0.2,
            "dropout_hidden": 0.1,
            "dropout_input": 0.1,
            "dropout_embedding": 0.0,
            "alpha_learning_rate": 0.05,
            "cpu_threads": 1,
        },
        minutes=7,
    ),
    Preset(
        "digit-scenes",
        "Digits on a canvas",
        "Which pixel of 1,800 made scenes is of which of scikit-learn's digits; took two and a "
        "half minutes on one CPU core, to a mean IoU of 39%, where background alone has 8%.",
        {
            "task": "semantic_segmentation",
            "data": "digit_scenes",
            "class_weights": "balanced",
            "cells": 3,
            "nodes": 2,
            "channels": 8,
            "stem_stride": 2,
            "output_stride": 4,
            "aspp_channels": 32,
            "gradient": "probed",
            "probe": "steps",
            "epochs": 20,
            "batch_size": 16,
            "learning_rate": 0.2,
            "alpha_learning_rate": 0.02,
            "cpu_threads": 1,
        },
        minutes=3,
    ),
    Preset(
        "camvid-cpu",
        "CamVid on a CPU",
        "A small network on CamVid's road scenes at 128x96 pixels, whose folder has to be given as "
        "data; took four and a half minutes on one CPU core, to a mean IoU of 32%.",
        {
            "task": "semantic_segmentation",
            "data": "camvid",
            "ignore_index": 11,
            "image_size": 96,
            "class_weights": "balanced",
            "flip": True,
            "cells": 3,
            "nodes": 2,
            "channels": 8,
            "stem_stride": 2,
            "output_stride": 8,
            "aspp_channels": 32,
            "gradient": "probed",
            "probe": "steps",
            "epochs": 20,
            "batch_size": 8,
            "learning_rate": 0.2,
            "alpha_learning_rate": 0.02,
            "cpu_threads": 1,
        },
        minutes=5,
    ),
    Preset(
        "ptb",
        "Penn Treebank as published",
        "The paper's search: 300 units, M = 7, 50 epochs; about half a day on one GPU. The folder "
        "with train.txt, valid.txt and test.txt has to be given as data.",
        {
            "task": "language_modelling",
            "data": "ptb",
            "space": "rnn",
            "scope": "node",
            "draws": 7,
            "epochs": 50,
            "batch_size": 256,
            "learning_rate": 20.0,
            "learning_rate_schedule": "constant",
            "momentum": 0.0,
            "gradient_clip": 0.25,
            "weight_decay": 5e-7,
            "dropout_input": 0.8,
            "dropout_embedding": 0.0,
            "alpha_learning_rate": 3e-3,
            "alpha_momentum": 0.9,
            "alpha_weight_decay": 1e-3,
        },
        minutes=720,
    ),
    Preset(
        "cifar10-cpu",
        "CIFAR-10 on a CPU",
        "A small network on a part of CIFAR-10; ends within twenty minutes on one CPU core.",
        {
            "data": "cifar10",
            "stem_stride": 2,
            "cells": 4,
            "channels": 8,
            "gradient": "probed",
            "probe": "steps",
            "probe_fraction": 0.25,
            "epochs": 4,
            "train_limit": 28_000,
            "validation_fraction": 0.1,
            "flip": True,
            "learning_rate": 0.05,
            "alpha_learning_rate": 0.03,
            "cpu_threads": 1,
        },
        minutes=20,
    ),
    Preset(
        "nb201-cpu",
        "NAS-Bench-201 on a CPU",
        "One operation an edge, so that published tables know the accuracy of every cell; CIFAR-10 "
        "at half its resolution, in about ten minutes on one CPU core.",
        {
            "data": "cifar10",
            "space": "nb201",
            "scope": "edge",
            "draws": 1,
            "stem_stride": 2,
            "cells": 3,
            "channels": 8,
            "epochs": 30,
            "train_limit": 12_500,
            "validation_fraction": 0.1,
            "flip": True,
            "learning_rate": 0.05,
            "alpha_learning_rate": 0.1,
            "alpha_learning_rate_schedule": "cosine",
            "alpha_weight_decay": 6e-4,
            "cpu_threads": 1,
        },
        minutes=10,
    ),
    Preset(
        "cifar10",
        "CIFAR-10 as published",
        "The paper's search: 8 cells, 16 channels, M = 7, 100 epochs; about a day on one GPU.",
        {
            "data": "cifar10",
            "scope": "node",
            "draws": 7,
            "epochs": 100,
            "crop_padding": 4,
            "flip": True,
            "validation_fraction": 0.1,
            "alpha_learning_rate": 3e-4,
            "alpha_weight_decay": 1e-3,
        },
        minutes=1440,
    ),
)


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        InvalidConfig: There is none.
    """
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate
    raise InvalidConfig(
        asked=f"the preset {name!r}",
        found="no such preset",
        allowed=f"one of {', '.join(candidate.name for candidate in PRESETS)}",
        advice="choose one of these",
    )


def preset_config(name: str, **changes: Any) -> SearchConfig:
    """The configuration of a preset with some settings changed."""
    return make_config({**preset(name).settings, **changes})
