"""Published accuracies beside a search, where a table fits its space."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.studio import Studio
from engine.data.truth_table import load_truth_table
from engine.domain.errors import DataError, InvalidGenotype, StudioError
from engine.domain.run import Run
from engine.domain.snapshot import Series, Snapshot
from engine.domain.space import SearchSpace
from engine.domain.truth import Truth, TruthTable

TRUE_ACCURACY, TRUE_RANK = "true_accuracy", "true_rank"


@dataclass(frozen=True)
class EpochTruth:
    """What was published about the cell derived at the end of an epoch.

    Attributes:
        epoch: Completed epochs.
        step: The step of its end.
        truth: The published figures; None where the table does not apply.
        why: The sentence why not.
    """

    epoch: int
    step: int
    truth: Truth | None
    why: str | None = None


@dataclass(frozen=True)
class TruthTables:
    """The tables that are at hand: files named one by one, and those in a folder.

    A file is read again when it has changed.
    """

    files: tuple[Path, ...] = ()
    folder: Path | None = None

    def paths(self) -> list[Path]:
        """All files that may hold a table, in a fixed order."""
        found = sorted(self.folder.glob("*.npz")) if self.folder is not None else []
        return [*self.files, *found]

    def fitting(self, space: SearchSpace) -> TruthTable | None:
        """The first table whose cells are those of the space; broken ones are passed over."""
        for path in self.paths():
            try:
                table = read_table(path)
            except DataError:
                continue
            if table.fits(space):
                return table
        return None

    def problems(self) -> list[str]:
        """Why files could not be read, a sentence each."""
        return [problem for path in self.paths() if (problem := _problem(path))]


def read_table(path: Path) -> TruthTable:
    """The table in a file, kept in memory until the file changes.

    Raises:
        DataError: There is none, or it is of another layout.
    """
    try:
        status = path.stat()
    except OSError:
        return load_truth_table(path)
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _modified_ns: int, _size: int) -> TruthTable:
    return load_truth_table(path)


def _problem(path: Path) -> str | None:
    try:
        read_table(path)
    except DataError as error:
        return str(error)
    return None


def truth_of_epochs(
    table: TruthTable, space: SearchSpace, epochs: Iterable[Snapshot]
) -> list[EpochTruth]:
    """What was published about the cells derived at the ends of epochs."""
    return [_truth_of(table, space, snapshot) for snapshot in epochs if snapshot.derived]


def truth_of_run(studio: Studio, run_id: int, table: TruthTable) -> list[EpochTruth]:
    """The same for all epochs of a run.

    Raises:
        InvalidGenotype: The run's space is not the table's, or the table
            applies to no epoch.
        NotFound: No engine has published the run's space yet.
    """
    run = studio.run(run_id)
    space = studio.space(run)
    if not table.fits(space):
        table.lookup(space, {kind: (0,) * len(space.edges) for kind in space.cell_kinds})
    found = truth_of_epochs(table, space, studio.snapshots(run_id, epochs_only=True))
    if found and all(entry.truth is None for entry in found):
        raise InvalidGenotype(
            asked=f"the published accuracy of run {run_id}",
            found=f"no epoch with a cell of the table ({_first_reason(found)})",
            allowed="cells with one operation an edge",
            advice="search with derivation_draws = 1 in scope edge",
        )
    return found


def truth_series(
    tables: TruthTables, studio: Studio, run: Run, epochs: Sequence[Snapshot]
) -> list[Series]:
    """Published accuracy and rank over time as metrics; empty without a table that fits."""
    if not epochs or not tables.paths() or run.config.purpose != "search":
        return []
    try:
        space = studio.space(run)
    except StudioError:
        return []
    table = tables.fitting(space)
    if table is None:
        return []
    known = [(e.step, e.truth) for e in truth_of_epochs(table, space, epochs) if e.truth]
    steps = [step for step, _ in known]
    return [
        Series(TRUE_ACCURACY, steps, [truth.test_accuracy for _, truth in known]),
        Series(TRUE_RANK, steps, [float(truth.rank) for _, truth in known]),
    ]


def _truth_of(table: TruthTable, space: SearchSpace, snapshot: Snapshot) -> EpochTruth:
    try:
        truth = table.lookup(space, snapshot.derived or {})
    except InvalidGenotype as error:
        return EpochTruth(snapshot.epoch, snapshot.step, None, error.found)
    return EpochTruth(snapshot.epoch, snapshot.step, truth)


def _first_reason(found: Sequence[EpochTruth]) -> str:
    return next(entry.why for entry in found if entry.why) or ""
