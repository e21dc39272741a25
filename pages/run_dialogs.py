"""What is asked about the runs that are ticked: tags and notes, deletion, their family."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.components.table import Column, data_table
from app.family import family_tree
from app.studio import Studio
from app.widgets import go_to, plain, state_word
from engine.domain.config_diff import config_diff, setting_text
from engine.domain.errors import NotFound, StudioError
from engine.domain.run import ENDED, Run, RunState
from engine.domain.run_list import NOTES_LENGTH, RunSummary, checked_tags, tags_in
from pages.run_rows import figure_words

ASKED = "runs-asked"
"""Session entry: which dialog shall open, and about which runs."""

FAMILY_COLUMNS = (
    Column("name", "Run"),
    Column("state", "State", "state"),
    Column("score", "Figure", "number"),
    Column("changed", "What differs from the run it was forked from"),
)


def close() -> None:
    """Forget what was asked."""
    st.session_state.pop(ASKED, None)


def ask(dialog: str, run_ids: Sequence[int]) -> None:
    """Open a dialog with the next run of the page; a button of a fragment cannot."""
    st.session_state[ASKED] = [dialog, list(run_ids)]


def open_asked(studio: Studio) -> None:
    """Open the dialog that was asked for, until it is closed."""
    dialog, run_ids = st.session_state.get(ASKED, (None, ()))
    runs = [run for run in studio.runs() if run.id in run_ids] if dialog else []
    if not runs:
        close()
        return
    draw = {"words": _words, "delete": _delete, "family": _family}[dialog]
    draw(studio, sorted(runs, key=lambda run: run.id))


def done() -> None:
    """Close the dialog and untick the runs."""
    close()
    st.session_state["runs-clear"] = st.session_state.get("runs-clear", 0) + 1
    st.rerun()


@st.dialog("Tags and notes", on_dismiss=close)
def _words(studio: Studio, runs: list[Run]) -> None:
    st.markdown(_named(runs))
    known = tags_in(studio.summaries())
    common = sorted(set.intersection(*(set(run.tags) for run in runs)))
    tags = st.multiselect(
        "Tags" if len(runs) == 1 else "Tags that all of them have",
        sorted({*known, *common}),
        default=common,
        accept_new_options=True,
        key="words-tags",
        placeholder="Type a word and press Enter",
        help="Words by which you find runs again. The list can be narrowed down to one of them.",
    )
    notes = None
    if len(runs) == 1:
        notes = st.text_area(
            "Notes",
            runs[0].notes,
            max_chars=NOTES_LENGTH,
            height=180,
            key="words-notes",
            placeholder="What you wanted to find out, and what you saw",
        )
    else:
        st.caption("Tags that only some have stay. Notes are written for one run at a time.")
    if st.button("Save", type="primary", key="words-save"):
        try:
            chosen = checked_tags(tags)
            for run in runs:
                studio.annotate(
                    run.id, tags=(set(run.tags) - set(common)) | set(chosen), notes=notes
                )
        except StudioError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        done()


@st.dialog("Delete for good?", on_dismiss=close)
def _delete(studio: Studio, runs: list[Run]) -> None:
    deletable = [run for run in runs if run.state in ENDED | {RunState.PAUSED}]
    others = [run for run in runs if run not in deletable]
    if others:
        st.warning(
            f"{_named(others)} cannot be deleted while queued or running; stop first what you "
            "do not need.",
            icon=":material/block:",
        )
    if not deletable:
        return
    st.markdown(
        f"{_named(deletable)} with everything recorded: history, figures, checkpoints, log. "
        "This cannot be undone. To hide a run and keep it, archive it instead."
    )
    st.caption("Runs that were forked from it stay, and no longer say where they come from.")
    with st.container(horizontal=True):
        sure = st.button(
            f"Delete {_count(deletable)}",
            type="primary",
            icon=":material/delete:",
            key="delete-sure",
        )
        if st.button("Keep", key="delete-keep"):
            close()
            st.rerun()
    if not sure:
        return
    refusals = delete_all(studio, deletable)
    for words in refusals:
        st.error(plain(words), icon=":material/error:")
    if not refusals:
        done()


def delete_all(studio: Studio, runs: Sequence[Run]) -> list[str]:
    """Delete what can be deleted; why the others cannot, a sentence each."""
    refusals = []
    for run in runs:
        try:
            studio.delete(run.id)
        except NotFound:
            continue  # somebody else was faster, which is what was wanted
        except StudioError as error:
            refusals.append(str(error))
    return refusals


@st.dialog("Family", width="large", on_dismiss=close)
def _family(studio: Studio, runs: list[Run]) -> None:
    tree = family_tree(studio.summaries(), runs[0].id)
    opened = data_table(
        FAMILY_COLUMNS,
        family_rows(studio, tree, runs[0].id),
        key="family",
        label=f"Family of run {runs[0].id}",
        opens="live",
    )
    if opened is not None:
        close()
        go_to("live", run=opened)
    st.caption(
        "A run that stands to the right of another one and below it was forked from it. The last "
        "column has the settings that were changed on the way, as before → after."
    )


def family_rows(
    studio: Studio, tree: Sequence[tuple[int, RunSummary]], chosen: int
) -> list[dict[str, Any]]:
    """The tree as rows: the depth in the name, and what was changed from parent to child."""
    rows = []
    for depth, summary in tree:
        branch = "\u2003" * (depth - 1) + "└ " if depth else ""
        mark = ", chosen" if summary.id == chosen else ""
        word = state_word(summary)
        rows.append(
            {
                "id": str(summary.id),
                "name": f"{branch}{summary.name} (run {summary.id}{mark})",
                "state": [word, word],
                "score": [figure_words(summary), summary.progress.score],
                "changed": _changes(studio, summary) if depth else "the first of them",
            }
        )
    return rows


def _changes(studio: Studio, summary: RunSummary) -> str:
    if summary.parent_id is None:
        return ""
    parent, child = studio.run(summary.parent_id), studio.run(summary.id)
    changed = [
        f"{diff.label}: {' → '.join(setting_text(diff.name, value) for value in diff.values)}"
        for diff in config_diff([parent.config, child.config])
    ]
    return "; ".join(changed) or "no setting"


def _count(runs: Sequence[Run]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _named(runs: Sequence[Run]) -> str:
    """Which runs, for Markdown; the first three by name."""
    names = [f"**{plain(run.name)}** (run {run.id})" for run in runs[:3]]
    if len(runs) > 3:
        names.append(f"{len(runs) - 3} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
