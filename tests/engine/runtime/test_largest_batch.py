"""How the largest batch is found, against a memory whose size is known."""

import pytest

from engine.runtime.largest_batch import Largest, by_doubling, by_growth, by_halving
from engine.runtime.rehearsal import Rehearsal, is_out_of_memory

MIB = 2**20


def taken(batch_size: int, peak_bytes: int) -> Rehearsal:
    return Rehearsal(batch_size, (2.0, 1.0, 3.0), peak_bytes, peak_bytes, None, 0, 1, 1, 1)


class Memory:
    """Steps that need ``base`` and so much an item, of which ``room`` bytes are there."""

    def __init__(self, *, base: int, each: int, room: int) -> None:
        self.base, self.each, self.room = base, each, room
        self.tried: list[int] = []

    def __call__(self, batch_size: int) -> Rehearsal | None:
        self.tried.append(batch_size)
        needed = self.base + self.each * batch_size
        return None if needed > self.room else taken(batch_size, needed)

    @property
    def largest(self) -> int:
        return (self.room - self.base) // self.each


def test_median_leaves_out_the_first_step() -> None:
    assert taken(4, 1).step_seconds == 2.0
    assert Rehearsal(4, (5.0,), 1, 1, None, 0, 1, 1, 1).step_seconds == 5.0


def test_steps_that_probe_count_by_their_share_of_the_search() -> None:
    probing = (False, False, False, True, False, False)
    steps = Rehearsal(
        4, (9.0, 1.0, 1.0, 5.0, 1.0, 1.0), 1, 1, None, 0, 1, 1, 1, probing, probe_share=0.25
    )
    assert steps.step_seconds == 0.25 * 5.0 + 0.75 * 1.0
    alike = Rehearsal(4, (9.0, 1.0, 2.0, 3.0), 1, 1, None, 0, 1, 1, 1, (True,) * 4, 1.0)
    assert alike.step_seconds == 2.0


@pytest.mark.parametrize("room", [100, 130, 900, 5000])
def test_doubling_ends_at_the_last_power_that_fits(room: int) -> None:
    memory = Memory(base=10, each=1, room=room)
    found = by_doubling(memory, fits=32, most=2000)
    assert found.batch_size <= min(memory.largest, 2000)
    assert 2 * found.batch_size > min(memory.largest, 1999)
    assert found.limit == ("data" if found.batch_size == 2000 else "memory")
    assert not found.is_estimated


def test_halving_ends_at_the_first_batch_that_fits() -> None:
    memory = Memory(base=10, each=1, room=42)
    assert by_halving(memory, too_large=256) == Largest(32, "memory", is_estimated=False)
    assert memory.tried == [128, 64, 32]
    assert by_halving(Memory(base=50, each=1, room=42), too_large=9).batch_size == 0


def test_growth_gives_the_batch_that_fills_what_is_free() -> None:
    memory = Memory(base=100 * MIB, each=MIB, room=10_000 * MIB)
    first = memory(64)
    assert first is not None
    found = by_growth(memory, first, before_bytes=20 * MIB, free_bytes=8000 * MIB, most=100_000)
    assert memory.tried == [64, 128]
    expected = 0.9 * 8000 - (100 - 20)
    assert 0.9 * expected <= found.batch_size <= expected
    assert (found.limit, found.is_estimated) == ("memory", True)


def test_growth_tries_nothing_that_its_forecast_calls_dangerous() -> None:
    memory = Memory(base=0, each=MIB, room=10_000 * MIB)
    first = memory(64)
    assert first is not None
    found = by_growth(memory, first, before_bytes=0, free_bytes=100 * MIB, most=1000)
    assert memory.tried == [64]
    assert found == Largest(90, "memory", is_estimated=True)


def test_growth_stops_where_memory_or_data_do() -> None:
    memory = Memory(base=0, each=MIB, room=100 * MIB)
    first = memory(64)
    assert first is not None
    full = by_growth(memory, first, before_bytes=0, free_bytes=9000 * MIB, most=1000)
    assert full == Largest(64, "memory", is_estimated=False)
    small = Memory(base=0, each=1, room=100 * MIB)
    first = small(4)
    assert first is not None
    found = by_growth(small, first, before_bytes=0, free_bytes=90 * MIB, most=12)
    assert found == Largest(12, "data", is_estimated=False)
    assert small.tried == [4, 8, 12]


def test_full_memory_is_known_in_all_its_words() -> None:
    for words in ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling"):
        assert is_out_of_memory(RuntimeError(words))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
