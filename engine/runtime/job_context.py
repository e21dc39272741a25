"""What a job is given: the run, where to read and write, and the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.domain.errors import InvalidConfig
from engine.domain.jobs import Job
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Run


@dataclass(frozen=True)
class JobContext:
    """Everything that a job may use.

    Attributes:
        store: The database.
        artifacts: Checkpoints, and the files that jobs make.
        run: The run that is asked about.
        job: The job itself.
        device: Where to compute.
        cache: Folder of downloaded data sets.
    """

    store: RunStore
    artifacts: ArtifactStore
    run: Run
    job: Job
    device: torch.device
    cache: Path | None = None

    @property
    def folder(self) -> str:
        """Where the job's files lie in the artifact store; deleted with the run."""
        return f"runs/{self.run.uid}/jobs/{self.job.id}"


Perform = Callable[[JobContext, Mapping[str, Any]], Mapping[str, Any]]
"""From arguments to an answer, both as JSON values; refusals are StudioErrors."""


def whole(
    arguments: Mapping[str, Any], name: str, default: int | None, *, low: int, high: int
) -> int | None:
    """A whole number among the arguments of a job; where there is none, the default.

    Raises:
        InvalidConfig: It is something else, or out of bounds.
    """
    value = arguments.get(name)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise InvalidConfig(
        asked=f"{name} = {value!r} of a job",
        found="not such a number",
        allowed=f"a whole number from {low} to {high}",
        advice=f"correct {name}",
    )
