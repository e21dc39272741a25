"""Small data sets on disk, some of them bad in a known way."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, side: int = 8, *, colour: bool = True) -> Image.Image:
    """A picture of noise, the same for the same seed."""
    shape = (side, side, 3) if colour else (side, side)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def image_folder(root: Path, *, train: int = 6, other: int = 4) -> Path:
    """Two classes with so many training, and validation and test images each; all differ."""
    seed = 0
    for split, count in (("train", train), ("val", other), ("test", other)):
        for name in ("cat", "dog"):
            for number in range(count):
                seed += 1
                save(picture(seed), root / split / name / f"{number}.png")
    return root


def scene_folder(root: Path, *, train: int = 4, other: int = 3) -> Path:
    """Three classes; every mask has all of them."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("sky\nroad\ncar\n")
    seed = 100
    for split, count in (("train", train), ("val", other), ("test", other)):
        for number in range(count):
            seed += 1
            save(picture(seed), root / split / "images" / f"{number}.png")
            mask = np.zeros((8, 8), np.uint8)
            mask[3:6], mask[6:] = 1, 2
            save(Image.fromarray(mask), root / split / "masks" / f"{number}.png")
    return root


def text_folder(root: Path, *, shared: int = 0, empty: int = 0) -> Path:
    """40 training and 30 other lines of nine words; some shared, some training lines empty."""
    root.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)

    def line() -> str:
        return " ".join(f"w{number}" for number in random.integers(0, 50, 9))

    train = [line() for _ in range(40)]
    for name in ("valid", "test"):
        lines = [line() for _ in range(30)]
        if name == "test":
            lines[:shared] = train[:shared]
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (root / "train.txt").write_text("\n".join(train + [""] * empty) + "\n")
    return root
