"""How torch says that there is no memory."""

import torch

ALLOCATION_FAILED = "DefaultCPUAllocator"
"""How torch's CPU allocator signs; it raises a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and ALLOCATION_FAILED in str(error)
