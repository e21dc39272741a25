"""The derived architecture as a value, and its text forms."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from engine.domain.derivation import DerivationRule, written_rule
from engine.domain.errors import InvalidConfig, InvalidGenotype
from engine.domain.notation import (
    CONCAT,
    Nodes,
    read_arch,
    read_call,
    read_nodes,
    write_arch,
    write_call,
    write_module,
)
from engine.domain.snapshot import Masks, operations_in
from engine.domain.space import NONE, SearchSpace

SCHEMA = "egs-studio/genotype"
VERSION = 1
MAX_CHARACTERS = 2**20
"""Longest text that is looked at."""

MAX_NODES = 64
LAST_STEP = 2**63 - 1
"""What a database can hold."""


@dataclass(frozen=True, order=True)
class Gene:
    """One kept operation and the source it reads."""

    source: int
    operation: str


Cell = tuple[frozenset[Gene], ...]


@dataclass(frozen=True)
class Genotype:
    """Per cell kind and intermediate node, a set of (operation, source).

    Attributes:
        space: The search space, with its number of nodes.
        cells: Per cell kind, one set of genes a node.
        rule: The rule that derived it; None for one written by hand.
        lineage: Where it came from: run, snapshot step, data, seed, versions.
    """

    space: SearchSpace
    cells: Mapping[str, Cell]
    rule: DerivationRule | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in self.space.cell_kinds:
            if kind not in self.cells:
                raise _refused(
                    f"no cell of kind {kind!r}", f"a cell of each of {self._listed_kinds}"
                )
        for kind, cell in self.cells.items():
            if kind not in self.space.cell_kinds:
                raise _refused(f"a cell of kind {kind!r}", f"one of {self._listed_kinds}")
            if len(cell) != self.space.nodes:
                raise _refused(f"{len(cell)} nodes in {kind!r}", f"{self.space.nodes} nodes")
            for node, genes in enumerate(cell):
                for gene in genes:
                    self._check_gene(gene, node)

    def _check_gene(self, gene: Gene, node: int) -> None:
        if gene.operation not in self.space.operations:
            raise _refused(
                f"the operation {gene.operation!r}", f"one of {', '.join(self.space.operations)}"
            )
        if not 0 <= gene.source < self.space.inputs + node:
            raise _refused(
                f"source {gene.source} for node {node}", f"0 to {self.space.inputs + node - 1}"
            )

    @property
    def _listed_kinds(self) -> str:
        return _listed(self.space.cell_kinds)

    @property
    def empty_nodes(self) -> tuple[tuple[str, int], ...]:
        """(cell kind, node) of every node that keeps no operation: it is zero."""
        return tuple(
            (kind, node)
            for kind, cell in self.cells.items()
            for node, genes in enumerate(cell)
            if not genes
        )


def from_masks(
    space: SearchSpace,
    masks: Mapping[str, Masks],
    rule: DerivationRule | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> Genotype:
    """The genotype of a code given as one bit mask an edge."""
    cells = {kind: _cell_of(space, edge_masks) for kind, edge_masks in masks.items()}
    return Genotype(space, cells, rule, lineage or {})


def to_masks(genotype: Genotype) -> dict[str, Masks]:
    """The code of a genotype: per cell kind, one bit mask an edge."""
    space = genotype.space
    column = {name: k for k, name in enumerate(space.operations)}
    return {
        kind: tuple(
            sum(
                1 << column[gene.operation]
                for gene in cell[edge.target - space.inputs]
                if gene.source == edge.source
            )
            for edge in space.edges
        )
        for kind, cell in genotype.cells.items()
    }


def plain_nodes(genotype: Genotype) -> dict[str, list[list[tuple[str, int]]]]:
    """Per cell kind and node, its (operation, source) pairs, without ``none``.

    The order is that of the supernet: by source, then by column of the space.
    """
    columns = {name: k for k, name in enumerate(genotype.space.operations)}
    return {
        kind: [
            sorted(
                ((gene.operation, gene.source) for gene in genes if gene.operation != NONE),
                key=lambda pair: (pair[1], columns[pair[0]]),
            )
            for genes in cell
        ]
        for kind, cell in genotype.cells.items()
    }


def to_json(genotype: Genotype) -> str:
    """The genotype as JSON, schema version 1."""
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "space": asdict(genotype.space),
        "cells": {
            kind: [[[gene.operation, gene.source] for gene in sorted(genes)] for genes in cell]
            for kind, cell in genotype.cells.items()
        },
        "rule": written_rule(genotype.rule) if genotype.rule else None,
        "lineage": dict(genotype.lineage),
    }
    return json.dumps(document, indent=2) + "\n"


def from_json(text: str) -> Genotype:
    """Read a genotype written by :func:`to_json`.

    Raises:
        InvalidGenotype: The text is no genotype, is of a later schema, or
            names operations or sources that its space does not have.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(f"text that is no JSON ({error})", "a genotype file") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _refused("a file without the genotype schema", f"schema {SCHEMA!r}")
    _check_version(document.get("version"))
    try:
        return _from_document(document)
    except InvalidConfig as error:
        raise _refused(f"{error.asked} ({error.found})", error.allowed) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _refused(f"a malformed part ({error!r})", "the layout of version 1") from None


def to_darts(genotype: Genotype) -> str:
    """The genotype as DARTS text on one line.

    Where every node keeps as many operations as a cell has inputs (two in
    DARTS's convolutional cell, one in its recurrent cell) this is the classic
    flat list. Otherwise each node is a list of its own, since a flat list
    would not say where it ends.
    """
    return write_call(_darts_arguments(genotype))


def to_tuple_text(genotype: Genotype) -> str:
    """The genotype as importable Python text that defines DARTS's named tuple."""
    return write_module(_darts_arguments(genotype))


def from_darts(text: str, space: SearchSpace) -> Genotype:
    """Read DARTS text or its named tuple, flat or nested, without evaluating it.

    Raises:
        InvalidGenotype: The text is no such expression, or its cells do not
            belong to the space.
    """
    try:
        words = read_call(text)
        lists = {kind: words[name] for kind, name in _darts_names(space) if name in words}
        cells = {
            kind: _cell_of_pairs(read_nodes(pairs, space.inputs)) for kind, pairs in lists.items()
        }
        nodes = {len(cell) for cell in cells.values()}
        if len(nodes) != 1:
            raise ValueError(f"cells with {sorted(nodes)} nodes")
        sized = space.with_nodes(_checked_nodes(nodes.pop()))
        _check_concat(words, sized)
        return Genotype(sized, cells)
    except ValueError as error:
        example = f"Genotype({_darts_names(space)[0][1]}=[…], …)"
        raise _refused(f"text that is no DARTS genotype ({error})", example) from None


def to_arch_string(genotype: Genotype) -> str:
    """The genotype in the notation of NAS-Bench-201; an edge with nothing is ``none``.

    Raises:
        InvalidGenotype: An edge keeps several operations, or the space has
            several inputs or cell kinds.
    """
    space = genotype.space
    if not _has_arch_string(space):
        raise _refused(f"a genotype of the space {space.name!r}", "a cell of one kind and input")
    nodes = []
    for masks in to_masks(genotype).values():
        for edges in space.edges_of:
            kept = [[k for k in operations_in(masks[e]) if k != space.none_index] for e in edges]
            if any(len(columns) > 1 for columns in kept):
                raise _refused("an edge with several operations", "at most one an edge")
            names = [space.operations[columns[0]] if columns else NONE for columns in kept]
            nodes.append(
                [(name, space.edges[e].source) for name, e in zip(names, edges, strict=True)]
            )
    return write_arch(nodes)


def from_arch_string(text: str, space: SearchSpace) -> Genotype:
    """Read the notation of NAS-Bench-201; its ``none`` becomes nothing.

    Raises:
        InvalidGenotype: The text is no such notation, or does not fit the space.
    """
    try:
        nodes = read_arch(text)
        sized = space.with_nodes(_checked_nodes(len(nodes)))
    except ValueError as error:
        raise _refused(
            f"text that is no NAS-Bench-201 architecture ({error})", "|operation~0|+|…~0|…~1|+…"
        ) from None
    kept = [[pair for pair in node if pair[0] != NONE] for node in nodes]
    return Genotype(sized, {space.cell_kinds[0]: _cell_of_pairs(kept)})


def read_genotype(text: str, spaces: Iterable[SearchSpace]) -> Genotype:
    """Read an architecture in any notation: JSON, DARTS text or NAS-Bench-201's.

    Args:
        text: At most 1 MiB of it; nothing in it is ever evaluated.
        spaces: The search spaces that are known here.

    Returns:
        A genotype of one of these spaces, with a number of nodes of its own.

    Raises:
        InvalidGenotype: It is none of them, or names what the spaces lack.
    """
    if len(text) > MAX_CHARACTERS:
        raise _refused(f"{len(text):,} characters", f"at most {MAX_CHARACTERS:,}")
    known = {space.name: space for space in spaces}
    beginning = text.lstrip()[:1]
    if beginning == "{":
        genotype = from_json(text)
        if genotype.space.name not in known:
            raise _refused(f"the search space {genotype.space.name!r}", _one_of(known))
        space = known[genotype.space.name]
        check_space(genotype, space)
        return replace(genotype, space=space.with_nodes(genotype.space.nodes))
    if beginning == "|":
        fitting = [space for space in known.values() if _has_arch_string(space)]
        read = from_arch_string
    else:
        words = _words_of(text)
        fitting = [s for s in known.values() if {name for _, name in _darts_names(s)} <= words]
        read = from_darts
    if not fitting:
        raise _refused("cells of no known search space", _one_of(known))
    return read(text, fitting[0])


def check_space(genotype: Genotype, space: SearchSpace) -> None:
    """Make sure that a genotype is one of a search space, with any number of nodes.

    Raises:
        InvalidGenotype: It is of another one, or keeps an operation that this
            one does not have.
    """
    own = genotype.space
    asked = f"a genotype of the search space {space.name!r}"
    if (own.name, own.cell_kinds, own.inputs, own.output) != (
        space.name,
        space.cell_kinds,
        space.inputs,
        space.output,
    ):
        raise InvalidGenotype(
            asked=asked,
            found=f"one of the search space {own.name!r}",
            allowed=f"cells of kind {_listed(space.cell_kinds)} with {space.inputs} input(s)",
            advice=f"choose a genotype of {space.name!r} or work in the space {own.name!r}",
        )
    used = {gene.operation for cell in genotype.cells.values() for genes in cell for gene in genes}
    if used - set(space.operations):
        raise InvalidGenotype(
            asked=asked,
            found=f"the unknown operation {min(used - set(space.operations))!r}",
            allowed=_one_of(space.operations),
            advice="update EGS Studio or correct the genotype",
        )


def _darts_names(space: SearchSpace) -> list[tuple[str, str]]:
    """Cell kinds and the names that DARTS has for them."""
    return [(kind, "reduce" if kind == "reduction" else kind) for kind in space.cell_kinds]


def _concat_name(space: SearchSpace, name: str) -> str:
    """DARTS writes ``normal_concat`` beside ``normal``, and ``concat`` beside a single cell."""
    return CONCAT if len(space.cell_kinds) == 1 else f"{name}_{CONCAT}"


def _darts_arguments(genotype: Genotype) -> dict[str, str]:
    """The fields of DARTS's named tuple as Python text."""
    space = genotype.space
    classic = all(len(genes) == space.inputs for cell in genotype.cells.values() for genes in cell)
    arguments = {}
    for kind, name in _darts_names(space):
        nodes = [[(g.operation, g.source) for g in sorted(genes)] for genes in genotype.cells[kind]]
        arguments[name] = str([gene for node in nodes for gene in node] if classic else nodes)
        if space.output != "last":
            end = space.inputs + space.nodes
            arguments[_concat_name(space, name)] = f"range({space.inputs}, {end})"
    return arguments


def _check_concat(words: Mapping[str, Any], space: SearchSpace) -> None:
    """A cell of a space gives all its nodes; another choice cannot be kept."""
    every = list(range(space.inputs, space.inputs + space.nodes))
    for _, name in _darts_names(space):
        concat = words.get(_concat_name(space, name), every)
        if not isinstance(concat, list | tuple) or sorted(concat, key=str) != sorted(
            every, key=str
        ):
            raise ValueError(f"{_concat_name(space, name)} = {concat} instead of all of {every}")


def _has_arch_string(space: SearchSpace) -> bool:
    return space.inputs == 1 and len(space.cell_kinds) == 1 and space.output == "last"


def _words_of(text: str) -> set[str]:
    try:
        return set(read_call(text))
    except ValueError as error:
        raise _refused(
            f"text in no known notation ({error})",
            "a genotype's JSON, DARTS's Genotype(…) or a NAS-Bench-201 string",
        ) from None


def _checked_nodes(nodes: Any) -> int:
    if type(nodes) is int and 1 <= nodes <= MAX_NODES:
        return nodes
    raise ValueError(f"{nodes!r} nodes where 1 to {MAX_NODES} are allowed")


def _cell_of_pairs(nodes: Nodes) -> Cell:
    return tuple(frozenset(Gene(source, name) for name, source in node) for node in nodes)


def _cell_of(space: SearchSpace, masks: Masks) -> Cell:
    return tuple(
        frozenset(
            Gene(space.edges[edge].source, space.operations[k])
            for edge in edges
            for k in operations_in(masks[edge])
        )
        for edges in space.edges_of
    )


def _from_document(document: dict[str, Any]) -> Genotype:
    space = document["space"] | {
        "cell_kinds": tuple(document["space"]["cell_kinds"]),
        "operations": tuple(document["space"]["operations"]),
        "nodes": _checked_nodes(document["space"]["nodes"]),
    }
    cells = {
        kind: _cell_of_pairs(read_nodes([list(node) for node in cell], 1))
        for kind, cell in document["cells"].items()
    }
    rule = document.get("rule")
    return Genotype(
        SearchSpace(**space),
        cells,
        DerivationRule(**rule) if rule else None,
        _checked_lineage(document.get("lineage") or {}),
    )


def _checked_lineage(lineage: Any) -> dict[str, Any]:
    if not isinstance(lineage, dict):
        raise _refused(f"a lineage of type {type(lineage).__name__}", "an object with its facts")
    step = lineage.get("step", 0)
    if type(step) is not int or not 0 <= step <= LAST_STEP:
        raise _refused(f"the step {step!r:.40} in its lineage", f"a whole number up to {LAST_STEP}")
    return lineage


def _check_version(version: Any) -> None:
    if version == VERSION:
        return
    newer = type(version) is int and version > VERSION
    raise _refused(
        f"schema version {version!r}" + (", written by a newer EGS Studio" if newer else ""),
        f"version {VERSION}",
        "update EGS Studio" if newer else "correct the genotype",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _one_of(names: Iterable[str]) -> str:
    return f"one of {', '.join(names)}"


def _refused(found: str, allowed: str, advice: str = "correct the genotype") -> InvalidGenotype:
    return InvalidGenotype(asked="this genotype", found=found, allowed=allowed, advice=advice)
