"""From a training at one of its checkpoints to the network that it has trained."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from engine.conversion.child import Child
from engine.conversion.origin import shared_facts
from engine.conversion.pictures import PictureTask, child_of_pictures
from engine.conversion.texts import child_of_texts
from engine.data.shapes import language_shape, network_shape
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype, to_masks
from engine.evaluate.loop import TrainingLoop
from engine.model.recurrent_derived import RecurrentNetwork
from engine.tasks.language_modelling import LanguageModelling

STATISTICS = (
    "Batch normalisations use the running means and variances of the training; the network answers "
    "as the training itself measured it."
)


def child_of_training(
    loop: TrainingLoop,
    *,
    genotype: Genotype | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Child:
    """The trained network, with the weights that its figures are of.

    Those are averaged ones where averaging has begun. Validation figures are
    measured anew; test figures are those that the training measured at its
    end, since test data are looked at once.

    Args:
        loop: The training, with the state of a checkpoint loaded.
        genotype: The architecture that is wanted; None takes the trained one.
        origin: What else is known of the weights, for the model card.

    Raises:
        InvalidGenotype: It has trained other cells.
    """
    if genotype is not None:
        _check_cells(loop, genotype)
    child = _built(loop)
    recorded = loop.state_dict()["figures"]
    tested = {name: value for name, value in recorded.items() if name.startswith("test_")}
    shared = shared_facts(loop, loop.genotype, how=_how(loop))
    return replace(
        child,
        facts={
            **child.facts,
            **shared,
            "figures": {**child.facts["figures"], **tested},
            "origin": dict(origin or {}),
        },
    )


def _check_cells(loop: TrainingLoop, genotype: Genotype) -> None:
    own = loop.genotype
    if genotype.space.name != own.space.name or to_masks(genotype) != to_masks(own):
        raise InvalidGenotype(
            asked="the trained weights of this genotype",
            found="a training of other cells",
            allowed="the cells that this run has trained",
            advice="train this genotype, or export the one of the run",
        )


def _built(loop: TrainingLoop) -> Child:
    """The child with what its kind of network says of it."""
    task, network = loop.task, deepcopy(loop.network)
    network.load_state_dict(loop.measured_weights)
    network.eval()
    if isinstance(task, LanguageModelling) and isinstance(network, RecurrentNetwork):
        shape = language_shape(loop.config, task.vocabulary)
        return child_of_texts(task, network, loop.genotype, shape)
    if isinstance(task, PictureTask):
        return child_of_pictures(
            task,
            network,
            loop.genotype,
            network_shape(loop.config, task.summary),
            statistics=STATISTICS,
        )
    raise TypeError(f"no network of {type(task).__name__} can be taken home")


def _how(loop: TrainingLoop) -> str:
    config = loop.config
    data = "training and validation data" if config.include_validation else "training data"
    start = f"from weights of the run {config.start_from}" if config.start_from else "from scratch"
    averaged = "; the weights are a mean over the last steps" if loop.averages else ""
    done = f"{loop.progress.epoch} of {config.epochs} epochs"
    return f"trained {start} on the {data}, {done}{averaged}"
