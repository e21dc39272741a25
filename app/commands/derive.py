"""``egs derive``: the architecture that a run has found, by any rule."""

import json
import sys
from typing import Annotated, Any

import typer

from app.bench import Bench, bench, changed_rule, dead_in
from app.commands.arguments import Json, RunId, Step
from app.plain import plain
from app.settings import Settings
from app.studio import Studio
from app.terminal import print_rows
from app.wiring import open_studio
from engine.domain.blocks import dead_sentences
from engine.domain.derivation import RULES
from engine.domain.genotype import Genotype, to_json


def derive(
    run_id: RunId,
    step: Step = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help=f"One of {', '.join(RULES)}; the search's own.")
    ] = None,
    draws: Annotated[int | None, typer.Option(help="Number of draws M.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of draw and vote.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Of marginal, from 0 to 1.")] = None,
    votes: Annotated[int | None, typer.Option(help="Codes that vote.")] = None,
    edges_kept: Annotated[
        int | None, typer.Option("--edges", help="Incoming edges that a node keeps (top2).")
    ] = None,
    none_pooled: Annotated[
        bool | None, typer.Option("--pool-none/--no-pool-none", help="Count `none` as one item.")
    ] = None,
    sound: Annotated[
        bool | None,
        typer.Option("--sound/--no-sound", help="Only architectures whose cells are connected."),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Print cost, probability and stability instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the architecture that a run has found (as JSON, with or without --json)."""
    studio = open_studio(Settings.from_environment())
    given = {
        "name": rule,
        "draws": draws,
        "seed": seed,
        "threshold": threshold,
        "votes": votes,
        "edges_kept": edges_kept,
        "none_pooled": none_pooled,
        "sound": sound,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes and not figures:
        print_genotype(studio, run_id, studio.derive(run_id, step))
        return
    found = bench(studio, run_id, step, changed_rule(studio, studio.run(run_id), step, **changes))
    if not figures:
        print_genotype(studio, run_id, found.genotype)
    elif as_json:
        print(json.dumps(plain(figures_of(found)), indent=2, allow_nan=False))
    else:
        print_rows(("Figure", "Value"), list(figures_of(found).items()))


def print_genotype(studio: Studio, run_id: int, genotype: Genotype) -> None:
    """Print the JSON; what is dead of the architecture goes to stderr."""
    print(to_json(genotype), end="")
    for sentence in dead_in(studio, studio.run(run_id), genotype):
        print(sentence, file=sys.stderr)


def figures_of(found: Bench) -> dict[str, Any]:
    """The figures of a bench by name; None where something is not known."""
    return {
        "rule": found.genotype.rule.name if found.genotype.rule else None,
        "step": found.genotype.lineage["step"],
        "operations": sum(len(node) for cell in found.genotype.cells.values() for node in cell),
        "parameters": found.cost.parameters if found.cost else None,
        "multiply_adds": found.cost.multiply_adds if found.cost else None,
        "dead_operations": found.pruning.dead_operations,
        "dead_cells": found.pruning.dead_cells,
        "dead_parameters": found.dead.dead if found.dead else None,
        "dead": " ".join(dead_sentences(found.pruning, found.dead)),
        "probability": found.probability.value,
        "probability_log10": found.probability.log10,
        "stability": found.stability,
        "compared_snapshots": found.compared,
        **found.measured,
    }
