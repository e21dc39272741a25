"""Every knob of a search, with unit, bounds and help in one place.

The form, the command line and the documentation read these fields; an
instance with an invalid value cannot exist.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from engine.domain.derivation import DerivationRule
from engine.domain.errors import InvalidConfig
from engine.domain.space import Scope

Route = Literal["even", "first", "or"]
Update = Literal["joint", "alternating"]
GradientMode = Literal["exact", "probed", "sampled"]
Probe = Literal["batch", "operations", "steps"]
Normalisation = Literal["softmax", "relu"]
TemperatureSchedule = Literal["linear", "cosine", "exponential", "constant"]


def _field(
    default: Any, title: str, help_text: str, *, group: str, unit: str = "", **kw: Any
) -> Any:
    return Field(
        default,
        title=title,
        description=help_text,
        json_schema_extra={"group": group, "unit": unit},
        **kw,
    )


def _whole_number(value: Any) -> Any:
    """A choice among numbers may arrive as text from a command line."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class SearchConfig(BaseModel):
    """All settings of one search; frozen, complete and valid."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    task: str = _field("image_classification", "Task", "What the network shall do.", group="Task")
    data: str = _field(
        "digits",
        "Data",
        "A built-in or torchvision data set by name, a .npz file in MedMNIST's names, "
        "or a folder with train/<class>/ images.",
        group="Task",
        min_length=1,
        max_length=1024,
    )
    broken_images: Literal["refuse", "skip"] = _field(
        "refuse",
        "Broken images",
        "Whether an unreadable image stops the run or is skipped and counted.",
        group="Task",
    )
    image_size: int = _field(
        0,
        "Image size",
        "Images of a folder are resized to this square; 0 keeps their size, "
        "which then has to be the same for all.",
        group="Task",
        unit="pixels",
        ge=0,
        le=1024,
    )
    validation_fraction: float = _field(
        0.2,
        "Validation share",
        "Share of the training images kept for validation where the data has no "
        "validation split of its own. Neither weights nor alphas ever see it.",
        group="Task",
        gt=0.0,
        lt=1.0,
    )
    test_fraction: float = _field(
        0.2,
        "Test share",
        "Share kept for the test where the data has no test split of its own; a "
        "search never touches it.",
        group="Task",
        gt=0.0,
        lt=1.0,
    )
    train_limit: int = _field(
        0,
        "Training images",
        "Use only this many training images, drawn by the seed; 0 uses all.",
        group="Task",
        unit="images",
        ge=0,
    )

    crop_padding: int = _field(
        0,
        "Random crop",
        "Padding of the random crop; 0 switches it off.",
        group="Augmentation",
        unit="pixels",
        ge=0,
        le=64,
    )
    flip: bool = _field(
        False, "Mirror", "Mirror half of the images left to right.", group="Augmentation"
    )
    cutout: int = _field(
        0,
        "Cutout",
        "Side of a square that is blanked in each image; 0 switches it off.",
        group="Augmentation",
        unit="pixels",
        ge=0,
        le=256,
    )

    space: str = _field("darts", "Search space", "Which cells can be found.", group="Network")
    nodes: int = _field(4, "Nodes", "Intermediate nodes N of a cell.", group="Network", ge=1, le=12)
    cells: int = _field(
        8,
        "Cells",
        "Cells in the network; those at one and two thirds of the depth reduce the resolution.",
        group="Network",
        ge=1,
        le=64,
    )
    channels: int = _field(
        16, "Channels", "Channels C of the first cell.", group="Network", ge=4, le=512
    )
    stem_stride: Annotated[Literal[1, 2, 4], BeforeValidator(_whole_number)] = _field(
        1,
        "Stem stride",
        "By how much the first convolution reduces the image; 2 makes a search on a CPU "
        "about four times faster.",
        group="Network",
        unit="pixels",
    )

    draws: int = _field(
        7,
        "Draws M",
        "Gumbel-Softmax draws joined into one code: at most M operations are kept in a row "
        "(paper, Definition 1).",
        group="Estimator",
        ge=1,
        le=32,
    )
    scope: Scope = _field(
        "node",
        "Scope",
        "Which probabilities compete: all incoming operations of a node, or those of one edge.",
        group="Estimator",
    )
    route: Route = _field(
        "even",
        "Gradient route",
        "Which draws carry the gradient of a kept operation: all draws that chose it, the first "
        "one, or the derivative of the logical or.",
        group="Estimator",
    )
    gradient: GradientMode = _field(
        "exact",
        "Gradient of alpha",
        "exact: operations that were not drawn run value-only; probed: a part of them; sampled: "
        "none of them (cheapest; then `none` attracts).",
        group="Estimator",
    )
    probe: Probe = _field(
        "batch",
        "Probe",
        "With gradient = probed: what is thinned out.",
        group="Estimator",
    )
    probe_fraction: float = _field(
        0.25,
        "Probe share",
        "With gradient = probed: how much is kept.",
        group="Estimator",
        gt=0.0,
        le=1.0,
    )
    normalisation: Normalisation = _field(
        "softmax",
        "Normalisation",
        "How alphas become probabilities; with relu an alpha at or below 0 never recovers.",
        group="Estimator",
    )
    none_pooled: bool = _field(
        True,
        "Pool none",
        "In scope node, rank the `none` items of all incoming edges as one when deriving.",
        group="Estimator",
    )
    temperature_start: float = _field(
        5.0,
        "First temperature",
        "Softness of the gradient at the start.",
        group="Estimator",
        gt=0.0,
        le=100.0,
    )
    temperature_end: float = _field(
        1.0,
        "Last temperature",
        "Softness of the gradient at the end.",
        group="Estimator",
        gt=0.0,
        le=100.0,
    )
    temperature_schedule: TemperatureSchedule = _field(
        "linear",
        "Temperature schedule",
        "The way from the first to the last temperature.",
        group="Estimator",
    )

    update: Update = _field(
        "joint",
        "Update",
        "joint: weights and alphas move in the same step (the paper); alternating: alphas move "
        "on a held-out half of the training images.",
        group="Training",
    )
    epochs: int = _field(
        50,
        "Epochs",
        "Passes over the training images.",
        group="Training",
        unit="epochs",
        ge=1,
        le=10_000,
    )
    batch_size: int = _field(
        64, "Batch", "Images a step.", group="Training", unit="images", ge=2, le=8192
    )
    learning_rate: float = _field(
        0.025,
        "Learning rate",
        "Of the weights (SGD) at the start.",
        group="Training",
        gt=0.0,
        le=10.0,
    )
    learning_rate_end: float = _field(
        0.001,
        "Last learning rate",
        "Of the weights at the end of the cosine.",
        group="Training",
        ge=0.0,
        le=10.0,
    )
    momentum: float = _field(0.9, "Momentum", "Of the weights.", group="Training", ge=0.0, lt=1.0)
    weight_decay: float = _field(
        3e-4, "Weight decay", "Of the weights.", group="Training", ge=0.0, le=1.0
    )
    gradient_clip: float = _field(
        5.0,
        "Gradient clip",
        "Largest norm of the weights' gradient; 0 switches it off.",
        group="Training",
        ge=0.0,
        le=1000.0,
    )
    alpha_learning_rate: float = _field(
        3e-3,
        "Alpha learning rate",
        "Of the architecture parameters (Adam).",
        group="Training",
        gt=0.0,
        le=10.0,
    )
    alpha_weight_decay: float = _field(
        0.0,
        "Alpha weight decay",
        "Of the architecture parameters.",
        group="Training",
        ge=0.0,
        le=1.0,
    )
    alpha_warmup_epochs: int = _field(
        0,
        "Alpha warm-up",
        "Epochs at the start in which only the weights move.",
        group="Training",
        unit="epochs",
        ge=0,
        le=10_000,
    )

    snapshot_interval: int = _field(
        10,
        "Snapshot interval",
        "Steps between two recorded snapshots.",
        group="Recording",
        unit="steps",
        ge=1,
        le=100_000,
    )
    checkpoint_minutes: float = _field(
        5.0,
        "Checkpoint interval",
        "Longest training time between two checkpoints; there is one at each epoch as well.",
        group="Recording",
        unit="minutes",
        gt=0.0,
        le=1440.0,
    )
    seed: int = _field(0, "Seed", "Of everything random.", group="Reproducibility", ge=0, lt=2**31)
    device: str = _field(
        "auto",
        "Device",
        "auto, cpu, or a GPU by number or UUID, such as cuda:0.",
        group="Reproducibility",
        pattern=r"^(auto|cpu|cuda:[0-9]+|GPU-[0-9A-Za-z-]+)$",
    )
    cpu_threads: int = _field(
        0,
        "CPU threads",
        "Threads of one search on a CPU; 0 uses all cores.",
        group="Reproducibility",
        unit="threads",
        ge=0,
        le=256,
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "SearchConfig":
        if self.learning_rate_end > self.learning_rate:
            raise ValueError("learning_rate_end is above learning_rate")
        if self.alpha_warmup_epochs >= self.epochs:
            raise ValueError("alpha_warmup_epochs leaves no epoch for the alphas")
        return self

    @property
    def rule(self) -> DerivationRule:
        """The derivation rule that fits this search."""
        return DerivationRule("map", self.draws, self.scope, self.none_pooled)


def make_config(values: Mapping[str, Any]) -> SearchConfig:
    """A configuration from plain values, strings included.

    Raises:
        InvalidConfig: One sentence about the first wrong value.
    """
    unknown = [key for key in values if key not in SearchConfig.model_fields]
    if unknown:
        raise InvalidConfig(
            asked=f"the setting {unknown[0]!r}",
            found="no such setting",
            allowed=f"one of {', '.join(SearchConfig.model_fields)}",
            advice="correct its name",
        )
    try:
        return SearchConfig.model_validate(dict(values))
    except ValidationError as error:
        raise _sentence(values, error) from None


def bounds_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Smallest and largest allowed value of a numeric field, None where open."""
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", None)) if low is None else low
        high = getattr(rule, "le", getattr(rule, "lt", None)) if high is None else high
    return low, high


def allowed_values(name: str) -> str:
    """In words, which values the field ``name`` accepts."""
    field = SearchConfig.model_fields[name]
    choices = getattr(field.annotation, "__args__", ())
    if choices:
        return "one of " + ", ".join(repr(choice) for choice in choices)
    words = {
        "gt": "above {}",
        "ge": "at least {}",
        "lt": "below {}",
        "le": "at most {}",
        "pattern": "text like {}",
        "min_length": "at least {} characters",
        "max_length": "at most {} characters",
    }
    rules = [
        text.format(getattr(rule, key))
        for rule in field.metadata
        for key, text in words.items()
        if getattr(rule, key, None) is not None
    ]
    kind = getattr(field.annotation, "__name__", str(field.annotation))
    return " and ".join([kind, *rules])


def _sentence(values: Mapping[str, Any], error: ValidationError) -> InvalidConfig:
    first = error.errors()[0]
    if not first["loc"]:
        return InvalidConfig(
            asked="these settings together",
            found=str(first["msg"]).removeprefix("Value error, "),
            allowed="settings that fit together",
            advice="change one of the two",
        )
    name = str(first["loc"][0])
    return InvalidConfig(
        asked=f"{name} = {values.get(name)!r}",
        found=first["msg"][0].lower() + first["msg"][1:],
        allowed=allowed_values(name),
        advice=f"choose another value of {name}",
    )
