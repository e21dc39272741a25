"""The cells as a picture of their own: SVG, for print and the web."""

from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from engine.domain.catalog import Card, Catalog
from engine.domain.genotype import Genotype
from engine.export.colours import GREY
from engine.export.drawing import TAG_HEIGHT, Drawing, DrawnCell, DrawnEdge, gather_drawing
from engine.export.exporter import PICTURE, Exporter
from engine.export.layout import PlacedNode

INK, PALE, PAPER = "#1f2430", "#8a8f98", "#ffffff"
MARGIN, GAP, STACK_GAP, TITLE_HEIGHT = 24.0, 40.0, 28.0, 40.0
LEGEND_STEP, LETTER = 24.0, 7.2
"""Height of a line of the legend, and about the width of a letter of size 13."""

DOTTED = "2 4"
DEAD = "on no path from the input to the scores"

FONT = "Helvetica, Arial, sans-serif"


def draw_svg(
    genotype: Genotype, catalog: Catalog, cells: int | None = None, *, stacked: bool = False
) -> bytes:
    """The cells with a legend, as one SVG that needs nothing else, UTF-8.

    What is dead is grey and dotted, with the reason as its tooltip.

    Args:
        genotype: The cells.
        catalog: The labels of their operations.
        cells: Number of cells of the network, which says what is dead; None if
            it is not known.
        stacked: One below the other, as on a page of paper, instead of side by side.
    """
    drawing = gather_drawing(genotype, catalog, cells)
    wide, high = drawing.cells[0].layout.width, _height(drawing.cells[0])
    right, down = (0.0, high + STACK_GAP) if stacked else (wide + GAP, 0.0)
    page = Element("g", transform=f"translate({MARGIN} {MARGIN})")
    for number, cell in enumerate(drawing.cells):
        page.append(_cell(cell, drawing, right * number, down * number))
    width = wide + right * (len(drawing.cells) - 1)
    below = high + down * (len(drawing.cells) - 1) + 16
    below = _legend(page, drawing, below, width)
    if drawing.caption:
        letters(page, drawing.caption, 0, below + 4, size=12, fill=PALE)
        below += LEGEND_STEP
    return _framed(page, drawing, width + 2 * MARGIN, below + MARGIN)


def _framed(page: Element, drawing: Drawing, width: float, height: float) -> bytes:
    size = {"width": f"{width:.0f}", "height": f"{height:.0f}"}
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "role": "img",
            "font-family": FONT,
            **size,
        },
    )
    SubElement(svg, "title").text = " and ".join(cell.title for cell in drawing.cells)
    SubElement(svg, "rect", {**size, "fill": PAPER})
    svg.append(page)
    return tostring(svg, encoding="UTF-8", xml_declaration=True) + b"\n"


def _height(cell: DrawnCell) -> float:
    """Of a cell with its title; all cells of a drawing have the same extent."""
    return TITLE_HEIGHT + cell.bottom - cell.top


def _cell(cell: DrawnCell, drawing: Drawing, left: float, top: float) -> Element:
    group = Element("g", transform=f"translate({left:.1f} {top:g})")
    letters(group, cell.title, 0, 16, size=17, weight="bold")
    if cell.note:
        letters(group, cell.note, 0, 34, size=12, fill=PALE)
    inner = SubElement(group, "g", transform=f"translate(0 {TITLE_HEIGHT - cell.top:.1f})")
    for path in cell.outputs:
        curve(inner, path, PALE, dashed=True)
    for edge in cell.edges:
        for number, shift in enumerate(_beside(len(edge.operations))):
            dead = edge.dead[number]
            colour = GREY if dead else drawing.colour(edge.operations[number].name)
            line = curve(inner, edge.place.path, colour)
            line.set("transform", f"translate(0 {shift:.1f})")
            if dead:
                line.set("stroke-dasharray", DOTTED)
    for node in cell.layout.nodes:
        node_box(inner, node, dead=cell.dead.get(node.id, ""))
    for edge in cell.edges:
        _tags(inner, edge, drawing)
    return group


def _beside(count: int) -> list[float]:
    """Shifts that put ``count`` lines of one edge beside each other."""
    return [3.0 * (number - (count - 1) / 2) for number in range(count)]


def curve(parent: Element, path: str, colour: str, *, dashed: bool = False) -> Element:
    """A line along a path of a layout."""
    line = SubElement(parent, "path", {"d": path, "fill": "none", "stroke": colour})
    line.set("stroke-width", "1.2" if dashed else "2.4")
    if dashed:
        line.set("stroke-dasharray", "4 4")
    return line


def node_box(parent: Element, node: PlacedNode, *, dead: str = "") -> None:
    """The box of a node with its label; dashed, with the reason, where it is dead."""
    if dead:
        parent = _with_reason(parent, dead)
    box = SubElement(
        parent,
        "rect",
        {
            "x": f"{node.x - node.width / 2:.1f}",
            "y": f"{node.y - node.height / 2:.1f}",
            "width": f"{node.width:.1f}",
            "height": f"{node.height:.1f}",
            "rx": "8",
            "fill": PAPER,
            "stroke": PALE if dead else INK,
            "stroke-width": "1.4",
        },
    )
    if dead:
        box.set("stroke-dasharray", "3 3")
    ink = PALE if dead else INK
    label = letters(parent, node.label, node.x, node.y + 5, size=15, anchor="middle", fill=ink)
    if node.subscript:
        small = SubElement(label, "tspan", {"font-size": "10", "dy": "4"})
        small.text = node.subscript


def _tags(parent: Element, edge: DrawnEdge, drawing: Drawing) -> None:
    """One tag for each operation of an edge, stacked at its apex."""
    top = edge.place.y - (len(edge.operations) - 1) * TAG_HEIGHT / 2
    for number, card in enumerate(edge.operations):
        middle = top + number * TAG_HEIGHT
        dead = edge.dead[number]
        place = _with_reason(parent, dead) if dead else parent
        colour, ink = (GREY, PALE) if dead else (drawing.colour(card.name), INK)
        _box(place, edge.place.x - 28, middle - 8, 56, 16, colour)
        letters(place, card.short, edge.place.x, middle + 4, size=11, anchor="middle", fill=ink)


def _with_reason(parent: Element, reason: str) -> Element:
    """A group whose tooltip says why its content is dead."""
    group = SubElement(parent, "g", {"class": "dead"})
    SubElement(group, "title").text = f"Dead: {reason}"
    return group


def _box(
    parent: Element, left: float, top: float, width: float, height: float, colour: str
) -> None:
    SubElement(
        parent,
        "rect",
        {
            "x": f"{left:.1f}",
            "y": f"{top:.1f}",
            "width": f"{width:.1f}",
            "height": f"{height:.1f}",
            "rx": "5",
            "fill": PAPER,
            "stroke": colour,
            "stroke-width": "1.8",
        },
    )


def _legend(parent: Element, drawing: Drawing, top: float, width: float) -> float:
    """One line a family, broken where it is full; returns where it ends."""
    for family, entries in groupby(drawing.legend, key=lambda entry: entry.card.family):
        letters(parent, family, 0, top + 4, size=13, fill=PALE)
        left = 80.0
        for entry in entries:
            space = 92 + LETTER * len(entry.card.label)
            if left > 80 and left + space > width:
                left, top = 80.0, top + LEGEND_STEP
            _box(parent, left, top - 8, 56, 16, entry.colour)
            letters(parent, entry.card.short, left + 28, top + 4, size=11, anchor="middle")
            letters(parent, entry.card.label, left + 64, top + 4, size=13)
            left += space
        top += LEGEND_STEP
    letters(parent, "output", 0, top + 4, size=13, fill=PALE)
    curve(parent, f"M80.0 {top:.1f}L136.0 {top:.1f}", PALE, dashed=True)
    letters(parent, drawing.joined, 144, top + 4, size=13)
    top += LEGEND_STEP
    if any(cell.has_dead for cell in drawing.cells):
        letters(parent, "dead", 0, top + 4, size=13, fill=PALE)
        line = curve(parent, f"M80.0 {top:.1f}L136.0 {top:.1f}", GREY)
        line.set("stroke-dasharray", DOTTED)
        letters(parent, DEAD, 144, top + 4, size=13)
        top += LEGEND_STEP
    return top


def letters(
    parent: Element,
    text: str,
    x: float,
    y: float,
    *,
    size: int,
    fill: str = INK,
    anchor: str = "start",
    weight: str = "normal",
) -> Element:
    """Text with its baseline at y; what cannot be printed becomes a blank."""
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "font-size": str(size), "fill": fill}
    if anchor != "start":
        attributes["text-anchor"] = anchor
    if weight != "normal":
        attributes["font-weight"] = weight
    element = SubElement(parent, "text", attributes)
    element.text = "".join(letter if letter.isprintable() else " " for letter in text)
    return element


SVG = Exporter(
    Card(
        "svg",
        "Picture (SVG)",
        "The cells side by side with a legend, in a form that stays sharp in print.",
        group=PICTURE,
    ),
    extension=".svg",
    media_type="image/svg+xml",
    draw=draw_svg,
)
