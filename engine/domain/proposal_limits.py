"""Every number that proposals of settings rest on, with its source.

Sources: "presets" are the settings of ``engine.domain.presets`` that were tuned
by hand; "health" is ``engine.domain.health_limits``; "measured" is
``benchmarks/proposals.py``, whose figures are in docs/proposals.md.

:func:`engine.domain.proposal.propose` is a pure function, so that every number
here can be calibrated without touching anything else.
"""

from collections.abc import Mapping

from engine.domain.facts import DeviceKind
from engine.domain.health_limits import FEWEST_EPOCHS as SHORTEST
from engine.domain.space import Scope
from engine.domain.workload import Speed

# The budget

DEFAULT_MINUTES = 20.0
"""Budget of a proposal if nobody names one."""

RESERVE = 0.1
"""Share of the budget that is left free: the start of the process, loading, checkpoints."""

TOLERANCE = 0.5
"""By which share of the prediction a search may take longer or shorter than predicted. The
predicted time of a step is right within a factor of 1.5 (measured)."""

# How far alphas move

PATH_LENGTHS: Mapping[tuple[str, Scope], float] = {
    ("even", "node"): 30.0,
    ("first", "node"): 30.0,
    ("or", "node"): 30.0,
    ("zgr", "node"): 30.0,
    ("inclusion", "node"): 30.0,
    ("even", "source"): 30.0,
    ("first", "source"): 30.0,
    ("or", "source"): 30.0,
    ("zgr", "source"): 30.0,
    ("inclusion", "source"): 30.0,
    ("even", "edge"): 260.0,
    ("first", "edge"): 260.0,
    ("or", "edge"): 260.0,
    ("zgr", "edge"): 260.0,
    ("inclusion", "edge"): 260.0,
}
"""How far an alpha can move during a whole search: the sum of Adam's learning rates, per gradient
route and scope. A step of Adam moves an alpha by about its learning rate. Scope node: between what
the presets digits (17) and cifar10-cpu (52) had in that scope. Scope edge: nb201-cpu (263). Only
the route ``even`` has been measured in these two; the other routes start from its values, and scope
source from those of scope node."""

MIXTURE_PATH_LENGTH = 5.9
"""The same for DARTS's mixture: 3e-4 in each of 390 x 50 steps (Liu et al. 2019)."""

SCHEDULE = "cosine"
"""Alpha's learning rate ends at 0, so that the architecture settles (preset nb201-cpu)."""

SCHEDULE_MEANS: Mapping[str, float] = {"cosine": 0.5, "poly": 1 / 1.9, "constant": 1.0}
"""Mean of each schedule over its whole length, as a share of the first rate."""

LARGEST_RATE = 0.1
"""Largest learning rate of alpha: that of nb201-cpu, the fastest of all presets. Together with the
path length it gives the fewest updates of a search."""

DRAWS_PER_OPERATION = 31
"""How often each operation should be drawn at uniform probabilities. In recorded searches that
decided, every operation was drawn 31 times or more (health)."""

# Passes over the data

FEWEST_EPOCHS = SHORTEST + 4
"""Epochs that a proposed search has at least. Below 6 a search is too short to be judged (health);
ten make the window over which it is judged 30 % of it."""

MOST_EPOCHS = 100
"""Epochs beyond which a larger network is a better use of the time than more of them; the paper's
own search has 100."""

STEPS_PER_EPOCH = 16
"""Steps that an epoch has at least, if the batch can be made small enough: one of 64 images of the
preset digits has 17."""

LARGER_NETWORK = 2.0
"""How many times the fewest updates must fit into the budget for a larger network."""

# Sizes

FIRST_GRID: Mapping[DeviceKind, int] = {"cpu": 16, "gpu": 32}
"""Pixels along the shorter side of what the first cell sees: that of the CPU presets for CIFAR-10,
and that of the published searches."""

SMALLEST_GRID = 8
"""Pixels below which the first cell never goes, unless the images are smaller: two reductions leave
2 x 2 of them."""

LARGEST_IMAGE: Mapping[DeviceKind, int] = {"cpu": 64, "gpu": 128}
LARGEST_SCENE: Mapping[DeviceKind, int] = {"cpu": 96, "gpu": 256}
"""Pixels along the shorter side to which larger images are resized, so that a stem of stride 4
gives about the first grid; scenes keep more, since every pixel has an answer (camvid-cpu: 96)."""

LARGEST_STRIDE = 4
"""Stride of a stem above which too much of an image is lost before the first cell."""

Sizes = tuple[tuple[int, int], ...]
"""Pairs of cells and channels, from small to large."""

IMAGE_SIZES: Sizes = ((4, 8), (6, 12), (8, 16), (8, 24))
"""Of a search on images: the CPU presets, the paper's 8 cells of 16 channels, and what is between
and beyond."""

STAGE_SIZES: Sizes = ((3, 8), (3, 16), (6, 16), (15, 16))
"""The same in three stages: the preset nb201-cpu, and the 15 cells of the published table."""

SCENE_SIZES: Sizes = ((3, 8), (4, 12), (6, 16), (8, 16))
"""The same for scenes; the smallest is that of the CPU presets."""

HIDDEN_SIZES: tuple[int, ...] = (96, 200, 300)
"""Units of a recurrent search, from small to large: the CPU presets, and the paper's 300."""

TRAINED_IMAGE_SIZES: Sizes = ((4, 12), (6, 12), (8, 24), (14, 36), (20, 36))
TRAINED_STAGE_SIZES: Sizes = ((3, 8), (6, 16), (15, 16))
TRAINED_SCENE_SIZES: Sizes = ((3, 8), (3, 16), (8, 24), (14, 48))
TRAINED_HIDDEN_SIZES: tuple[int, ...] = (96, 200, 300, 700, 850)
"""Sizes of networks that are trained from scratch: the CPU presets, and the published ones."""

ASPP_PER_CHANNEL = 4
"""Channels of the segmentation head per channel of the first cell (presets: 32 for 8)."""

OUTPUT_STRIDE_PER_STEM, SMALLEST_OUTPUT_STRIDE = 2, 4
"""Largest reduction of a scene's features, in strides of the stem: the second of two reductions
loses its stride, as in the preset digit-scenes."""

# Batches

IMAGE_BATCH, SMALLEST_IMAGE_BATCH = 64, 16
"""The published batch; below 16 images the statistics of a batch say little."""

SCENE_BATCH, SMALLEST_SCENE_BATCH = 16, 4
SCENE_PIXELS = 48 * 48
"""The presets: 16 scenes of 32 x 32 pixels, 8 of 96 x 128. Above so many pixels it halves."""

TEXT_BATCHES = (16, 32, 64)
STEPS_PER_TEXT_EPOCH = 100
"""Streams of a text, the most with which a pass has so many steps (presets: 16 for 45,000 tokens,
40 for 250,000; the paper 256 for 930,000)."""

TEXT_WINDOW, SHORT_TEXT_WINDOW, SHORT_TEXT = 35, 20, 150_000
"""Tokens of a window: the published 35, and 20 of the preset topics for texts of fewer tokens."""

LARGEST_VOCABULARY: Mapping[DeviceKind, int] = {"cpu": 10_000, "gpu": 33_278}
"""Tokens that are kept: on a CPU as many as Penn Treebank has, on a GPU as WikiText-2, since
decoding takes time in proportion."""

VALIDATION_ITEMS = 2_500
"""Images held out for validation at most: the standard error of an accuracy of 50 % is 1 point."""

LARGEST_VALIDATION_SHARE, SMALLEST_VALIDATION_SHARE = 0.2, 0.02
"""Share of the training images held out: the default at most, also of small sets."""

PROBE_SHARE: Mapping[Scope, float] = {"node": 0.25, "source": 0.25, "edge": 0.5}
"""Share of the steps in which all operations report to alpha (presets; results, probes)."""

ONE_THREAD_CHANNELS, ONE_THREAD_UNITS = 16, 200
"""Channels and recurrent units up to which one thread is as fast as all cores (decision 11)."""

# Optimisers of the weights where no preset gives them

TEXT_OPTIMISER: Mapping[str, float] = {
    "learning_rate": 20.0,
    "learning_rate_end": 1.0,
    "momentum": 0.0,
    "gradient_clip": 0.25,
    "weight_decay": 5e-7,
}
"""SGD for recurrent language models (Merity et al. 2017, DARTS), with the presets' last rate."""

SMALL_TEXT_DROPOUT: Mapping[str, float] = {
    "dropout": 0.3,
    "dropout_hidden": 0.1,
    "dropout_input": 0.2,
    "dropout_embedding": 0.0,
}
PUBLISHED_HIDDEN = 300
"""Dropout of the CPU presets for fewer hidden units than the published search has; above, the
published values, which are the defaults."""

SCENE_LEARNING_RATE = 0.2
"""Of the weights, for scenes (both CPU presets)."""

TRAINING_STEPS, FEWEST_TRAINING_EPOCHS = 1_500, 15
"""Steps and epochs that a training from scratch has at least before a larger network is proposed
(presets: 1,750 steps in cifar10-cpu-train, 15 epochs in digits-train)."""

MOST_TRAINING_EPOCHS: Mapping[str, int] = {
    "image_classification": 600,
    "semantic_segmentation": 300,
    "language_modelling": 1600,
}
"""Epochs of the published trainings."""

# Speeds that nobody has measured

GUESSED_SPEEDS: Mapping[DeviceKind, Speed] = {
    "cpu": Speed(call=1.7e-5, multiply_add=3.3e-11, value=1.1e-9),
    "gpu": Speed(call=1.5e-5, multiply_add=5e-13, value=1e-11),
}
"""On a CPU 1.5 times what one thread of the machine took on which the model was fitted; on a GPU
the start of kernels, which is all that small networks wait for there."""
