"""What is known of a network whatever its task: its data, its run, its lineage."""

from typing import Any

from engine.domain.errors import DataError
from engine.domain.genotype import Genotype
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
