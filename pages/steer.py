"""Fork a search at the chosen moment, or change it at its next step: two dialogs on Live."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.forms import field_groups, field_rows
from app.steering import change, fork, origin_of, weights_words
from app.studio import Studio
from app.widgets import go_to, link_to, plain, step_from_query
from engine.domain.config import SearchConfig
from engine.domain.config_diff import config_diff, setting_text
from engine.domain.errors import StudioError
from engine.domain.run import ENDED, Run, RunState
from engine.domain.steering import forkable, steerable

ASKED = "steer-asked"
"""Session entry: which dialog shall open, of which run, at which step, and its opening's number."""

OPENINGS = "steer-openings"
"""Session entry: how many dialogs were opened, so that the fields of each begin anew."""

FIRST = (
    "draws",
    "temperature_start",
    "temperature_end",
    "alpha_learning_rate",
    "learning_rate",
    "epochs",
    "banned",
    "frozen",
    "origin_weights",
)
"""Settings at the head of both dialogs, in this order, where they may be chosen."""

EXAMPLE = (
    "Operations are written as kind:edge:operation, such as `normal:0-2:none` or "
    "`*:*:max_pool_3x3`; a star is all of them, and commas stand between several."
)


def close() -> None:
    """Forget what was asked."""
    st.session_state.pop(ASKED, None)


def steer_buttons(run: Run) -> None:
    """The buttons that open the dialogs, where the state of a search allows them."""
    if not isinstance(run.config, SearchConfig):
        return
    if not run.is_ended or run.state is RunState.FAILED:
        _button(
            run,
            "change",
            "Change",
            ":material/tune:",
            "Other settings for this search from its next step on.",
        )
    if run.progress.step and run.search.derives:
        _button(
            run,
            "fork",
            "Fork",
            ":material/call_split:",
            "A new search that starts from the probabilities of the chosen moment.",
        )


def _button(run: Run, dialog: str, label: str, icon: str, words: str) -> None:
    if st.button(label, icon=icon, key=f"live-{dialog}", help=words):
        # A fragment that refreshes itself cannot hold a dialog: the page opens it.
        opening = st.session_state.get(OPENINGS, 0) + 1
        st.session_state[OPENINGS] = opening
        st.session_state[ASKED] = [dialog, run.id, step_from_query(), opening]
        st.rerun()


def open_asked(studio: Studio, run: Run) -> None:
    """Open the dialog that was asked for, until it is closed."""
    dialog, run_id, step, opening = st.session_state.get(ASKED, (None, None, None, 0))
    if run_id != run.id or not isinstance(run.config, SearchConfig):
        close()
    elif dialog == "fork":
        _fork(studio, run, step, opening)
    elif dialog == "change" and (run.state is RunState.FAILED or run.state not in ENDED):
        _change(studio, run, opening)
    else:
        close()


def origin_line(studio: Studio, run: Run) -> None:
    """Where a search was forked from, with a link to just that moment."""
    origin = origin_of(studio, run)
    if origin is None:
        return
    if origin.run is None:
        st.caption(f"Forked at step {origin.step:,} from a run that was deleted.")
        return
    link_to(
        "live",
        f"Forked from run {origin.run.id} at step {origin.step:,}: {plain(origin.run.name)}",
        ":material/call_split:",
        run=origin.run.id,
        step=origin.step,
    )


def wishes_line(studio: Studio, run: Run) -> None:
    """Changes that were asked for and are not in force yet."""
    for wish in studio.changes(run.id):
        if wish.is_pending:
            st.caption(f":material/tune: Asked for {plain(wish.words)}; in force at the next step.")


@st.dialog("Fork this search", width="large", on_dismiss=close)
def _fork(studio: Studio, run: Run, step: int | None, opening: int) -> None:
    snapshot = studio.snapshot(run.id, step)
    if snapshot is None:
        st.info("Nothing has been recorded yet that a fork could start from.")
        return
    then = studio.settings_of(run, snapshot)
    start = then.model_copy(update={"origin_weights": "checkpoint"})
    st.markdown(
        f"A new search starts from the probabilities of **step {snapshot.step:,}**. "
        f"{weights_words(studio, run.id, snapshot.step)} Optimisers, schedules and epochs begin "
        "anew; this search stays as it is."
    )
    st.caption(
        "Task, data, cells and sizes stay the same, since weights and probabilities belong to "
        "them. " + EXAMPLE
    )
    key = f"fork-{opening}"
    name = st.text_input(
        "Name", f"{run.name}, from step {snapshot.step}", key=f"{key}-name", max_chars=120
    )
    values = _fields(start, forkable(), key=key)
    changes = {key: value for key, value in values.items() if value != getattr(start, key)}
    _names(studio, run)
    _told(start, changes)
    if st.button("Start the fork", type="primary", icon=":material/call_split:", key="fork-start"):
        made = _attempted(lambda: fork(studio, run.id, snapshot.step, changes, name=name))
        if made is not None:
            close()
            go_to("live", run=made.id)


@st.dialog("Change this search", width="large", on_dismiss=close)
def _change(studio: Studio, run: Run, opening: int) -> None:
    start = run.search
    when = (
        "from its next step on, within a second or so"
        if run.state is RunState.RUNNING
        else "when it continues, from its last checkpoint on"
    )
    st.markdown(
        f"The new values are in force {when}. What is recorded stays; the log tells of every "
        "change with its step."
    )
    st.caption(
        "Everything else belongs to what has been computed so far, and takes a fork to change. "
        "Schedules run over the whole number of epochs, the new one if it changes. " + EXAMPLE
    )
    values = _fields(start, steerable(start), key=f"change-{opening}")
    changes = {key: value for key, value in values.items() if value != getattr(start, key)}
    _names(studio, run)
    _told(start, changes)
    if st.button(
        "Change it",
        type="primary",
        icon=":material/tune:",
        key="change-sure",
        disabled=not changes,
    ):
        made = _attempted(lambda: change(studio, run.id, changes))
        if made is None:
            return
        if made.refused is not None:
            st.error(plain(made.refused), icon=":material/error:")
            return
        close()
        st.rerun()


def _attempted(action: Callable[[], Any]) -> Any:
    """What an action gives; a refusal is shown in the dialog, and gives None."""
    try:
        return action()
    except StudioError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _fields(start: SearchConfig, allowed: Sequence[str], *, key: str) -> dict[str, Any]:
    """The allowed settings that mean something for the task; the rarer ones folded away."""
    groups = field_groups(SearchConfig, start.task)
    shown = [name for names in groups.values() for name in names if name in allowed]
    first = [name for name in FIRST if name in shown]
    values = field_rows(start, first, key=key)
    rest = [name for name in shown if name not in first]
    with st.expander("All other settings that may change"):
        for group, names in groups.items():
            chosen = [name for name in names if name in rest]
            if chosen:
                st.markdown(f"**{group}**")
                values |= field_rows(start, chosen, key=key)
    return values


def _names(studio: Studio, run: Run) -> None:
    """What patterns of operations may name."""
    space = studio.space(run)
    with st.expander("Kinds, edges and operations that can be named"):
        st.markdown("**Kinds** " + " ".join(f"`{kind}`" for kind in space.cell_kinds))
        labels = (f"`{edge.source}-{edge.target}`" for edge in space.edges)
        st.markdown(f"**Edges** {' '.join(labels)}, or their numbers from 0 in this order")
        inputs = ", ".join(
            f"{source} is {plain(space.source_label(source))}" for source in range(space.inputs)
        )
        st.caption(
            f"The cell's inputs come first: {inputs}. Then come its nodes: node 0 is "
            f"{space.inputs}, and so on."
        )
        st.markdown("**Operations** " + " ".join(f"`{name}`" for name in space.operations))


def _told(start: SearchConfig, changes: dict[str, Any]) -> None:
    """What differs, in one line."""
    diffs = config_diff([start, start.model_copy(update=changes)])
    words = []
    for diff in diffs:
        shown = [setting_text(diff.name, value) or "–" for value in diff.values]
        words.append(f"{diff.label}: {' → '.join(shown)}")
    st.markdown("Changed: " + plain("; ".join(words)) if words else "Nothing is changed yet.")
