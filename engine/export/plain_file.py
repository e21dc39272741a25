"""A plain Python file that imports only torch, put together from the studio's own source.

The source is read as text: the definitions that a network needs, word for
word, so that what a person takes home is what was searched and tested.
Nothing is imported for that, least of all torch.
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pprint import pformat
from typing import Any

from engine.domain.derivation import written_rule
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Genotype, plain_nodes


@dataclass(frozen=True)
class Kind:
    """What files of one kind of network are made of.

    Attributes:
        sources: (package, file) pairs whose definitions may be taken, each
            after those that it needs.
        roots: Names that ``build`` needs of them.
        build: Source of the function that makes the network.
        usage: Lines that say what that function gives.
    """

    sources: tuple[tuple[str, str], ...]
    roots: frozenset[str]
    build: str
    usage: tuple[str, ...]


@dataclass(frozen=True)
class Definition:
    """A top-level definition: its source and the names that it uses."""

    text: str
    uses: frozenset[str]


@dataclass(frozen=True)
class Library:
    """Everything that an exported module may contain.

    Attributes:
        imports: By name, the module that it is imported from, beyond the engine.
        definitions: By name, in an order in which they can be executed.
        builders: By operation, the expression that builds it.
    """

    imports: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    builders: dict[str, ast.expr] = field(default_factory=dict)


def render_plain_file(
    kind: Kind, genotype: Genotype, arguments: Mapping[str, Any], facts: Mapping[str, Any]
) -> bytes:
    """The network of a genotype as a Python file, UTF-8.

    Args:
        kind: What the file is made of.
        genotype: The cells.
        arguments: Of the network's class, beside cells and operations.
        facts: What to tell of its origin, beside rule and lineage.

    Raises:
        InvalidGenotype: It has an operation that the studio cannot build.
    """
    library = read_library(kind.sources)
    nodes = plain_nodes(genotype)
    builders = _builders_of(nodes, library)
    needed = _closure(kind.roots.union(*map(_names_in, builders.values())), library)
    parts = [
        _docstring(kind, genotype, facts),
        _import_lines(needed, library),
        f"NODES = {pformat(nodes, width=96, sort_dicts=False)}",
        f"NETWORK = {pformat(dict(arguments), width=96, sort_dicts=False)}",
        *(d.text for name, d in library.definitions.items() if name in needed),
        _operations_table(builders),
        kind.build.strip(),
    ]
    return ("\n\n\n".join(parts) + "\n").encode()


@cache
def read_library(sources: tuple[tuple[str, str], ...]) -> Library:
    """Some of the studio's own source, taken apart.

    Args:
        sources: (package, file) pairs, each file after those that it needs.
    """
    library = Library(imports={"torch": ""})
    for package, name in sources:
        text = files(package).joinpath(name).read_text("utf-8")
        body = ast.parse(text).body
        library.imports.update(_imports_in(body))
        library.definitions.update(_definitions_in(text, body))
    table = files("engine.operations").joinpath("table.py").read_text("utf-8")
    library.builders.update(_builders_in(ast.parse(table)))
    return library


def _imports_in(body: Iterable[ast.stmt]) -> dict[str, str]:
    return {
        alias.name: node.module
        for node in body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if node.module.split(".")[0] != "engine"
    }


def _definitions_in(text: str, body: list[ast.stmt]) -> Iterator[tuple[str, Definition]]:
    """Classes, functions and constants, each with the text that belongs to it."""
    lines = text.splitlines()
    following = [*body[1:], ast.Pass()]
    for node, after in zip(body, following, strict=True):
        name = _defined_name(node)
        if name is None:
            continue
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        explained = isinstance(node, ast.Assign) and isinstance(after, ast.Expr)
        last = (after if explained else node).end_lineno
        yield name, Definition("\n".join(lines[first - 1 : last]), _names_in(node))


def _defined_name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _names_in(node: ast.AST) -> frozenset[str]:
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _builders_in(table: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """From each ``Operation(OperationCard("name", …), build=expression)``."""
    for call in ast.walk(table):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Operation":
            card = call.args[0]
            build = next(k.value for k in call.keywords if k.arg == "build")
            if isinstance(card, ast.Call) and isinstance(card.args[0], ast.Constant):
                yield str(card.args[0].value), build


def _builders_of(
    nodes: dict[str, list[list[tuple[str, int]]]], library: Library
) -> dict[str, ast.expr]:
    used = {name for cell in nodes.values() for node in cell for name, _ in node}
    for name in sorted(used - library.builders.keys()):
        raise InvalidGenotype(
            asked="a module of this genotype",
            found=f"the operation {name!r}",
            allowed=f"one of {', '.join(library.builders)}",
            advice="export the genotype as JSON instead",
        )
    return {name: build for name, build in library.builders.items() if name in used}


def _closure(roots: frozenset[str], library: Library) -> frozenset[str]:
    """The names that are needed, directly or through others."""
    needed: set[str] = set()
    waiting = set(roots)
    while waiting:
        name = waiting.pop()
        needed.add(name)
        if name in library.definitions:
            waiting |= library.definitions[name].uses - needed
    return frozenset(needed)


def _import_lines(needed: frozenset[str], library: Library) -> str:
    """Standard library first, then torch."""
    by_module: dict[str, list[str]] = {}
    for name in sorted(needed & library.imports.keys()):
        by_module.setdefault(library.imports[name], []).append(name)
    by_module.pop("", None)
    lines = {m: f"from {m} import {', '.join(names)}" for m, names in sorted(by_module.items())}
    standard = [line for module, line in lines.items() if module.split(".")[0] != "torch"]
    torch = [line for module, line in lines.items() if module.split(".")[0] == "torch"]
    return "\n".join([*standard, "", "import torch", *torch])


def _operations_table(builders: dict[str, ast.expr]) -> str:
    entries = [f"    {name!r}: {ast.unparse(build)}," for name, build in builders.items()]
    return "\n".join(["OPERATIONS = {", *entries, "}"])


def _docstring(kind: Kind, genotype: Genotype, facts: Mapping[str, Any]) -> str:
    """Where the file comes from; JSON never holds three quotes in a row."""
    told = {
        **facts,
        **({"rule": written_rule(genotype.rule)} if genotype.rule else {}),
        **genotype.lineage,
    }
    lines = [json.dumps({key: value})[1:-1] for key, value in told.items()]
    safe = [line.replace("\\", "\\\\") for line in lines]
    return "\n".join(
        [
            '"""A network found by EGS Studio. It needs nothing but torch.',
            "",
            *kind.usage,
            "",
            *safe,
            '"""',
        ]
    )
