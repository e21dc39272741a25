import itertools
from dataclasses import replace

import pytest

from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import from_arch_string, from_masks, to_arch_string
from engine.domain.truth import TruthTable
from tests.engine.domain.test_rules import SMALL

OPERATIONS = ("avg_pool_3x3", "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
TWO = replace(SMALL, nodes=1, operations=OPERATIONS[::-1])
CELLS = list(itertools.product(range(5)))
TABLE = TruthTable(
    name="small",
    operations=OPERATIONS,
    edges=1,
    rows={cell: row for row, cell in enumerate(CELLS)},
    archs=[f"|{OPERATIONS[cell[0]]}~0|" for cell in CELLS],
    test_accuracy=(80.0, 10.0, 70.5, 80.0, 94.0),
    parameters=(1, 2, 3, 4, 5),
)


def test_a_cell_is_found_by_the_names_of_its_operations():
    """Columns of the space and of the table are in opposite orders."""
    for k, name in enumerate(TWO.operations):
        truth = TABLE.lookup(TWO, {"cell": (1 << k,)})
        assert truth.arch == f"|{name}~0|"
        assert truth.parameters == 1 + OPERATIONS.index(name)
        assert truth.validation_accuracy is None
        genotype = from_arch_string(truth.arch, TWO)
        assert TABLE.lookup_genotype(genotype) == truth
        assert to_arch_string(genotype) == truth.arch


def test_equal_accuracies_share_a_rank_and_one_is_the_best():
    assert TABLE.ranks == (2, 5, 4, 2, 1)
    assert TABLE.best == 94.0
    assert TABLE.ranks == tuple(
        1 + sum(other > own for other in TABLE.test_accuracy) for own in TABLE.test_accuracy
    )


def test_an_edge_with_nothing_is_none():
    nothing = TABLE.lookup_genotype(from_masks(TWO, {"cell": (0,)}))
    assert nothing.arch == "|none~0|"
    assert (nothing.test_accuracy, nothing.rank, nothing.cells) == (10.0, 5, 5)
    none = 1 << TWO.operations.index("none")
    skip = 1 << TWO.operations.index("skip_connect")
    assert TABLE.lookup(TWO, {"cell": (none | skip,)}).arch == "|skip_connect~0|"


def test_two_operations_on_an_edge_have_no_published_accuracy():
    with pytest.raises(InvalidGenotype) as refusal:
        TABLE.lookup(TWO, {"cell": (0b11,)})
    assert str(refusal.value) == (
        "Asked for the published accuracy of a cell in 'small'; found an edge with nor_conv_3x3 "
        "and nor_conv_1x1; allowed is one operation an edge; derive with one draw a row in scope "
        "edge (draws = 1)."
    )


def test_a_cell_that_the_table_lacks_is_named():
    part = replace(TABLE, rows={(0,): 0})
    with pytest.raises(InvalidGenotype, match="found no row for skip_connect"):
        part.lookup(TWO, {"cell": (1 << TWO.operations.index("skip_connect"),)})


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": 2},
        {"inputs": 2},
        {"output": "mean"},
        {"cell_kinds": ("a", "b")},
        {"operations": OPERATIONS[:4]},
    ],
    ids=str,
)
def test_another_space_does_not_fit(changes):
    other = replace(TWO, **changes)
    assert TABLE.fits(TWO)
    assert not TABLE.fits(other)
    masks = {kind: (0,) * len(other.edges) for kind in other.cell_kinds}
    with pytest.raises(InvalidGenotype, match="search in the space of the table"):
        TABLE.lookup(other, masks)
