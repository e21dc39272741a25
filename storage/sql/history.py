"""What runs leave behind: snapshots, metrics, the log and checkpoints."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, or_, select, text, union

from engine.domain.run import Checkpoint, EventKind, Progress, RunEvent
from engine.domain.snapshot import Frames, Series, Snapshot
from storage import mapping, packing, tables
from storage.sql.room import Room, require_run, run_row, update_fenced, upsert_into

event, snapshot, saves = tables.event, tables.snapshot, tables.checkpoint

_IS_EPOCH = text(f"snapshot.enc = {tables.EPOCH_ENCODING}")


class History(Room):
    """The part of :class:`~engine.domain.ports.RunStore` that is about what was recorded."""

    def append(
        self, run_id: int, attempt: int, snapshots: Sequence[Snapshot], progress: Progress
    ) -> None:
        """See :class:`RunStore`. Snapshots come in ascending order of step.

        Raises:
            ValueError: A snapshot has another layout than those before it, or a
                step that is new but not the latest.
        """
        changes = {**mapping.progress_columns(progress), "progress_us": self.now()}
        with self.database.record() as connection:
            update_fenced(connection, run_id, attempt, changes)
            if snapshots:
                _insert_snapshots(connection, run_id, snapshots)

    def snapshots(
        self,
        run_id: int,
        *,
        after: int = -1,
        limit: int | None = None,
        epochs_only: bool = False,
    ) -> list[Snapshot]:
        """See :class:`RunStore`."""
        query = select(snapshot).where(snapshot.c.run_id == run_id, snapshot.c.step > after)
        if epochs_only:
            query = query.where(_IS_EPOCH)
        return self._snapshots(run_id, query.order_by(snapshot.c.step).limit(limit))

    def snapshot(self, run_id: int, step: int | None = None) -> Snapshot | None:
        """See :class:`RunStore`."""
        query = select(snapshot).where(snapshot.c.run_id == run_id)
        if step is not None:
            query = query.where(snapshot.c.step <= step)
        found = self._snapshots(run_id, query.order_by(snapshot.c.step.desc()).limit(1))
        return found[0] if found else None

    def frames(
        self, run_id: int, *, after: int = -1, limit: int = 50_000, stride: int = 1
    ) -> Frames:
        """See :class:`RunStore`."""
        if stride < 1:
            raise ValueError(f"stride {stride} is below 1")
        with self.database.read() as connection:
            require_run(connection, run_id)
            layout = _layout(connection, run_id)
            rows = connection.execute(_frame_query(run_id, after, limit, stride)).all()
        return packing.frames_of(rows, layout, stride)

    def series(self, run_id: int, *, after: int = -1, stride: int = 1) -> list[Series]:
        """See :class:`RunStore`."""
        query = select(snapshot.c.step, snapshot.c.metrics)
        query = query.where(snapshot.c.run_id == run_id, snapshot.c.step > after)
        if stride > 1:
            query = query.where(or_(snapshot.c.seq % stride == 0, _IS_EPOCH))
        with self.database.read() as connection:
            require_run(connection, run_id)
            names = _series_names(connection, run_id)
            rows = connection.execute(query.order_by(snapshot.c.step)).all()
        return packing.series_of(rows, names)

    def events(self, run_id: int) -> list[RunEvent]:
        """See :class:`RunStore`."""
        query = select(event).where(event.c.run_id == run_id).order_by(event.c.id)
        with self.database.read() as connection:
            require_run(connection, run_id)
            return [mapping.event_of(row) for row in connection.execute(query).mappings()]

    def note(self, run_id: int, kind: EventKind, text: str) -> None:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            self.log(connection, run_row(connection, run_id), kind, text)

    def add_checkpoint(self, run_id: int, attempt: int, checkpoint: Checkpoint) -> None:
        """See :class:`RunStore`. A repeated step replaces."""
        columns = mapping.checkpoint_columns(run_id, attempt, checkpoint)
        with self.database.write() as connection:
            row = update_fenced(connection, run_id, attempt, {"crashes": 0})
            connection.execute(upsert_into(connection, saves, columns))
            self.log(connection, row, EventKind.CHECKPOINT, f"checkpoint at step {checkpoint.step}")

    def checkpoints(self, run_id: int) -> list[Checkpoint]:
        """See :class:`RunStore`."""
        query = select(saves).where(saves.c.run_id == run_id)
        with self.database.read() as connection:
            require_run(connection, run_id)
            rows = connection.execute(query.order_by(saves.c.step)).mappings()
            return [mapping.checkpoint_of(row) for row in rows]

    def drop_checkpoint(self, run_id: int, key: str) -> None:
        """See :class:`RunStore`."""
        chosen = and_(saves.c.run_id == run_id, saves.c.key == key)
        with self.database.write() as connection:
            require_run(connection, run_id)
            connection.execute(delete(saves).where(chosen))

    def _snapshots(self, run_id: int, query: Select[Any]) -> list[Snapshot]:
        with self.database.read() as connection:
            require_run(connection, run_id)
            layout = _layout(connection, run_id)
            names = _series_names(connection, run_id)
            rows = connection.execute(query).mappings().all()
        if layout is None:
            return []
        return [packing.snapshot_of(row, layout, names) for row in rows]


def _layout(connection: Connection, run_id: int) -> packing.Layout | None:
    query = select(tables.layout).where(tables.layout.c.run_id == run_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else packing.layout_of(row)


def _series_names(connection: Connection, run_id: int) -> dict[int, str]:
    query = select(tables.series.c.id, tables.series.c.name)
    rows = connection.execute(query.where(tables.series.c.run_id == run_id))
    return {row.id: row.name for row in rows}


def _frame_query(run_id: int, after: int, limit: int, stride: int) -> Select[Any]:
    """(step, epoch, enc, probabilities, codes) of the snapshots that become frames.

    With a stride the numbers ``seq`` are counted out first and joined by the ends of
    epochs, which have an index; each of them is one look-up by primary key.
    """
    columns = snapshot.c
    query = select(columns.step, columns.epoch, columns.enc, columns.probabilities, columns.codes)
    if stride == 1:
        chosen = query.where(columns.run_id == run_id, columns.step > after)
        return chosen.order_by(columns.step).limit(limit)
    mine = columns.run_id == run_id
    first = select(func.min(columns.seq)).where(mine, columns.step > after).scalar_subquery()
    last = select(func.max(columns.seq)).where(mine).scalar_subquery()
    start = select(((first + stride - 1) // stride * stride).label("seq"))
    picked = start.cte("picked", recursive=True)
    onward = select(picked.c.seq + stride).where(picked.c.seq + stride <= last)
    picked = picked.union_all(onward)
    ends = select(columns.seq).where(mine, columns.step > after, _IS_EPOCH)
    wanted = union(select(picked.c.seq), ends).subquery("wanted")
    joined = query.join_from(wanted, snapshot, and_(mine, columns.seq == wanted.c.seq))
    return joined.order_by(columns.seq).limit(limit)


def _insert_snapshots(connection: Connection, run_id: int, snapshots: Sequence[Snapshot]) -> None:
    layout = _layout(connection, run_id)
    if layout is None:
        layout = packing.layout_of_snapshot(snapshots[0])
        columns = packing.layout_columns(run_id, layout)
        connection.execute(tables.layout.insert().values(columns))
    numbers = _series_numbers(connection, run_id, snapshots)
    latest = {one.step: one for one in snapshots}
    places = _places(connection, run_id, sorted(latest))
    connection.execute(
        delete(snapshot).where(snapshot.c.run_id == run_id, snapshot.c.step.in_(list(latest)))
    )
    rows = [
        {
            "run_id": run_id,
            "seq": place,
            **packing.snapshot_columns(latest[step], layout, numbers),
        }
        for step, place in places.items()
    ]
    connection.execute(snapshot.insert(), rows)


def _places(connection: Connection, run_id: int, steps: Sequence[int]) -> dict[int, int]:
    """``seq`` of each step: its present one, or the next ones for new steps."""
    mine = snapshot.c.run_id == run_id
    last = select(snapshot.c.step, snapshot.c.seq).where(mine)
    latest = connection.execute(last.order_by(snapshot.c.seq.desc()).limit(1)).first()
    last_step, last_seq = (-1, -1) if latest is None else latest
    known: dict[int, int] = {}
    if steps[0] <= last_step:
        present = select(snapshot.c.step, snapshot.c.seq).where(mine, snapshot.c.step.in_(steps))
        known = {row.step: row.seq for row in connection.execute(present)}
    new = [step for step in steps if step not in known]
    if new and new[0] < last_step:
        raise ValueError(f"step {new[0]} of run {run_id} comes after step {last_step}")
    return known | {step: last_seq + 1 + place for place, step in enumerate(new)}


def _series_numbers(
    connection: Connection, run_id: int, snapshots: Sequence[Snapshot]
) -> dict[str, int]:
    """The number of each metric of a run; new ones are added."""
    numbers = {name: number for number, name in _series_names(connection, run_id).items()}
    names = dict.fromkeys(name for one in snapshots for name in one.metrics)
    new = [name for name in names if name not in numbers]
    added = {name: len(numbers) + place for place, name in enumerate(new)}
    if added:
        rows = [{"run_id": run_id, "id": number, "name": name} for name, number in added.items()]
        connection.execute(tables.series.insert(), rows)
    return numbers | added
