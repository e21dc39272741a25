"""Rows to values and back: runs, their log and checkpoints, jobs, machines, the catalogue.

How snapshots are packed is told in :mod:`storage.packing`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping

from engine.domain.catalog import Card, Catalog, Layer, OperationCard
from engine.domain.config import AnyConfig
from engine.domain.errors import FailureReason
from engine.domain.jobs import Job, JobState, canonical, question_digest
from engine.domain.ports import Device, Node
from engine.domain.run import Checkpoint, EventKind, Progress, Request, Run, RunEvent, RunState
from engine.domain.run_list import RunSummary
from engine.domain.space import SearchSpace
from engine.domain.steering import Change
from engine.domain.stored_config import read_config

Row = Mapping[str, Any] | RowMapping
"""The columns of one row by name."""

_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Whole microseconds since 1970 UTC."""
    return (at - _ORIGIN) // _MICROSECOND


def instant(micros_since_1970: int) -> datetime:
    """The moment, timezone-aware UTC, that :func:`micros` counted."""
    return _ORIGIN + micros_since_1970 * _MICROSECOND


def _maybe_instant(micros_since_1970: int | None) -> datetime | None:
    return None if micros_since_1970 is None else instant(micros_since_1970)


def storable(text: str) -> str:
    """Text as every database takes it: lone surrogates escaped, without NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")


def word(choice: StrEnum | None) -> str | None:
    """The stored word of a choice; drivers are given plain strings only."""
    return None if choice is None else choice.value


# Runs ---------------------------------------------------------------------------------------


def run_columns(run: Run) -> dict[str, Any]:
    """All columns of a run but its number."""
    return {
        "uid": run.uid,
        "purpose": run.config.purpose,
        "name": storable(run.name),
        "state": run.state.value,
        "request": word(run.request),
        "priority": run.priority,
        "attempt": run.attempt,
        "crashes": run.crashes,
        "config": run.config.model_dump_json(),
        "parent_id": run.parent_id,
        "node": run.node,
        "device": run.device,
        "handle": run.handle,
        "waiting": run.waiting,
        "failure": word(run.failure),
        "error": run.error and storable(run.error),
        "created_us": micros(run.created_at),
        **{
            f"{name}_us": None if at is None else micros(at)
            for name, at in (
                ("started", run.started_at),
                ("ended", run.ended_at),
                ("heartbeat", run.heartbeat_at),
                ("progress", run.progress_at),
            )
        },
        **progress_columns(run.progress),
        **annotation_columns(run.tags, run.notes, run.archived),
    }


def annotation_columns(
    tags: Iterable[str] | None, notes: str | None, archived: bool | None
) -> dict[str, Any]:
    """The columns of a run that a person writes, without those that stay as they are."""
    columns = {
        "tags": None if tags is None else json.dumps(sorted(set(tags)), ensure_ascii=False),
        "notes": None if notes is None else storable(notes),
        "archived": archived,
    }
    return {name: value for name, value in columns.items() if value is not None}


def progress_columns(progress: Progress) -> dict[str, Any]:
    """The columns of a run that say how far it is."""
    return asdict(progress)


def progress_at(row: Row, saved: Checkpoint, seconds: float) -> Progress:
    """The progress of a run that is set back to a checkpoint.

    Args:
        row: The run as it is.
        saved: The checkpoint to continue from.
        seconds: Training time at its step.
    """
    return Progress(
        step=saved.step,
        total_steps=row["total_steps"],
        epoch=saved.epoch,
        seconds=seconds,
        score=saved.score,
        score_name=None if saved.score is None else row["score_name"],
    )


def run_of(row: Row) -> Run:
    """The run in a row."""
    return Run(
        id=row["id"],
        uid=row["uid"],
        name=row["name"],
        state=RunState(row["state"]),
        config=config_of(row["purpose"], row["config"]),
        created_at=instant(row["created_us"]),
        request=None if row["request"] is None else Request(row["request"]),
        priority=row["priority"],
        attempt=row["attempt"],
        crashes=row["crashes"],
        parent_id=row["parent_id"],
        node=row["node"],
        device=row["device"],
        handle=row["handle"],
        started_at=_maybe_instant(row["started_us"]),
        ended_at=_maybe_instant(row["ended_us"]),
        heartbeat_at=_maybe_instant(row["heartbeat_us"]),
        progress_at=_maybe_instant(row["progress_us"]),
        progress=_progress_of(row),
        waiting=row["waiting"],
        failure=None if row["failure"] is None else FailureReason(row["failure"]),
        error=row["error"],
        tags=tuple(json.loads(row["tags"])),
        notes=row["notes"],
        archived=bool(row["archived"]),
    )


def _progress_of(row: Row) -> Progress:
    return Progress(
        step=row["step"],
        total_steps=row["total_steps"],
        epoch=row["epoch"],
        seconds=row["seconds"],
        score=row["score"],
        score_name=row["score_name"],
        gap=row["gap"],
    )


def summary_of(row: Row) -> RunSummary:
    """What a list shows of the run in a row, with three of its settings as text."""
    return RunSummary(
        id=row["id"],
        name=row["name"],
        state=RunState(row["state"]),
        request=None if row["request"] is None else Request(row["request"]),
        purpose=row["purpose"],
        task=row["task"],
        data=row["data"],
        epochs=int(row["epochs"]),
        created_at=instant(row["created_us"]),
        started_at=_maybe_instant(row["started_us"]),
        progress=_progress_of(row),
        waiting=row["waiting"],
        parent_id=row["parent_id"],
        tags=tuple(json.loads(row["tags"])),
        notes=row["notes"],
        archived=bool(row["archived"]),
    )


def config_of(purpose: str, text: str) -> AnyConfig:
    """The configuration in a JSON text, which an earlier version may have stored."""
    return read_config(purpose, json.loads(text))


def event_columns(run_id: int, event: RunEvent) -> dict[str, Any]:
    """All columns of a log line but its number."""
    return {
        "run_id": run_id,
        "attempt": event.attempt,
        "at_us": micros(event.at),
        "kind": event.kind.value,
        "text": storable(event.text),
        "before": word(event.before),
        "after": word(event.after),
    }


def event_of(row: Row) -> RunEvent:
    """The log line in a row."""
    return RunEvent(
        at=instant(row["at_us"]),
        attempt=row["attempt"],
        kind=EventKind(row["kind"]),
        text=row["text"],
        before=None if row["before"] is None else RunState(row["before"]),
        after=None if row["after"] is None else RunState(row["after"]),
    )


def change_columns(change: Change) -> dict[str, Any]:
    """All columns of a change but the run's number."""
    return {
        "number": change.number,
        "asked_us": micros(change.asked_at),
        "settings": canonical(change.settings),
        "before": None if change.before is None else canonical(change.before),
        "step": change.step,
        "refused": change.refused,
    }


def change_of(row: Row) -> Change:
    """The change in a row."""
    return Change(
        number=row["number"],
        asked_at=instant(row["asked_us"]),
        settings=json.loads(row["settings"]),
        before=None if row["before"] is None else json.loads(row["before"]),
        step=row["step"],
        refused=row["refused"],
    )


def checkpoint_columns(run_id: int, attempt: int, checkpoint: Checkpoint) -> dict[str, Any]:
    """All columns of a checkpoint."""
    return {
        "run_id": run_id,
        "attempt": attempt,
        "step": checkpoint.step,
        "epoch": checkpoint.epoch,
        "key": checkpoint.key,
        "size_bytes": checkpoint.size_bytes,
        "sha256": checkpoint.sha256,
        "created_us": micros(checkpoint.created_at),
        "score": checkpoint.score,
    }


def checkpoint_of(row: Row) -> Checkpoint:
    """The checkpoint in a row."""
    return Checkpoint(
        step=row["step"],
        epoch=row["epoch"],
        key=row["key"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        created_at=instant(row["created_us"]),
        score=row["score"],
    )


# Jobs ---------------------------------------------------------------------------------------


def asked_columns(
    run_id: int | None, kind: str, arguments: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """All columns of a new job but its number.

    Raises:
        InvalidConfig: The arguments have no JSON form.
    """
    return {
        "run_id": run_id,
        "kind": kind,
        "arguments": canonical(arguments),
        "digest": question_digest(kind, arguments),
        "state": JobState.WAITING.value,
        "attempt": 0,
        "crashes": 0,
        "created_us": micros(at),
    }


def answer_columns(result: Mapping[str, Any] | None, error: str | None) -> dict[str, Any]:
    """The columns that a finished job's process writes.

    Raises:
        ValueError: Not exactly one of answer and error is given.
        InvalidConfig: The answer has no JSON form.
    """
    if (result is None) == (error is None):
        raise ValueError("a finished job has either a result or an error")
    state = JobState.FAILED if result is None else JobState.DONE
    return {
        "state": state.value,
        "result": None if result is None else canonical(result),
        "error": error and storable(error),
        "handle": None,
    }


def job_of(row: Row) -> Job:
    """The job in a row."""
    return Job(
        id=row["id"],
        run_id=row["run_id"],
        kind=row["kind"],
        arguments=json.loads(row["arguments"]),
        state=JobState(row["state"]),
        created_at=instant(row["created_us"]),
        attempt=row["attempt"],
        crashes=row["crashes"],
        node=row["node"],
        handle=row["handle"],
        started_at=_maybe_instant(row["started_us"]),
        ended_at=_maybe_instant(row["ended_us"]),
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
    )


# Machines and the catalogue -----------------------------------------------------------------


def node_columns(node: Node) -> dict[str, Any]:
    """All columns of a machine."""
    return {
        "name": node.name,
        "process": node.process,
        "heartbeat_us": micros(node.heartbeat_at),
        "devices": json.dumps([asdict(device) for device in node.devices]),
        "versions": None if node.versions is None else json.dumps(dict(node.versions)),
    }


def node_of(row: Row) -> Node:
    """The machine in a row."""
    return Node(
        name=row["name"],
        process=row["process"],
        heartbeat_at=instant(row["heartbeat_us"]),
        devices=tuple(Device(**device) for device in json.loads(row["devices"])),
        versions=None if row["versions"] is None else json.loads(row["versions"]),
    )


def catalog_text(catalog: Catalog) -> str:
    """The catalogue as JSON."""
    return json.dumps(asdict(catalog), sort_keys=True)


def catalog_of(content: str) -> Catalog:
    """The catalogue in a JSON text."""
    parts = json.loads(content)
    return Catalog(
        operations=tuple(_operation_of(card) for card in parts["operations"]),
        spaces=tuple(_space_of(space) for space in parts["spaces"]),
        tasks=tuple(Card(**card) for card in parts["tasks"]),
        exporters=tuple(Card(**card) for card in parts["exporters"]),
    )


def _operation_of(card: dict[str, Any]) -> OperationCard:
    strided = card["strided_layers"]
    return OperationCard(
        **{
            **card,
            "layers": _layers_of(card["layers"]),
            "strided_layers": None if strided is None else _layers_of(strided),
        }
    )


def _layers_of(layers: list[dict[str, Any]]) -> tuple[Layer, ...]:
    return tuple(Layer(**layer) for layer in layers)


def _space_of(space: dict[str, Any]) -> SearchSpace:
    return SearchSpace(
        **{
            **space,
            "cell_kinds": tuple(space["cell_kinds"]),
            "operations": tuple(space["operations"]),
        }
    )
