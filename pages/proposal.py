"""New search: a time budget, the button that proposes settings, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.checks import speed_question
from app.job_widgets import job_button
from app.proposals import propose_settings
from app.starting_points import Start, stem
from app.studio import Studio
from app.widgets import plain
from engine.domain.config import SearchConfig
from engine.domain.errors import StudioError
from engine.domain.facts import SPEED_SOURCES, SpeedSource
from engine.domain.proposal import Proposal
from engine.domain.proposal_limits import DEFAULT_MINUTES
from engine.domain.proposed import FOLLOWS_DATA, PROPOSED
from engine.domain.training_proposal import propose_training

STATE = "proposal"

OF_THE_DATA = {"ignore_index"}
"""Settings of a preset that stay on its own data, since they say how these are written."""


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
    """A proposal, or why there is none, for the form that asked for it."""

    key: str
    number: int
    own: frozenset[str]
    proposal: Proposal | None
    refusal: str = ""
    training: str = ""


def proposed_form(key: str, start: SearchConfig) -> Form:
    """Return the form with the values that were proposed for it, if any were."""
    made: _Made | None = st.session_state.get(STATE)
    if made is None or made.key != key or made.proposal is None:
        return Form(key, start, {})
    proposal = made.proposal
    reasons = {
        name: plain(f"{reason[0].upper()}{reason[1:]}.")
        for name, reason in proposal.reasons.items()
    }
    return Form(f"{key}-{made.number}", proposal.config, reasons, made.own)


def budget_row(studio: Studio, key: str, form: Form, fixed: frozenset[str], minutes: float) -> None:
    """Draw the budget, the button, and what was proposed last.

    Args:
        studio: The use cases.
        key: Identity of the form before anything was proposed.
        form: What it shows at first.
        fixed: Settings that the chosen method or preset fixes.
        minutes: The budget at first.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asked = st.number_input(
            "Time budget (minutes)",
            value=float(minutes or DEFAULT_MINUTES),
            min_value=1.0,
            max_value=60.0 * 24 * 30,
            step=5.0,
            format="%g",
            key=f"{key}-minutes",
            width=180,
            help="Epochs, size of the network, batch, alpha's learning rate and more follow from "
            "your data, the device and this budget. What you have changed yourself stays.",
        )
        st.button(
            "Propose settings",
            key="propose",
            icon=":material/auto_fix_high:",
            on_click=lambda: _propose(studio, key, form, fixed, float(asked)),
        )
    made: _Made | None = st.session_state.get(STATE)
    if made is not None and made.key == key:
        _show(studio, made)


def _propose(studio: Studio, key: str, form: Form, fixed: frozenset[str], minutes: float) -> None:
    """Propose values for all fields that nobody has changed, and keep them for the next run."""
    values = _entered(form)
    start = form.start.model_dump()
    own = form.own | {name for name, value in values.items() if value != start[name]}
    free = (set(PROPOSED) | FOLLOWS_DATA) - own - fixed
    if stem(values["data"]) == stem(form.start.data):
        free -= OF_THE_DATA
    given = {name: value for name, value in values.items() if name not in free}
    before: _Made | None = st.session_state.get(STATE)
    number = 1 + (before.number if before is not None else 0)
    try:
        found = propose_settings(studio, Start(given, own), minutes)
        training = propose_training(found, studio.published_catalog("a training")).summary
        made = _Made(key, number, own, found, training=training)
    except StudioError as error:
        previous = before.proposal if before is not None and before.key == key else None
        kept = before.number if before is not None else 0
        made = _Made(key, kept, form.own, previous, refusal=str(error))
    st.session_state[STATE] = made


def _entered(form: Form) -> dict[str, Any]:
    """The values of the form, as its widgets hold them now."""
    return {
        name: st.session_state.get(f"{form.key}-{name}", value)
        for name, value in form.start.model_dump().items()
    }


def _show(studio: Studio, made: _Made) -> None:
    if made.refusal:
        st.error(plain(made.refusal), icon=":material/error:")
        return
    proposal = made.proposal
    if proposal is None:
        return
    st.info(plain(proposal.summary), icon=":material/auto_fix_high:")
    lines = [*proposal.notes, f"Training from scratch: {made.training}"]
    if proposal.machine.source is not SpeedSource.GUESS:
        lines.append(f"Speed {SPEED_SOURCES[proposal.machine.source]}.")
    st.caption(plain("  \n".join(lines)))
    if proposal.machine.source is SpeedSource.GUESS:
        _measure(studio, proposal.config.device)


def _measure(studio: Studio, device: str) -> None:
    question = speed_question(device)
    job_button(
        studio,
        None,
        question.kind,
        question.arguments,
        label="Measure this machine",
        key="speed",
        show=_measured,
        help_text="An engine takes a few steps of two small searches: about ten seconds, once.",
        icon=":material/speed:",
    )


def _measured(_: Mapping[str, Any]) -> None:
    st.caption("Measured. Propose the settings again.")
