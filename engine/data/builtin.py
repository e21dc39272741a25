"""Data sets that come with an installed package."""

import numpy as np

from engine.data.images import RawImages, Split


def read_digits() -> RawImages:
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels, grey values 0 to 16 as 0 to 255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    train = Split(grey[..., None], digits.target.astype(np.int64))
    return RawImages(train, None, None, tuple(str(name) for name in digits.target_names))
