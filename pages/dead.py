"""What of an architecture is dead, below its cells."""

import streamlit as st

from app.bench import dead_in
from app.studio import Studio
from app.widgets import plain
from engine.domain.genotype import Genotype
from engine.domain.run import Run


def dead_line(studio: Studio, run: Run, genotype: Genotype) -> None:
    """Say what is dead, why, and how many parameters that is; nothing if everything is alive."""
    sentences = dead_in(studio, run, genotype)
    if sentences:
        st.caption(plain(" ".join(sentences)))
