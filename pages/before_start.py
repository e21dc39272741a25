"""Two looks before a search starts: at its data, and at its first steps."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.checks import data_question, figures_of, preflight_question, preflight_words
from app.components.examination import examination_data, examination_picture
from app.job_widgets import job_button
from app.studio import Studio, with_absolute_path
from app.widgets import plain
from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import StudioError

MARKS = {
    "ok": ":green[:material/check_circle:] **Good.**",
    "note": ":blue[:material/info:] **Note.**",
    "warning": ":orange[:material/warning:] **Warning.**",
    "error": ":red[:material/error:] **Error.**",
}


def looks(studio: Studio, values: Mapping[str, Any]) -> None:
    """Both looks at the settings of the form, or why there are none."""
    try:
        config = with_absolute_path(make_config(values))
    except StudioError as error:
        st.caption(
            f"Data and first steps can be looked at once the settings fit. {plain(str(error))}"
        )
        return
    left, right = st.columns(2)
    with left, st.container(border=True):
        _data(studio, config)
    with right, st.container(border=True):
        _first_steps(studio, config)


def _data(studio: Studio, config: SearchConfig) -> None:
    st.markdown("**The data**")
    st.caption(
        "An engine reads all of the data and looks for broken files, uneven classes, and what "
        "stands in two splits."
    )
    question = data_question(config)
    job_button(
        studio,
        None,
        question.kind,
        question.arguments,
        label="Examine the data",
        key="examine",
        show=show_examination,
        help_text="The data are read as the search would read them; what the search would "
        "download is downloaded once, now.",
        icon=":material/stethoscope:",
        again="Examine again",
    )


def _first_steps(studio: Studio, config: SearchConfig) -> None:
    st.markdown("**The first steps**")
    st.caption(
        "An engine takes a few real steps with these settings on this device, and forgets them. "
        "They show how long the search will take and what fits."
    )
    question = preflight_question(config)
    job_button(
        studio,
        None,
        question.kind,
        question.arguments,
        label="Try the first steps",
        key="preflight",
        show=show_preflight,
        help_text="Takes seconds to two minutes. Too little memory is an answer, too.",
        icon=":material/flight_takeoff:",
        again="Try again",
    )


def show_examination(result: Mapping[str, Any]) -> None:
    """What was found in the data."""
    lines = [f"{MARKS[one['level']]} {plain(one['text'])}" for one in result["findings"]]
    st.markdown("\n\n".join(lines))
    drawn = examination_data(result)
    if drawn is not None:
        examination_picture(drawn, key="examination")
    if result["texts"]:
        with st.expander("How the texts begin", icon=":material/article:"):
            for split, text in result["texts"].items():
                st.caption(f"The {split} text")
                st.code(text, language=None, wrap_lines=True)


def show_preflight(result: Mapping[str, Any]) -> None:
    """What the first steps say about the whole search."""
    words = plain(preflight_words(result))
    if not result["fits"]:
        st.error(words, icon=":material/memory:")
        return
    st.markdown(words)
    for row in (figures_of(result)[:2], figures_of(result)[2:]):
        for column, (label, value, meaning) in zip(st.columns(2), row, strict=True):
            column.metric(label, value, help=meaning)
    st.caption(
        f"The supernet has {result['parameters']:,} weights and {result['alphas']:,} architecture "
        f"parameters. Loading the data took {result['load_seconds']:.1f} s, which comes on top, "
        "as do checkpoints."
    )
