"""From a search at one of its checkpoints to the network of a genotype."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.conversion.child import Child
from engine.conversion.origin import check_data, shared_facts
from engine.conversion.pictures import PictureTask, child_of_pictures, training_images
from engine.conversion.statistics import fix_statistics
from engine.conversion.texts import child_of_texts
from engine.data.shapes import language_shape, network_shape
from engine.domain.errors import CheckpointError, InvalidGenotype
from engine.domain.genotype import Genotype, check_space, to_masks
from engine.model.derived import DerivedNetwork, load_weights
from engine.model.recurrent_derived import DerivedRecurrentNetwork, load_recurrent_weights
from engine.search.loop import SearchLoop
from engine.tasks.language_modelling import LanguageModelling

SEARCHED = (
    "searched: the weights are those that it shared with all other architectures, without training "
    "of its own"
)
DRAWN = (
    "drawn: the weights are those of its training from scratch within a random search, which kept "
    "it as the best of its cells"
)

STATISTICS_BATCHES = 64
"""Training batches that the statistics of the normalisations are measured on, at most."""


def child_of_search(
    loop: SearchLoop, genotype: Genotype, *, origin: Mapping[str, Any] | None = None
) -> Child:
    """The genotype's network with the weights that it shares with the supernet.

    Its normalisations get fixed statistics from training data, see
    :func:`fix_statistics`, with scale 1 and shift 0, so that the network is of
    the size of one to train; its figures are measured again with them.

    Args:
        loop: The search, with the state of a checkpoint loaded.
        genotype: An architecture of its space, derived by whatever rule.
        origin: What else is known of the weights, for the model card.

    Raises:
        InvalidGenotype: The genotype is of another space or number of nodes,
            not the one that a random search has kept, or connects nothing.
        DataError: The data are others than those the genotype was found on.
        CheckpointError: The checkpoint lacks a weight.
    """
    _check_space(loop, genotype)
    check_data(loop, genotype.lineage.get("data_digest"))
    loop.prepare_child(to_masks(genotype))
    try:
        child = _built(loop, genotype)
    except KeyError as error:
        raise CheckpointError(
            asked=f"the weights of this genotype from step {loop.progress.step}",
            found=f"no weight {error}",
            allowed="a checkpoint of the same search",
            advice="choose another checkpoint",
        ) from None
    shared = shared_facts(loop, genotype, how=SEARCHED if loop.config.derives else DRAWN)
    return replace(child, facts={**child.facts, **shared, "origin": dict(origin or {})})


def _check_space(loop: SearchLoop, genotype: Genotype) -> None:
    """The weights are there for the search's own edges only."""
    check_space(genotype, loop.space)
    if genotype.space.nodes != loop.space.nodes:
        raise InvalidGenotype(
            asked=f"the weights of cells with {genotype.space.nodes} nodes",
            found=f"a search of cells with {loop.space.nodes} nodes",
            allowed="a genotype of this search",
            advice="train this genotype from scratch instead",
        )


def _built(loop: SearchLoop, genotype: Genotype) -> Child:
    """The child with what its kind of network says of it."""
    if isinstance(loop.task, LanguageModelling):
        return _language_model(loop, loop.task, genotype)
    if isinstance(loop.task, PictureTask):
        return _network_of_cells(loop, loop.task, genotype)
    raise TypeError(f"no network of {type(loop.task).__name__} can be taken home")


def _network_of_cells(loop: SearchLoop, task: PictureTask, genotype: Genotype) -> Child:
    """A network from images to scores of their classes, or of those of their pixels."""
    shape = network_shape(loop.config, task.summary)
    network = DerivedNetwork(genotype, **shape.arguments)
    load_weights(network, loop.supernet.state_dict())
    network.to(task.device)
    batches = fix_statistics(network, training_images(task, STATISTICS_BATCHES))
    return child_of_pictures(
        task,
        network,
        genotype,
        shape,
        statistics=f"Means and variances of all batch normalisations were measured on {batches} "
        f"batches of {loop.config.batch_size} training images, augmented as in the search, and are "
        "fixed; in the search they come from each batch itself.",
    )


def _language_model(loop: SearchLoop, task: LanguageModelling, genotype: Genotype) -> Child:
    """A network from tokens and a state to scores of the next tokens and a state."""
    shape = language_shape(loop.config, task.vocabulary)
    network = DerivedRecurrentNetwork(
        genotype, vocabulary=shape.vocabulary, embedding=shape.embedding, hidden=shape.hidden
    )
    load_recurrent_weights(network, loop.supernet.state_dict())
    return child_of_texts(task, network.to(task.device).eval(), genotype, shape)
