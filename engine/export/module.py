"""The derived network as one plain Python file that imports only torch."""

from engine.domain.catalog import Card
from engine.domain.cost import NetworkShape
from engine.domain.genotype import Genotype
from engine.domain.pruning import check_connected
from engine.export.exporter import CODE, Exporter, Shape
from engine.export.plain_file import Kind, render_plain_file
from engine.export.recurrent_module import render_recurrent_module

BUILD = '''
def build(weights=None, *, style=None, **changes):
    """The network, freshly initialised or with weights from a checkpoint.

    Args:
        weights: A checkpoint of the run, as a path or an open file. From a
            search, the network shares the supernet's weights, and its batch
            normalisations use the statistics of each batch, as in the search;
            from a training, they use those that it has learnt.
        style: Style of normalisation; by default with a scale and a shift, and
            with running statistics except for weights of a search.
        changes: Other values for the entries of NETWORK, such as ``cells`` or
            ``channels`` of a larger network to train from scratch.

    Only what lies on a path from the image to the scores is built, which can
    depend on the number of cells.
    """
    model = {}
    if weights is not None:
        model = torch.load(weights, map_location="cpu", weights_only=True)["model"]
    searched = model and not any(name.endswith("running_mean") for name in model)
    style = style or NormStyle(affine=True, running=not searched)
    network = CellNetwork(NODES, OPERATIONS, style=style, **{**NETWORK, **changes})
    if model:
        load_weights(network, model)
    return network
'''

CELLS = Kind(
    sources=(
        ("engine.operations", "blocks.py"),
        ("engine.operations", "dilation.py"),
        ("engine.domain", "liveness.py"),
        ("engine.domain", "skeleton.py"),
        ("engine.model", "heads.py"),
        ("engine.model", "skeleton.py"),
        ("engine.model", "derived.py"),
    ),
    roots=frozenset({"CellNetwork", "load_weights", "NormStyle", "torch"}),
    build=BUILD,
    usage=(
        "``build()`` gives a fresh network to train; ``build(weights=...)`` one with the",
        "weights of the run. Origin:",
    ),
)


def render_module(genotype: Genotype, shape: Shape) -> bytes:
    """The network of a genotype as a Python file, UTF-8.

    Raises:
        InvalidGenotype: It has an operation that the studio cannot build, or no
            path leads from the input to the scores.
    """
    if not shape.keep_dead:
        check_connected(genotype, shape.cells if isinstance(shape, NetworkShape) else 1)
    if not isinstance(shape, NetworkShape):
        return render_recurrent_module(genotype, shape)
    space = genotype.space
    arguments = {"skeleton": space.skeleton, "output": space.output, **shape.arguments}
    size = f"{shape.in_channels} x {shape.height} x {shape.width} in the run"
    return render_plain_file(CELLS, genotype, arguments, {"images": size})


MODULE = Exporter(
    Card(
        "module",
        "PyTorch module",
        "The network as one plain Python file that imports only torch.",
        group=CODE,
    ),
    extension=".py",
    media_type="text/x-python",
    render=render_module,
)
