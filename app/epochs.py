"""The ends of a run's epochs, read once for all pages that ask for them.

They never change within an attempt, so that only those that are new since the
last question come from the database.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from app.studio import Studio
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot

MOST_RUNS = 8


@dataclass
class Ends:
    """What is known of the ends of a run's epochs, with at most as many runs as ``MOST_RUNS``."""

    _known: OrderedDict[tuple[int, str, int], tuple[Snapshot, ...]] = field(
        default_factory=OrderedDict
    )
    _lock: Lock = field(default_factory=Lock)

    def of(self, studio: Studio, run: Run) -> tuple[Snapshot, ...]:
        """The snapshots at the ends of all epochs so far, in order."""
        key = (id(studio), run.uid, run.attempt)
        with self._lock:
            known = self._known.pop(key, ())
            last = known[-1].step if known else -1
            known += tuple(studio.snapshots(run.id, after=last, epochs_only=True))
            self._known[key] = known
            if len(self._known) > MOST_RUNS:
                self._known.popitem(last=False)
        return known


_ends = Ends()


def ends_of_epochs(studio: Studio, run: Run) -> tuple[Snapshot, ...]:
    """The snapshots at the ends of all epochs so far, in order."""
    return _ends.of(studio, run)
