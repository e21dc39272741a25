"""The two kinds of configuration: of a search, and of a training from scratch.

The form, the command line and the documentation read their fields; an
instance with an invalid value cannot exist.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from engine.domain.derivation import DerivationRule
from engine.domain.fields import allowed_by, bounds_of, setting, validated
from engine.domain.item_patterns import parse_patterns
from engine.domain.run_config import (
    CLASSIFICATION,
    IMAGES,
    TEXT,
    LearningRateSchedule,
    RunConfig,
)
from engine.domain.space import Scope

__all__ = [
    "AnyConfig",
    "SearchConfig",
    "TrainingConfig",
    "allowed_values",
    "bounds_of",
    "make_config",
    "make_training_config",
    "parse_config",
]

Method = Literal["egs", "darts", "random"]
Route = Literal["even", "first", "or", "zgr", "inclusion"]
Update = Literal["joint", "alternating"]
GradientMode = Literal["exact", "probed", "sampled"]
Probe = Literal["batch", "operations", "steps"]
Normalisation = Literal["softmax", "relu"]
TemperatureSchedule = Literal["linear", "cosine", "exponential", "constant"]
Purpose = Literal["search", "training"]


PATTERNS_LENGTH = 10_000

DARTS_EDGES_KEPT = {"darts": 2, "rnn": 1}
"""Incoming edges that DARTS keeps a node, by space; elsewhere each edge keeps its best."""


class SearchConfig(RunConfig):
    """All settings of one search; frozen, complete and valid."""

    purpose: ClassVar[Purpose] = "search"

    method: Method = setting(
        "egs",
        "Method",
        "egs: the Ensemble Gumbel-Softmax; darts: the softmax mixture of all operations; random: "
        "random cells, each trained from scratch, the best of which is kept.",
        group="Estimator",
        first=True,
    )
    space: str = setting(
        "darts", "Search space", "Which cells can be found.", group="Network", first=True
    )
    nodes: int = setting(
        0,
        "Nodes",
        "Intermediate nodes N of a cell; 0 takes the space's own number.",
        group="Network",
        first=True,
        ge=0,
        le=12,
    )
    draws: int = setting(
        1,
        "Draws M",
        "Gumbel-Softmax draws joined into one code: at most M operations are kept in a row "
        "(paper, Definition 1).",
        group="Estimator",
        ge=1,
        le=32,
    )
    scope: Scope = setting(
        "source",
        "Scope",
        "Which probabilities compete: all incoming operations of a node; those from one source, "
        "where all nodes of the cell are one source; or those of one edge.",
        group="Estimator",
    )
    sound: bool = setting(
        True,
        "Sound architectures",
        "Draw and derive only architectures in which every cell reaches the output and no node is "
        "empty; off is the paper's plain form.",
        group="Estimator",
    )
    route: Route = setting(
        "even",
        "Gradient route",
        "How the gradient of a code reaches the probabilities. even, first: through the relaxed "
        "draws that chose an operation; or: by the derivative of the logical or; zgr: the same "
        "with the noise averaged out; inclusion: through P(operation is on), without a "
        "temperature.",
        group="Estimator",
    )
    gradient: GradientMode = setting(
        "exact",
        "Gradient of alpha",
        "exact: operations that were not drawn run value-only; probed: a part of them; sampled: "
        "none of them (cheapest; then `none` attracts).",
        group="Estimator",
    )
    probe: Probe = setting(
        "batch",
        "Probe",
        "With gradient = probed: what is thinned out.",
        group="Estimator",
    )
    probe_fraction: float = setting(
        0.25,
        "Probe share",
        "With gradient = probed: how much is kept.",
        group="Estimator",
        gt=0.0,
        le=1.0,
    )
    normalisation: Normalisation = setting(
        "softmax",
        "Normalisation",
        "How alphas become probabilities; with relu an alpha at or below 0 never recovers.",
        group="Estimator",
    )
    derivation_draws: int = setting(
        0,
        "Draws when deriving",
        "Draws M of the derivation; 0 takes those of the search.",
        group="Estimator",
        ge=0,
        le=32,
    )
    none_pooled: bool = setting(
        True,
        "Pool none",
        "Rank the `none` items of all edges of a row as one when deriving; in scope edge a row has "
        "one edge.",
        group="Estimator",
    )
    banned: str = setting(
        "",
        "Banned operations",
        "Operations that are never drawn and have probability 0, as kind:edge:operation with * for "
        "all, between commas: normal:0-2:none, *:*:max_pool_3x3. An edge is its number from 0, or "
        "source-target, counting the cell's inputs first.",
        group="Estimator",
        max_length=PATTERNS_LENGTH,
    )
    frozen: str = setting(
        "",
        "Frozen operations",
        "Operations whose probabilities rest, written as for banned operations; everything that "
        "competes with them (their row in the scope) rests with them.",
        group="Estimator",
        max_length=PATTERNS_LENGTH,
    )
    temperature_start: float = setting(
        5.0,
        "First temperature",
        "Softness of the gradient at the start.",
        group="Estimator",
        gt=0.0,
        le=100.0,
    )
    temperature_end: float = setting(
        1.0,
        "Last temperature",
        "Softness of the gradient at the end.",
        group="Estimator",
        gt=0.0,
        le=100.0,
    )
    temperature_schedule: TemperatureSchedule = setting(
        "linear",
        "Temperature schedule",
        "The way from the first to the last temperature.",
        group="Estimator",
    )
    candidates: int = setting(
        8,
        "Random candidates",
        "With method = random: cells that share the epochs evenly.",
        group="Estimator",
        ge=1,
        le=10000,
    )
    update: Update = setting(
        "joint",
        "Update",
        "joint: weights and alphas move in the same step (the paper); alternating: alphas move "
        "on a held-out half of the training data.",
        group="Training",
    )
    alpha_learning_rate: float = setting(
        3e-3,
        "Alpha learning rate",
        "Of the architecture parameters (Adam).",
        group="Training",
        gt=0.0,
        le=10.0,
    )
    alpha_learning_rate_schedule: LearningRateSchedule = setting(
        "constant",
        "Alpha learning rate schedule",
        "The way of alpha's learning rate; cosine and poly end at 0, so that the last epochs "
        "decide by their mean and not by their noise.",
        group="Training",
    )
    alpha_momentum: float = setting(
        0.5,
        "Alpha momentum",
        "How much of the mean of earlier gradients Adam keeps from step to step, its beta 1; 0.5 "
        "for images and 0.9 for texts in DARTS.",
        group="Training",
        ge=0.0,
        lt=1.0,
    )
    alpha_weight_decay: float = setting(
        0.0,
        "Alpha weight decay",
        "Of the architecture parameters.",
        group="Training",
        ge=0.0,
        le=1.0,
    )
    stop_settled_epochs: int = setting(
        0,
        "Stop when settled",
        "End the search once the derived architecture has stayed the same for so many epochs; "
        "0 never does.",
        group="Training",
        unit="epochs",
        ge=0,
        le=10_000,
    )
    stop_unhealthy: bool = setting(
        False,
        "Stop when unhealthy",
        "Stop the search once it has collapsed or is not deciding; see docs/health.md.",
        group="Training",
    )
    alpha_warmup_epochs: int = setting(
        0,
        "Alpha warm-up",
        "Epochs at the start in which only the weights move.",
        group="Training",
        unit="epochs",
        ge=0,
        le=10_000,
    )

    context: float = setting(
        0.0,
        "Context at the mode",
        "Probability with which a row takes the code that would be derived now instead of a draw, "
        "so that the other rows are judged in a decided network.",
        group="Exploration",
        ge=0.0,
        lt=1.0,
    )
    alpha_rows: Literal["all", "turn"] = setting(
        "all",
        "Rows that learn",
        "turn: one row of each cell learns per step, in turn; that row is always drawn.",
        group="Exploration",
    )
    exploration: float = setting(
        0.0,
        "Exploration",
        "Share of the draws that ignore the probabilities.",
        group="Exploration",
        ge=0.0,
        lt=1.0,
    )
    fair_sources: float = setting(
        0.0,
        "Fair sources",
        "Share of the search in which draws are evened out between the inputs that a node may "
        "read; the effect fades linearly.",
        group="Exploration",
        ge=0.0,
        le=1.0,
    )
    draws_start: int = setting(
        0,
        "First draws M",
        "Draws at the start, falling linearly to M at the end; 0 draws M times throughout.",
        group="Exploration",
        ge=0,
        le=64,
    )
    shrink_to: float = setting(
        1.0,
        "Shrink to",
        "Share of a row's operations that may still be drawn at the end, the most probable ones; "
        "it falls linearly from 1.",
        group="Exploration",
        gt=0.0,
        le=1.0,
    )
    cell_codes: Literal["shared", "own"] = setting(
        "shared",
        "Codes of cells",
        "shared: a step draws one code for all cells of a kind; own: each cell draws a code of its "
        "own from the same probabilities, so that an input is not disturbed in the same way in "
        "every cell. Snapshots show the code of the first cell.",
        group="Exploration",
        tasks=IMAGES,
    )
    cell_votes: Literal["sum", "equal"] = setting(
        "sum",
        "Votes of cells",
        "Cells of a kind share their probabilities. equal: the gradient of each of them counts "
        "the same; sum: it counts by its size.",
        group="Exploration",
        tasks=IMAGES,
    )
    alpha_patience: float = setting(
        0.0,
        "Alpha waits",
        "The alphas wait until the smoothed training loss has fallen by this share.",
        group="Exploration",
        ge=0.0,
        lt=1.0,
    )
    beta_decay: float = setting(
        0.0,
        "Beta decay",
        "Weight of the penalty log sum exp(alpha) on each row, growing linearly from 0 (β-DARTS).",
        group="Exploration",
        ge=0.0,
        le=1000.0,
    )
    early_stop_agreement: float = setting(
        0.0,
        "Early stopping",
        "An operation stops training if the mean cosine of its weights' gradients on training and "
        "held-out data is below this (OLES, which takes 0.4); 0 stops none. Needs update = "
        "alternating.",
        group="Exploration",
        tasks=IMAGES,
        ge=0.0,
        le=1.0,
    )
    early_stop_window: int = setting(
        20,
        "Early stopping window",
        "With early_stop_agreement: steps in which the operation is on, over which the mean is "
        "taken.",
        group="Exploration",
        unit="steps",
        tasks=IMAGES,
        ge=1,
        le=10_000,
    )
    cell_harmony: float = setting(
        0.0,
        "Cell harmony",
        "Weight of a penalty on the weights that grows linearly from 0: cells of a kind should "
        "want the same of their shared code (Λ-DARTS, which takes 0.125). Two more passes a step.",
        group="Exploration",
        tasks=IMAGES,
        ge=0.0,
        le=1000.0,
    )

    origin: str = setting(
        "",
        "Forked from",
        "Identity (uid) of another search of the same task, data, cells and sizes, whose "
        "probabilities and weights this one starts from; empty starts anew.",
        group="Network",
        max_length=64,
    )
    origin_step: int = setting(
        0,
        "Forked at step",
        "Step of the snapshot that gives the probabilities.",
        group="Network",
        unit="steps",
        ge=0,
    )
    origin_weights: Literal["checkpoint", "fresh"] = setting(
        "checkpoint",
        "Forked weights",
        "checkpoint: those of the last checkpoint at or before that step, or of the first one "
        "after it; fresh: new ones from the seed.",
        group="Network",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "SearchConfig":
        for name in ("banned", "frozen"):
            try:
                parse_patterns(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"in {name}, {error}") from None
        if self.alpha_warmup_epochs >= self.epochs:
            raise ValueError("alpha_warmup_epochs leaves no epoch for the alphas")
        if self.method == "darts" and self.scope != "edge":
            raise ValueError(
                "method = darts mixes the operations of an edge, and scope is not edge"
            )
        if self.method == "random" and self.candidates > self.epochs:
            raise ValueError("candidates is above epochs, so that some would not be trained")
        if 0 < self.draws_start < self.draws:
            raise ValueError("draws_start is below draws, and draws only ever fall")
        if self.method == "random" and self.update != "joint":
            raise ValueError("method = random moves no alphas, and update is not joint")
        if self.early_stop_agreement and self.update != "alternating":
            raise ValueError(
                "early_stop_agreement needs held-out data in each step, and update is not "
                "alternating"
            )
        if self.cell_harmony and self.method == "random":
            raise ValueError(
                "cell_harmony aligns cells that learn a code, and method = random learns none"
            )
        if self.cell_codes == "own":
            self._check_own_codes()
        return self

    def _check_own_codes(self) -> None:
        if self.method != "egs":
            raise ValueError(
                "cell_codes = own draws codes from probabilities that learn, and method = "
                f"{self.method} does not"
            )
        if self.cell_harmony:
            raise ValueError("cell_harmony aligns cells that share a code, and cell_codes is own")

    @property
    def derives(self) -> bool:
        """Whether architectures are read off probabilities; a random search keeps a drawn one."""
        return self.method != "random"

    @property
    def rule(self) -> DerivationRule:
        """The derivation rule that fits this search; see :attr:`derives`."""
        if self.method == "darts" and self.space in DARTS_EDGES_KEPT:
            kept = DARTS_EDGES_KEPT[self.space]
            return DerivationRule("top2", 1, "edge", False, edges_kept=kept, sound=self.sound)
        draws = 1 if self.method == "darts" else self.derivation_draws or self.draws
        return DerivationRule("map", draws, self.scope, self.none_pooled, sound=self.sound)

    @property
    def draws_plainly(self) -> bool:
        """Whether recorded codes are drawn from the recorded probabilities alone."""
        explores = (self.context, self.exploration, self.fair_sources, self.draws_start)
        return self.method == "egs" and not any(explores) and self.shrink_to == 1


class TrainingConfig(RunConfig):
    """All settings of the training of one derived network from scratch."""

    purpose: ClassVar[Purpose] = "training"

    genotype: str = setting(
        "",
        "Genotype",
        "The architecture, as the JSON of its genotype.",
        group="Task",
        min_length=2,
        max_length=1_000_000,
    )
    cells: int = setting(
        20,
        "Cells",
        "Cells in the network; those at one and two thirds of the depth reduce the resolution. In "
        "the space nb201 a multiple of 3, the same number in each stage.",
        group="Network",
        tasks=IMAGES,
        ge=1,
        le=64,
    )
    channels: int = setting(
        36,
        "Channels",
        "Channels C of the first cell.",
        group="Network",
        tasks=IMAGES,
        ge=4,
        le=512,
    )
    auxiliary_weight: float = setting(
        0.0,
        "Auxiliary head",
        "Weight of a second classifier at two thirds of the depth; 0 leaves it out.",
        group="Training",
        tasks=CLASSIFICATION,
        ge=0.0,
        le=10.0,
    )
    drop_path: float = setting(
        0.0,
        "Drop path",
        "Largest probability with which an operation of a cell is left out of an image; it grows "
        "from 0 over the epochs.",
        group="Training",
        tasks=IMAGES,
        ge=0.0,
        lt=1.0,
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Share of each target that is spread over all classes.",
        group="Training",
        tasks=IMAGES,
        ge=0.0,
        lt=1.0,
    )
    averaging: Literal["none", "asgd"] = setting(
        "none",
        "Averaging",
        "asgd: validation and test use the mean of all weights since the validation loss stopped "
        "improving (ASGD with the non-monotone trigger of AWD-LSTM).",
        group="Training",
        tasks=TEXT,
    )
    averaging_patience: int = setting(
        5,
        "Averaging patience",
        "Averaging starts when the validation loss is above the best one before the last so many "
        "epochs.",
        group="Training",
        unit="epochs",
        tasks=TEXT,
        ge=1,
        le=10_000,
    )
    leave_out_dead: bool = setting(
        True,
        "Leave out dead parts",
        "Build only what lies on a path from the image or the text to the scores.",
        group="Network",
    )
    include_validation: bool = setting(
        False,
        "Train on validation data",
        "Adds the validation data to the training data, as published results do; the validation "
        "figures then say nothing new.",
        group="Task",
    )
    start_from: str = setting(
        "",
        "Start weights",
        "Identity (uid) of a finished training run of the same cells whose weights are taken over "
        "where name and shape agree, such as a classification network for segmentation; empty "
        "starts from scratch.",
        group="Network",
        max_length=64,
    )


AnyConfig = SearchConfig | TrainingConfig


def make_config(values: Mapping[str, Any]) -> SearchConfig:
    """A configuration of a search from plain values, strings included.

    Raises:
        InvalidConfig: One sentence about the first wrong value.
    """
    config: SearchConfig = validated(SearchConfig, values)
    return config


def make_training_config(values: Mapping[str, Any]) -> TrainingConfig:
    """A configuration of a training from plain values, strings included.

    Raises:
        InvalidConfig: One sentence about the first wrong value.
    """
    config: TrainingConfig = validated(TrainingConfig, values)
    return config


def parse_config(purpose: str, values: Mapping[str, Any]) -> AnyConfig:
    """A configuration of either kind from its stored purpose and values."""
    return make_training_config(values) if purpose == "training" else make_config(values)


def allowed_values(name: str) -> str:
    """In words, which values the field ``name`` of a search accepts."""
    return allowed_by(SearchConfig.model_fields[name])
