"""Validation data as more training data, where no choice is left to be made with them."""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.data.images import Split
from engine.data.scenes import SceneSplit


def with_validation(data: Any) -> Any:
    """The same data with the validation part added to the training part.

    The validation part is left as it is: its figures can still be drawn, but
    say nothing new. Neither is the test part touched.
    """
    return replace(data, train=_joined(data.train, data.validation))


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Split):
        return Split(_both(first.images, second.images), _both(first.labels, second.labels))
    if isinstance(first, SceneSplit):
        return SceneSplit(_both(first.images, second.images), _both(first.masks, second.masks))
    return _both(first, second)


def _both(first: Any, second: Any) -> Any:
    return np.concatenate([first, second])
