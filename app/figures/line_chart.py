"""Lines over time as an SVG of its own, for paper: each line is told by a dash and by its name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from xml.etree.ElementTree import Element, SubElement, tostring

DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 5", "1 4")
"""Dash patterns in turn; the first line is solid."""

LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 30.0, 40.0
"""Margins around the plot, in units of the picture."""

LETTER, LEGEND_LINE, LEGEND_GAP, LEGEND_ROW = 6.1, 26.0, 18.0, 17.0
DOT, DISC = 2.2, 4.0
"""Radius of a point of a line, and of a point that stands alone."""

MOST_POINTS = 500
"""Points of one line beyond which only extremes are drawn; more than the paper shows."""

NEAR_ZERO = 0.15
"""Share of the last value up to which the first one counts as near zero."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class PlottedLine:
    """One line of a chart.

    Attributes:
        label: Its name in the legend.
        colour: Beside its dash.
        xs: Ascending.
        ys: As many; what is not finite is left out.
        marked: Whether each of its points gets a dot, as for few measurements.
    """

    label: str
    colour: str
    xs: Sequence[float]
    ys: Sequence[float]
    marked: bool = False


@dataclass(frozen=True)
class Frame:
    """Where the values of a chart lie on the picture."""

    width: float
    height: float
    x_ticks: tuple[float, ...]
    y_ticks: tuple[float, ...]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    top: float = TOP

    def x(self, value: float) -> float:
        """The place of a value on the horizontal axis."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The place of a value on the vertical axis, which grows upwards."""
        low, high = self.y_range
        share = (value - low) / (high - low)
        return self.height - BOTTOM - share * (self.height - self.top - BOTTOM)


def line_chart(
    lines: Sequence[PlottedLine],
    *,
    key: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    width: float = 660.0,
    height: float = 250.0,
) -> str:
    """Draw lines with axes, ticks and a legend; text takes the colour of its surroundings.

    Args:
        lines: What is drawn, the first in front of the others; those without a
            point are left out, and a single point is a disc.
        key: What the identities of its parts begin with, unique in the document.
        title: What it shows, for people who cannot see it.
        description: What can be read off it, for the same people.
        x_label: Below the horizontal axis.
        y_label: Above the vertical axis, with its unit.
        width: Of the picture, in its own units.
        height: Of the picture; each row of names below the label adds to it.

    Raises:
        ValueError: No line has a point.
    """
    drawn = [(line, points) for line in lines if (points := points_of(line))]
    rows = legend_rows([line.label for line, _ in drawn], y_label, width)
    extra = LEGEND_ROW * (rows[-1][1] if rows else 0)
    frame = frame_of([points for _, points in drawn], width, height + extra, top=TOP + extra)
    height = frame.height
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "chart",
            "viewBox": f"0 0 {width:g} {height:g}",
            "role": "img",
            "aria-labelledby": f"{key}-title {key}-description",
        },
    )
    SubElement(svg, "title", {"id": f"{key}-title"}).text = title
    SubElement(svg, "desc", {"id": f"{key}-description"}).text = description
    _axes(svg, frame, x_label, y_label)
    for number, (line, points) in reversed(list(enumerate(drawn))):
        _line(svg, frame, line, points, DASHES[number % len(DASHES)])
    _legend(svg, drawn, rows)
    return tostring(svg, encoding="unicode")


def points_of(line: PlottedLine) -> list[tuple[float, float]]:
    """The finite points of a line, of a long one the extremes of each stretch."""
    points = [(x, y) for x, y in zip(line.xs, line.ys, strict=True) if isfinite(x) and isfinite(y)]
    return points if len(points) <= MOST_POINTS else list(thinned(points, MOST_POINTS // 2))


def thinned(points: Points, stretches: int) -> Iterator[tuple[float, float]]:
    """The lowest and the highest point of each of so many stretches, in order, and both ends."""
    size = ceil(len(points) / stretches)
    kept = {0, len(points) - 1}
    for first in range(0, len(points), size):
        stretch = range(first, min(first + size, len(points)))
        kept |= {min(stretch, key=lambda n: points[n][1]), max(stretch, key=lambda n: points[n][1])}
    return (points[number] for number in sorted(kept))


def frame_of(lines: Sequence[Points], width: float, height: float, *, top: float = TOP) -> Frame:
    """The axes around some lines: from tick to tick upwards, from end to end sideways.

    A line that begins near zero, as most do in time, has zero on its axis.
    """
    xs = [x for points in lines for x, _ in points]
    ys = [y for points in lines for _, y in points]
    if not xs:
        raise ValueError("a chart without a point")
    y_ticks = ticks(min(ys), max(ys), 5)
    low, high = min(xs), max(xs)
    if 0 < low <= NEAR_ZERO * high:
        low = 0.0
    if low == high:
        low, high = low - 0.5, high + 0.5
    x_ticks = tuple(tick for tick in ticks(low, high, 8) if low <= tick <= high)
    return Frame(width, height, x_ticks, y_ticks, (low, high), (y_ticks[0], y_ticks[-1]), top)


def ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    """About so many round numbers, evenly spaced, the first at or below and the last at or above.

    Steps are 1, 2 or 5 times a power of ten. A single value gets one step on
    each side.
    """
    span = high - low
    if span <= max(abs(low), abs(high)) * 1e-9:
        step = _round_up(abs(high) / 10 or 1.0)
        middle = floor(high / step + 0.5)
        return tuple(_tidy(n, step) for n in (middle - 1, middle, middle + 1))
    step = _round_up(span / count)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return tuple(_tidy(n, step) for n in range(first, last + 1))


def _round_up(value: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below a positive number."""
    power = 10.0 ** floor(log10(value))
    return next(power * one for one in (1, 2, 5, 10) if power * one >= value * (1 - 1e-9))


def _tidy(number: int, step: float) -> float:
    """A multiple of a step without the noise of floating point."""
    return round(number * step, max(0, 3 - floor(log10(step))))


def tick_text(value: float, step: float) -> str:
    """A tick with as many digits as its step has, thousands between commas."""
    digits = max(0, -floor(log10(step) + 1e-9))
    text = f"{value:,.{digits}f}"
    return "0" if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def _axes(svg: Element, frame: Frame, x_label: str, y_label: str) -> None:
    group = SubElement(svg, "g", {"class": "axes", "aria-hidden": "true"})
    right, bottom = frame.width - RIGHT, frame.height - BOTTOM
    for value in frame.y_ticks:
        y = frame.y(value)
        _rule(group, LEFT, y, right, y, "grid")
        text = tick_text(value, frame.y_ticks[1] - frame.y_ticks[0])
        _text(group, text, LEFT - 8, y + 4, anchor="end")
    step = frame.x_ticks[1] - frame.x_ticks[0] if len(frame.x_ticks) > 1 else 1.0
    for value in frame.x_ticks:
        x = frame.x(value)
        _rule(group, x, bottom, x, bottom + 4, "axis")
        _text(group, tick_text(value, step), x, bottom + 17, anchor="middle")
    _rule(group, LEFT, bottom, right, bottom, "axis")
    _text(group, x_label, (LEFT + right) / 2, frame.height - 5, anchor="middle", kind="label")
    _text(group, y_label, 2, 13, kind="label")


def _line(svg: Element, frame: Frame, line: PlottedLine, points: Points, dash: str) -> None:
    if len(points) == 1:
        _disc(svg, *_place(frame, points[0]), line.colour, radius=DISC)
        return
    places = ["{:.1f} {:.1f}".format(*_place(frame, point)) for point in points]
    _stroked(SubElement(svg, "path", {"d": "M" + "L".join(places)}), line.colour, dash)
    for point in points if line.marked else ():
        _disc(svg, *_place(frame, point), line.colour, radius=DOT)


def _place(frame: Frame, point: tuple[float, float]) -> tuple[float, float]:
    return frame.x(point[0]), frame.y(point[1])


def _disc(parent: Element, x: float, y: float, colour: str, *, radius: float) -> None:
    place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{radius:g}"}
    SubElement(parent, "circle", {**place, "fill": colour})


def legend_rows(labels: Sequence[str], y_label: str, width: float) -> list[tuple[float, int]]:
    """Where each name of the legend begins: its left edge and its row, from 0.

    All of them stand flush right beside the label of the vertical axis if there
    is room; else in as many rows below it as they need.
    """
    widths = [LEGEND_LINE + 6 + LETTER * len(label) for label in labels]
    left = width - RIGHT - sum(widths) - LEGEND_GAP * (len(labels) - 1)
    first, row = (left, 0) if left >= LETTER * len(y_label) + 24 else (2.0, 1)
    places, at = [], first
    for size in widths:
        if at > first and at + size > width:
            at, row = first, row + 1
        places.append((at, row))
        at += size + LEGEND_GAP
    return places


def _legend(
    svg: Element,
    drawn: Sequence[tuple[PlottedLine, Points]],
    places: Sequence[tuple[float, int]],
) -> None:
    """The names of the lines with their dashes, above the plot."""
    group = SubElement(svg, "g", {"class": "legend"})
    for number, ((line, points), (left, row)) in enumerate(zip(drawn, places, strict=True)):
        y = 9 + LEGEND_ROW * row
        if len(points) == 1:
            _disc(group, left + LEGEND_LINE - DISC, y, line.colour, radius=DISC)
        else:
            sample = SubElement(group, "path", {"d": f"M{left:.1f} {y:g}H{left + LEGEND_LINE:.1f}"})
            _stroked(sample, line.colour, DASHES[number % len(DASHES)])
        _text(group, line.label, left + LEGEND_LINE + 6, y + 4, kind="label")


def _stroked(path: Element, colour: str, dash: str) -> None:
    path.attrib |= {"fill": "none", "stroke": colour, "stroke-width": "1.8"}
    path.set("stroke-linejoin", "round")
    if dash:
        path.set("stroke-dasharray", dash)


def _rule(parent: Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    SubElement(parent, "line", {**{k: f"{v:.1f}" for k, v in ends.items()}, "class": kind})


def _text(
    parent: Element, text: str, x: float, y: float, *, anchor: str = "start", kind: str = "tick"
) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": kind}
    SubElement(parent, "text", place).text = text
