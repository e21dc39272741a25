from hypothesis import given
from hypothesis import strategies as st

from engine.domain.snapshot import mask_of, operations_in


@given(st.lists(st.booleans(), max_size=20))
def test_a_mask_holds_exactly_the_operations_that_are_on(row):
    assert operations_in(mask_of(row)) == tuple(k for k, entry in enumerate(row) if entry)


@given(st.integers(0, 2**20))
def test_operations_of_a_mask_give_it_back(mask):
    columns = operations_in(mask)
    assert mask_of([k in columns for k in range(21)]) == mask
