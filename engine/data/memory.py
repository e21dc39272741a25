"""How much memory is free."""

from pathlib import Path

import psutil

CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def available_bytes() -> int:
    """Memory that can be had without swapping, at most the limit of a container."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = CONTAINER_LIMIT.read_text().strip()
    except OSError:
        return free
    return min(free, int(limit)) if limit.isdecimal() else free
