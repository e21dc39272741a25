"""A language model to take home answers as the supernet that it comes from."""

from io import BytesIO

import onnx
import pytest
import torch
from torch import nn

from engine.conversion.child import furthest
from engine.conversion.conversion import TOLERANCE
from engine.conversion.program import convert_program
from engine.conversion.recurrent_graph import ScannedLanguageModel
from engine.domain.genotype import from_masks, to_masks
from engine.domain.language_cost import LanguageShape, language_cost
from engine.model.recurrent_derived import DerivedRecurrentNetwork, LanguageModel
from engine.operations.text import Text
from engine.search.evaluation import tensors_of
from engine.spaces import SPACES
from tests.engine.conversion.test_conversions import NO_NOISE


def test_it_answers_as_the_supernet_does_with_the_code(text_loop, text_child, text_genotype):
    tokens, state = text_child.example
    assert state.abs().max() > 0
    codes = tensors_of(
        to_masks(text_genotype), len(text_loop.space.operations), torch.device("cpu")
    )
    text_loop.supernet.train(False)
    with torch.no_grad():
        wanted = text_loop.supernet(Text(tokens, state), codes)
    found = text_child.answer(text_child.example)
    assert furthest((wanted.logits, wanted.state), found) < TOLERANCE


@pytest.mark.parametrize("nodes", [1, 4])
def test_the_scan_is_the_same_function_for_every_activation_and_source(nodes):
    space = SPACES["rnn"].with_nodes(nodes)
    every = (1 << len(space.operations)) - 1
    genotype = from_masks(space, {"recurrent": (every,) * len(space.edges)})
    network = DerivedRecurrentNetwork(genotype, vocabulary=9, embedding=5, hidden=6)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.5)
    tokens, state = torch.randint(9, (7, 3)), torch.randn(3, 6)
    with torch.no_grad():
        wanted = LanguageModel(network)(tokens, state)
        found = ScannedLanguageModel(network)(tokens, state)
    assert furthest(wanted, found) < 1e-5


@NO_NOISE
def test_its_program_reads_any_number_of_tokens_and_streams(text_child):
    made = convert_program(text_child)
    program = torch.export.load(BytesIO(made.content)).module()
    for sizes in ({"time": 1, "batch": 1}, {"time": 40, "batch": 3}):
        inputs = text_child.resized(sizes)
        assert inputs[0].shape == tuple(sizes.values())
        with torch.no_grad():
            found = program(*inputs)
        assert furthest(text_child.answer(inputs), found) < TOLERANCE


def test_a_text_in_two_parts_is_the_text_in_one(text_child):
    tokens, state = text_child.example
    whole, last = text_child.answer((tokens, state))
    first, between = text_child.answer((tokens[:2], state))
    second, end = text_child.answer((tokens[2:], between))
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, last)


@NO_NOISE
def test_its_onnx_graph_names_both_free_axes(files):
    model = onnx.load_from_string(files["language_modelling"].content)
    axes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert axes == {
        "tokens": ["time", "batch"],
        "state": ["batch", 7],
        "scores": ["time", "batch", 10],
        "next_state": ["batch", 7],
    }


def test_its_figures_are_those_of_the_text_read_from_start_to_end(text_loop, text_child):
    streams, losses, state = text_loop.task.validation_batches(), [], torch.zeros(4, 7)
    for text, targets in streams:
        scores, state = text_child.answer((text.tokens, state))
        losses.append(
            nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none")
        )
    mean = torch.cat(losses).mean()
    figures = text_child.facts["figures"]
    assert figures["validation_loss"] == pytest.approx(mean.item(), rel=1e-5)
    assert figures["validation_perplexity"] == pytest.approx(mean.exp().item(), rel=1e-4)


def test_its_cost_is_that_of_a_token(text_child, text_genotype):
    assert text_child.cost() == language_cost(text_genotype, LanguageShape(10, 8, 7))


def test_it_says_what_its_numbers_mean(text_child):
    facts = text_child.facts
    assert facts["labels"] == [*"abcdefgh", "<eos>", "<unk>"]
    assert facts["item"] == "token"
    assert facts["preprocessing"]["tokens"] == (
        "int64 [time, batch]: numbers of words in the order of the labels; <eos> stands at each "
        "line end; <unk> for one that is not there"
    )
