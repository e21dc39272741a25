"""Finding and opening pictures on disk, whatever they belong to."""

import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.data.faults import refused

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
VALIDATION_NAMES = ("val", "valid", "validation")
LARGEST_IMAGE_PIXELS = 64_000_000
"""More pixels than this are taken for a decompression bomb."""

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises for files that are damaged, no images, or bombs."""

BAD_REMARKS = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow raises for damaged remarks (EXIF) beside pixels that are whole."""

Pixels = NDArray[np.uint8]


def entries(source: str, folder: Path) -> Iterator[os.DirEntry[str]]:
    """Visible entries by name; links are refused, since they could lead anywhere."""
    try:
        with os.scandir(folder) as found:
            visible = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise refused(
            source,
            f"a folder that cannot be listed ({error.strerror}: {folder.name})",
            "folders that this account may read",
            "change its permissions",
        ) from None
    for entry in visible:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and not _stays_inside(folder, entry):
            raise refused(
                source,
                f"the link {entry.name!r}, which leads out of its folder",
                "files and folders, or links within the folder",
                "copy what it points to",
            )
        yield entry


def _stays_inside(folder: Path, entry: os.DirEntry[str]) -> bool:
    return Path(entry.path).resolve().is_relative_to(folder.resolve())


def opened(path: Path) -> Image.Image:
    """The image, not decoded yet; a bomb raises, damaged remarks beside the pixels do not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(path)
    width, height = image.size
    if width * height > LARGEST_IMAGE_PIXELS:
        image.close()
        raise ValueError(f"{width}x{height} pixels are more than {LARGEST_IMAGE_PIXELS}")
    return image


def decoded(path: Path) -> Image.Image:
    """The first frame, upright if its remarks tell how: mode L if the file is grey, else RGB.

    Where it is transparent it shows white, not the colours that nobody sees.
    """
    with opened(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        file.load()
        image = _upright(file)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
        if image.mode in {"I", "F"}:
            raise ValueError("32 bits a pixel")
        return _on_white(image).convert("L" if is_grey(image.mode) else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    above = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as its camera says, or as it is where that cannot be read."""
    try:
        return ImageOps.exif_transpose(image)
    except BAD_REMARKS:
        return image


def is_grey(mode: str) -> bool:
    """Whether a mode of Pillow has no colour."""
    return mode in {"1", "L", "LA", "La"} or mode.startswith("I")


def first_of(lines: list[str], count: int = 3) -> str:
    """The first few lines, and how many there are beside them."""
    rest = len(lines) - count
    return ", ".join(lines[:count]) + (f" and {rest} more" if rest > 0 else "")
