from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.catalog import gather_catalog
from engine.domain.derivation import DerivationRule
from engine.domain.genotype import Gene, Genotype
from engine.domain.published import PUBLISHED
from engine.export.colours import OPERATION_COLOURS
from engine.export.drawing import gather_drawing
from engine.export.png import SCALE, draw_png
from engine.export.svg import draw_svg
from engine.spaces import SPACES
from tests.engine.domain.genotypes import older_input_only

CATALOG = gather_catalog()
DARTS = SPACES["darts"]
M7 = PUBLISHED["data_m7"].genotype(DARTS)
NS = "{http://www.w3.org/2000/svg}"


def empty_but_one() -> Genotype:
    cell = (frozenset({Gene(0, "sep_conv_3x3")}), frozenset())
    space = DARTS.with_nodes(2)
    return Genotype(space, {"normal": cell, "reduction": (frozenset(), frozenset())})


def texts(svg: bytes) -> list[str]:
    return ["".join(t.itertext()) for t in ElementTree.fromstring(svg).iter(f"{NS}text")]


def test_the_drawing_holds_every_kept_operation_once():
    drawing = gather_drawing(M7, CATALOG)
    counts = [sum(len(edge.operations) for edge in cell.edges) for cell in drawing.cells]
    assert counts == [sum(map(len, M7.cells[kind])) for kind in DARTS.cell_kinds]


def test_the_legend_lists_what_occurs_by_family_and_nothing_else():
    drawing = gather_drawing(M7, CATALOG)
    names = [entry.card.name for entry in drawing.legend]
    assert names == [
        "sep_conv_3x3",
        "dil_conv_3x3",
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
    ]
    assert [entry.colour for entry in drawing.legend] == [OPERATION_COLOURS[n] for n in names]


def test_nodes_that_keep_nothing_are_marked():
    cells = gather_drawing(empty_but_one(), CATALOG).cells
    assert [sorted(cell.dead) for cell in cells] == [["3"], ["2", "3"]]
    assert cells[0].dead == {"3": "node 1 keeps nothing"}
    assert [len(cell.outputs) for cell in cells] == [1, 0]


def test_what_is_dead_is_grey_with_the_reason_and_everything_else_is_as_before():
    """In reduction cells of six, all is dead; normal cells live, but for an input."""
    genotype = older_input_only()
    cells = gather_drawing(genotype, CATALOG, 6).cells
    normal, reduction = cells
    assert normal.dead == {"1": "nothing reads this input"}
    assert not any(any(edge.dead) for edge in normal.edges)
    assert normal.note == "1 of 4 normal cells is dead: no later cell reads this cell."
    assert all(all(edge.dead) for edge in reduction.edges)
    assert len(reduction.dead) == 7
    svg = draw_svg(genotype, CATALOG, 6)
    reasons = [group.find(f"{NS}title").text for group in dead_groups(svg)]
    tags = sum(len(edge.operations) for edge in reduction.edges)
    assert reasons.count("Dead: no later cell reads this cell") == tags + 7
    assert reasons.count("Dead: nothing reads this input") == 1
    assert reduction.note in texts(svg)
    assert "on no path from the input to the scores" in texts(svg)
    plain = draw_svg(genotype, CATALOG)
    assert not dead_groups(plain)
    assert len(draw_png(genotype, CATALOG, 6)) != len(draw_png(genotype, CATALOG))
    assert draw_svg(M7, CATALOG, 20) == draw_svg(M7, CATALOG)


def dead_groups(svg: bytes) -> list[ElementTree.Element]:
    return [g for g in ElementTree.fromstring(svg).iter(f"{NS}g") if g.get("class") == "dead"]


def test_the_caption_says_where_the_cells_come_from():
    genotype = replace(M7, lineage={"name": "my run", "step": 1200}, rule=DerivationRule(draws=4))
    assert gather_drawing(genotype, CATALOG).caption == "my run, step 1,200, rule map, M = 4"


def test_the_svg_has_title_tags_legend_and_one_line_an_operation():
    svg = draw_svg(M7, CATALOG)
    words = texts(svg)
    assert words[0] == "Normal cell"
    assert "Reduction cell" in words
    assert "Dilated convolution 3x3" in words
    kept = sum(len(node) for cell in M7.cells.values() for node in cell)
    lines = [
        p
        for p in ElementTree.fromstring(svg).iter(f"{NS}path")
        if p.get("stroke-dasharray") is None
    ]
    assert len(lines) == kept
    drawn = [line.get("stroke") for line in lines]
    assert drawn.count(OPERATION_COLOURS["sep_conv_3x3"]) == sum(
        gene.operation == "sep_conv_3x3"
        for cell in M7.cells.values()
        for node in cell
        for gene in node
    )


def test_the_svg_refers_to_nothing_outside_itself():
    svg = draw_svg(M7, CATALOG).decode()
    assert svg.count("http") == 1
    assert "href" not in svg
    assert "<style" not in svg


def test_a_name_that_looks_like_markup_is_only_text():
    genotype = replace(M7, lineage={"name": '</text><script>"&\x00\x1b'})
    svg = draw_svg(genotype, CATALOG)
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{NS}script"))
    assert texts(svg)[-1] == '</text><script>"&  '


@pytest.mark.parametrize("name", list(SPACES))
def test_an_architecture_of_every_space_can_be_drawn(name):
    space = SPACES[name]
    operation = next(o for o in space.operations if o != "none")
    cell = tuple(frozenset({Gene(0, operation)}) for _ in range(space.nodes))
    genotype = Genotype(space, dict.fromkeys(space.cell_kinds, cell))
    root = ElementTree.fromstring(draw_svg(genotype, CATALOG))
    assert len(list(root.iter(f"{NS}path"))) > space.nodes


def test_everything_lies_within_the_page():
    root = ElementTree.fromstring(draw_svg(M7, CATALOG))
    width, height = float(root.get("width")), float(root.get("height"))
    page = root.find(f"{NS}g")
    shift = 24.0
    for cell in page.findall(f"{NS}g"):
        left = float(cell.get("transform").split("(")[1].split(" ")[0])
        inner = cell.find(f"{NS}g")
        down = float(inner.get("transform").strip(")").split(" ")[1])
        for box in inner.iter(f"{NS}rect"):
            x, y = float(box.get("x")) + left + shift, float(box.get("y")) + down + shift
            assert 0 <= x <= width - float(box.get("width"))
            assert 0 <= y <= height - float(box.get("height"))


def test_the_png_shows_the_same_picture_for_print():
    svg = ElementTree.fromstring(draw_svg(M7, CATALOG))
    image = Image.open(BytesIO(draw_png(M7, CATALOG))).convert("RGB")
    assert image.size == (
        round(float(svg.get("width")) * SCALE),
        round(float(svg.get("height")) * SCALE),
    )
    pixels = np.asarray(image).reshape(-1, 3)
    assert (pixels[0] == 255).all()
    for name in ("sep_conv_3x3", "skip_connect", "dil_conv_3x3"):
        colour = [int(OPERATION_COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == colour).all(axis=1).sum() > 500, name


def test_the_png_has_letters_on_a_machine_without_fonts(monkeypatch):
    """The title alone darkens the place where it stands."""
    monkeypatch.setenv("FONTCONFIG_FILE", "/dev/null")
    image = Image.open(BytesIO(draw_png(empty_but_one(), CATALOG))).convert("L")
    title = np.asarray(image)[int(20 * SCALE) : int(44 * SCALE), int(24 * SCALE) : int(120 * SCALE)]
    assert (title < 100).mean() > 0.05
