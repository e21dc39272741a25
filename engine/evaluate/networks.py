"""The network of a genotype, made for the data of a task, with what its training needs."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.data.shapes import network_shape
from engine.domain.config import TrainingConfig
from engine.domain.genotype import Genotype
from engine.model.derived import CellNetwork, DerivedNetwork
from engine.model.dropouts import Dropouts
from engine.model.recurrent_derived import DerivedRecurrentNetwork
from engine.model.supernet import initialise_weights
from engine.model.training import (
    AuxiliaryHead,
    auxiliary_cell,
    droppable_operations,
    dropped_paths,
    kept_outputs,
    path_masks,
)
from engine.operations.depthwise import with_quick_backward
from engine.tasks.image_classification import ImageClassification
from engine.tasks.language_modelling import LanguageModelling
from engine.tasks.randomness import generator


class Trainee:
    """A derived network while it is trained.

    Args:
        network: The network, on its device.
        auxiliary: The second classifier; None for none.
        drop_path: Largest probability with which an operation is left out of
            an image; above 0 for a network of cells only.
        seed: Of what is left out.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        auxiliary: AuxiliaryHead | None = None,
        drop_path: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.auxiliary = auxiliary
        self._drop_path = drop_path
        self._seed = seed

    def parameters(self) -> Iterator[nn.Parameter]:
        """Everything that a step moves."""
        yield from self.network.parameters()
        if self.auxiliary is not None:
            yield from self.auxiliary.parameters()

    def weights(self) -> dict[str, Tensor]:
        """The network's parameters by name, shared, without its running statistics."""
        return dict(self.network.named_parameters())

    def practise(self, inputs: Any, *, share: float, step: int) -> tuple[Any, Tensor | None]:
        """Answers of the network and of the auxiliary head, with a graph.

        Args:
            inputs: A training batch.
            share: Completed share of the epochs: operations are left out with
                this share of the largest probability.
            step: Completed steps, which fix what is left out.
        """
        self.network.train()
        with ExitStack() as around:
            rate = share * self._drop_path
            if rate:
                around.enter_context(self._dropping(len(inputs), rate, step, inputs.device))
            features: list[Tensor] = []
            if self.auxiliary is not None:
                middle = auxiliary_cell(cast(CellNetwork, self.network))
                features = around.enter_context(kept_outputs(middle))
            outputs = self.network(inputs)
        return outputs, None if self.auxiliary is None else self.auxiliary(features[0])

    def _dropping(self, images: int, rate: float, step: int, device: torch.device) -> Any:
        operations = droppable_operations(cast(CellNetwork, self.network))
        random = generator(self._seed, "drop path", step)
        masks = path_masks(len(operations), images, rate, random)
        return dropped_paths(operations, masks.to(device))

    @torch.no_grad()
    def answer(self, inputs: Any, weights: Mapping[str, Tensor] | None = None) -> Any:
        """What the network answers in use: without dropout, by running statistics.

        Args:
            inputs: A batch.
            weights: Other weights than its own, by name.
        """
        self.network.eval()
        if weights is None:
            return self.network(inputs)
        return functional_call(self.network, dict(weights), (inputs,))


def trainee_for(config: TrainingConfig, genotype: Genotype, task: Any) -> Trainee:
    """The freshly initialised network of a genotype for the task's data, on its device.

    Args:
        config: Sizes, dropout and seed.
        genotype: Its cells.
        task: What the network is for; classes, channels of the image or the
            vocabulary are those of its data.

    Raises:
        InvalidConfig: The cells are not for this task, or their number or the
            strides do not fit.
        InvalidGenotype: No path leads from the input to the scores.
    """
    genotype.space.check_task(config.task)
    if isinstance(task, LanguageModelling):
        return Trainee(_language_model(config, genotype, task).to(task.device))
    random = generator(config.seed, "weights")
    network = DerivedNetwork(genotype, **network_shape(config, task.summary).arguments)
    initialise_weights(network, random)
    with_quick_backward(network)
    auxiliary = None
    if config.auxiliary_weight and isinstance(task, ImageClassification):
        auxiliary = AuxiliaryHead(auxiliary_cell(network).features, task.classes)
        initialise_weights(auxiliary, random)
        auxiliary.to(task.device)
    return Trainee(
        network.to(task.device), auxiliary=auxiliary, drop_path=config.drop_path, seed=config.seed
    )


def _language_model(
    config: TrainingConfig, genotype: Genotype, task: LanguageModelling
) -> DerivedRecurrentNetwork:
    return DerivedRecurrentNetwork(
        genotype,
        vocabulary=task.vocabulary,
        embedding=config.embedding_size,
        hidden=config.hidden_size,
        dropouts=Dropouts(
            words=config.dropout_embedding,
            inputs=config.dropout_input,
            hidden=config.dropout_hidden,
            outputs=config.dropout,
        ),
        generator=generator(config.seed, "weights"),
        keep_dead=not config.leave_out_dead,
    )
