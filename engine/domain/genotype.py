"""The derived architecture as a value, and its text forms."""

import ast
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.domain.derivation import DerivationRule
from engine.domain.errors import InvalidGenotype
from engine.domain.snapshot import Masks, operations_in
from engine.domain.space import NONE, SearchSpace

SCHEMA = "egs-studio/genotype"
VERSION = 1


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
        return ", ".join(repr(kind) for kind in self.space.cell_kinds)

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
        "rule": asdict(genotype.rule) if genotype.rule else None,
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
    except (json.JSONDecodeError, RecursionError) as error:
        raise _refused(f"text that is no JSON ({error})", "a genotype file") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _refused("a file without the genotype schema", f"schema {SCHEMA!r}")
    if document.get("version") != VERSION:
        raise _refused(f"schema version {document.get('version')!r}", f"version {VERSION}")
    try:
        return _from_document(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _refused(f"a malformed part ({error!r})", "the layout of version 1") from None


def to_darts(genotype: Genotype) -> str:
    """The genotype as DARTS text.

    Two operations at every node give the classic flat list. Otherwise each
    node is a list of its own, since a flat list would not say where it ends.
    """
    classic = all(len(genes) == 2 for cell in genotype.cells.values() for genes in cell)
    parts = []
    for kind, cell in genotype.cells.items():
        nodes = [[(g.operation, g.source) for g in sorted(genes)] for genes in cell]
        name = _darts_name(kind)
        parts.append(f"{name}={[gene for node in nodes for gene in node] if classic else nodes}")
        first = genotype.space.inputs
        parts.append(f"{name}_concat=range({first}, {first + genotype.space.nodes})")
    return f"Genotype({', '.join(parts)})"


def from_darts(text: str, space: SearchSpace) -> Genotype:
    """Read DARTS text, flat or nested, without evaluating it.

    Raises:
        InvalidGenotype: The text is no such expression.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError("no Genotype(...) call")
        lists = {
            keyword.arg: ast.literal_eval(keyword.value)
            for keyword in call.keywords
            if keyword.arg and not keyword.arg.endswith("_concat")
        }
        cells = {
            kind: _darts_cell(lists[_darts_name(kind)])
            for kind in space.cell_kinds
            if _darts_name(kind) in lists
        }
        nodes = {len(cell) for cell in cells.values()}
        if len(nodes) != 1:
            raise ValueError(f"cells with {sorted(nodes)} nodes")
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise _refused(
            f"text that is no DARTS genotype ({error})", "Genotype(normal=[…], …)"
        ) from None
    return Genotype(space.with_nodes(nodes.pop()), cells)


def _darts_name(kind: str) -> str:
    return "reduce" if kind == "reduction" else kind


def _darts_cell(genes: list[Any]) -> Cell:
    if genes and isinstance(genes[0], list):
        nodes = genes
    elif len(genes) % 2:
        raise ValueError("a flat list needs two operations a node")
    else:
        nodes = [genes[i : i + 2] for i in range(0, len(genes), 2)]
    return tuple(frozenset(Gene(int(source), str(name)) for name, source in node) for node in nodes)


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
    }
    cells = {
        kind: tuple(
            frozenset(Gene(int(source), str(name)) for name, source in node) for node in cell
        )
        for kind, cell in document["cells"].items()
    }
    rule = document.get("rule")
    return Genotype(
        SearchSpace(**space),
        cells,
        DerivationRule(**rule) if rule else None,
        document.get("lineage") or {},
    )


def _refused(found: str, allowed: str) -> InvalidGenotype:
    return InvalidGenotype(
        asked="this genotype", found=found, allowed=allowed, advice="correct the genotype"
    )
