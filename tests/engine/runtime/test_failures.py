import errno

import pytest
import torch

from engine.domain.errors import FailureReason, NotANumber
from engine.runtime.failures import explain


def test_a_refusal_of_the_studio_keeps_its_reason_and_words() -> None:
    error = NotANumber(asked="a", found="b", allowed="c", advice="d")
    assert explain(error) == (FailureReason.NOT_A_NUMBER, str(error))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_missing_memory_says_what_to_lower(error: Exception) -> None:
    reason, sentence = explain(error)
    assert reason is FailureReason.OUT_OF_MEMORY
    assert "lower batch_size, channels or cells" in sentence


def test_torch_without_memory_on_the_cpu_is_recognised() -> None:
    with pytest.raises(RuntimeError) as refusal:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert explain(refusal.value)[0] is FailureReason.OUT_OF_MEMORY


def test_a_full_disk_is_found_behind_the_error_that_torch_makes_of_it() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/data/x.pt")
        except OSError:
            raise RuntimeError("file write failed")  # noqa: B904
    except RuntimeError as error:
        reason, sentence = explain(error)
    assert reason is FailureReason.DISK_FULL
    assert "'/data/x.pt'" in sentence
    assert "No space left on device" in sentence


def test_anything_else_is_a_crash_told_in_one_line() -> None:
    assert explain(KeyError("alpha\nbeta")) == (
        FailureReason.CRASHED,
        "The search ended with KeyError: 'alpha\\nbeta'",
    )
    assert explain(ZeroDivisionError()) == (
        FailureReason.CRASHED,
        "The search ended with ZeroDivisionError",
    )
