"""Small tables of published accuracies for tests, complete for their space."""

import itertools
from pathlib import Path

import numpy as np

from engine.domain.notation import write_arch
from engine.domain.space import SearchSpace


def write_table(path: Path, space: SearchSpace) -> Path:
    """All cells of a space; the accuracy grows with the columns read as one number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = list(itertools.product(range(len(space.operations)), repeat=len(space.edges)))
    archs = [
        write_arch(
            [
                [(space.operations[cell[edge]], space.edges[edge].source) for edge in edges]
                for edges in space.edges_of
            ]
        )
        for cell in cells
    ]
    accuracy = np.linspace(10.0, 94.0, len(cells)).astype(np.float32)
    np.savez_compressed(path, arch=np.array(archs), c10_test_200=accuracy)
    return path
