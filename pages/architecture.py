"""Architecture: what a search has found or a training trains, and how to take it home."""

from collections.abc import Mapping

import streamlit as st

from app.access import Feed
from app.bench import Bench, bench, known_cost, own_rule
from app.components.derived_cell import derived_cells, derived_data
from app.standing import latest_epoch
from app.studio import Studio
from app.truth import TruthTables
from app.widgets import (
    figure,
    go_to,
    link_to,
    plain,
    refreshing,
    run_from_query,
    say_in_address,
    state_badge,
    step_from_query,
)
from engine.domain.cost import Cost
from engine.domain.derivation import DerivationRule
from engine.domain.errors import NotFound
from engine.domain.genotype import Genotype, to_darts
from engine.domain.metrics import main_figure
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot
from engine.domain.space import Scope
from pages.advice import advice_line
from pages.dead import dead_line
from pages.derivation_bench import (
    FIGURE_HELP,
    bench_figures,
    child_button,
    choose_rule,
    latency_button,
    published_figures,
)
from pages.lineage import lineage_line
from pages.network import network_section
from pages.take_home import downloads, prepared
from pages.train import train_section, trainings
from pages.training import origin_link
from pages.what_if import what_if_section

LATEST = "latest"
ROW_WORDS: Mapping[Scope, str] = {
    "node": "node, over all its incoming operations,",
    "source": "source of a node (each input of the cell, and all nodes together)",
    "edge": "edge",
}
"""What shares the draws of a row, by scope."""
SIZE_HELP = {
    "Parameters": "Trainable parameters of what lies on a path from the input to the scores; "
    "everything else is dead and left out.",
    "Multiply-adds": "Of one input, in convolutions and linear layers; pooling and normalisation "
    "add none.",
}


def render(studio: Studio, feed: Feed, tables: TruthTables) -> None:
    """Draw the page of the run in the address."""
    st.title("Architecture", anchor=False)
    run = run_from_query(studio)
    if run is None:
        st.markdown("There is no search yet whose architecture could be shown.")
        if st.button("Go to the runs", type="primary", key="to-runs"):
            go_to("")
        return
    say_in_address(run)
    if run.config.purpose == "training":
        _of_training(studio, run, feed)
    else:
        _of_search(studio, run, feed, tables)


def _of_search(studio: Studio, run: Run, feed: Feed, tables: TruthTables) -> None:
    """What a rule derives at a moment of a search."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choose_run(studio, run)
        step = _choose_step(studio, run)
        link_to("live", "Watch it", ":material/monitoring:", run=run.id, step=step)
    found = _found(studio, run, step)
    if found is not None:
        refreshing(lambda: lineage_line(studio, run, found.genotype))
        refreshing(lambda: advice_line(studio, studio.run(run.id), step, found.genotype))
        refreshing(lambda: _figures(studio, studio.run(run.id), found, tables))
        child, latency = st.columns(2)
        with child:
            child_button(studio, run, found)
        with latency:
            latency_button(studio, run, found.genotype)
        refreshing(lambda: _cells(studio, run, found.genotype))
        refreshing(lambda: network_section(studio, run, found.genotype))
        what_if_section(studio, run, found.genotype)
        train_section(studio, run, found.genotype)
        trainings(studio, run)
        refreshing(lambda: downloads(studio, run, found.genotype, step, feed))
        prepared(studio, run, found.genotype)
        _genotype(found.genotype)


def _of_training(studio: Studio, run: Run, feed: Feed) -> None:
    """What a training trains; there is nothing to derive, and one architecture only."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choose_run(studio, run)
        link_to("live", "Watch it", ":material/monitoring:", run=run.id)
    if studio.catalog() is None:
        return
    genotype = studio.derive(run.id)
    refreshing(lambda: lineage_line(studio, run, genotype))
    refreshing(lambda: _training_figures(studio, studio.run(run.id), genotype))
    latency_button(studio, run, genotype)
    refreshing(lambda: _cells(studio, run, genotype))
    refreshing(lambda: network_section(studio, run, genotype))
    train_section(studio, run, genotype)
    refreshing(lambda: downloads(studio, run, genotype, None, feed))
    prepared(studio, run, genotype)
    _genotype(genotype)


def _choose_run(studio: Studio, run: Run) -> None:
    runs = {known.id: known for known in studio.runs()}
    chosen = st.selectbox(
        "Run",
        list(runs),
        index=list(runs).index(run.id),
        format_func=lambda number: f"{runs[number].name} (run {number})",
        key=f"run-{run.id}",
    )
    if chosen != run.id:
        go_to("architecture", run=chosen)


def moments(epochs: list[Snapshot], chosen: int | None) -> dict[str, str]:
    """Moments that can be chosen: key and label; a step in the address is one of them."""
    options = {LATEST: "Latest epoch"}
    for snapshot in reversed(epochs):
        options[str(snapshot.step)] = f"Epoch {snapshot.epoch} (step {snapshot.step:,})"
    if chosen is not None and str(chosen) not in options:
        options[str(chosen)] = f"Step {chosen:,}"
    return options


def _choose_step(studio: Studio, run: Run) -> int | None:
    step = step_from_query()
    options = moments(studio.snapshots(run.id, epochs_only=True), step)
    start = LATEST if step is None else str(step)
    chosen = st.selectbox(
        "Moment",
        list(options),
        index=list(options).index(start),
        format_func=lambda key: options[key],
        key=f"moment-{run.id}-{start}",
        width=320,
    )
    if chosen != start:
        go_to("architecture", run=run.id, step=None if chosen == LATEST else chosen)
    return step


def _found(studio: Studio, run: Run, step: int | None) -> Bench | None:
    """What the rule in the address derives; None, with the reason shown, where it cannot yet."""
    if studio.catalog() is None:
        return None
    try:
        own = own_rule(studio, run, step)
        with st.container(border=True):
            return bench(studio, run.id, step, choose_rule(run, own))
    except NotFound as error:
        st.info(plain(str(error)), icon=":material/hourglass_empty:")
        return None


def _cells(studio: Studio, run: Run, genotype: Genotype) -> None:
    catalog = studio.catalog()
    if catalog is None:
        return
    with st.container(border=True):
        derived_cells(derived_data(genotype, catalog, cells=run.config.cells), key="derived")
        dead_line(studio, run, genotype)
    if genotype.rule is not None:
        st.caption(rule_words(genotype.rule))


def _genotype(genotype: Genotype) -> None:
    st.subheader("Genotype", anchor=False)
    st.caption("In the notation of DARTS: (operation, source); the inputs come first.")
    st.code(to_darts(genotype), language="python", wrap_lines=True)


def rule_words(rule: DerivationRule) -> str:
    """The derivation rule in words."""
    row = ROW_WORDS[rule.scope]
    draws = f"{rule.draws} draw{'s' if rule.draws > 1 else ''}"
    keep = "keep" if rule.draws > 1 else "keeps"
    pooled = " The *none* of all edges of a row counts as one."
    texts = {
        "map": f"Derived without chance: for each {row} the set of operations that {draws} "
        f"{keep} most probably (the mode of the ensemble); *none* is dropped afterwards.",
        "draw": f"One code of the ensemble: for each {row} what {draws} with seed {rule.seed} "
        "hit; *none* is dropped afterwards.",
        "marginal": f"For each {row} every operation that {draws} {keep} with probability "
        f"{rule.threshold:g} or more; *none* is dropped afterwards.",
        "top2": f"As in DARTS: for each node its {rule.edges_kept} strongest incoming edges, with "
        "the best operation of each, *none* left aside.",
        "vote": f"For each {row} every operation in more than half of {rule.votes} codes of "
        f"{draws}, with seed {rule.seed}; *none* is dropped afterwards.",
    }
    counts = rule.scope != "edge" and rule.none_pooled
    return texts[rule.name] + (pooled if counts and rule.name not in {"draw", "top2"} else "")


def _figures(studio: Studio, run: Run, found: Bench, tables: TruthTables) -> None:
    genotype = found.genotype
    snapshot = studio.snapshot(run.id, genotype.lineage["step"]) if found.measured else None
    values = {
        **architecture_figures(genotype, found.cost, snapshot, run.config.task),
        **bench_figures(found),
        **published_figures(tables, genotype),
    }
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(run)
        st.caption(
            f"Step {genotype.lineage['step']:,}, after {genotype.lineage['epoch']} epochs",
            width="content",
        )
    with st.container(horizontal=True, gap="small"):
        for label, value in values.items():
            st.metric(label, value, border=True, help={**FIGURE_HELP, **SIZE_HELP}.get(label))


def _training_figures(studio: Studio, run: Run, genotype: Genotype) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(run)
        origin_link(studio, run, genotype)
    with st.container(horizontal=True, gap="small"):
        for label, value in trained_figures(studio, run, genotype).items():
            st.metric(label, value, border=True, help=SIZE_HELP.get(label))


def trained_figures(studio: Studio, run: Run, genotype: Genotype) -> dict[str, str]:
    """Key figures of what a training trains: its size, and what it has reached so far."""
    epoch = latest_epoch(studio, run)
    measured, main = dict(epoch.metrics) if epoch else {}, main_figure(run.config.task)
    parts = {"Validation": "validation", "Test": "test"}
    return {
        **size_figures(genotype, known_cost(studio, run, genotype)),
        **{
            f"{label} {main.label}": main.text(measured.get(f"{part}_{main.name}"))
            for label, part in parts.items()
        },
    }


def size_figures(genotype: Genotype, cost: Cost | None) -> dict[str, str]:
    """How large a genotype is and what it costs; a dash where that is not known."""
    kept = sum(len(genes) for cell in genotype.cells.values() for genes in cell)
    return {
        "Operations kept": str(kept),
        "Parameters": figure(cost.parameters / 1e3 if cost else None, "{:,.1f} k"),
        "Multiply-adds": figure(cost.multiply_adds / 1e6 if cost else None, "{:,.2f} M"),
    }


def architecture_figures(
    genotype: Genotype, cost: Cost | None, measured: Snapshot | None, task: str
) -> dict[str, str]:
    """Key figures of a genotype; a dash where something was not measured at that step."""
    metrics = dict(measured.metrics) if measured else {}
    main = main_figure(task)
    return {
        **size_figures(genotype, cost),
        f"Child {main.label}": main.text(metrics.get(f"child_{main.name}")),
        "Gap": main.gap_text(metrics.get("gap")).replace(" points", " pt"),
    }
