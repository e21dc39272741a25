"""The network as a program of torch.export, which runs without its Python source."""

from io import BytesIO

import torch
from torch.export import Dim, ExportedProgram

from engine.conversion.child import Child, furthest
from engine.conversion.conversion import TOLERANCE, CannotConvert, Conversion, Converted
from engine.domain.catalog import Card
from engine.export.exporter import NETWORK

CHECKED_SIZES = (1, 3)
"""Batch sizes, beside that of the example, at which copies are compared."""


def trace(child: Child) -> ExportedProgram:
    """The network's graph for any number of batch items.

    Raises:
        CannotConvert: Its answer to one item depends on how many there are, or
            it does something that no graph can hold.
    """
    batch = Dim("batch")
    try:
        return torch.export.export(
            child.network,
            child.example,
            dynamic_shapes=tuple({port.batch_axis: batch} for port in child.inputs),
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
        CannotConvert: It cannot be traced, or answers otherwise.
    """
    file = BytesIO()
    torch.export.save(trace(child), file)
    again = torch.export.load(BytesIO(file.getvalue())).module()
    difference = 0.0
    for inputs in (child.example, *map(child.of_another_size, CHECKED_SIZES)):
        with torch.no_grad():
            outputs = again(*inputs)
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        difference = max(difference, furthest(child.answer(inputs), found))
    refuse_difference("torch.export program", difference)
    return Converted(file.getvalue(), {"difference": difference})


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
