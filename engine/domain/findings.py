"""What is wrong with a search: each finding has a sentence and an advice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, exp, log

from engine.domain.config import SearchConfig
from engine.domain.draws import inclusion
from engine.domain.epoch_facts import EpochFacts
from engine.domain.health import (
    CellTopology,
    Finding,
    Health,
    Verdict,
    cell_label,
)
from engine.domain.health_limits import (
    ALL_ON_OLDER,
    CONVERGING,
    DEEP_ENOUGH,
    DRIFT,
    FALLEN,
    FEWEST_DRAWS,
    FEWEST_EPOCHS,
    HALF,
    HARDLY_MOVED,
    LARGE_GAP,
    NONE_SHARE,
    SKIP_SHARE,
    STEADY,
    UNDECIDED_ENTROPY,
    WINDOW_SHARE,
)
from engine.domain.metrics import main_figure
from engine.domain.snapshot import Snapshot
from engine.domain.space import SearchSpace, in_line

LONGER = "Search for more epochs."
FASTER = "Raise the learning rate of alpha, or search for more epochs."


@dataclass(frozen=True)
class Evidence:
    """What the findings are read from.

    Attributes:
        space: The search space.
        config: The settings.
        epochs: Snapshots at the ends of all epochs so far.
        now: The last of them, read.
        window: Those of the last tenth of the search in which alpha moved, read.
        is_full: Whether the window has all its epochs.
        done: Share of the planned search that is over, warm-up aside.
        measured: All figures, before the judgement.
    """

    space: SearchSpace
    config: SearchConfig
    epochs: Sequence[Snapshot]
    now: EpochFacts
    window: Sequence[EpochFacts]
    is_full: bool
    done: float
    measured: Health

    @property
    def is_over(self) -> bool:
        """Whether the search has ended."""
        return self.measured.is_over

    @property
    def is_short(self) -> bool:
        """Whether the search has, or is planned with, too few epochs to be judged."""
        epochs = self.now.epoch if self.is_over else self.config.epochs
        return epochs < self.needed_epochs

    @property
    def needed_epochs(self) -> int:
        """Epochs that a search with these settings needs, warm-up included."""
        per_epoch = self.steps_per_epoch * chance_to_be_drawn(self.space, self.config)
        searching = FEWEST_EPOCHS + self.config.alpha_warmup_epochs
        return max(searching, ceil(FEWEST_DRAWS / per_epoch))

    @property
    def steps_per_epoch(self) -> float:
        """Weight updates per epoch."""
        return self.now.step / self.now.epoch

    @property
    def may_collapse(self) -> bool:
        """Whether a sign of collapse can be called one by now.

        Not before half of the search, and not while the probabilities say
        nothing: what is then derived is an accident.
        """
        is_late = self.is_full and (self.is_over or self.done >= HALF)
        return is_late and not self.is_short and self.measured.entropy < HARDLY_MOVED


def find(evidence: Evidence) -> Iterator[Finding]:
    """Everything that is wrong.

    Before the first window is full, only what is certain: a search that is too
    short, and the architecture of one that is over.
    """
    yield from _too_short(evidence)
    if evidence.is_full or evidence.is_over:
        yield from _dead(evidence)
        yield from _empty(evidence)
        yield from _sources(evidence)
        yield from _skips(evidence)
        yield from _undecided(evidence)
    if evidence.is_full:
        yield from _pace(evidence)
        yield from _none(evidence)
        yield from _figures(evidence)


def shows_collapse(space: SearchSpace, facts: EpochFacts) -> bool:
    """Whether an epoch has a sign of collapse: dead cells, skips, or one input only."""
    return (
        facts.dead.cells > 0
        or facts.skip_share >= SKIP_SHARE
        or any(_excess(space, cell) >= ALL_ON_OLDER for cell in facts.cells)
    )


def slope(values: Sequence[float]) -> float:
    """Change per step of the line that fits equally spaced values best (least squares)."""
    middle = (len(values) - 1) / 2
    mean = sum(values) / len(values)
    above = sum((x - middle) * (y - mean) for x, y in enumerate(values))
    return above / sum((x - middle) ** 2 for x in range(len(values)))


# Length


def _too_short(evidence: Evidence) -> Iterator[Finding]:
    """Judged by what is planned, or by what there is once the search is over."""
    if not evidence.is_short:
        return
    config = evidence.config
    epochs = evidence.now.epoch if evidence.is_over else config.epochs
    searching = max(0, epochs - config.alpha_warmup_epochs)
    steps = round(epochs * evidence.steps_per_epoch)
    drawn = steps * chance_to_be_drawn(evidence.space, config)
    text = (
        f"{_count(searching, 'epoch')} of search {'is' if searching == 1 else 'are'} too few."
        if searching < FEWEST_EPOCHS
        else f"In {steps:,} steps each operation is drawn only about {drawn:.0f} times."
    )
    advice = f"Search for at least {evidence.needed_epochs:,} epochs."
    yield Finding(Verdict.SHORT, text, advice)


def chance_to_be_drawn(space: SearchSpace, config: SearchConfig) -> float:
    """Probability that a step trains a given operation of the longest row, at uniform."""
    if config.method == "darts":
        return 1.0
    return inclusion(1 / _longest_row(space, config), config.draws)


def _longest_row(space: SearchSpace, config: SearchConfig) -> int:
    return max(len(edges) for edges in space.rows(config.scope)) * len(space.operations)


# Decidedness


def _undecided(evidence: Evidence) -> Iterator[Finding]:
    """Only at the end: until then the search is still deciding."""
    measured = evidence.measured
    if not evidence.is_over:
        return
    if measured.entropy > UNDECIDED_ENTROPY:
        yield Finding(
            Verdict.UNDECIDED,
            f"The mean entropy ended at {measured.entropy:.2f}; choices are clear from "
            f"{UNDECIDED_ENTROPY:.2f} down.",
            _more_movement(evidence),
        )
    if measured.steady is not None and measured.steady < STEADY:
        yield Finding(
            Verdict.UNDECIDED,
            f"Only {measured.steady:.0%} of the kept operations stayed the same over the last "
            f"{_count(len(evidence.window), 'epoch')}.",
            "Search for more epochs, or let the learning rate of alpha fall (cosine).",
        )


def _pace(evidence: Evidence) -> Iterator[Finding]:
    """Where the entropy would end at the present pace, from half of the search on."""
    measured = evidence.measured
    if evidence.is_over or evidence.done < HALF or measured.trend is None:
        return
    left = (1 - evidence.done) / WINDOW_SHARE
    ahead = min(measured.entropy, measured.entropy + left * measured.trend)
    if ahead >= HARDLY_MOVED and measured.trend > -CONVERGING:
        yield Finding(
            Verdict.STUCK,
            f"After {measured.epoch} of {measured.epochs} epochs the probabilities have hardly "
            f"moved: entropy {measured.entropy:.3f}, 1 is uniform.",
            _more_movement(evidence),
        )
    elif ahead > UNDECIDED_ENTROPY:
        yield Finding(
            Verdict.WATCH,
            f"At this pace the search will end undecided: entropy {measured.entropy:.2f} now, "
            f"about {max(ahead, 0.0):.2f} at the end.",
            _more_movement(evidence),
        )


def _more_movement(evidence: Evidence) -> str:
    """Advice for a search that does not decide: whether alpha could move far enough at all.

    A step of Adam moves a logit by about the learning rate, so a lead can grow
    by twice that.
    """
    config = evidence.config
    steps = round(evidence.steps_per_epoch * (config.epochs - config.alpha_warmup_epochs))
    mean_rate = config.alpha_learning_rate * (
        1.0 if config.alpha_learning_rate_schedule == "constant" else 0.5
    )
    reach = 2 * mean_rate * steps
    wanted = clear_lead(_longest_row(evidence.space, config))
    if reach >= wanted:
        trend = evidence.measured.trend
        return LONGER if trend is not None and trend <= -CONVERGING else FASTER
    rate = config.alpha_learning_rate * wanted / reach
    return (
        f"In {steps:,} steps alpha can gain a lead of {reach:.2g}, and a clear choice takes about "
        f"{wanted:.1f}: set its learning rate to {rate:.1g} or higher, or search longer."
    )


def clear_lead(items: int) -> float:
    """Logit lead of one item over equal others that gives a row the entropy of a clear choice.

    Found by bisection; the entropy falls with the lead.

    Args:
        items: Items of the row, at least 2.
    """
    low, high = 0.0, 50.0
    for _ in range(60):
        lead = (low + high) / 2
        others = (items - 1) * exp(-lead)
        total = 1 + others
        nats = log(total) + lead * others / total
        low, high = (lead, high) if nats / log(items) > UNDECIDED_ENTROPY else (low, lead)
    return high


# Topology


def _dead(evidence: Evidence) -> Iterator[Finding]:
    dead = evidence.now.dead
    if not dead.operations and not dead.cells:
        return
    if not dead.cells:
        yield Finding(
            Verdict.WATCH,
            f"{dead.operations} of {_count(dead.of_operations, 'operation')} "
            f"{'is' if dead.operations == 1 else 'are'} dead, on no path from the input to the "
            "scores.",
            _leave_out(evidence),
        )
        return
    lasting = evidence.is_over or all(one.dead.cells for one in evidence.window)
    is_collapse = evidence.may_collapse and lasting
    unread = " or the ".join(cell_label(kind) for kind in dead.unread_kinds)
    why = f": nothing in the {unread} reads {_last_input(evidence.space)}" if unread else ""
    cells = f"{dead.cells} of {_count(dead.of_cells, 'cell')}"
    yield Finding(
        Verdict.COLLAPSED if is_collapse else Verdict.WATCH,
        f"{cells} {'is' if dead.cells == 1 else 'are'} dead{why}."
        if evidence.is_over or is_collapse
        else f"{cells} would be dead if the search ended now{why}.",
        _leave_out(evidence),
    )


def _leave_out(evidence: Evidence) -> str:
    """Advice against dead parts."""
    if not evidence.config.sound:
        return "Search again with sound = true, which derives connected cells only."
    return "Lift bans, or derive with the rule of the search."


def _empty(evidence: Evidence) -> Iterator[Finding]:
    for cell in evidence.now.cells:
        for node in cell.empty_nodes:
            yield Finding(
                Verdict.WATCH,
                f"Node {node} of the {cell_label(cell.kind)} keeps no operation, so it is zero.",
                _leave_out(evidence),
            )


def _sources(evidence: Evidence) -> Iterator[Finding]:
    """A drift to the older input, else cells that are one operation deep."""
    drifting = [
        number
        for number, cell in enumerate(evidence.now.cells)
        if _excess(evidence.space, cell) >= DRIFT
    ]
    if drifting:
        yield _older(evidence, drifting)
    shallow = [
        cell_label(cell.kind)
        for number, cell in enumerate(evidence.now.cells)
        if number not in drifting and cell.shape.depth == 1
    ]
    if shallow and evidence.space.nodes >= DEEP_ENOUGH:
        yield Finding(
            Verdict.WATCH,
            f"The {' and the '.join(shallow)} {'is' if len(shallow) == 1 else 'are'} one operation "
            "deep: nodes read nothing but the inputs.",
            "Shallow cells learn fast and rarely end best; compare with a search with "
            f"{_other_settings(evidence.config)}.",
        )


def _older(evidence: Evidence, drifting: Sequence[int]) -> Finding:
    """How far the probability of some cell kinds has moved to the older input."""
    space, cells = evidence.space, [evidence.now.cells[number] for number in drifting]
    excesses = [
        max(_excess(space, one.cells[number]) for number in drifting) for one in evidence.window
    ]
    rising = len(excesses) > 1 and slope(excesses) > 0 and not evidence.is_over
    lasting = evidence.may_collapse and min(excesses) >= ALL_ON_OLDER
    shares = " and ".join(
        f"{cell.sources[0].share:.0%} of the probability in the {cell_label(cell.kind)}"
        if cell is cells[0]
        else f"{cell.sources[0].share:.0%} in the {cell_label(cell.kind)}"
        for cell in cells
    )
    older = cells[0].sources[0]
    name = "first state" if space.skeleton == "recurrent" else "older input"
    return Finding(
        Verdict.COLLAPSED if lasting else Verdict.WATCH,
        f"{shares} {'is' if len(cells) == 1 else 'are'} on the {name} {in_line(older.source)}"
        f"{', and rising' if rising else ''} (uniform: {older.uniform:.0%}).",
        f"Compare with a search with {_other_settings(evidence.config)}.",
    )


def _excess(space: SearchSpace, cell: CellTopology) -> float:
    """Share of the way from uniform to everything on the older input; 0 where there is none.

    The older input is the first source: c_{k-2}, or s_0 of a recurrent cell.
    """
    if space.inputs == 1 and space.skeleton != "recurrent":
        return 0.0
    older = cell.sources[0]
    return (older.share - older.uniform) / (1 - older.uniform) if older.uniform < 1 else 0.0


def _other_settings(config: SearchConfig) -> str:
    """Settings that make a search explore more than it did."""
    other = ["scope = source"] if config.scope == "node" else []
    if config.update == "alternating":
        other.append("update = joint")
    return " or ".join([*other, "more draws"])


def _last_input(space: SearchSpace) -> str:
    return in_line(space.source_label(space.inputs - 1))


def _skips(evidence: Evidence) -> Iterator[Finding]:
    """Skips lead early in many good searches, since other operations have young weights."""
    share = evidence.now.skip_share
    if share < SKIP_SHARE:
        return
    text = f"{share:.0%} of the kept operations are skips"
    if evidence.may_collapse and min(one.skip_share for one in evidence.window) >= SKIP_SHARE:
        yield Finding(
            Verdict.COLLAPSED,
            f"{text}, for {_count(len(evidence.window), 'epoch')} or more.",
            f"Compare with a search with {_other_settings(evidence.config)}.",
        )
    else:
        yield Finding(
            Verdict.WATCH,
            f"{text}.",
            "Compare with an earlier epoch."
            if evidence.is_over
            else "Wait: this is usual while the weights are young.",
        )


def _none(evidence: Evidence) -> Iterator[Finding]:
    share = evidence.measured.none_share
    if share < NONE_SHARE:
        return
    yield Finding(
        Verdict.WATCH,
        f"`none` holds {share:.0%} of the probability of a row on average.",
        "Set gradient = exact or probed: with sampled, `none` attracts."
        if evidence.config.gradient == "sampled"
        else "Ban `none`, or search for more epochs.",
    )


# Figures


def _figures(evidence: Evidence) -> Iterator[Finding]:
    main = main_figure(evidence.config.task)
    if not main.gap_unit:
        return
    gap = evidence.now.metrics.get("gap")
    if gap is not None and gap >= LARGE_GAP:
        yield Finding(
            Verdict.WATCH,
            f"The derived network makes {gap:.1f} points more errors than the supernet.",
            "Derive with the draws and the scope of the search, or search until the entropy falls.",
        )
    name = f"child_{main.name}"
    scores = [one.metrics[name] for one in evidence.epochs if name in one.metrics]
    fallen = max(scores) - scores[-1] if scores else 0.0
    if len(scores) > len(evidence.window) and fallen >= FALLEN:
        yield Finding(
            Verdict.WATCH,
            f"The child's {main.label} is {fallen:.1f} points below its best.",
            "Look at the curves: the learning rate may be too high, or the architecture worse.",
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
