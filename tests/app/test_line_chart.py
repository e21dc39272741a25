"""Line charts for paper: their ticks, what they keep of long lines, and what they say."""

from itertools import pairwise
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.figures.line_chart import (
    MOST_POINTS,
    PlottedLine,
    frame_of,
    legend_rows,
    line_chart,
    points_of,
    tick_text,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6))


@given(VALUES, VALUES, st.integers(3, 10))
def test_ticks_are_round_evenly_spaced_and_hold_everything(one: float, other: float, count: int):
    low, high = min(one, other), max(one, other)
    found = ticks(low, high, count)
    steps = [after - before for before, after in pairwise(found)]
    slack = 1e-6 * max(1.0, *map(abs, found))
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= count + 3
    assert max(steps) - min(steps) <= slack
    assert f"{steps[0]:.0e}"[0] in "125"


def test_ticks_read_well():
    assert ticks(0, 1, 5) == (0, 0.2, 0.4, 0.6, 0.8, 1)
    assert ticks(-3.1, 5.4, 5) == (-4, -2, 0, 2, 4, 6)
    assert ticks(97.8, 97.8, 5) == (90, 100, 110)
    assert [tick_text(value, 0.2) for value in (0.2, -0.4, 0.0)] == ["0.2", "−0.4", "0"]
    assert tick_text(12_000, 2_000) == "12,000"


def test_a_long_line_keeps_its_ends_and_every_extreme():
    ys = [0.0] * 20_000
    ys[7_777], ys[13_131] = 9.0, -5.0
    line = PlottedLine("spikes", "#000000", range(20_000), ys)
    kept = points_of(line)
    assert len(kept) <= MOST_POINTS + 2
    assert {(0, 0.0), (7_777, 9.0), (13_131, -5.0), (19_999, 0.0)} <= set(kept)
    assert kept == sorted(kept)


@given(st.lists(st.text("x", min_size=1, max_size=30), min_size=1, max_size=6))
def test_names_of_lines_never_overlap_or_leave_the_picture(labels: list[str]):
    width = 360.0
    places = legend_rows(labels, "Depth (operations)", width)
    ends = [left + 32 + 6.1 * len(label) for (left, _), label in zip(places, labels, strict=True)]
    for (_, row), end, (left, following) in zip(places[:-1], ends[:-1], places[1:], strict=True):
        assert following in (row, row + 1)
        assert following > row or left > end
    assert all(end <= width for end in ends)
    assert places[0][1] == 0 or places[0] == (2.0, 1)


def test_names_that_fit_stand_beside_the_label_and_others_below_it():
    assert [row for _, row in legend_rows(["child", "supernet"], "Accuracy", 360)] == [0, 0]
    names = ["normal cell", "reduction cell", "normal cell, drawn", "reduction cell, drawn"]
    assert [row for _, row in legend_rows(names, "Depth (operations)", 360)] == [1, 1, 2, 2]
    assert legend_rows([], "Depth", 360) == []


def test_what_is_no_number_is_left_out():
    line = PlottedLine("gaps", "#000000", [1, 2, 3, 4], [1.0, nan, inf, 2.0])
    assert points_of(line) == [(1, 1.0), (4, 2.0)]


def drawn(*lines: PlottedLine) -> ElementTree.Element:
    return ElementTree.fromstring(
        line_chart(
            lines,
            key="k",
            title="A & B",
            description="Falls.",
            x_label="epoch",
            y_label="Loss",
        )
    )


def test_every_line_is_told_by_its_dash_and_its_name():
    svg = drawn(
        PlottedLine("child", "#d55e00", [1, 2, 3], [3, 2, 1]),
        PlottedLine("supernet", "#0072b2", [1, 2, 3], [2, 2, 2]),
        PlottedLine("test", "#000000", [3], [1]),
        PlottedLine("nothing", "#123456", [], []),
    )
    words = [text.text for text in svg.iter(f"{SVG}text")]
    assert {"child", "supernet", "test", "epoch", "Loss"} <= set(words)
    assert "nothing" not in words
    dashes = [path.get("stroke-dasharray") for path in svg.findall(f"{SVG}path")]
    assert len(dashes) == len(set(dashes)) == 2
    assert svg.get("aria-labelledby") == "k-title k-description"
    assert svg.find(f"{SVG}title").text == "A & B"
    assert svg.find(f"{SVG}desc").text == "Falls."
    assert [circle.get("fill") for circle in svg.findall(f"{SVG}circle")] == ["#000000"]


def test_points_lie_where_the_axes_say():
    frame = frame_of([[(1.0, 10.0), (20.0, 90.0)]], 660, 250)
    assert frame.x_range == (0, 20)
    assert frame.y_range == (0, 100)
    assert frame.x(10) == pytest.approx((frame.x(0) + frame.x(20)) / 2)
    assert frame.y(75) == pytest.approx(frame.y(100) + (frame.y(0) - frame.y(100)) / 4)
    assert frame_of([[(5.0, 1.0)]], 660, 250).x_range == (4.5, 5.5)
    with pytest.raises(ValueError, match="without a point"):
        frame_of([], 660, 250)
