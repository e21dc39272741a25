"""Named starting points of a training from scratch.

Each leaves the genotype to be given. One that names no data is for a folder,
which has to be given too.
"""

from collections.abc import Mapping
from typing import Any

from engine.domain.config import TrainingConfig, make_training_config
from engine.domain.errors import InvalidConfig
from engine.domain.presets import Preset

_TEXT: Mapping[str, Any] = {
    "task": "language_modelling",
    "momentum": 0.0,
    "gradient_clip": 0.25,
    "weight_decay": 5e-7,
}
_TEXT_AS_PUBLISHED: Mapping[str, Any] = {
    **_TEXT,
    "epochs": 1600,
    "batch_size": 64,
    "learning_rate": 20.0,
    "learning_rate_schedule": "constant",
    "averaging": "asgd",
    "dropout_input": 0.8,
    "dropout_embedding": 0.1,
}
_SMALL_TEXT: Mapping[str, Any] = {
    **_TEXT,
    "learning_rate": 20.0,
    "learning_rate_end": 1.0,
    "dropout": 0.3,
    "dropout_hidden": 0.1,
    "dropout_input": 0.2,
    "dropout_embedding": 0.0,
}
_MOBILE: Mapping[str, Any] = {"cells": 14, "channels": 48, "stem_stride": 8}
_SCENES_AS_PUBLISHED: Mapping[str, Any] = {
    "task": "semantic_segmentation",
    **_MOBILE,
    "output_stride": 16,
    "aspp_channels": 256,
    "flip": True,
    "epochs": 300,
    "learning_rate": 0.007,
    "learning_rate_end": 0.0,
    "learning_rate_schedule": "poly",
    "weight_decay": 4e-5,
}

TRAINING_PRESETS: tuple[Preset, ...] = (
    Preset(
        "digits-train",
        "Handwritten digits",
        "A small network for scikit-learn's digits; ends within three minutes on a CPU.",
        {
            "data": "digits",
            "cells": 4,
            "channels": 12,
            "epochs": 15,
            "learning_rate": 0.05,
            "learning_rate_end": 0.0,
            "drop_path": 0.1,
            "cpu_threads": 1,
        },
    ),
    Preset(
        "digit-scenes-train",
        "Digits on a canvas",
        "A small segmentation network for 1,800 made scenes; ends within five minutes on a CPU.",
        {
            "task": "semantic_segmentation",
            "data": "digit_scenes",
            "class_weights": "balanced",
            "cells": 3,
            "channels": 8,
            "stem_stride": 2,
            "output_stride": 4,
            "aspp_channels": 32,
            "epochs": 20,
            "batch_size": 16,
            "learning_rate": 0.2,
            "learning_rate_end": 0.0,
            "cpu_threads": 1,
        },
    ),
    Preset(
        "topics-train",
        "Python's help texts",
        "A small language model for the help texts that come with Python; ends within three "
        "minutes on a CPU.",
        {
            **_SMALL_TEXT,
            "data": "python_topics",
            "epochs": 8,
            "batch_size": 16,
            "bptt": 20,
            "embedding_size": 96,
            "hidden_size": 96,
            "cpu_threads": 1,
        },
    ),
    Preset(
        "cifar10-cpu-train",
        "CIFAR-10 on a CPU",
        "A small network on a part of CIFAR-10; ends within half an hour on one CPU core.",
        {
            "data": "cifar10",
            "stem_stride": 2,
            "cells": 6,
            "channels": 12,
            "epochs": 6,
            "batch_size": 96,
            "train_limit": 28_000,
            "validation_fraction": 0.1,
            "crop_padding": 4,
            "flip": True,
            "learning_rate": 0.1,
            "learning_rate_end": 0.0,
            "cpu_threads": 1,
        },
    ),
    Preset(
        "cifar10-train",
        "CIFAR-10 as published",
        "20 cells, 36 channels, 600 epochs with cutout, drop path and an auxiliary head, on all "
        "50,000 training images; more than a day on one GPU.",
        {
            "data": "cifar10",
            "cells": 20,
            "channels": 36,
            "epochs": 600,
            "batch_size": 96,
            "learning_rate": 0.025,
            "learning_rate_end": 0.0,
            "momentum": 0.9,
            "weight_decay": 3e-4,
            "gradient_clip": 5.0,
            "crop_padding": 4,
            "flip": True,
            "cutout": 16,
            "drop_path": 0.2,
            "auxiliary_weight": 0.4,
            "validation_fraction": 0.1,
            "include_validation": True,
        },
    ),
    Preset(
        "imagenet-mobile",
        "ImageNet, mobile setting",
        "14 cells and 48 channels at 224 pixels, 250 epochs: the published cells stay below 600 "
        "million multiply-adds. A folder of images has to be given as data, and has to fit into "
        "memory: 150 kB an image.",
        {
            **_MOBILE,
            "image_size": 224,
            "epochs": 250,
            "batch_size": 128,
            "learning_rate": 0.1,
            "learning_rate_end": 0.0,
            "learning_rate_schedule": "poly",
            "weight_decay": 3e-5,
            "flip": True,
            "auxiliary_weight": 0.4,
            "label_smoothing": 0.1,
        },
    ),
    Preset(
        "ptb-train",
        "Penn Treebank as published",
        "850 units, 1600 epochs, with averaged weights once the validation loss stops improving; "
        "days on one GPU. The folder with the three texts has to be given as data.",
        {
            **_TEXT_AS_PUBLISHED,
            "weight_decay": 8e-7,
            "embedding_size": 850,
            "hidden_size": 850,
        },
    ),
    Preset(
        "wikitext2-train",
        "WikiText-2 as published",
        "700 units, 1600 epochs, with averaged weights once the validation loss stops improving; "
        "days on one GPU. The folder with the three texts has to be given as data.",
        {
            **_TEXT_AS_PUBLISHED,
            "embedding_size": 700,
            "hidden_size": 700,
            "dropout_hidden": 0.15,
        },
    ),
    Preset(
        "wikitext2-cpu-train",
        "WikiText-2 on a CPU",
        "A small language model for a part of WikiText-2, whose folder has to be given as data; "
        "ends within fifteen minutes on two CPU cores.",
        {
            **_SMALL_TEXT,
            "vocabulary_limit": 6000,
            "train_limit": 250_000,
            "epochs": 8,
            "batch_size": 40,
            "embedding_size": 96,
            "hidden_size": 96,
            "dropout_input": 0.1,
            "dropout": 0.2,
            "cpu_threads": 2,
        },
    ),
    Preset(
        "voc-train",
        "PASCAL VOC 2012",
        "The mobile network of ImageNet with the head of DeepLab v3; to start from ImageNet's "
        "weights, give that training as start_from. Hours on one GPU.",
        {**_SCENES_AS_PUBLISHED, "data": "voc2012", "image_size": 512, "batch_size": 16},
    ),
    Preset(
        "camvid-train",
        "CamVid",
        "The same network for road scenes at 480x360 pixels, whose folder has to be given as data; "
        "hours on one GPU.",
        {**_SCENES_AS_PUBLISHED, "ignore_index": 11, "image_size": 360, "batch_size": 8},
    ),
    Preset(
        "camvid-cpu-train",
        "CamVid on a CPU",
        "A small network for road scenes at 128x96 pixels, whose folder has to be given as data; "
        "ends within twenty minutes on two CPU cores.",
        {
            "task": "semantic_segmentation",
            "ignore_index": 11,
            "image_size": 96,
            "class_weights": "balanced",
            "flip": True,
            "cells": 3,
            "channels": 16,
            "stem_stride": 2,
            "output_stride": 8,
            "aspp_channels": 32,
            "epochs": 60,
            "batch_size": 8,
            "learning_rate": 0.2,
            "learning_rate_end": 0.0,
            "cpu_threads": 2,
        },
    ),
)


def training_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        InvalidConfig: There is none.
    """
    for candidate in TRAINING_PRESETS:
        if candidate.name == name:
            return candidate
    raise InvalidConfig(
        asked=f"the training preset {name!r}",
        found="no such preset",
        allowed=f"one of {', '.join(candidate.name for candidate in TRAINING_PRESETS)}",
        advice="choose one of these",
    )


def default_training_preset(task: str, data: str) -> Preset:
    """The preset that fits a task and its data best, of several the quickest.

    Raises:
        InvalidConfig: There is none for the task.
    """
    fitting = [preset for preset in TRAINING_PRESETS if task_of(preset) == task]
    if not fitting:
        raise InvalidConfig(
            asked=f"a training preset for the task {task!r}",
            found="none",
            allowed=f"one of {', '.join(sorted({task_of(p) for p in TRAINING_PRESETS}))}",
            advice="choose another task",
        )
    return next((p for p in fitting if p.settings.get("data") == data), fitting[0])


def task_of(preset: Preset) -> str:
    """The task that a preset is for."""
    return str(preset.settings.get("task", TrainingConfig.model_fields["task"].default))


def training_preset_config(name: str, genotype: str, **changes: Any) -> TrainingConfig:
    """The configuration of a preset for a genotype, with some settings changed."""
    return make_training_config({**training_preset(name).settings, "genotype": genotype, **changes})
