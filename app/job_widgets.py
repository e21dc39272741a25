"""The button that asks an engine for something, and what becomes of it."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.requests import ENGINE_COMMAND, Standing, ask, find, standing
from app.studio import Studio
from app.widgets import ago, attempt, plain, refreshing
from engine.domain.jobs import Job, JobState

LOOK_SECONDS = 1.0


def job_button(
    studio: Studio,
    run_id: int | None,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    label: str,
    key: str,
    show: Callable[[Mapping[str, Any]], None],
    help_text: str | None = None,
    icon: str | None = None,
    again: str | None = None,
) -> None:
    """A button; once pressed, how the job stands, then its answer.

    What is shown depends on the question alone, so that it survives a reload
    and is the same for everybody. Draws a fragment, so it must not be called
    within another one.

    Args:
        studio: The use cases.
        run_id: The run that is asked about; None asks about the settings in
            the arguments.
        kind: A kind of job, see :mod:`engine.domain.jobs`.
        arguments: What exactly is asked.
        label: On the button.
        key: Unique on the page.
        show: Draws the answer.
        help_text: On the button.
        icon: On the button.
        again: On a button under the answer that asks for another one; None
            where the answer cannot change.
    """
    asked_now = find(studio, run_id, kind, arguments)
    looking = asked_now is not None and asked_now.is_open

    def draw() -> None:
        job = find(studio, run_id, kind, arguments)
        if (job is not None and job.is_open) is not looking:
            st.rerun()
        if job is None or job.state is JobState.FAILED:
            _button(studio, run_id, kind, arguments, label, key, help_text, icon, job)
        if job is not None:
            _show(standing(studio, job.id), show)
        if job is not None and job.state is JobState.DONE and again is not None:
            _again(studio, job, again, key)

    refreshing(draw, every=LOOK_SECONDS if looking else None)


def _button(
    studio: Studio,
    run_id: int | None,
    kind: str,
    arguments: Mapping[str, Any],
    label: str,
    key: str,
    help_text: str | None,
    icon: str | None,
    failed: Job | None,
) -> None:
    st.button(
        label if failed is None else f"{label} again",
        key=key,
        help=help_text,
        icon=icon,
        on_click=lambda: attempt(lambda: ask(studio, run_id, kind, arguments)),
    )


def _again(studio: Studio, job: Job, label: str, key: str) -> None:
    """When the answer is from, and the button that asks for another one."""

    def ask_afresh() -> object:
        return ask(studio, job.run_id, job.kind, job.arguments, afresh=True)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Found {ago(job.ended_at, studio.clock.now())}.")
        st.button(
            label,
            key=f"{key}-again",
            type="tertiary",
            icon=":material/refresh:",
            on_click=lambda: attempt(ask_afresh),
        )


def _show(found: Standing, show: Callable[[Mapping[str, Any]], None]) -> None:
    job = found.job
    if job.state is JobState.DONE and job.result is not None:
        show(job.result)
    elif job.state is JobState.FAILED:
        st.error(plain(found.words), icon=":material/error:")
    elif found.needs_engine:
        st.warning(
            f"This waits for an engine, and none is running. Start one in a terminal: "
            f"`{ENGINE_COMMAND}`",
            icon=":material/power_off:",
        )
    else:
        st.caption(f":material/hourglass_empty: {plain(found.words)}")
