"""Architectures that were brought in, kept among the artifacts by their content."""

import io
import zipfile
import zlib
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from app.studio import Studio
from engine.data.faults import visible
from engine.domain.errors import DataError, InvalidGenotype, NotFound
from engine.domain.genotype import (
    MAX_CHARACTERS,
    Genotype,
    from_json,
    plain_nodes,
    read_genotype,
    to_json,
)

FOLDER = "genotypes/"
IN_A_BUNDLE = "genotype.json"
NAME_LENGTH = 120


@dataclass(frozen=True)
class LibraryEntry:
    """One architecture of the library.

    Attributes:
        key: Where it lies among the artifacts.
        name: What people call it.
        space: Name of its search space.
        operations: How many operations it keeps in all its cells.
        origin: Where it comes from, for people.
    """

    key: str
    name: str
    space: str
    operations: int
    origin: str


def add_genotype(studio: Studio, text: str, name: str, *, origin: str = "") -> str:
    """Keep an architecture given in any notation; the same one twice is one file.

    Args:
        studio: The use cases.
        text: A genotype's JSON, DARTS text or a NAS-Bench-201 string.
        name: What people shall call it; empty takes the name in the text.
        origin: Where it was found, if the text does not say.

    Returns:
        Its key among the artifacts.

    Raises:
        InvalidGenotype: It is none, or of no search space that is known here.
        NotFound: No engine has published its search spaces yet.
    """
    catalog = studio.catalog()
    if catalog is None:
        raise NotFound(
            asked="an architecture for the library",
            found="no catalogue of search spaces",
            allowed="spaces that an engine has published",
            advice="start an engine once with `egs engine`",
        )
    genotype = read_genotype(text, catalog.spaces)
    lineage = dict(genotype.lineage)
    lineage["name"] = _clean(name) or _clean(str(lineage.get("name", ""))) or genotype.space.name
    if origin and "run" not in lineage:
        lineage.setdefault("source", visible(origin))
    content = to_json(replace(genotype, lineage=lineage)).encode()
    key = f"{FOLDER}{sha256(content).hexdigest()[:12]}.json"
    with studio.artifacts.write(key) as file:
        file.write(content)
    return key


def genotype_at(studio: Studio, key: str) -> Genotype:
    """An architecture of the library.

    Raises:
        NotFound: There is none of that key.
        InvalidGenotype: The file was damaged or written by a newer studio.
    """
    with studio.artifacts.read(key) as file:
        return from_json(file.read(MAX_CHARACTERS).decode(errors="replace"))


def genotypes(studio: Studio) -> list[LibraryEntry]:
    """Everything in the library by name; files that cannot be read are passed over."""
    entries = []
    for key in studio.artifacts.keys(FOLDER):
        try:
            entries.append(_entry(key, genotype_at(studio, key)))
        except InvalidGenotype:
            continue
    return sorted(entries, key=lambda entry: (entry.name.casefold(), entry.key))


def text_of_file(path: Path) -> str:
    """The text of an architecture in a file: the file itself, or that in a bundle.

    Of a zip file only ``genotype.json`` is looked at, in memory.

    Raises:
        DataError: The file cannot be read, is too large, or holds none.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(MAX_CHARACTERS + 1)
        if not beginning.startswith(b"PK"):
            return _decoded(path, beginning)
        with zipfile.ZipFile(path) as bundle:
            return _decoded(path, _genotype_in(path, bundle))
    except OSError as error:
        raise _refused(path, f"that it cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise _refused(path, f"a zip file that is damaged ({error})") from None


def _genotype_in(path: Path, bundle: zipfile.ZipFile) -> bytes:
    names = [name for name in bundle.namelist() if name.split("/")[-1] == IN_A_BUNDLE]
    if len(names) != 1:
        raise _refused(path, f"a zip file with {len(names)} files {IN_A_BUNDLE}")
    with bundle.open(names[0]) as member:
        return member.read(MAX_CHARACTERS + 1)


def _decoded(path: Path, content: bytes) -> str:
    if len(content) > MAX_CHARACTERS:
        raise _refused(path, f"more than {MAX_CHARACTERS:,} bytes of text")
    try:
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
    except UnicodeDecodeError:
        raise _refused(path, "bytes that are no text") from None


def _entry(key: str, genotype: Genotype) -> LibraryEntry:
    kept = sum(len(node) for nodes in plain_nodes(genotype).values() for node in nodes)
    name = str(genotype.lineage.get("name", genotype.space.name))
    return LibraryEntry(key, visible(name), genotype.space.name, kept, visible(_origin(genotype)))


def _origin(genotype: Genotype) -> str:
    lineage = genotype.lineage
    if "run" in lineage:
        return f"found on {lineage.get('data', 'unknown data')}, step {lineage.get('step', '?')}"
    return str(lineage.get("source", "brought in"))


def _clean(name: str) -> str:
    """A name on one line, without control characters, of limited length."""
    visible = "".join(c if c.isprintable() else " " for c in name)
    return " ".join(visible.split())[:NAME_LENGTH].rstrip()


def _refused(path: Path, found: str) -> DataError:
    return DataError(
        asked=f"an architecture from {str(path)!r}",
        found=found,
        allowed="a genotype's JSON, DARTS text, a NAS-Bench-201 string, or a bundle (zip)",
        advice="choose another file",
    )
