"""The network as a program of torch.export, which runs without its Python source."""

from collections.abc import Iterator
from io import BytesIO

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from engine.conversion.child import Child, furthest, largest
from engine.conversion.conversion import TOLERANCE, CannotConvert, Conversion, Converted
from engine.domain.catalog import Card
from engine.export.exporter import NETWORK

CHECKED_SIZES = (1, 3)
"""Lengths of each free axis, beside that of the example, at which copies are compared."""


def checked_examples(child: Child) -> Iterator[tuple[Tensor, ...]]:
    """The example, and others of it with one free axis of another length."""
    yield child.example
    for name in child.sizes:
        for length in CHECKED_SIZES:
            yield child.resized({name: length})


def trace(child: Child) -> ExportedProgram:
    """The network's graph for any lengths of its free axes.

    Raises:
        CannotConvert: Its answer to one item depends on how many there are, or
            it does something that no graph can hold.
    """
    free = {name: Dim(name) for name in child.sizes}
    # A length of 1 would be taken for a fixed one.
    example = child.resized({name: max(2, length) for name, length in child.sizes.items()})
    try:
        with torch.no_grad():
            return torch.export.export(
                child.graph or child.network,
                example,
                dynamic_shapes=tuple(
                    {axis: free[name] for axis, name in port.axes.items()} for port in child.inputs
                ),
            )
    except (RuntimeError, ValueError, AssertionError) as error:
        raise CannotConvert(
            asked=f"a graph of this network for inputs of the shapes {_shapes(child)}",
            found=_first_line(error),
            allowed="a network whose answer to one item does not depend on the others",
            advice="take the PyTorch module and the weights instead",
        ) from error


def convert_program(child: Child) -> Converted:
    """The program as a ``.pt2`` file, read back and compared.

    Raises:
        CannotConvert: It cannot be traced, does not answer with finite
            numbers, or the program answers otherwise.
    """
    refuse_not_finite("a torch.export program", child)
    file = BytesIO()
    torch.export.save(_without_traces(trace(child)), file)
    again = torch.export.load(BytesIO(file.getvalue())).module()
    differences = []
    for inputs in checked_examples(child):
        with torch.no_grad():
            outputs = again(*inputs)
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        differences.append(furthest(child.answer(inputs), found))
    difference = largest(differences)
    refuse_difference("torch.export program", difference)
    return Converted(file.getvalue(), {"difference": difference})


def _without_traces(program: ExportedProgram) -> ExportedProgram:
    """Forget which lines of which files on this machine the graph came from."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
    return program


def refuse_not_finite(what: str, child: Child) -> None:
    """Refuse a network with which no copy could be compared.

    Raises:
        CannotConvert: Its answers to the example are not finite.
    """
    if not all(bool(output.isfinite().all()) for output in child.answer(child.example)):
        raise CannotConvert(
            asked=f"{what} of this network",
            found="answers to the example that are infinite or not a number",
            allowed="a network whose answers are finite",
            advice="take the weights of an earlier step, or train again with a lower learning rate",
        )


def refuse_difference(what: str, difference: float) -> None:
    """Refuse a copy that answers otherwise, NaN included.

    Raises:
        CannotConvert: The difference is above the tolerance.
    """
    if not difference <= TOLERANCE:
        raise CannotConvert(
            asked=f"a {what} of this network",
            found=f"answers that differ by {difference:.2g} from PyTorch's",
            allowed=f"a difference of at most {TOLERANCE:g}",
            advice="take the PyTorch module and the weights instead, and report this",
        )


def _shapes(child: Child) -> str:
    return " and ".join(str(list(value.shape)) for value in child.example)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0][:300]!r}"


PROGRAM = Conversion(
    Card(
        "torch_export",
        "Program (torch.export)",
        "Graph and weights in one file that torch.export.load runs without source, for any batch.",
        group=NETWORK,
        by_engine=True,
    ),
    extension=".pt2",
    media_type="application/octet-stream",
    convert=convert_program,
)
