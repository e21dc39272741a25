"""The derived language model as one plain Python file that imports only torch."""

from engine.domain.genotype import Genotype
from engine.domain.language_cost import LanguageShape
from engine.export.plain_file import Kind, render_plain_file

BUILD = '''
def build(weights=None, **changes):
    """The language model, freshly initialised or with weights from a checkpoint.

    ``scores, state = model(tokens, state)`` reads token numbers [T, B] and
    gives the scores [T, B, V] of each next token; the state starts as None.

    Args:
        weights: A checkpoint of the run, as a path or an open file. The model
            then has the weights that it was trained with, or shared with the
            supernet.
        changes: Other values for the entries of NETWORK, such as ``hidden``, or
            ``dropouts=Dropouts(...)`` of a model to train; dropout is at work in
            ``model.network(Text(tokens, state, random))`` with a generator.
    """
    network = RecurrentNetwork(NODES["recurrent"], OPERATIONS, **{**NETWORK, **changes})
    if weights is not None:
        checkpoint = torch.load(weights, map_location="cpu", weights_only=True)
        load_recurrent_weights(network, checkpoint["model"])
    return LanguageModel(network)
'''

LANGUAGE = Kind(
    sources=(
        ("engine.operations", "text.py"),
        ("engine.model", "dropouts.py"),
        ("engine.domain", "liveness.py"),
        ("engine.model", "recurrent_derived.py"),
    ),
    roots=frozenset(
        {"RecurrentNetwork", "LanguageModel", "load_recurrent_weights", "Dropouts", "Text", "torch"}
    ),
    build=BUILD,
    usage=(
        "``build()`` gives a fresh language model to train; ``build(weights=...)`` one with the",
        "weights of the run. Origin:",
    ),
)


def render_recurrent_module(genotype: Genotype, shape: LanguageShape) -> bytes:
    """The language model of a genotype as a Python file, UTF-8.

    Raises:
        InvalidGenotype: It has an operation that the studio cannot build.
    """
    arguments = {
        "vocabulary": shape.vocabulary,
        "embedding": shape.embedding,
        "hidden": shape.hidden,
        **({"keep_dead": True} if shape.keep_dead else {}),
    }
    return render_plain_file(
        LANGUAGE, genotype, arguments, {"text": f"{shape.vocabulary} tokens in the run"}
    )
