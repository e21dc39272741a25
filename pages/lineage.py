"""Where an architecture comes from and where it went: each station of its life, a click away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.studio import Studio
from app.trainings import search_of, trained_cells
from app.widgets import link_to, plain
from engine.domain.errors import NotFound
from engine.domain.genotype import Genotype
from engine.domain.run import Run
from pages.run_rows import figure_words

TAKE_HOME = "take-it-home"
"""Anchor of the section with the files."""
MOST_TRAININGS = 3


@dataclass(frozen=True)
class Station:
    """One station, as a link to the page that shows it."""

    label: str
    icon: str
    page: str
    query: Mapping[str, Any] = field(default_factory=dict)


def stations(studio: Studio, run: Run, genotype: Genotype) -> list[Station]:
    """From the first search to the trainings of these cells, as far as they are among the runs.

    Args:
        studio: The use cases.
        run: The search or training whose page is open.
        genotype: What the page shows.
    """
    search = search_of(studio, run) if run.config.purpose == "training" else run
    found = [] if search is None else _of_search(studio, search, genotype)
    trained = trained_cells(studio, genotype)
    return found + [
        Station(
            f"Trained by run {one.id}: {figure_words(one)}",
            ":material/model_training:",
            "live",
            {"run": one.id},
        )
        for one in trained[:MOST_TRAININGS]
    ]


def _of_search(studio: Studio, search: Run, genotype: Genotype) -> list[Station]:
    step = genotype.lineage.get("step")
    found = _parents(studio, search)
    found.append(
        Station(f"Searched by run {search.id}", ":material/search:", "live", {"run": search.id})
    )
    if isinstance(step, int):
        how = "Derived" if search.search.derives else "Kept"
        found.append(
            Station(
                f"{how} at step {step:,}",
                ":material/account_tree:",
                "architecture",
                {"run": search.id, "step": step},
            )
        )
    return found


def _parents(studio: Studio, search: Run) -> list[Station]:
    """The search that this one was forked from, if it is still there."""
    if search.parent_id is None:
        return []
    try:
        parent = studio.run(search.parent_id)
    except NotFound:
        return []
    return [
        Station(f"Forked from run {parent.id}", ":material/fork_right:", "live", {"run": parent.id})
    ]


def lineage_line(studio: Studio, run: Run, genotype: Genotype) -> None:
    """Draw the stations in a line that ends at the files to take home."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for number, station in enumerate(stations(studio, run, genotype)):
            if number:
                st.caption("→", width="content")
            link_to(station.page, plain(station.label), station.icon, **station.query)
        st.caption("→", width="content")
        st.markdown(f"[Take it home](#{TAKE_HOME})", width="content")
