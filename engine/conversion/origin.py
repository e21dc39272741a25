"""What is known of a network whatever its task: its data, its run, its lineage."""

from typing import Any

from engine.domain.blocks import dead_share_of, parts_of
from engine.domain.catalog import Catalog
from engine.domain.cost import NetworkShape, total_of
from engine.domain.errors import DataError
from engine.domain.genotype import Genotype
from engine.domain.language_cost import LanguageShape
from engine.domain.pruning import pruning_of
from engine.operations.table import OPERATIONS
from engine.optimisation.loop import Loop


def check_data(loop: Loop, wanted: str | None, *, run: str = "this run") -> None:
    """Make sure that the loop has the data that its weights were trained on.

    Args:
        loop: A search or a training, whose data are loaded.
        wanted: Digest of the data at that time; None where nobody wrote it down.
        run: Whose weights they are, in words.

    Raises:
        DataError: They are others.
    """
    found = loop.data_summary.digest
    if wanted and wanted != found:
        raise DataError(
            asked=f"the data {loop.config.data!r} of {run}",
            found=f"data with the digest {found[:12]}…, changed since the run",
            allowed=f"the data with the digest {wanted[:12]}…",
            advice="put the data back as they were",
        )


def shared_facts(loop: Loop, genotype: Genotype, *, how: str) -> dict[str, Any]:
    """The facts of a child that are the same for every task.

    Args:
        loop: At the moment that the weights are of.
        genotype: The child's.
        how: How its weights came to be, as a sentence.
    """
    position = loop.progress
    return {
        "task": loop.config.task,
        "data": loop.config.data,
        "data_digest": loop.data_summary.digest,
        "trained": {"how": how, "step": position.step, "epoch": position.epoch},
        "lineage": dict(genotype.lineage),
    }


def size_facts(genotype: Genotype, shape: NetworkShape | LanguageShape) -> dict[str, Any]:
    """How large the network is, and what is dead of the architecture.

    Args:
        genotype: The architecture.
        shape: Everything beside it that fixes the network.
    """
    catalog = Catalog(tuple(operation.card for operation in OPERATIONS.values()), (), (), ())
    cost = total_of(parts_of(genotype, catalog, shape))
    dead = dead_share_of(genotype, catalog, shape)
    cells = shape.cells if isinstance(shape, NetworkShape) else 1
    return {
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "dead": {
            **pruning_of(genotype, cells).as_data(),
            "parameters": dead.dead,
            "of_parameters": dead.of,
            "left_out": not shape.keep_dead,
        },
    }
