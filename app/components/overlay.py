"""The same figure of several runs in one chart, smoothed and scaled as a person likes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.components.loading import StaticComponent

_overlay = StaticComponent("egs_overlay", "overlay.js", room=490)

MOST_POINTS = 40_000
"""Drawn in all; of more, every n-th of each curve is drawn."""


@dataclass(frozen=True)
class Track:
    """One run in the chart.

    Attributes:
        uid: Identity of the run.
        label: What it is called.
        colour: Of its line.
        dash: Lengths of line and gap; empty for a whole line.
        address: Where its series are fetched; None where they are in ``series``.
        series: A series message, see :mod:`app.wire`.
        steps_an_epoch: For the axis of epochs; 0 before the first step.
        times: (step, seconds of training) at the start and the ends of epochs.
    """

    uid: str
    label: str
    colour: str
    dash: tuple[int, ...]
    address: str | None
    series: Mapping[str, Any] | None
    steps_an_epoch: float
    times: Sequence[tuple[int, float]]


def overlay_data(
    tracks: Sequence[Track], labels: Mapping[str, str], *, view: str, first: str
) -> dict[str, Any]:
    """What the chart needs, as plain values.

    Args:
        tracks: The runs.
        labels: What each figure is called, by its stored name.
        view: What the person chose before, from the address; may be empty.
        first: Figure to show at first.
    """
    return {
        "tracks": [
            {
                "uid": track.uid,
                "label": track.label,
                "colour": track.colour,
                "dash": list(track.dash),
                "address": track.address,
                "series": track.series,
                "stepsAnEpoch": track.steps_an_epoch,
                "times": [list(pair) for pair in track.times],
            }
            for track in tracks
        ],
        "labels": dict(labels),
        "view": view,
        "first": first,
        "mostPoints": MOST_POINTS,
    }


def overlay(data: Mapping[str, Any], *, key: str) -> str:
    """Mount the chart; returns what the person chose, as it stands in the address."""
    result = _overlay(data, key=key, default={"view": data["view"]}, on_view_change=_nothing)
    return str(result.view or "")


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """The exponential mean that the chart draws.

    s_t = w s_{t-1} + (1 - w) x_t from s_0 = 0, divided by 1 - w^t, so that the
    first values are not drawn to zero.

    Args:
        values: In order of steps.
        weight: w, from 0 (as measured) to below 1.
    """
    found, mean, norm = [], 0.0, 1.0
    for value in values:
        mean = weight * mean + (1 - weight) * value
        norm *= weight
        found.append(mean / (1 - norm))
    return found


def _nothing() -> None:
    """Make Streamlit keep the state of the component."""
