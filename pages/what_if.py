"""What if: an architecture changed by hand, its cost and its child's figure at once."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import streamlit as st

from app.components.derived_cell import derived_cells, derived_data
from app.components.genotype_editor import editor_data, genotype_editor
from app.costs import cost_view
from app.job_widgets import job_button
from app.library import add_genotype
from app.studio import Studio
from app.widgets import attempt, plain, refreshing
from engine.domain.cost import Cost
from engine.domain.errors import DataError, NotFound
from engine.domain.genotype import Genotype, from_masks, to_json, to_masks
from engine.domain.metrics import main_figure
from engine.domain.run import Run
from engine.domain.snapshot import Masks
from pages.dead import dead_line
from pages.derivation_bench import child_words


def what_if_section(studio: Studio, run: Run, derived: Genotype) -> None:
    """Draw the editor; below it what the changed architecture is worth."""
    catalog = studio.catalog()
    if catalog is None:
        return
    st.subheader("What if", anchor=False)
    st.caption(
        "Keep or drop operations by hand. Cost is counted at once; the child's figure is measured "
        "with the search's own weights when you ask for it."
    )
    code = sha256(repr(to_masks(derived)).encode()).hexdigest()[:12]
    key = f"edit-{run.uid}-{code}"
    with st.container(border=True):
        data = editor_data(derived, catalog, cells=run.config.cells)
        masks = genotype_editor(data, derived.space, key=key)
    if masks is None or masks == to_masks(derived):
        return
    edited = edited_genotype(derived, masks)
    refreshing(lambda: _worth(studio, run, derived, edited))
    _measure(studio, run, edited)
    refreshing(lambda: _keep(studio, run, edited))


def edited_genotype(derived: Genotype, masks: Mapping[str, Masks]) -> Genotype:
    """The changed architecture; its lineage says from which one, and what was changed."""
    before = to_masks(derived)
    added = sum((masks[kind][n] & ~mask).bit_count() for kind, n, mask in _each(before))
    removed = sum((mask & ~masks[kind][n]).bit_count() for kind, n, mask in _each(before))
    lineage = {**derived.lineage, "edited": {"added": added, "removed": removed}}
    return from_masks(derived.space, masks, None, lineage)


def _each(masks: Mapping[str, Masks]) -> list[tuple[str, int, int]]:
    return [(kind, n, mask) for kind, edges in masks.items() for n, mask in enumerate(edges)]


def _worth(studio: Studio, run: Run, derived: Genotype, edited: Genotype) -> None:
    catalog = studio.catalog()
    if catalog is None:
        return
    try:
        before = cost_view(studio, run.id, derived).total
        after = cost_view(studio, run.id, edited).total
    except (NotFound, DataError) as error:
        st.caption(plain(str(error)))
        return
    with st.container(horizontal=True, gap="small"):
        for label, (value, delta) in worth_figures(before, after).items():
            st.metric(label, value, delta, delta_color="inverse", border=True)
    with st.container(border=True):
        derived_cells(derived_data(edited, catalog, cells=run.config.cells), key="edited")
    dead_line(studio, run, edited)


def worth_figures(before: Cost, after: Cost) -> dict[str, tuple[str, str]]:
    """Cost of the changed architecture, and how it differs, by label."""
    return {
        "Parameters": (
            f"{after.parameters / 1e3:,.1f} k",
            f"{(after.parameters - before.parameters) / 1e3:+,.1f} k",
        ),
        "Multiply-adds": (
            f"{after.multiply_adds / 1e6:,.2f} M",
            f"{(after.multiply_adds - before.multiply_adds) / 1e6:+,.2f} M",
        ),
    }


def _measure(studio: Studio, run: Run, edited: Genotype) -> None:
    masks = {kind: list(edges) for kind, edges in to_masks(edited).items()}
    job_button(
        studio,
        run.id,
        "child",
        {"step": edited.lineage["step"], "masks": masks},
        label=f"Measure its child {main_figure(run.config.task).label}",
        key="measure-edited",
        show=_show,
        icon=":material/speed:",
    )


def _show(result: Mapping[str, Any]) -> None:
    st.success(plain(child_words(result)), icon=":material/speed:")


def _keep(studio: Studio, run: Run, edited: Genotype) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name", value=f"{run.name}, edited", max_chars=120, key="edited-name", width=320
        )
        st.button(
            "Keep in the library",
            icon=":material/bookmark_add:",
            key="keep-edited",
            help="Then `egs evaluate` and other data can use it.",
            on_click=lambda: attempt(lambda: _add(studio, edited, name)),
        )
        st.download_button(
            "Download the genotype",
            data=to_json(edited),
            file_name=studio.file_name(run.id, edited, ".json"),
            mime="application/json",
            on_click="ignore",
            icon=":material/data_object:",
            key="download-edited",
        )


def _add(studio: Studio, edited: Genotype, name: str) -> None:
    key = add_genotype(studio, to_json(edited), name)
    st.toast(plain(f"Kept as {key}."), icon=":material/bookmark_added:")
