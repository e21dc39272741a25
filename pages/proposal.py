"""New search: a time budget, the button that proposes settings, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from app.checks import speed_question
from app.job_widgets import job_button
from app.proposals import propose_settings
from app.starting_points import Start, follows_data, is_same_data
from app.studio import Studio
from app.widgets import plain
from engine.domain.config import SearchConfig
from engine.domain.errors import StudioError
from engine.domain.facts import SpeedSource
from engine.domain.proposal import Proposal
from engine.domain.proposed import PROPOSED
from engine.domain.training_proposal import propose_training

STATE = "proposal"


@dataclass(frozen=True)
class Origin:
    """Where the form starts from before anything is proposed.

    Attributes:
        key: What the identities of its widgets begin with.
        start: Values of its fields.
        method: Names of the settings that no proposal changes.
        minutes: The time budget at first.
    """

    key: str
    start: SearchConfig
    method: frozenset[str]
    minutes: float


@dataclass(frozen=True)
class Form:
    """What the form shows at first.

    Attributes:
        key: What the identities of its widgets begin with.
        start: Values of its fields.
        reasons: Why a field has its value, as Markdown, for those that were
            proposed.
        own: Fields that a person had changed before the proposal.
    """

    key: str
    start: SearchConfig
    reasons: Mapping[str, str]
    own: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Made:
    """The last proposal for a form, and why there is no newer one.

    Attributes:
        key: Of the form's origin.
        number: How many proposals there have been in this session.
        own: Fields that a person had changed before.
        proposal: None if there has been none for this form.
        training: What the training that follows takes.
        refusal: Why the last request failed; empty if it did not.
    """

    key: str
    number: int = 0
    own: frozenset[str] = frozenset()
    proposal: Proposal | None = None
    training: str = ""
    refusal: str = ""


def proposed_form(origin: Origin) -> Form:
    """Return the form with the values that were proposed for it, if any were."""
    made = _made(origin)
    if made.proposal is None:
        return Form(origin.key, origin.start, {})
    reasons = {
        name: plain(f"{reason[0].upper()}{reason[1:]}.")
        for name, reason in made.proposal.reasons.items()
    }
    return Form(f"{origin.key}-{made.number}", made.proposal.config, reasons, made.own)


def _made(origin: Origin) -> _Made:
    """The last proposal for a form; none was made for it if it was for another one."""
    last: _Made = st.session_state.get(STATE, _Made(origin.key))
    return last if last.key == origin.key else _Made(origin.key, last.number)


def budget_row(studio: Studio, origin: Origin, form: Form, data: str) -> None:
    """Draw the budget, the button, and what was proposed last.

    Args:
        studio: The use cases.
        origin: Where the form starts from.
        form: What it shows at first.
        data: The data that are chosen now.
    """
    if not is_same_data(data, form.start.data):
        st.info("These settings suit other data. Propose settings for yours.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        minutes = st.number_input(
            "Time budget (minutes)",
            value=float(origin.minutes),
            min_value=1.0,
            max_value=60.0 * 24 * 30,
            step=5.0,
            format="%g",
            key=f"{origin.key}-minutes",
            width=180,
            help="Epochs, network size, batch, alpha's learning rate and more follow from your "
            "data, the device and this budget. Fields that you changed stay.",
        )
        st.button(
            "Propose settings",
            key="propose",
            icon=":material/auto_fix_high:",
            on_click=lambda: _propose(studio, origin, form, minutes),
        )
    _show(studio, _made(origin))


def _propose(studio: Studio, origin: Origin, form: Form, minutes: float) -> None:
    """Propose values for all fields that nobody has changed, and keep them for the next run."""
    last, start = _made(origin), _start(origin, form)
    try:
        found = propose_settings(studio, start, minutes)
        training = propose_training(found, studio.published_catalog("a training"))
    except StudioError as error:
        st.session_state[STATE] = replace(last, refusal=str(error))
        return
    st.session_state[STATE] = _Made(origin.key, last.number + 1, start.own, found, training.summary)


def _start(origin: Origin, form: Form) -> Start:
    """The fields that the method or a person fixes."""
    before = form.start.model_dump()
    values = {
        name: st.session_state.get(f"{form.key}-{name}", value) for name, value in before.items()
    }
    own = form.own | {name for name, value in values.items() if value != before[name]}
    follows = follows_data(same_data=is_same_data(values["data"], form.start.data))
    free = follows.union(PROPOSED) - own - origin.method
    return Start({name: value for name, value in values.items() if name not in free}, own)


def _show(studio: Studio, made: _Made) -> None:
    proposal = made.proposal
    if made.refusal:
        st.error(plain(made.refusal), icon=":material/error:")
        if proposal is not None:
            st.caption("The form keeps the last proposal.")
    elif proposal is not None:
        st.success(plain(proposal.summary), icon=":material/auto_fix_high:")
        st.caption(plain("  \n".join([*proposal.notes, made.training])))
        if proposal.machine.source is SpeedSource.GUESS:
            _measure(studio, proposal.config.device)


def _measure(studio: Studio, device: str) -> None:
    question = speed_question(device)
    job_button(
        studio,
        None,
        question.kind,
        question.arguments,
        label="Measure the speed",
        key="speed",
        show=_measured,
        help_text="An engine trains two small networks for a few steps: about ten seconds, once.",
        icon=":material/speed:",
    )


def _measured(_: Mapping[str, Any]) -> None:
    st.caption("The speed is measured. Propose settings again.")
