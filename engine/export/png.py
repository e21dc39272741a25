"""The same picture as PNG, at a resolution for print."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import resvg_py
from PIL import ImageFont

from engine.domain.catalog import Card, Catalog
from engine.domain.errors import NotFound
from engine.domain.genotype import Genotype
from engine.export.exporter import PICTURE, Exporter
from engine.export.svg import FONT, draw_svg

SCALE = 3.0
"""Pixels a unit of the SVG: both convolutional cells fill a page at 600 dots an inch."""


def draw_png(genotype: Genotype, catalog: Catalog, cells: int | None = None) -> bytes:
    """The cells side by side with a legend, as PNG; as :func:`draw_svg` draws them."""
    return next(rasters([draw_svg(genotype, catalog, cells).decode()], zoom=SCALE))


def rasters(pictures: Iterable[str], *, zoom: float) -> Iterator[bytes]:
    """Pictures given as SVG, one after the other as PNG.

    The letters are those of Pillow's own font, so that a picture needs no
    font of the machine; other fonts fill in what it lacks.

    Args:
        pictures: SVG text with the studio's own font family.
        zoom: Pixels a unit.
    """
    content, family = own_letters()
    with TemporaryDirectory() as folder:
        font = Path(folder) / "letters.ttf"
        font.write_bytes(content)
        for picture in pictures:
            yield bytes(
                resvg_py.svg_to_bytes(
                    svg_string=picture.replace(f'font-family="{FONT}"', ""),
                    zoom=zoom,
                    font_files=[str(font)],
                    font_family=family,
                    sans_serif_family=family,
                )
            )


def own_letters() -> tuple[bytes, str]:
    """The font that Pillow carries: the content of its file, and its family."""
    font = ImageFont.load_default(13)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise NotFound(
            asked="a picture in pixels",
            found="a Pillow without FreeType, which has no letters",
            allowed="Pillow as its publishers pack it",
            advice="install Pillow again with pip, or take the SVG",
        )
    return font.font_bytes, str(font.getname()[0])


PNG = Exporter(
    Card(
        "png",
        "Picture (PNG)",
        "The same picture in pixels, at a resolution for print.",
        group=PICTURE,
    ),
    extension=".png",
    media_type="image/png",
    draw=draw_png,
)
