"""The same picture as PNG, at a resolution for print."""

from pathlib import Path
from tempfile import TemporaryDirectory

import resvg_py
from PIL import ImageFont

from engine.domain.catalog import Card, Catalog
from engine.domain.genotype import Genotype
from engine.export.exporter import PICTURE, Exporter
from engine.export.svg import FONT, draw_svg

SCALE = 3.0
"""Pixels a unit of the SVG: both convolutional cells fill a page at 600 dots an inch."""


def draw_png(genotype: Genotype, catalog: Catalog) -> bytes:
    """The cells side by side with a legend, as PNG.

    The letters are those of Pillow's own font, so that the picture needs no
    font of the machine; other fonts fill in what it lacks.
    """
    svg = draw_svg(genotype, catalog).decode()
    with TemporaryDirectory() as folder:
        font = Path(folder) / "letters.ttf"
        letters = ImageFont.load_default(13)
        font.write_bytes(letters.font_bytes)
        family, _ = letters.getname()
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg.replace(f'font-family="{FONT}"', ""),
                zoom=SCALE,
                font_files=[str(font)],
                font_family=family,
                sans_serif_family=family,
            )
        )


PNG = Exporter(
    Card(
        "png",
        "Picture (PNG)",
        "The same picture in pixels, at a resolution for print.",
        group=PICTURE,
    ),
    extension=".png",
    media_type="image/png",
    render=None,
    draw=draw_png,
)
