"""Files that are made in one piece, written to where a person wants them."""

import json
from pathlib import Path

from app.whole_file import size_words, whole_file


def write_page(content: bytes, name: str, output: Path | None, *, as_json: bool) -> None:
    """Write a file and say where it is.

    Args:
        content: The file.
        name: Its name where none is given.
        output: The file or its folder; None is this folder.
        as_json: Say it as JSON.

    Raises:
        InvalidConfig: It cannot be written.
    """
    path = output or Path(name)
    if path.is_dir():
        path = path / name
    with whole_file(path) as file:
        file.write(content)
    if as_json:
        print(json.dumps({"path": str(path.absolute()), "bytes": len(content)}, indent=2))
    else:
        print(f"{path} ({size_words(len(content))})")
