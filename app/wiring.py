"""The only place that names concrete stores, launchers and clocks.

What needs more than the front end may load is imported where it is opened.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.ports import ArtifactStore, Launcher, RunStore

if TYPE_CHECKING:
    from app.settings import Settings
    from app.studio import Studio


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, timezone-aware UTC."""
        return datetime.now(UTC)


def open_store(settings: Settings) -> RunStore:
    """The database of runs, created or upgraded if need be.

    Raises:
        InvalidConfig: The address is not one of a supported database.
        NewerDatabase: A later version of the studio wrote it.
        UnsafeDatabase: It lies where it cannot be kept safe, or is not ours.
    """
    from storage.sql_store import SqlStore

    return SqlStore(settings.database_url, SystemClock())


def open_artifacts(settings: Settings) -> ArtifactStore:
    """The store of checkpoints and other files.

    Raises:
        InvalidConfig: The address is not one of a supported store.
    """
    from storage.artifacts import FolderArtifacts, FsspecArtifacts, parse_artifacts_url

    url = settings.artifacts_url
    if "://" not in url:
        return FolderArtifacts(Path(url))
    scheme, root = parse_artifacts_url(url)
    return FolderArtifacts(Path(root)) if scheme == "file" else FsspecArtifacts(url)


def open_studio(settings: Settings) -> Studio:
    """The use cases, on the store and artifacts of the settings."""
    from app.studio import Studio

    return Studio(
        open_store(settings),
        open_artifacts(settings),
        SystemClock(),
        data_roots=settings.data_roots,
    )


def open_launcher(settings: Settings) -> Launcher:
    """What starts worker processes: those of this machine."""
    from engine.runtime.launchers.local import LocalLauncher

    return LocalLauncher(
        settings.home / "logs", cpu_places=settings.cpu_places, gpu_places=settings.gpu_places
    )
