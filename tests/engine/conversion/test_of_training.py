"""What is taken home of a training is the network that it has trained, in every form."""

from io import BytesIO
from itertools import islice
from zipfile import ZipFile

import onnxruntime
import pytest
import torch

from engine.conversion.child import furthest
from engine.conversion.conversion import TOLERANCE
from engine.conversion.of_training import child_of_training
from engine.conversion.table import CONVERSIONS
from engine.data.sources import load_images
from engine.domain.config import make_config, make_training_config
from engine.domain.errors import InvalidGenotype
from engine.evaluate.build import assemble_training
from engine.operations.text import Text
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from tests.engine.conversion.test_conversions import NO_NOISE
from tests.engine.evaluate.conftest import (
    CELLS,
    IMAGES,
    RECURRENT,
    SCENES,
    TEXT,
    counting,
    genotype_of,
    squares,
)

AVERAGED = {"averaging": "asgd", "averaging_patience": 1, "learning_rate_schedule": "constant"}


def digits():
    settings = {"data": "digits", "train_limit": IMAGES["train_limit"]}
    return load_images(make_config(settings), cache=None, progress=None)


CASES = {
    "image_classification": ({**IMAGES, "auxiliary_weight": 0.4, "drop_path": 0.2}, digits),
    "semantic_segmentation": (SCENES, squares),
    "language_modelling": ({**TEXT, "epochs": 7, "learning_rate": 40.0, **AVERAGED}, counting),
}


@pytest.fixture(scope="module")
def trainings():
    """A training of each task at its end."""
    ended = {}
    for task, (settings, data) in CASES.items():
        config = make_training_config(settings)
        loop = assemble_training(config, data(), torch.device("cpu"), report=lambda _: None)
        for _ in loop.steps():
            pass
        ended[task] = loop
    return ended


@pytest.fixture(scope="module")
def trained(trainings):
    return {task: child_of_training(loop, origin={"run": 7}) for task, loop in trainings.items()}


def wanted(loop, inputs):
    """What the training itself answers, with the weights that it measures."""
    if len(inputs) == 1:
        return (loop.trainee.answer(*inputs, weights=loop.measured_weights),)
    answer = loop.trainee.answer(Text(*inputs), weights=loop.measured_weights)
    return answer.logits, answer.state


@pytest.mark.parametrize("task", CASES)
def test_the_child_answers_as_the_training_does(trainings, trained, task):
    loop, child = trainings[task], trained[task]
    found = child.answer(child.example)
    assert furthest(wanted(loop, child.example), found) < TOLERANCE
    assert child.genotype == loop.genotype


def test_averaged_weights_are_what_is_taken_home(trainings, trained):
    loop, child = trainings["language_modelling"], trained["language_modelling"]
    assert loop.averages
    tokens, state = child.example
    last = loop.trainee.answer(Text(tokens, state))
    assert furthest((last.logits,), child.answer(child.example)[:1]) > TOLERANCE
    assert "mean over the last steps" in child.facts["trained"]["how"]


@pytest.mark.parametrize("task", CASES)
def test_figures_are_those_that_the_training_measured(trainings, trained, task):
    recorded = trainings[task].state_dict()["figures"]
    figures = trained[task].facts["figures"]
    name = trainings[task].task.score_name
    assert figures.keys() == {
        f"{split}_{what}" for split in ("validation", "test") for what in ("loss", name)
    }
    for figure, value in figures.items():
        assert value == pytest.approx(recorded[figure], rel=1e-5), figure


@NO_NOISE
@pytest.mark.parametrize("task", CASES)
def test_module_and_onnx_of_the_bundle_answer_as_the_training_does(
    trainings, trained, task, tmp_path
):
    loop, child = trainings[task], trained[task]
    ZipFile(BytesIO(CONVERSIONS["bundle"].convert(child).content)).extractall(tmp_path)
    expected = wanted(loop, child.example)
    namespace: dict = {"__name__": "network"}
    exec(compile((tmp_path / "model.py").read_text(), "model.py", "exec"), namespace)
    with torch.no_grad():
        module = namespace["load"](tmp_path / "weights.safetensors")(*child.example)
    assert furthest(expected, module if isinstance(module, tuple) else (module,)) < TOLERANCE
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    fed = {port.name: v.numpy() for port, v in zip(child.inputs, child.example, strict=True)}
    found = session.run([port.name for port in child.outputs], fed)
    assert furthest(expected, [torch.from_numpy(value) for value in found]) < TOLERANCE


@pytest.mark.parametrize("task", CASES)
def test_the_plain_module_with_a_checkpoint_is_the_trained_network(
    trainings, trained, task, tmp_path
):
    loop, child = trainings[task], trained[task]
    with (tmp_path / "checkpoint.pt").open("wb") as file:
        save_checkpoint(loop, file)
    namespace: dict = {"__name__": "network"}
    exec(compile(child.source, "network.py", "exec"), namespace)
    network = namespace["build"](tmp_path / "checkpoint.pt").eval()
    with torch.no_grad():
        found = network(*child.example)
    assert furthest(wanted(loop, child.example), found if len(found) == 2 else (found,)) < 1e-5


def test_a_checkpoint_within_the_training_has_no_test_figure_and_says_how_far_it_is():
    settings, data = CASES["image_classification"]
    config, file = make_training_config(settings), BytesIO()
    loop = assemble_training(config, data(), torch.device("cpu"), report=lambda _: None)
    for _ in islice(loop.steps(), loop.task.steps_per_epoch + 3):
        pass
    save_checkpoint(loop, file)
    file.seek(0)
    again = assemble_training(config, data(), torch.device("cpu"), report=lambda _: None)
    load_checkpoint(again, file)
    child = child_of_training(again)
    assert child.facts["figures"].keys() == {"validation_loss", "validation_accuracy"}
    assert child.facts["trained"]["how"] == (
        "trained from scratch on the training data, 1 of 2 epochs"
    )


def test_other_cells_than_the_trained_ones_are_refused(trainings):
    loop = trainings["image_classification"]
    child_of_training(loop, genotype=CELLS)
    for other in (RECURRENT, genotype_of("darts", [[(0, "sep_conv_3x3")], []])):
        with pytest.raises(InvalidGenotype) as refusal:
            child_of_training(loop, genotype=other)
        assert str(refusal.value) == (
            "Asked for the trained weights of this genotype; found a training of other cells; "
            "allowed is the cells that this run has trained; train this genotype, or export the "
            "one of the run."
        )
