"""The runs in an SQL database: SQLite or PostgreSQL."""

from engine.domain.ports import Clock
from storage.migrations import migrate
from storage.session import connect
from storage.sql.changes import ChangeRows
from storage.sql.history import History
from storage.sql.jobs import JobRows
from storage.sql.machines import Machines
from storage.sql.runs import RunRows


class SqlStore(RunRows, ChangeRows, History, Machines, JobRows):
    """A :class:`~engine.domain.ports.RunStore` in an SQL database.

    Args:
        address: ``sqlite:///PATH`` or ``postgresql://…``.
        clock: Source of all instants that the store writes by itself.

    Raises:
        InvalidConfig: The address is not one of a supported database.
        UnsafeDatabase: It lies where it cannot be kept safe, or is not ours.
        NewerDatabase: A later version of the studio wrote it.
    """

    def __init__(self, address: str, clock: Clock) -> None:
        super().__init__(connect(address), clock)
        migrate(self.database)

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()
