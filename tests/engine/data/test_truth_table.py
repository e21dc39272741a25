import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.data import truth_table
from engine.data.truth_table import load_truth_table
from engine.domain.errors import DataError
from engine.domain.genotype import from_arch_string, to_arch_string
from engine.domain.space import SearchSpace

OPERATIONS = ("none", "nor_conv_3x3", "skip_connect")


def arch(ops) -> str:
    a, b, c = (OPERATIONS[op] for op in ops)
    return f"|{a}~0|+|{b}~0|{c}~1|"


def arrays() -> dict[str, np.ndarray]:
    """All 27 cells of two nodes with three operations, in no order."""
    ops = np.random.default_rng(0).permutation(list(itertools.product(range(3), repeat=3)))
    return {
        "arch": np.array([arch(cell) for cell in ops]),
        "ops": ops.astype(np.uint8),
        "op_names": np.array(OPERATIONS),
        "c10_test_200": np.linspace(60, 94, 27).astype(np.float32),
        "c10_valid_200": np.linspace(50, 91, 27).astype(np.float32),
        "params_M_formula_c10": np.full(27, 0.129306, np.float32),
        "flops_M_c10": np.full(27, 17.958591, np.float32),
    }


def written(tmp_path: Path, **changes) -> Path:
    path = tmp_path / "cells.npz"
    kept = {name: array for name, array in (arrays() | changes).items() if array is not None}
    np.savez_compressed(path, **kept)
    return path


def test_every_cell_is_found_with_its_figures(tmp_path):
    table, source = load_truth_table(written(tmp_path)), arrays()
    space = SearchSpace("two", "Two nodes", ("cell",), 1, 2, OPERATIONS, "last")
    assert table.fits(space)
    assert table.name == "cells"
    for row, text in enumerate(source["arch"]):
        genotype = from_arch_string(str(text), space)
        truth = table.lookup_genotype(genotype)
        assert to_arch_string(genotype) == truth.arch == text
        assert truth.test_accuracy == pytest.approx(source["c10_test_200"][row])
        assert truth.validation_accuracy == pytest.approx(source["c10_valid_200"][row])
        assert truth.rank == 27 - row
        assert (truth.parameters, truth.multiply_adds) == (129_306, 17_958_591)


def test_a_table_of_texts_and_accuracies_alone_is_the_same(tmp_path):
    whole = load_truth_table(written(tmp_path))
    short = load_truth_table(
        written(tmp_path, ops=None, op_names=None, c10_valid_200=None, flops_M_c10=None)
    )
    by_name = {tuple(short.operations[k] for k in cell): row for cell, row in short.rows.items()}
    assert by_name == {
        tuple(whole.operations[k] for k in cell): row for cell, row in whole.rows.items()
    }
    assert short.validation_accuracy is None


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_truth_table(path)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.npz"
    assert refusal(path) == (
        f"Asked for the table of published accuracies '{path}'; found that it cannot be read "
        "(No such file or directory); allowed is an .npz file with `arch` and `c10_test_200`; "
        "choose another file."
    )


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"c10_test_200": None}, "no c10_test_200"),
        ({"c10_test_200": np.zeros(3)}, "c10_test_200 of shape (3,) and type float64"),
        ({"c10_test_200": np.full(27, np.nan)}, "a value of c10_test_200 that is no number"),
        ({"ops": np.full((27, 3), 9, np.uint8)}, "a number in ops that names no operation"),
        ({"ops": np.zeros((27, 3), np.uint8)}, "a cell that is there twice"),
        ({"ops": np.zeros(27, np.uint8)}, "ops of shape (27,)"),
        ({"arch": None}, "'arch'"),
        ({"arch": np.array(["nothing"] * 27), "ops": None}, "'nothing' instead of"),
        ({"arch": np.array([{}] * 27, dtype=object)}, "allow_pickle"),
    ],
)
def test_a_file_of_another_layout_says_what_is_wrong(tmp_path, changes, found):
    sentence = refusal(written(tmp_path, **changes))
    assert "found a file of another layout (" in sentence
    assert found in sentence


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no zip at all"])
def test_what_is_no_zip_file_is_refused(tmp_path, content):
    path = tmp_path / "cells.npz"
    path.write_bytes(content)
    assert "a file of another layout" in refusal(path)


def test_a_part_that_unpacks_to_too_much_is_refused_before_it_is(tmp_path, monkeypatch):
    path = tmp_path / "cells.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arch.npy", bytes(2_000_000))
    monkeypatch.setattr(truth_table, "LARGEST_BYTES", 1_000_000)
    assert "a part of 2 MiB" in refusal(path)
