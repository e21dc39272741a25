"""What a job is given: the run or the settings, where to read and write, and the device."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.domain.config import AnyConfig, SearchConfig, make_config
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
        about: The run that is asked about; None for a job about settings.
        job: The job itself.
        device: Where to compute.
        cache: Folder of downloaded data sets.
        data_roots: Folders in which data given as a path have to lie; none
            means anywhere.
    """

    store: RunStore
    artifacts: ArtifactStore
    about: Run | None
    job: Job
    device: torch.device
    cache: Path | None = None
    data_roots: Sequence[Path] = ()

    @property
    def run(self) -> Run:
        """The run that is asked about.

        Raises:
            InvalidConfig: The job has none.
        """
        if self.about is None:
            raise InvalidConfig(
                asked=f"a job of the kind {self.job.kind!r}",
                found="no run that it is about",
                allowed="a job about a run",
                advice="ask from the page of a run",
            )
        return self.about

    @property
    def config(self) -> AnyConfig:
        """The settings that it is about: the run's, or those among the arguments.

        Raises:
            InvalidConfig: There are none, or they do not fit.
        """
        return self.settings if self.about is None else self.about.config

    @property
    def settings(self) -> SearchConfig:
        """The settings of a search among the arguments, under ``config``.

        Raises:
            InvalidConfig: There are none, or they do not fit.
        """
        given = self.job.arguments.get("config")
        if isinstance(given, Mapping):
            return make_config(given)
        raise InvalidConfig(
            asked=f"a job of the kind {self.job.kind!r}",
            found="neither a run nor settings",
            allowed="the settings of a search, under 'config'",
            advice="ask from the page New search or with `egs check`",
        )

    @property
    def folder(self) -> str:
        """Where the job's files lie in the artifact store; deleted with the run, or the job."""
        if self.about is None:
            return folder_without_run(self.job.id)
        return f"runs/{self.about.uid}/jobs/{self.job.id}"


def folder_without_run(job_id: int) -> str:
    """Where the files of a job about settings lie in the artifact store."""
    return f"jobs/{job_id}"


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
