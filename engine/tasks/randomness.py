"""Random numbers that depend on nothing but the seed and their place.

Every batch, code and augmentation has a generator of its own, seeded by the
run's seed, a purpose and counters. A search that continues from a checkpoint
therefore draws the same numbers as one that was never interrupted, however
many numbers were drawn before.
"""

import hashlib

import torch


def generator(seed: int, purpose: str, *counters: int) -> torch.Generator:
    """A CPU generator for one purpose at one place of the search.

    Args:
        seed: The run's seed.
        purpose: What the numbers are for, such as ``"codes"``.
        counters: The place, such as epoch and batch.
    """
    name = f"{seed}/{purpose}/{'/'.join(map(str, counters))}"
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
