"""Machines with an engine, and the catalogue that engines publish."""

from datetime import timedelta

from sqlalchemy import Connection, and_, delete, select
from sqlalchemy import update as sql_update

from engine.domain.catalog import Catalog
from engine.domain.ports import Node
from engine.domain.run import Run
from engine.domain.space import SearchSpace
from storage import mapping, refusals, tables
from storage.spaces import space_in
from storage.sql.room import Room, upsert_into

machines = tables.node


class Machines(Room):
    """The part of :class:`~engine.domain.ports.RunStore` that is about engines."""

    def register_node(self, node: Node, *, stale_seconds: float) -> None:
        """See :class:`RunStore`."""
        stale = mapping.micros(node.heartbeat_at - timedelta(seconds=stale_seconds))
        free = (machines.c.process == node.process) | (machines.c.heartbeat_us <= stale)
        columns = mapping.node_columns(node)
        with self.database.write() as connection:
            statement = upsert_into(connection, machines, columns, where=free)
            if connection.execute(statement.returning(machines.c.name)).first() is None:
                raise _taken(connection, node.name)

    def beat_node(self, name: str, process: str) -> None:
        """See :class:`RunStore`.

        Raises:
            EngineAlreadyRunning: Another process has taken the node.
            NotFound: Nobody has registered it.
        """
        mine = and_(machines.c.name == name, machines.c.process == process)
        with self.database.write() as connection:
            beat = sql_update(machines).where(mine).values(heartbeat_us=self.now())
            if connection.execute(beat).rowcount == 0:
                raise _taken(connection, name)

    def release_node(self, name: str, process: str) -> None:
        """See :class:`RunStore`."""
        with self.database.write() as connection:
            mine = and_(machines.c.name == name, machines.c.process == process)
            connection.execute(delete(machines).where(mine))

    def nodes(self) -> list[Node]:
        """See :class:`RunStore`."""
        with self.database.read() as connection:
            rows = connection.execute(select(machines).order_by(machines.c.name)).mappings()
            return [mapping.node_of(row) for row in rows]

    def publish(self, catalog: Catalog) -> None:
        """See :class:`RunStore`."""
        columns = {"id": 1, "content": mapping.catalog_text(catalog)}
        with self.database.write() as connection:
            connection.execute(upsert_into(connection, tables.catalog, columns))

    def catalog(self) -> Catalog | None:
        """See :class:`RunStore`."""
        with self.database.read() as connection:
            content = connection.scalar(select(tables.catalog.c.content))
        return None if content is None else mapping.catalog_of(content)

    def space_of(self, run: Run) -> SearchSpace | None:
        """See :class:`RunStore`."""
        return space_in(self.catalog(), run.config)


def _taken(connection: Connection, name: str) -> Exception:
    row = connection.execute(select(machines).where(machines.c.name == name)).mappings().first()
    if row is None:
        return refusals.no_such_node(name)
    other = mapping.node_of(row)
    return refusals.node_taken(name, other.process, other.heartbeat_at)
