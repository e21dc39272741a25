"""A finished search as a file, and back into a store: settings, data summary and snapshots.

The studio brings one along, so that there is something to look at before the
first search. It was recorded from a real search; what is read from a file says
so by its tag and in its event log, and has no checkpoints.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from typing import Any

from app.settings import Settings
from app.studio import Studio, versions
from engine.data.summaries import summary_from_json
from engine.domain.errors import NotFound, WrongState
from engine.domain.ports import Device
from engine.domain.run import Progress, Run, RunState
from engine.domain.snapshot import Snapshot, SnapshotKind
from engine.domain.stored_config import read_config

SCHEMA = 1
TAG = "recorded"
EXAMPLE = "digits.recording.gz"
PAGE = 500
PLACE = "recording"
"""Name of the machine that a recording is said to have run on."""


def record(studio: Studio, run_id: int) -> bytes:
    """The file of a search that has completed.

    Raises:
        NotFound: There is no such run, or nothing is known of its data.
        WrongState: It is a training, or has not completed.
    """
    run = studio.run(run_id)
    if run.config.purpose != "search" or run.state is not RunState.COMPLETED:
        raise WrongState(
            asked=f"a recording of run {run_id}",
            found=f"a {run.config.purpose} that is {run.state.value}",
            allowed="a search that has completed",
            advice="choose another run, or wait",
        )
    data = studio.data(run)
    if data is None:
        raise NotFound(
            asked=f"a recording of run {run_id}",
            found="no summary of its data",
            allowed="a run that has loaded its data",
            advice="choose another run",
        )
    document = {
        "schema": SCHEMA,
        "name": run.name,
        "config": run.config.model_dump(),
        "recorded_at": run.created_at.isoformat(),
        "device": run.device,
        "versions": versions(),
        "progress": asdict(run.progress),
        "data": data.to_json(),
        "snapshots": [_written(one) for one in studio.snapshots(run.id)],
    }
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)


def restore(studio: Studio, content: bytes) -> Run:
    """A new run with everything that a file of :func:`record` holds, completed.

    No engine may be running, which would take the run while it is being filled.

    Raises:
        InvalidConfig: The settings have no meaning in this version.
        WrongState: The file is of a later schema.
    """
    document = json.loads(gzip.decompress(content))
    if document.get("schema") != SCHEMA:
        raise WrongState(
            asked="the reading of a recording",
            found=f"one of schema {document.get('schema')!r}",
            allowed=f"schema {SCHEMA}",
            advice="update the studio",
        )
    store = studio.store
    run = store.create(read_config("search", document["config"]), name=document["name"])
    claimed = store.claim(
        run.id, node=PLACE, device=Device("cpu", None, document["device"] or "CPU", 0)
    )
    if claimed is None:
        raise WrongState(
            asked="the reading of a recording",
            found="an engine that took its run",
            allowed="a store without an engine",
            advice="end the engine and try again",
        )
    with studio.artifacts.write(f"runs/{run.uid}/data.json") as file:
        file.write(summary_from_json(document["data"]).to_json().encode())
    snapshots = [_read(one) for one in document["snapshots"]]
    progress = Progress(**document["progress"])
    for start in range(0, len(snapshots), PAGE):
        store.append(run.id, claimed.attempt, snapshots[start : start + PAGE], progress)
    store.transition(run.id, RunState.COMPLETED, why=_origin(document))
    store.annotate(run.id, tags=[TAG])
    return store.run(run.id)


def add_example(studio: Studio, settings: Settings) -> Run | None:
    """Put the example into a home that has never had a run.

    The operations have to be published before.

    Returns:
        None where there are or were runs, or the example has been there already.
    """
    mark = settings.home / "example-added"
    if mark.exists() or studio.runs():
        return None
    content = resources.files("app.example").joinpath(EXAMPLE).read_bytes()
    run = restore(studio, content)
    mark.touch()
    return run


def is_recorded(run: Run) -> bool:
    """Whether a run was read from a file instead of having run here."""
    return TAG in run.tags


def _origin(document: Mapping[str, Any]) -> str:
    made = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    day = document["recorded_at"][:10]
    return f"Read from a recording of {day} ({made}); nothing of it ran here."


def _written(snapshot: Snapshot) -> dict[str, Any]:
    return {**asdict(snapshot), "kind": snapshot.kind.value}


def _read(values: Mapping[str, Any]) -> Snapshot:
    tables = {
        kind: tuple(tuple(row) for row in rows) for kind, rows in values["probabilities"].items()
    }
    derived = values["derived"]
    return Snapshot(
        step=values["step"],
        epoch=values["epoch"],
        kind=SnapshotKind(values["kind"]),
        temperature=values["temperature"],
        probabilities=tables,
        codes={kind: tuple(masks) for kind, masks in values["codes"].items()},
        metrics=values["metrics"],
        derived=derived and {kind: tuple(masks) for kind, masks in derived.items()},
        seconds=values["seconds"],
    )
