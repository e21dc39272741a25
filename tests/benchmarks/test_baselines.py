"""The hand-made networks have the size that was asked for, and learn."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.baselines import (
    LstmLanguageModel,
    ResidualSegmenter,
    lstm_of_size,
    lstm_parameters,
    parameters_of,
    places_of,
    random_genotype,
    residual_blocks,
    residual_of_size,
)
from engine.data.scenes import SceneData, SceneSplit
from engine.data.text import TextData
from engine.domain.cost import NetworkShape
from engine.model.derived import DerivedNetwork
from engine.model.dropouts import Dropouts
from engine.model.recurrent_derived import DerivedRecurrentNetwork
from engine.operations.text import Text
from engine.spaces import SPACES
from engine.tasks.language_modelling import LanguageModelling
from engine.tasks.randomness import generator
from engine.tasks.semantic_segmentation import SceneAugmentation, SemanticSegmentation

CPU = torch.device("cpu")
SHAPE = NetworkShape(
    channels=8,
    cells=3,
    in_channels=1,
    classes=3,
    height=16,
    width=20,
    stem_stride=1,
    head="pixels",
    aspp_channels=8,
    output_stride=4,
)


@pytest.mark.parametrize("seed", range(3))
def test_an_lstm_has_the_size_of_a_recurrent_cell(seed):
    genotype = random_genotype(SPACES["rnn"], draws=4, scope="node", seed=seed)
    cell = DerivedRecurrentNetwork(genotype, vocabulary=500, embedding=32, hidden=32)
    wanted = parameters_of(cell)
    assert parameters_of(lstm_of_size(wanted, vocabulary=500, embedding=32)) == pytest.approx(
        wanted, rel=0.02
    )


def test_the_parameters_of_an_lstm_are_those_of_the_formula():
    assert parameters_of(LstmLanguageModel(50, 8, 13)) == lstm_parameters(50, 8, 13)


def test_without_dropout_the_lstm_is_that_of_torch():
    model = LstmLanguageModel(50, 8, 13)
    inputs, output, memory = torch.randn(6, 4, 8), torch.randn(4, 13), torch.randn(4, 13)
    outputs, state = model.unroll(inputs, torch.cat([output, memory], dim=1), None)
    expected, (last, kept) = model.lstm(inputs, (output[None], memory[None]))
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(state, torch.cat([last[0], kept[0]], dim=1))


def test_dropout_is_at_work_in_training_only_and_repeats_itself():
    model = LstmLanguageModel(50, 8, 13, Dropouts(0.2, 0.2, 0.2, 0.2))
    tokens = torch.randint(50, (6, 4))

    def logits(seed: int) -> torch.Tensor:
        window = Text(tokens, model.initial_state(4), generator(seed, "window"))
        return model(window).logits

    assert torch.equal(logits(0), logits(0))
    assert not torch.equal(logits(0), logits(1))
    model.eval()
    assert torch.equal(logits(0), logits(1))


@pytest.mark.parametrize(
    "changes",
    [{}, {"channels": 16, "aspp_channels": 32}, {"cells": 6, "output_stride": 0}, {"cells": 1}],
)
def test_a_residual_network_has_the_size_of_a_network_of_cells(changes):
    shape = NetworkShape(**{**vars(SHAPE), **changes})
    genotype = random_genotype(SPACES["darts"], draws=4, scope="node", seed=1)
    wanted = parameters_of(DerivedNetwork(genotype, **shape.arguments))
    made = residual_of_size(wanted, shape)
    assert parameters_of(made) == pytest.approx(wanted, rel=0.02)
    assert made(torch.zeros(2, 1, 16, 20)).shape == (2, 3, 16, 20)


def test_dilated_blocks_give_the_values_of_strided_ones():
    strided, dilated = (
        nn.Sequential(
            *(
                block
                for place in places_of(NetworkShape(**{**vars(SHAPE), "output_stride": stride}))
                for block in residual_blocks(4, 4, place)
            )
        ).eval()
        for stride in (0, 4)
    )
    dilated.load_state_dict(strided.state_dict())
    images = torch.randn(1, 4, 16, 20)
    torch.testing.assert_close(dilated(images), strided(images))
    coarse = NetworkShape(**{**vars(SHAPE), "stem_stride": 4})
    kept = nn.Sequential(
        *(block for place in places_of(coarse) for block in residual_blocks(4, 4, place))
    ).eval()
    kept.load_state_dict(strided.state_dict())
    torch.testing.assert_close(kept(images)[..., ::4, ::4], strided(images))


def test_random_cells_differ_by_seed_and_keep_no_none():
    space = SPACES["darts"]
    drawn = [random_genotype(space, draws=4, scope="node", seed=seed) for seed in (0, 0, 1)]
    assert drawn[0].cells == drawn[1].cells != drawn[2].cells
    assert all(
        gene.operation != "none"
        for cell in drawn[0].cells.values()
        for genes in cell
        for gene in genes
    )


def trained(model: nn.Module, task, *, rate: float, steps: int) -> list[float]:
    """Losses of plain gradient steps, the carried state as in a search."""
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    losses = []
    for step in range(steps):
        epoch, index = divmod(step, task.steps_per_epoch)
        inputs, targets = task.weight_batch(epoch, index)
        optimiser.zero_grad()
        outputs = model(inputs)
        loss = task.loss(outputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        task.carry("weights", outputs.detach())
        losses.append(loss.item())
    return losses


def test_an_lstm_learns_to_count():
    tokens = [np.arange(length, dtype=np.int32) % 10 for length in (400, 100, 100)]
    data = TextData(*tokens, vocabulary=tuple("abcdefghij"), source="counting", digest="0")
    model = LstmLanguageModel(10, 8, 16, Dropouts(0.0, 0.0, 0.05, 0.05))
    task = LanguageModelling(
        data,
        batch_size=4,
        bptt=6,
        hidden=model.state_size,
        temporal_regularisation=1e-3,
        seed=0,
        halved=False,
        device=CPU,
    )
    losses = trained(model, task, rate=3.0, steps=200)
    assert losses[0] == pytest.approx(np.log(10), abs=0.1)
    assert np.mean(losses[-10:]) < 0.3


def test_a_residual_network_learns_to_find_bright_squares():
    random = np.random.default_rng(0)
    masks = np.zeros((24, 16, 20), np.uint8)
    for number, mask in enumerate(masks):
        top, left = random.integers(0, 8, 2)
        mask[top : top + 8, left : left + 8] = 1 + number % 2
    images = (20 + 100 * masks + random.integers(0, 20, masks.shape)).astype(np.uint8)
    split = SceneSplit(images[..., None], masks)
    data = SceneData(split, split, split, ("nothing", "grey", "white"))
    task = SemanticSegmentation(
        data, batch_size=8, augmentation=SceneAugmentation(), seed=0, halved=False, device=CPU
    )
    losses = trained(ResidualSegmenter((4, 8, 16), SHAPE), task, rate=0.2, steps=30)
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
