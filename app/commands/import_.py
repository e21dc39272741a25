"""``egs import``: architectures from elsewhere, into the library."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands.arguments import Json
from app.library import add_genotype, genotypes, text_of_file
from app.plain import plain
from app.settings import Settings
from app.wiring import open_studio


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON, DARTS text, a NAS-Bench-201 string, or a bundle (zip)."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="What it shall be called.")] = None,
    kind: Annotated[
        Literal["genotype"], typer.Option("--as", help="As what it is brought in.")
    ] = "genotype",
    as_json: Json = False,
) -> None:
    """Bring an architecture into the library; nothing in the file is evaluated."""
    studio = open_studio(Settings.from_environment())
    text = text_of_file(file)
    own = name or ("" if text.lstrip().startswith("{") else file.stem)
    key = add_genotype(studio, text, own, origin=f"file {file.name}")
    entry = next(known for known in genotypes(studio) if known.key == key)
    if as_json:
        print(json.dumps(plain(entry) | {"kind": kind}, indent=2))
    else:
        print(
            f"{entry.name}: {entry.operations} operations in the space {entry.space}, "
            f"kept as {entry.key}"
        )
