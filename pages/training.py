"""What the pages show of a training: its figures, its cells, and the other seeds of it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.components.derived_cell import derived_cells, derived_data
from app.components.table import Column, data_table
from app.evaluations import outcome, sentence
from app.studio import Studio
from app.trainings import found_by, search_of, seeds_of
from app.widgets import go_to, link_to, plain, refreshing, state_word
from engine.domain.genotype import Genotype
from engine.domain.metrics import main_figure
from engine.domain.run import Run
from pages.dead import dead_line

SEEDS_SECONDS = 4.0
COLUMNS = (
    Column("seed", "Seed"),
    Column("test", "Test", "number"),
    Column("state", "State", "state"),
    Column("epochs", "Epochs", "number"),
    Column("name", "Training"),
)


def trained_cells(studio: Studio, run: Run, genotype: Genotype) -> None:
    """The cells that are trained, as graphs."""
    catalog = studio.catalog()
    if catalog is None:
        return
    derived_cells(derived_data(genotype, catalog, cells=run.config.cells), key=f"cells-{run.uid}")
    dead_line(studio, run, genotype)


def origin_link(studio: Studio, run: Run, genotype: Genotype) -> None:
    """A way to the search that found what is trained, or a sentence about its absence."""
    found = search_of(studio, run)
    step = genotype.lineage.get("step")
    if found is not None:
        link_to(
            "architecture",
            f"Found by {plain(found.name)} (run {found.id})",
            ":material/account_tree:",
            run=found.id,
            step=step if isinstance(step, int) else None,
        )
    elif found_by(run.config):
        st.caption("The search that found this architecture is not among the runs.")
    else:
        st.caption("This architecture was given as a file.")


def all_seeds(studio: Studio, run: Run) -> None:
    """The trainings that differ in their seed, with mean and spread; nothing for a single one."""
    runs = seeds_of(studio, run)
    if len(runs) < 2:
        return
    st.subheader("All seeds", anchor=False)
    lively = any(not known.is_ended for known in runs)
    refreshing(lambda: _seeds(studio, run), every=SEEDS_SECONDS if lively else None)


def seed_rows(runs: list[Run], tested: Mapping[int, float]) -> list[dict[str, Any]]:
    """One row of plain values a training; ``tested`` is by the number of the run."""
    rows = []
    for run in runs:
        value = tested.get(run.id)
        word, main = state_word(run), main_figure(run.config.task)
        rows.append(
            {
                "id": str(run.id),
                "name": run.name,
                "seed": run.config.seed,
                "state": [word, word],
                "epochs": [f"{run.progress.epoch} / {run.config.epochs}", run.progress.epoch],
                "test": [main.text(value), value],
            }
        )
    return rows


def _seeds(studio: Studio, run: Run) -> None:
    runs = seeds_of(studio, run)
    found = outcome(studio, runs)
    opened = data_table(
        COLUMNS, seed_rows(runs, found.values), key="seeds", label="All seeds", opens="live"
    )
    if opened is not None and opened != str(run.id):
        go_to("live", run=opened)
    st.markdown(plain(sentence(found)))
    st.caption(
        "The same cells with the same settings; ± is the standard deviation between the seeds."
    )
