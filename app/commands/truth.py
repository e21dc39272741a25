"""``egs truth``: published accuracies of the cells that a search derives."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.commands.arguments import Json, RunId
from app.plain import plain
from app.settings import Settings
from app.terminal import print_rows
from app.truth import EpochTruth, read_table, truth_of_run
from app.wiring import open_studio


def truth(
    run_id: RunId,
    table: Annotated[
        Path, typer.Option("--table", metavar="FILE", help="Table of NAS-Bench-201 (.npz).")
    ],
    as_json: Json = False,
) -> None:
    """Published accuracy and rank of the derived cell at each epoch and at the end."""
    studio = open_studio(Settings.from_environment())
    known = read_table(table)
    found = truth_of_run(studio, run_id, known)
    final = next((entry for entry in reversed(found) if entry.truth), None)
    if as_json:
        value = {"run": run_id, "best": known.best, "epochs": found, "final": final}
        print(json.dumps(plain(value), indent=2, allow_nan=False))
        return
    print_rows(
        ("Epoch", "Step", "Test accuracy %", "Rank", "Cell"), [_row(entry) for entry in found]
    )
    if final is not None and final.truth is not None:
        print(
            f"Run {run_id} ends with {final.truth.test_accuracy:.2f} %, rank "
            f"{final.truth.rank:,} of {final.truth.cells:,}; the best cell has {known.best:.2f} %."
        )


def _row(entry: EpochTruth) -> tuple[object, ...]:
    if entry.truth is None:
        return (entry.epoch, entry.step, "–", "–", entry.why)
    truth = entry.truth
    return (entry.epoch, entry.step, f"{truth.test_accuracy:.2f}", truth.rank, truth.arch)
