"""What a run's data were when it first trained on them, kept beside the run.

Weights mean something only with the data that they were trained on: with others, images
that were trained on may have become validation images, and the shapes may not fit.
"""

from engine.conversion.origin import check_data
from engine.data.summaries import summary_from_json
from engine.domain.errors import NotFound
from engine.domain.ports import ArtifactStore
from engine.domain.run import Run
from engine.optimisation.loop import Loop


def check_recorded_data(artifacts: ArtifactStore, run: Run, loop: Loop) -> None:
    """Make sure that a loop has the data that a run's checkpoints were trained on.

    Args:
        artifacts: Hold what the run found.
        run: The run whose weights the loop is about to take.
        loop: A search or a training, whose data are loaded.

    Raises:
        DataError: They are others.
    """
    check_data(loop, recorded_digest(artifacts, run), run=f"run {run.id}")


def recorded_digest(artifacts: ArtifactStore, run: Run) -> str | None:
    """What the worker found the data's digest to be; None where it wrote nothing down."""
    try:
        with artifacts.read(_key(run)) as file:
            return summary_from_json(file.read().decode()).digest
    except NotFound:
        return None


def record_data(artifacts: ArtifactStore, run: Run, loop: Loop) -> None:
    """Write down what cost formulas, exports and later attempts need to know of the data."""
    with artifacts.write(_key(run)) as file:
        file.write(loop.data_summary.to_json().encode())


def _key(run: Run) -> str:
    return f"runs/{run.uid}/data.json"
