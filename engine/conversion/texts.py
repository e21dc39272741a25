"""Language models: from tokens and a state to scores of the next tokens and a state."""

from torch import Tensor

from engine.conversion.child import Child, Port
from engine.conversion.figures import measured
from engine.conversion.origin import size_facts
from engine.conversion.recurrent_graph import ScannedLanguageModel
from engine.data.text import END_OF_LINE, UNKNOWN
from engine.domain.genotype import Genotype
from engine.domain.language_cost import LanguageShape
from engine.export.module import render_module
from engine.model.recurrent_derived import LanguageModel, RecurrentNetwork
from engine.tasks.language_modelling import LanguageModelling

EXAMPLES = (16, 8)
"""Tokens and streams of the validation text that go with a network, at most."""

TEXT = {0: "time", 1: "batch"}
STATE = {0: "batch"}
"""Free axes of tokens and scores, and of states."""

NO_STATISTICS = (
    "The network has no normalisations: an answer depends on its own stream of tokens and on the "
    "state that it starts from, on nothing else. Validation figures carry the state through the "
    "whole text, from zeros."
)


def child_of_texts(
    task: LanguageModelling, network: RecurrentNetwork, genotype: Genotype, shape: LanguageShape
) -> Child:
    """A language model with all that is known of it; it is measured, and ends on the CPU.

    Args:
        task: Serves the texts.
        network: On the task's device, in evaluation mode.
        genotype: Its cell.
        shape: Its size.
    """
    example = _example(task, network)
    figures = measured(network, task)
    model = LanguageModel(network).cpu().eval()
    return Child(
        network=model,
        graph=ScannedLanguageModel(network).eval(),
        inputs=(Port("tokens", TEXT), Port("state", STATE)),
        outputs=(Port("scores", TEXT), Port("next_state", STATE)),
        example=example,
        genotype=genotype,
        source=render_module(genotype, shape).decode(),
        build="build()",
        facts={
            "item": "token",
            "figures": figures,
            "statistics": NO_STATISTICS,
            "preprocessing": _preprocessing(task, shape),
            "labels": list(task.words),
            **size_facts(genotype, shape),
        },
    )


def _example(task: LanguageModelling, network: RecurrentNetwork) -> tuple[Tensor, Tensor]:
    """The start of the validation text, and a state that some tokens have left."""
    length, streams = EXAMPLES
    text, _ = next(iter(task.validation_batches()))
    tokens = text.tokens[:length, :streams]
    _, state = LanguageModel(network)(tokens)
    return tokens.cpu(), state.detach().cpu()


def _preprocessing(task: LanguageModelling, shape: LanguageShape) -> dict[str, str]:
    kind = task.summary.tokens
    ends = f"; {END_OF_LINE} stands at each line end" if kind == "word" else ""
    lost = f"; {UNKNOWN} for one that is not there" if UNKNOWN in task.words else ""
    return {
        "tokens": f"int64 [time, batch]: numbers of {kind}s in the order of the labels{ends}{lost}",
        "state": f"float32 [batch, {shape.hidden}]: zeros at the start, then next_state",
    }
