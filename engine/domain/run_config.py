"""What a search and a training from scratch have in common, setting by setting."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from engine.domain.fields import setting, whole_number

IMAGES = ("image_classification", "semantic_segmentation")
CLASSIFICATION = ("image_classification",)
SEGMENTATION = ("semantic_segmentation",)
TEXT = ("language_modelling",)

LearningRateSchedule = Literal["cosine", "poly", "constant"]


class RunConfig(BaseModel):
    """Data, network size, optimiser, recording and reproducibility of a run; frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    task: str = setting("image_classification", "Task", "What the network shall do.", group="Task")
    data: str = setting(
        "digits",
        "Data",
        "A built-in or torchvision data set by name; images: a .npz file in MedMNIST's names or a "
        "folder with train/<class>/; text: a folder with train.txt, valid.txt and test.txt; "
        "segmentation: a folder with train/images, train/masks and classes.txt.",
        group="Task",
        min_length=1,
        max_length=1024,
    )
    tokens: Literal["word", "character"] = setting(
        "word",
        "Tokens",
        "What a text is made of: words between blanks, as in PTB and WikiText-2, or characters.",
        group="Task",
        tasks=TEXT,
    )
    vocabulary_limit: int = setting(
        0,
        "Vocabulary",
        "Keep only so many of the most frequent tokens, the rest becomes <unk>; 0 keeps all.",
        group="Task",
        unit="tokens",
        tasks=TEXT,
        ge=0,
        le=10_000_000,
    )
    broken_images: Literal["refuse", "skip"] = setting(
        "refuse",
        "Broken images",
        "Whether an unreadable image stops the run or is skipped and counted.",
        group="Task",
        tasks=IMAGES,
    )
    image_size: int = setting(
        0,
        "Image size",
        "Images of a folder are resized to this square, in segmentation to this height at their "
        "own aspect ratio; 0 keeps their size, which then has to be the same for all.",
        group="Task",
        unit="pixels",
        ge=0,
        le=1024,
        tasks=IMAGES,
    )
    ignore_index: int = setting(
        255,
        "Ignored mask value",
        "Pixels with this value in a mask count nowhere.",
        group="Task",
        tasks=SEGMENTATION,
        ge=0,
        le=255,
    )
    class_weights: Literal["none", "balanced"] = setting(
        "none",
        "Class weights",
        "balanced: rare classes weigh more in the loss, by the inverse of their share of pixels.",
        group="Task",
        tasks=SEGMENTATION,
    )
    validation_fraction: float = setting(
        0.2,
        "Validation share",
        "Share of the training images kept for validation where the data has no "
        "validation split of its own. Neither weights nor alphas ever see it.",
        group="Task",
        gt=0.0,
        lt=1.0,
    )
    test_fraction: float = setting(
        0.2,
        "Test share",
        "Share kept for the test where the data has no test split of its own; a "
        "search never touches it.",
        group="Task",
        gt=0.0,
        lt=1.0,
    )
    train_limit: int = setting(
        0,
        "Training data",
        "Use only this many training images, drawn by the seed, or the first so many tokens of a "
        "text; 0 uses all.",
        group="Task",
        unit="items",
        ge=0,
    )
    crop_padding: int = setting(
        0,
        "Random crop",
        "Padding of the random crop; 0 switches it off.",
        group="Augmentation",
        unit="pixels",
        ge=0,
        le=64,
        tasks=IMAGES,
    )
    flip: bool = setting(
        False,
        "Mirror",
        "Mirror half of the images left to right.",
        group="Augmentation",
        tasks=IMAGES,
    )
    cutout: int = setting(
        0,
        "Cutout",
        "Side of a square that is blanked in each image; 0 switches it off.",
        group="Augmentation",
        unit="pixels",
        ge=0,
        le=256,
        tasks=CLASSIFICATION,
    )
    cells: int = setting(
        8,
        "Cells",
        "Cells in the network; those at one and two thirds of the depth reduce the resolution. In "
        "the space nb201 a multiple of 3, the same number in each stage.",
        group="Network",
        ge=1,
        le=64,
        tasks=IMAGES,
    )
    channels: int = setting(
        16,
        "Channels",
        "Channels C of the first cell.",
        group="Network",
        ge=4,
        le=512,
        tasks=IMAGES,
    )
    stem_stride: Annotated[Literal[1, 2, 4, 8], BeforeValidator(whole_number)] = setting(
        1,
        "Stem stride",
        "By how much the first convolution reduces the image; 2 makes a search on a CPU "
        "about four times faster.",
        group="Network",
        unit="pixels",
        tasks=IMAGES,
    )
    output_stride: Annotated[Literal[0, 4, 8, 16], BeforeValidator(whole_number)] = setting(
        0,
        "Output stride",
        "By how much the features are smaller than the image; smaller than natural keeps the "
        "resolution by dilation (DeepLab). 0 is natural.",
        group="Network",
        tasks=SEGMENTATION,
    )
    aspp_channels: int = setting(
        64,
        "ASPP channels",
        "Channels of the segmentation head.",
        group="Network",
        tasks=SEGMENTATION,
        ge=4,
        le=1024,
    )
    embedding_size: int = setting(
        300,
        "Embedding",
        "Size of a token's vector; tied to the output where it equals the hidden size.",
        group="Network",
        tasks=TEXT,
        ge=4,
        le=8192,
    )
    hidden_size: int = setting(
        300,
        "Hidden size",
        "Units H of the recurrent state.",
        group="Network",
        unit="units",
        tasks=TEXT,
        ge=4,
        le=8192,
    )
    epochs: int = setting(
        50,
        "Epochs",
        "Passes over the training data.",
        group="Training",
        unit="epochs",
        ge=1,
        le=10_000,
    )
    batch_size: int = setting(
        64,
        "Batch",
        "Images, or parallel streams of text, a step.",
        group="Training",
        unit="items",
        ge=2,
        le=8192,
    )
    bptt: int = setting(
        35,
        "BPTT",
        "Tokens through which a gradient flows back.",
        group="Training",
        unit="tokens",
        tasks=TEXT,
        ge=1,
        le=1000,
    )
    learning_rate: float = setting(
        0.025,
        "Learning rate",
        "Of the weights at the start.",
        group="Training",
        gt=0.0,
        le=1000.0,
    )
    learning_rate_end: float = setting(
        0.001,
        "Last learning rate",
        "Of the weights at the end of the schedule.",
        group="Training",
        ge=0.0,
        le=10.0,
    )
    learning_rate_schedule: LearningRateSchedule = setting(
        "cosine",
        "Learning rate schedule",
        "The way from the first to the last learning rate of the weights.",
        group="Training",
    )
    momentum: float = setting(0.9, "Momentum", "Of the weights.", group="Training", ge=0.0, lt=1.0)
    weight_decay: float = setting(
        3e-4, "Weight decay", "Of the weights.", group="Training", ge=0.0, le=1.0
    )
    gradient_clip: float = setting(
        5.0,
        "Gradient clip",
        "Largest norm of the weights' gradient; 0 switches it off.",
        group="Training",
        ge=0.0,
        le=1000.0,
    )
    dropout: float = setting(
        0.75,
        "Output dropout",
        "Variational dropout on the outputs of the recurrent network.",
        group="Training",
        tasks=TEXT,
        ge=0.0,
        lt=1.0,
    )
    dropout_hidden: float = setting(
        0.25,
        "Hidden dropout",
        "Variational dropout on the recurrent state.",
        group="Training",
        tasks=TEXT,
        ge=0.0,
        lt=1.0,
    )
    dropout_input: float = setting(
        0.75,
        "Input dropout",
        "Variational dropout on the embedded tokens.",
        group="Training",
        tasks=TEXT,
        ge=0.0,
        lt=1.0,
    )
    dropout_embedding: float = setting(
        0.2,
        "Word dropout",
        "Share of the vocabulary whose vectors are left out of a step.",
        group="Training",
        tasks=TEXT,
        ge=0.0,
        lt=1.0,
    )
    temporal_regularisation: float = setting(
        1e-3,
        "Temporal regularisation",
        "Factor beta of the squared change of the hidden state from token to token.",
        group="Training",
        tasks=TEXT,
        ge=0.0,
        le=100.0,
    )
    snapshot_interval: int = setting(
        10,
        "Snapshot interval",
        "Steps between two recorded snapshots.",
        group="Recording",
        unit="steps",
        ge=1,
        le=100_000,
    )
    checkpoint_minutes: float = setting(
        5.0,
        "Checkpoint interval",
        "Longest training time between two checkpoints; there is one at each epoch as well.",
        group="Recording",
        unit="minutes",
        gt=0.0,
        le=1440.0,
    )
    seed: int = setting(0, "Seed", "Of everything random.", group="Reproducibility", ge=0, lt=2**31)
    device: str = setting(
        "auto",
        "Device",
        "auto, cpu, or a GPU by number or UUID, such as cuda:0.",
        group="Reproducibility",
        pattern=r"^(auto|cpu|cuda:[0-9]+|GPU-[0-9A-Za-z-]+)$",
    )
    cpu_threads: int = setting(
        0,
        "CPU threads",
        "Threads of one search on a CPU; 0 uses all cores.",
        group="Reproducibility",
        unit="threads",
        ge=0,
        le=256,
    )

    @model_validator(mode="after")
    def _rates_fit_together(self) -> "RunConfig":
        if self.learning_rate_end > self.learning_rate:
            raise ValueError("learning_rate_end is above learning_rate")
        return self


def data_name(data: str) -> str:
    """The last part of a path, or a name as it is."""
    return data.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or data
