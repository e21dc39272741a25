"""How a reader of data says that it goes on, file after file, without a word."""

from collections.abc import Callable

Alive = Callable[[], None]
"""Called whenever something was read; cheap enough for every file."""


def unheard() -> None:
    """Nobody listens."""
