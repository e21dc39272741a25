"""Sample pictures on one sheet: a few of each class, or scenes with their masks."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from engine.data.images import ImageData
from engine.data.pictures import Pixels
from engine.data.scenes import SceneData

TILE = 56
"""Pixels of the longer side of a small picture."""

SCENE_TILE = 112
GAP = 4
LABEL_WIDTH = 96
LABEL_LETTERS = 15
LABEL_COLOUR = (122, 127, 140, 255)
"""Readable on white and on black."""

MOST_CLASSES = 12
EACH = 6
SCENES = 8
SCENES_A_ROW = 2
MARKED = 4
"""At most so many classes of a scene get their number on it."""

COVER = 0.55
LARGEST_BYTES = 120_000
JPEG_QUALITIES = (85, 70, 50, 30)


@dataclass(frozen=True)
class Sheet:
    """One picture, and what is on it in words.

    Attributes:
        content: The file.
        media_type: ``image/png``, or ``image/jpeg`` where that is smaller.
        width: In pixels.
        words: For those who do not see it.
    """

    content: bytes
    media_type: str
    width: int
    words: str

    def to_plain(self) -> dict[str, object]:
        """The same as JSON values, the file in base 64."""
        return {
            "base64": base64.b64encode(self.content).decode(),
            "media_type": self.media_type,
            "width": self.width,
            "words": self.words,
        }


def sheet_of_images(data: ImageData) -> Sheet:
    """The first training images of each class, a class a row."""
    classes = range(min(MOST_CLASSES, len(data.class_names)))
    rows = [np.flatnonzero(data.train.labels == number)[:EACH].tolist() for number in classes]
    size = _fitted(data.train.images.shape[2], data.train.images.shape[1], TILE)
    sheet = _canvas(LABEL_WIDTH + EACH * (size[0] + GAP), len(rows) * (size[1] + GAP))
    draw = ImageDraw.Draw(sheet)
    for line, (number, chosen) in enumerate(zip(classes, rows, strict=True)):
        top = line * (size[1] + GAP)
        name = data.class_names[number][:LABEL_LETTERS]
        draw.text((0, top + size[1] // 2 - 6), name, fill=LABEL_COLOUR)
        for place, index in enumerate(chosen):
            tile = _tile(data.train.images[index], size)
            sheet.paste(tile, (LABEL_WIDTH + place * (size[0] + GAP), top))
    names = ", ".join(data.class_names[number] for number in classes)
    more = len(data.class_names) - len(rows)
    rest = f" and {more} more classes, which are not shown" if more else ""
    return _encoded(sheet, f"Up to {EACH} training images of each class, a row each: {names}{rest}")


def sheet_of_scenes(data: SceneData, colours: Sequence[str]) -> Sheet:
    """The first training scenes, each beside itself under its mask.

    Args:
        data: The scenes.
        colours: As ``#rrggbb``, of the classes in turn.
    """
    chosen = range(min(SCENES, len(data.train)))
    size = _fitted(data.train.images.shape[2], data.train.images.shape[1], SCENE_TILE)
    pair = 2 * size[0] + 4 * GAP
    rows = -(-len(chosen) // SCENES_A_ROW)
    sheet = _canvas(SCENES_A_ROW * pair, rows * (size[1] + GAP))
    for place, index in enumerate(chosen):
        row, column = divmod(place, SCENES_A_ROW)
        left, top = column * pair, row * (size[1] + GAP)
        image, mask = data.train.images[index], data.train.masks[index]
        sheet.paste(_tile(image, size), (left, top))
        covered = _covered(image, mask, size, data.ignore_index, colours)
        sheet.paste(covered, (left + size[0] + GAP, top))
    numbers = ", ".join(f"{number} {name}" for number, name in enumerate(data.class_names[:60]))
    return _encoded(
        sheet,
        f"The first {len(chosen)} training scenes, each beside itself under its mask. The numbers "
        f"are classes: {numbers}",
    )


def overlay(image: Pixels, mask: Pixels, *, ignore_index: int, colours: Sequence[str]) -> Pixels:
    """An image [H, W, C] under the colours of its mask [H, W], as RGB.

    A pixel becomes (1 - c) of itself and c of its class's colour, c = 0.55; one
    that does not count, or has class 0, stays as it is.
    """
    palette = np.array([_rgb(colours[number % len(colours)]) for number in range(256)])
    rgb = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    marked = ((mask != ignore_index) & (mask != 0))[..., None]
    mixed = (1.0 - COVER) * rgb + COVER * palette[mask]
    return np.rint(np.where(marked, mixed, rgb)).astype(np.uint8)


def _covered(
    image: Pixels, mask: Pixels, size: tuple[int, int], ignore_index: int, colours: Sequence[str]
) -> Image.Image:
    """The overlay at the size of a tile, with the numbers of its largest classes."""
    tile = _tile(overlay(image, mask, ignore_index=ignore_index, colours=colours), size)
    draw = ImageDraw.Draw(tile)
    counts = np.bincount(mask.ravel(), minlength=256)
    counts[[0, ignore_index]] = 0
    for number in np.argsort(-counts, kind="stable")[:MARKED].tolist():
        if counts[number]:
            y, x = _middle(mask == number)
            place = (x * size[0] / mask.shape[1], y * size[1] / mask.shape[0])
            draw.text(
                place, str(number), fill="white", anchor="mm", stroke_width=2, stroke_fill="black"
            )
    return tile


def _middle(marked: np.ndarray) -> tuple[float, float]:
    """The marked pixel that is nearest to the mean of all of them."""
    ys, xs = np.nonzero(marked)
    nearest = int(((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2).argmin())
    return float(ys[nearest]) + 0.5, float(xs[nearest]) + 0.5


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """The size of a tile: a whole multiple of a small picture, else as long as ``side``."""
    longer = max(width, height)
    factor = side // longer if longer <= side else side / longer
    return max(1, round(width * factor)), max(1, round(height * factor))


def _tile(pixels: Pixels, size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
    grows = size[0] >= image.width
    return image.resize(size, Image.Resampling.NEAREST if grows else Image.Resampling.BILINEAR)


def _canvas(width: int, height: int) -> Image.Image:
    return Image.new("RGBA", (width, height), (255, 255, 255, 0))


def _encoded(sheet: Image.Image, words: str) -> Sheet:
    """PNG, or JPEG on white where that would be too large."""
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    content, media_type = file.getvalue(), "image/png"
    for quality in JPEG_QUALITIES:
        if len(content) <= LARGEST_BYTES:
            break
        white = Image.new("RGB", sheet.size, "white")
        white.paste(sheet, mask=sheet.getchannel("A"))
        file = io.BytesIO()
        white.save(file, "JPEG", quality=quality)
        content, media_type = file.getvalue(), "image/jpeg"
    return Sheet(content, media_type, sheet.width, words)
