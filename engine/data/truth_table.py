"""Reading a table of published accuracies from an ``.npz`` file.

The file holds, for n cells: ``arch`` (text, NAS-Bench-201's notation) and the
test accuracy in per cent, ``c10_test_200``. Where they are there, ``op_names``
and ``ops`` (uint8, [n, edges]) save reading each text, and
``c10_valid_200``, ``params_M_formula_c10`` (millions) and ``flops_M_c10``
(millions) are shown beside. Nothing in it is unpickled.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.domain.errors import DataError
from engine.domain.notation import read_arch
from engine.domain.truth import Columns, TruthTable

LARGEST_BYTES = 64 * 2**20
"""Unpacked size of a member of the file."""

TEST, VALIDATION = "c10_test_200", "c10_valid_200"
PARAMETERS, MULTIPLY_ADDS = "params_M_formula_c10", "flops_M_c10"
MILLION = 1e6
LAYOUT = f"an .npz file with `arch` and `{TEST}`"


def load_truth_table(path: Path) -> TruthTable:
    """The table in a file.

    Raises:
        DataError: There is no such file, or it is none of that layout.
    """
    try:
        _check_sizes(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in _WANTED}
        return _table(path.stem, arrays)
    except OSError as error:
        raise _refused(path, f"that it cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _refused(path, f"a file of another layout ({error})") from None


_WANTED = frozenset({"arch", "ops", "op_names", TEST, VALIDATION, PARAMETERS, MULTIPLY_ADDS})


def _check_sizes(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        largest = max((member.file_size for member in archive.infolist()), default=0)
    if largest > LARGEST_BYTES:
        raise ValueError(f"a part of {largest / 2**20:,.0f} MiB")


def _table(name: str, arrays: Mapping[str, Any]) -> TruthTable:
    archs = [str(text) for text in arrays["arch"]]
    test = _numbers(arrays, TEST, len(archs))
    if test is None or not archs:
        raise ValueError(f"no {TEST}")
    operations, columns = _cells(arrays, archs)
    rows = {cell: row for row, cell in enumerate(columns)}
    if len(rows) != len(archs):
        raise ValueError("a cell that is there twice")
    return TruthTable(
        name=name,
        operations=operations,
        edges=len(columns[0]),
        rows=rows,
        archs=archs,
        test_accuracy=test,
        validation_accuracy=_numbers(arrays, VALIDATION, len(archs)),
        parameters=_numbers(arrays, PARAMETERS, len(archs), MILLION),
        multiply_adds=_numbers(arrays, MULTIPLY_ADDS, len(archs), MILLION),
    )


def _cells(arrays: Mapping[str, Any], archs: list[str]) -> tuple[tuple[str, ...], list[Columns]]:
    """Names of the operations, and the columns of each cell."""
    if {"ops", "op_names"} <= set(arrays):
        names = tuple(str(name) for name in arrays["op_names"])
        ops = arrays["ops"]
        if ops.ndim != 2 or len(ops) != len(archs) or ops.dtype.kind not in "ui":
            raise ValueError(f"ops of shape {ops.shape}")
        if ops.min() < 0 or ops.max() >= len(names):
            raise ValueError("a number in ops that names no operation")
        return names, [tuple(row) for row in ops.tolist()]
    cells = [[name for node in read_arch(arch) for name, _ in node] for arch in archs]
    if len({len(cell) for cell in cells}) != 1:
        raise ValueError("cells of different sizes")
    names = tuple(dict.fromkeys(name for cell in cells for name in cell))
    return names, [tuple(names.index(name) for name in cell) for cell in cells]


def _numbers(
    arrays: Mapping[str, Any], name: str, count: int, unit: float = 1.0
) -> tuple[float, ...] | None:
    if name not in arrays:
        return None
    values = arrays[name]
    if values.shape != (count,) or values.dtype.kind not in "fui":
        raise ValueError(f"{name} of shape {values.shape} and type {values.dtype}")
    numbers = values.astype(np.float64)
    if unit != 1.0:
        numbers = np.round(numbers * unit)
    if not np.isfinite(numbers).all():
        raise ValueError(f"a value of {name} that is no number")
    return tuple(numbers.tolist())


def _refused(path: Path, found: str) -> DataError:
    return DataError(
        asked=f"the table of published accuracies {str(path)!r}",
        found=found,
        allowed=LAYOUT,
        advice="choose another file",
    )
