"""Streamlit parts that two or more pages use."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

import streamlit as st

from app.studio import Studio
from engine.domain.errors import NotFound, StudioError
from engine.domain.run import Request, Run, RunState
from engine.domain.run_list import RunSummary

STATE_COLOURS: dict[str, str] = {
    "queued": "gray",
    "running": "green",
    "pausing…": "orange",
    "stopping…": "orange",
    "paused": "yellow",
    "completed": "blue",
    "failed": "red",
    "stopped": "gray",
}

STATE_ICONS: dict[str, str] = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/play_arrow:",
    "pausing…": ":material/pause:",
    "stopping…": ":material/stop:",
    "paused": ":material/pause:",
    "completed": ":material/check:",
    "failed": ":material/error:",
    "stopped": ":material/stop:",
}

ENGINE_COMMAND = "egs engine"


def plain(text: str) -> str:
    """Text that Markdown shows as it is: names may hold anything."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])", r"\\\1", text)


def state_word(run: Run | RunSummary) -> str:
    """The state in a word, with a pending wish as ``pausing…`` or ``stopping…``."""
    if run.state is RunState.RUNNING and run.request is Request.PAUSE:
        return "pausing…"
    if run.state is RunState.RUNNING and run.request is Request.STOP:
        return "stopping…"
    return run.state.value


def state_badge(run: Run) -> None:
    """The state as a coloured word with an icon."""
    word = state_word(run)
    st.badge(word, icon=STATE_ICONS[word], color=STATE_COLOURS[word])  # type: ignore[arg-type]


def go_to(page: str, **query: Any) -> NoReturn:
    """Open another page by its address, with query parameters; None leaves one out."""
    st.switch_page(page_named(page), query_params=_given(query))


def link_to(page: str, label: str, icon: str, **query: Any) -> None:
    """A link to another page, which no refresh of this one can swallow."""
    st.page_link(page_named(page), label=label, icon=icon, query_params=_given(query))


def _given(query: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in query.items() if value is not None}


def page_named(page: str) -> Any:
    """A reference to a page of ``app.main`` by its address; empty for the first."""
    return st.Page(_unused, url_path=page, title=page or "Runs", default=not page)


def _unused() -> None:
    """Stands for a page that ``app.main`` draws."""


def run_from_query(studio: Studio) -> Run | None:
    """The run in the address; the latest one without; None where there is none.

    Raises:
        NotFound: The address names a run that does not exist.
    """
    asked = st.query_params.get("run")
    if asked is None:
        runs = studio.runs()
        return runs[0] if runs else None
    return run_named(studio, asked)


def run_named(studio: Studio, asked: str) -> Run:
    """The run whose number somebody gave.

    Raises:
        NotFound: It is no number, or there is no such run.
    """
    if not asked.isdecimal() or len(asked) > 9:
        raise NotFound(
            asked=f"run {asked!r}",
            found="no number",
            allowed="the number of a run",
            advice="choose a run from the list",
        )
    return studio.run(int(asked))


def say_in_address(run: Run) -> None:
    """Write the run into the address, with all else that stands there.

    Also where it stands there already: a link that leads from a page to the same page changes
    what the page reads, but not what the browser shows.
    """
    st.query_params["run"] = str(run.id)


def step_from_query() -> int | None:
    """The step in the address; None where there is none or it is no number."""
    asked = st.query_params.get("step", "")
    return int(asked) if asked.isdecimal() and len(asked) <= 12 else None


def refreshing(draw: Callable[[], None], *, every: float | None = None) -> None:
    """Draw as a fragment, again every so many seconds; a refusal shows its sentence."""

    def guarded() -> None:
        try:
            draw()
        except StudioError as error:
            st.error(plain(str(error)), icon=":material/error:")

    st.fragment(guarded, run_every=every)()


def attempt(action: Callable[[], object]) -> None:
    """Do something a person asked for; on refusal show its sentence."""
    try:
        action()
    except StudioError as error:
        st.toast(plain(str(error)), icon=":material/error:", duration="long")


def engine_notice(studio: Studio) -> bool:
    """Say so when no engine is alive, with the command that starts one."""
    if studio.living_nodes():
        return True
    st.warning(
        f"No engine is running, so nothing starts or continues. Start one in a terminal: "
        f"`{ENGINE_COMMAND}`",
        icon=":material/power_off:",
    )
    return False


def steering(studio: Studio, run: Run, *, key: str) -> None:
    """Buttons for pause, resume and stop that fit the state."""
    pausing, stopping = run.request is Request.PAUSE, run.request is Request.STOP
    if run.state is RunState.RUNNING:
        st.button(
            "Pausing…" if pausing else "Pause",
            icon=":material/pause:",
            disabled=pausing or stopping,
            key=f"{key}-pause",
            help="Write a checkpoint and rest; a later resume continues exactly.",
            on_click=lambda: attempt(lambda: studio.pause(run.id)),
        )
    if run.state in {RunState.PAUSED, RunState.FAILED}:
        st.button(
            "Resume",
            icon=":material/play_arrow:",
            type="primary",
            key=f"{key}-resume",
            help="Queue it again; it continues at its last checkpoint.",
            on_click=lambda: attempt(lambda: studio.resume(run.id)),
        )
    if run.state in {RunState.RUNNING, RunState.QUEUED, RunState.PAUSED}:
        st.button(
            "Stopping…" if stopping else "Stop",
            icon=":material/stop:",
            disabled=stopping,
            key=f"{key}-stop",
            help="End it for good; what it recorded stays.",
            on_click=lambda: attempt(lambda: studio.stop(run.id)),
        )


def duration(seconds: float) -> str:
    """A length of time in words, such as ``2 min 05 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def time_left(run: Run | RunSummary) -> float | None:
    """Seconds of training that remain at the pace so far; None before the first step."""
    progress = run.progress
    if not progress.step or not progress.seconds or not progress.total_steps:
        return None
    return progress.seconds / progress.step * (progress.total_steps - progress.step)


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago something happened, such as ``3 min ago``."""
    if moment is None:
        return "–"
    seconds = max(0.0, (now - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def figure(value: float | None, pattern: str = "{:.1f}", unit: str = "") -> str:
    """A number for people, or a dash where nothing was measured."""
    return "–" if value is None else pattern.format(value) + unit
