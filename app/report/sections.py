"""The parts of a report, each a function from facts to markup; empty where there is nothing."""

from app.components.curves import Chart, charts_of, training_charts
from app.components.topology_charts import topology_charts
from app.costs import part_words
from app.figures.line_chart import PlottedLine, line_chart
from app.health_text import measures, topology_lines
from app.html_file import Html, day, escaped, figure_list, joined, summary_words, table
from app.report.facts import Facts
from app.trainings import found_by
from app.widgets import duration
from engine.data.summaries import Summary, TextSummary
from engine.domain.blocks import shares
from engine.domain.genotype import to_darts
from engine.domain.metrics import main_figure, metric
from engine.domain.snapshot import Series
from engine.export.svg import draw_svg

LEFT_OUT = frozenset({"Loss", "Temperature"})
"""Charts of a search that a page has and a report has not, by title."""

FEW_POINTS = 60
"""Points up to which each gets a dot."""

DEAREST_PARTS = 3
EXACT_BELOW = 10**8
"""Counts from here on are told in millions."""


def heading(facts: Facts) -> Html:
    """What was run, in which state, on which data."""
    run = facts.run
    kind = "search" if facts.is_search else "training from scratch"
    ended = f' <span class="whole">Ended {day(run.ended_at)}.</span>' if run.ended_at else ""
    parts = [
        f'<p class="kind"><span>EGS Studio · report of a {kind}</span>'
        f"<span>run {run.id} · written {day(facts.written_at)}</span></p>",
        f"<h1>{escaped(run.name)}</h1>",
        f'<p class="lead">{escaped(summary_words(run))}{ended}</p>',
        f"<p>{escaped(task_words(facts))}</p>",
    ]
    if run.error:
        parts.append(f'<p class="problem"><b>It failed.</b> {escaped(run.error)}</p>')
    if run.tags:
        parts.append(f"<p>Tags: {escaped(', '.join(run.tags))}</p>")
    if run.notes:
        parts.append(f'<p class="notes">{escaped(run.notes)}</p>')
    return Html(f"<header>{joined(parts)}</header>")


def task_words(facts: Facts) -> str:
    """Task and data, in a sentence."""
    task, catalog = facts.run.config.task, facts.catalog
    labels = {card.name: card.label for card in catalog.tasks} if catalog else {}
    label = labels.get(task, task.replace("_", " ").capitalize())
    found = ", not loaded yet" if facts.data is None else f": {data_words(facts.data)}"
    return f"{label} on {facts.run.config.data}{found}."


def data_words(data: Summary) -> str:
    """What the data turned out to be, split by split."""
    splits = (
        f"{data.train:,} {{}} for training, {data.validation:,} for validation, "
        f"{data.test:,} for the test"
    )
    if isinstance(data, TextSummary):
        return f"{splits.format(f'{data.tokens}s')}; a vocabulary of {data.vocabulary:,}"
    colour = "colour" if data.in_channels == 3 else "grey"
    size = f"{data.height}×{data.width} pixels, {colour}"
    return f"{splits.format(data.kind)}; {data.classes} classes, {size}"


def figures(facts: Facts) -> Html:
    """The key figures, with what is not measured as a dash."""
    return figure_list(key_figures(facts))


def key_figures(facts: Facts) -> dict[str, str]:
    """Key figures as people read them, by label."""
    main, measured = main_figure(facts.run.config.task), facts.measured
    if facts.is_search:
        reached = {
            f"Child {main.label}": main.text(measured.get(f"child_{main.name}")),
            f"Supernet {main.label}": main.text(measured.get(f"supernet_{main.name}")),
            "Gap": main.gap_text(measured.get("gap")),
        }
    else:
        reached = {
            f"Test {main.label}": main.text(measured.get(f"test_{main.name}")),
            f"Validation {main.label}": main.text(measured.get(f"validation_{main.name}")),
        }
    total = facts.cost.total if facts.cost else None
    return {
        **reached,
        "Parameters": count_text(total.parameters) if total else "–",
        "Multiply-adds": count_text(total.multiply_adds) if total else "–",
        "Training time": duration(facts.run.progress.seconds),
    }


def count_text(count: int) -> str:
    """A large number: exact while it can be read."""
    return f"{count:,}" if count < EXACT_BELOW else f"{count / 1e6:,.1f} M"


def figures_note(facts: Facts) -> Html:
    """What the key figures are of, in two sentences."""
    main = main_figure(facts.run.config.task)
    if not facts.epochs:
        return Html("<p>Nothing has been measured yet: no epoch has ended.</p>")
    epoch = facts.epochs[-1].epoch
    if facts.is_search:
        words = (
            f"At the end of epoch {epoch}, on validation {main.of}; the child is the derived "
            "network with the supernet's weights, and the gap is its error minus the supernet's. "
        )
    else:
        words = (
            f"At the end of epoch {epoch}; the test {main.of} were looked at once, after the "
            "last one. "
        )
    return Html(
        f"<p>{escaped(words)}Parameters and multiply-adds of one input are those of the "
        "architecture below in this run's own network.</p>"
    )


def health(facts: Facts) -> Html:
    """The verdict on the search, what it rests on, and what to do."""
    if not facts.is_search:
        return Html("")
    if facts.health is None:
        told = "no epoch has ended, or the search has no probabilities to judge."
        return section("Health", f"<p>No verdict: {told}</p>")
    known = facts.health
    parts = [
        f"<p><b>{escaped(known.verdict.label)}.</b> {escaped(known.headline)}</p>",
        f"<p>{escaped(measures(known))}.</p>",
        *(f"<p>{escaped(line)}.</p>" for line in topology_lines(known)),
    ]
    if known.findings:
        items = (
            f"<li><b>{escaped(_unmarked(one.text))}</b> {escaped(_unmarked(one.advice))}</li>"
            for one in known.findings
        )
        parts.append(f"<ul>{joined(items)}</ul>")
    return section("Health", joined(parts), kind="unbroken")


def _unmarked(text: str) -> str:
    """A sentence without the marks of code."""
    return text.replace("`", "")


def curves(facts: Facts) -> Html:
    """The charts that have a point: the first over the whole width, the others side by side."""
    task = facts.run.config.task
    if facts.is_search:
        known = tuple(chart for chart in charts_of(task) if chart.title not in LEFT_OUT)
        if facts.space is not None:
            known += topology_charts(facts.space, facts.run.search)
    else:
        known = training_charts(task)
    drawn = [chart for chart in known if any(_series(facts, one.metric) for one in chart.lines)]
    if not drawn:
        return section("Curves", "<p>No figure has been recorded yet.</p>")
    first, *rest = (_figure(facts, chart, n) for n, chart in enumerate(drawn))
    return section("Curves", f'{first}<div class="pair">{joined(rest)}</div>')


def _figure(facts: Facts, chart: Chart, number: int) -> Html:
    lines = [
        PlottedLine(
            one.label,
            one.colour,
            [epoch_of(facts, step) for step in found.steps],
            found.values,
            marked=len(found.steps) <= FEW_POINTS,
        )
        for one in reversed(chart.lines)
        if (found := _series(facts, one.metric))
    ]
    picture = line_chart(
        lines,
        key=f"chart-{number}",
        title=f"{chart.title} over the epochs",
        description=" ".join((chart.note, *map(line_words, lines))),
        x_label="epoch" if facts.run.progress.total_steps else "step",
        y_label=f"{chart.title} ({chart.unit})" if chart.unit else chart.title,
        width=680 if number == 0 else 360,
        height=215 if number == 0 else 205,
    )
    return Html(f"<figure>{picture}<figcaption>{escaped(chart.note)}</figcaption></figure>")


def _series(facts: Facts, name: str) -> Series | None:
    found = facts.series.get(name)
    return found if found and found.values else None


def epoch_of(facts: Facts, step: int) -> float:
    """A step in epochs; as it is where their length is not known."""
    progress, epochs = facts.run.progress, facts.run.config.epochs
    return step * epochs / progress.total_steps if progress.total_steps else float(step)


def line_words(line: PlottedLine) -> str:
    """Where a line begins and where it ends, for people who cannot see it."""
    return f"{line.label.capitalize()}: from {line.ys[0]:.4g} to {line.ys[-1]:.4g}."


def architecture(facts: Facts) -> Html:
    """The cells as a picture, and their genotype."""
    title = "The architecture it derives" if facts.is_search else "The architecture"
    if facts.genotype is None:
        return section(title, "<p>There is none yet: nothing has been recorded.</p>")
    parts = [f"<p>{escaped(rule_words(facts))}</p>"]
    if facts.catalog is not None:
        cells = facts.run.config.cells
        picture = draw_svg(facts.genotype, facts.catalog, cells, stacked=True).decode()
        drawing = picture.partition("?>")[2].strip()
        parts.append(f'<figure class="cells">{drawing}</figure>')
    if facts.dead:
        parts.append(f"<p>{escaped(' '.join(facts.dead))}</p>")
    parts.append(f"<h3>Genotype</h3><pre>{escaped(to_darts(facts.genotype))}</pre>")
    return section(title, joined(parts), kind="architecture")


def rule_words(facts: Facts) -> str:
    """How the architecture came about, in a sentence."""
    genotype = facts.genotype
    if genotype is None or genotype.rule is None:
        drawn = facts.is_search and not facts.run.search.derives
        return "The best of the random cells." if drawn else "It was given as it is."
    rule = genotype.rule
    step = genotype.lineage.get("step")
    at = f" from the probabilities of step {step:,}" if isinstance(step, int) else ""
    return f"Derived{at} by the rule {rule.name} with M = {rule.draws} in scope {rule.scope}."


def costs(facts: Facts) -> Html:
    """The parts of the network that take most of the compute."""
    if facts.cost is None:
        return Html("")
    total, found = facts.cost.total, shares(facts.cost.parts)
    rows = [
        (
            part_words(facts.catalog, one.name),
            one.uses,
            f"{one.cost.parameters:,}",
            f"{one.cost.multiply_adds:,}",
            f"{100 * one.cost.multiply_adds / (total.multiply_adds or 1):.1f} %",
        )
        for one in found[:DEAREST_PARTS]
    ]
    whole = ("Whole network", "", f"{total.parameters:,}", f"{total.multiply_adds:,}", "100 %")
    head = ("Part", "Uses", "Parameters", "Multiply-adds", "Of all")
    said = (
        f"The {len(rows)} dearest of {len(found)} kinds of parts, by multiply-adds of one input. "
        "Convolutions and linear layers count; pooling, normalisation and activations add none."
    )
    body = f"<p>{said}</p>{table(head, [*rows, whole], kind='numbers total')}"
    return section("Where the cost goes", body, kind="unbroken")


def origin(facts: Facts) -> Html:
    """Of a training: where its architecture comes from, and the other seeds of it."""
    if facts.is_search:
        return Html("")
    parts = [f"<p>{escaped(origin_sentence(facts))}</p>"]
    if len(facts.trainings) > 1:
        parts.append(f"<h3>All seeds</h3>{_trainings(facts)}")
    if facts.trainings:
        parts.append(f"<p>{escaped(facts.tested)}</p>")
    return section("Where it comes from", joined(parts))


def origin_sentence(facts: Facts) -> str:
    """Which search found what is trained."""
    if facts.origin is None:
        if found_by(facts.run.config):
            return "The search that found this architecture is not among the runs."
        return "This architecture was given as a file."
    step = facts.genotype.lineage.get("step") if facts.genotype else None
    at = f" at step {step:,}" if isinstance(step, int) else ""
    return f"Found by {facts.origin.name} (run {facts.origin.id}){at}."


def trainings(facts: Facts) -> Html:
    """Of a search: the trainings of what it found."""
    if not facts.is_search or not facts.trainings:
        return Html("")
    said = "<p>Each was tested once, after its last epoch.</p>"
    return section("Trained from scratch", f"{said}{_trainings(facts)}")


def _trainings(facts: Facts) -> Html:
    rows = []
    for run in facts.trainings:
        part, main = run.progress.score_name, main_figure(run.config.task)
        reached = f"{metric(part).label} {main.text(run.progress.score)}" if part else "–"
        rows.append((run.name, run.id, run.config.seed, run.state.value, reached))
    return table(("Training", "Run", "Seed", "State", "Reached"), rows)


def section(title: str, body: str, *, kind: str = "") -> Html:
    """A part with its heading."""
    named = f' class="{kind}"' if kind else ""
    return Html(f"<section{named}><h2>{escaped(title)}</h2>{body}</section>")
