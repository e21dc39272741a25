"""Files that a person asked for: each is whole or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.domain.errors import InvalidConfig


@contextmanager
def whole_file(path: Path, *, trial: bool = False) -> Iterator[BinaryIO]:
    """Write beside the place, then rename.

    Args:
        path: Where the file is to stand.
        trial: Only try whether it could be written; what stands there stays.

    Raises:
        InvalidConfig: It cannot be written.
    """
    if not path.name or path.is_dir():
        raise _refused(path, "a folder")
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        if not trial:
            part.replace(path)
    except OSError as error:
        raise _refused(path, f"that it cannot be written ({error.strerror})") from None
    finally:
        if part.parent.is_dir():
            part.unlink(missing_ok=True)


def _refused(path: Path, found: str) -> InvalidConfig:
    return InvalidConfig(
        asked=f"the file {str(path)!r}",
        found=found,
        allowed="a place that this account may write",
        advice="choose another file with -o",
    )


def size_words(size_bytes: int) -> str:
    """A size as people read it."""
    if size_bytes < 2**20:
        return f"{size_bytes / 2**10:.1f} KiB"
    return f"{size_bytes / 2**20:.1f} MiB"
