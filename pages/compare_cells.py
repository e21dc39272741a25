"""Two derived cells in one drawing, and how far many agree."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.components.derived_cell import derived_cells, difference_data
from app.components.heatmap import agreement_data, heatmaps
from app.components.table import Column, data_table
from app.studio import Studio
from app.widgets import plain
from engine.domain.agreement import agreement, choices, jaccard
from engine.domain.catalog import Catalog
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype
from engine.domain.genotype_diff import EdgeDiff, GenotypeDiff, genotype_diff
from engine.domain.pruning import pruning_of
from engine.domain.run import Run
from engine.export.layout import edge_titles

DIFF_COLUMNS = (
    Column("kind", "Cell"),
    Column("edge", "Edge", "code"),
    Column("change", "What became of it"),
    Column("removed", "− only in the first"),
    Column("added", "+ only in the second"),
    Column("kept", "In both"),
)
CHANGE_WORDS = {
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "same": "the same",
}


def cells_section(studio: Studio, runs: Sequence[Run], genotypes: Mapping[int, Genotype]) -> None:
    """The cells of two of the runs, what is added and what is removed."""
    st.subheader("Cells", anchor=False)
    catalog = studio.catalog()
    able = [run for run in runs if run.id in genotypes]
    if len(able) < 2 or catalog is None:
        st.caption("The cells appear as soon as two of the runs have recorded something.")
        return
    first, second = _choose_two(able)
    try:
        diff = genotype_diff(genotypes[first.id], genotypes[second.id])
    except InvalidGenotype as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    with st.container(border=True):
        derived_cells(
            difference_data(
                diff,
                catalog,
                cells=second.config.cells,
                pruned=(
                    pruning_of(genotypes[first.id], first.config.cells).kinds,
                    pruning_of(genotypes[second.id], second.config.cells).kinds,
                ),
            ),
            key=f"difference-{first.id}-{second.id}",
        )
    st.caption(difference_words(diff, genotypes[first.id], genotypes[second.id]))
    rows = difference_rows(diff, catalog)
    if rows:
        data_table(DIFF_COLUMNS, rows, key="difference", label="Edges that are not the same")


def _choose_two(runs: Sequence[Run]) -> tuple[Run, Run]:
    names = {run.id: f"{run.name} (run {run.id})" for run in runs}
    by_id = {run.id: run for run in runs}
    with st.container(horizontal=True):
        first = st.selectbox(
            "First",
            list(names),
            format_func=lambda number: names[number],
            key="first",
            bind="query-params",
        )
        second = st.selectbox(
            "Second",
            list(names),
            index=1,
            format_func=lambda number: names[number],
            key="second",
            bind="query-params",
        )
    return by_id[first], by_id[second]


def difference_words(diff: GenotypeDiff, first: Genotype, second: Genotype) -> str:
    """Two sentences about a difference."""
    before, after = choices(first), choices(second)
    changed = len(diff.changed())
    edges = "1 edge differs" if changed == 1 else f"{changed} edges differ"
    return (
        f"{edges}: the second keeps {len(after - before)} operation(s) on an edge that the first "
        f"does not, and lacks {len(before - after)} that the first keeps. Of all that either "
        f"keeps, both have {100 * jaccard(before, after):.0f} % in common (Jaccard index)."
    )


def difference_rows(diff: GenotypeDiff, catalog: Catalog) -> list[dict[str, Any]]:
    """One row an edge that is not the same in both cells."""
    titles = edge_titles(diff.space)

    def labels(names: Sequence[str]) -> str:
        return ", ".join(catalog.operation(name).label for name in names)

    def row(edge: EdgeDiff) -> dict[str, Any]:
        return {
            "id": f"{edge.kind}-{edge.edge}",
            "kind": edge.kind.capitalize(),
            "edge": [titles[edge.edge].replace("_{", "").replace("}", ""), edge.edge],
            "change": CHANGE_WORDS[edge.change],
            "removed": labels(edge.removed),
            "added": labels(edge.added),
            "kept": labels(edge.kept),
        }

    return [row(edge) for edge in diff.changed()]


def agreement_section(
    studio: Studio, runs: Sequence[Run], genotypes: Mapping[int, Genotype]
) -> None:
    """Which operations all runs keep, and one number for how far they agree."""
    st.subheader("Agreement", anchor=False)
    catalog = studio.catalog()
    able = [genotypes[run.id] for run in runs if run.id in genotypes]
    if len(able) < 2 or catalog is None:
        st.caption("The map appears as soon as two of the runs have recorded something.")
        return
    try:
        found = agreement(able)
    except InvalidGenotype as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    seeds = {run.config.seed for run in runs}
    st.metric(
        "Mean agreement of two runs",
        f"{100 * found.jaccard:.0f} %",
        help="Over all pairs of runs: the (edge, operation) pairs that both keep, over those that "
        "either keeps (Jaccard index). 100 % means the same cells.",
        border=True,
        width="content",
    )
    with st.container(border=True):
        heatmaps(
            agreement_data(found, catalog, dark=st.context.theme.type == "dark"), key="agreement"
        )
    spread = "seeds only" if _only_seeds(runs) else f"{len(seeds)} seeds and other settings"
    st.caption(
        f"Each field is the share of the {found.count} runs whose derived cell keeps that "
        "operation on that edge; a dot marks what all of them keep. They differ in "
        f"{spread}: what stays the same over seeds is what the search finds, and the rest is "
        "chance."
    )


def _only_seeds(runs: Sequence[Run]) -> bool:
    return len({run.config.model_copy(update={"seed": 0}).model_dump_json() for run in runs}) == 1
