"""The advice about an architecture, on the page that shows it."""

import streamlit as st

from app.advice import advise
from app.studio import Studio
from app.widgets import link_to, plain
from engine.domain.genotype import Genotype
from engine.domain.run import Run

ICONS = {"take": ":green[:material/check_circle:]", "wait": ":material/hourglass_empty:"}
CARE = ":orange[:material/info:]"


def advice_line(studio: Studio, run: Run, step: int | None, shown: Genotype) -> None:
    """Draw the sentence, and the way to a better architecture where there is one."""
    found = advise(studio, run, step, shown)
    if found is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        icon = ICONS.get(found.level, CARE)
        st.markdown(f"{icon} {plain(found.text)}", width="content")
        if found.other is not None:
            link_to(
                "architecture",
                f"Show epoch {found.other.epoch}",
                ":material/history:",
                run=run.id,
                step=found.other.step,
            )
