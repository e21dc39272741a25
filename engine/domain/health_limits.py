"""Every threshold of the judgement on a search, with its source.

Sources: "acceptance" is a rule that the project set itself; "recordings" are
the searches in ``app/example`` and ``tests/engine/domain/recordings``; "probes"
are fourteen searches on digits and CIFAR-10 whose cells were followed over
time. ``engine.domain.diagnosis.examine`` is a pure function of recorded epochs,
so every value here can be calibrated on recorded searches.
"""

WINDOW_SHARE = 0.1
"""Share of the planned epochs over which trends and stability are measured (acceptance)."""

FEWEST_POINTS = 3
"""Epochs that such a window has at least: two points give a slope, a third one can contradict."""

FEWEST_EPOCHS = 2 * FEWEST_POINTS
"""Epochs below which a search is too short: its window must not exceed half of it."""

FEWEST_DRAWS = 10
"""Times that an operation should be drawn. Its weights train only then; in the recordings of
searches that decided, each of them was drawn 31 times or more."""

UNDECIDED_ENTROPY = 0.7
"""Mean normalised entropy above which a search has not decided (acceptance). Seven equally likely
operations of a row of 16, as many as M = 7 can keep, have an entropy of 0.70."""

HARDLY_MOVED = 0.97
"""Entropy from which a row is as good as uniform (recordings: 1.00 with an alpha that hardly
learns, 0.93 after 3 of 20 epochs with one that does)."""

CONVERGING = 0.01
"""Fall of the entropy per tenth of the search from which choices are getting clearer: at this
pace a whole search lowers it by 0.1 (recordings: 0.02 to 0.1 in searches that decide)."""

STEADY = 0.7
"""Share of the kept operations that stay over the window of a search that has decided
(recordings: 0.82 to 0.94 once decided, 0.47 to 0.60 while undecided). One operation of six that
is exchanged leaves 5 of 7, just above."""

HALF = 0.5
"""Share of the search before which nothing is called a collapse: skips and inputs often lead while
the weights are young, and recover (recordings)."""

SKIP_SHARE = 0.6
"""Share of skips among the kept operations from which they dominate. The published M = 4 cells
have up to 0.58 in one cell and 0.44 in both together."""

DRIFT = 0.25
"""Share of the way from uniform to everything on the older input from which it is reported
(probes: 0.04 in scope edge, 0.43 or more in scope node)."""

ALL_ON_OLDER = 0.7
"""Share of the same way that counts as everything (probes: 0.72 to 0.93 in the searches in which
almost nothing read c_{k-1}, at most 0.45 in the one with a slow alpha)."""

NONE_SHARE = 0.5
"""Mean probability of ``none`` in a row that is worth a look: more than all operations together."""

LARGE_GAP = 5.0
"""Points of error between child and supernet that are worth a look."""

FALLEN = 3.0
"""Points below its best from which the child's figure has fallen."""

DEEP_ENOUGH = 3
"""Nodes from which a cell of depth 1 is called shallow."""
