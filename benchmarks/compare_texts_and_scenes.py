"""Searched cells against hand-made networks of their size and against random cells.

Per data set and seed: search with the data set's preset, derive the cell, and
train from scratch with one and the same budget

* the derived network,
* on texts an LSTM, on scenes a residual network, of its number of parameters,
* the networks of random cells, drawn as random search draws them.

All settings of a training are those of the preset; the seed fixes the order of
batches for all networks alike. The test data are looked at once a network, at
the end of its training. The raw figures go to a JSON file after each training;
started again, only what the file lacks is measured.

    python -m benchmarks.compare_texts_and_scenes --camvid FOLDER --wikitext2 FOLDER
    python -m benchmarks.compare_texts_and_scenes --built-in
    python -m benchmarks.compare_texts_and_scenes --quick    # one epoch of each; says nothing

``--genotype PRESET=FILE`` takes a cell that ``egs search`` has found instead of
searching anew; with it, or with ``--one-search``, the spread is that of the
trainings alone.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.baselines import (
    lstm_of_size,
    parameters_of,
    random_genotype,
    residual_of_size,
)
from engine.data.shapes import network_shape
from engine.data.sources import load_data
from engine.domain.config import SearchConfig, TrainingConfig, make_training_config
from engine.domain.genotype import Genotype, from_json, from_masks, read_genotype, to_json
from engine.domain.presets import preset_config
from engine.domain.run_config import RunConfig
from engine.evaluate.build import EVALUATION_STREAMS, assemble_training
from engine.evaluate.loop import TrainingLoop
from engine.evaluate.networks import Trainee
from engine.model.dropouts import Dropouts
from engine.runtime.worker import set_up_torch
from engine.search.build import assemble_search, space_of
from engine.spaces import SPACES
from engine.tasks.build import build_task
from engine.tasks.randomness import generator

CPU = torch.device("cpu")
KIND = "networks"
"""By which the file is known among other raw figures."""
RAW = Path(__file__).parent / "raw" / "texts_and_scenes.json"
TRAINING_EPOCHS = {"digit-scenes": 40, "topics": 12, "camvid-cpu": 12, "wikitext2-cpu": 3}
"""Epochs of a training from scratch, by the preset of the search."""

QUICK: Mapping[str, Any] = {"epochs": 1, "train_limit": 2000}

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        preset: Name of the preset of the search; it names the rows.
        settings: What differs from the preset.
        training_epochs: Epochs of each training from scratch.
        genotype: A cell that has been found before; None searches.
        device: Where searches and trainings run.
    """

    preset: str
    settings: Mapping[str, Any]
    training_epochs: int
    genotype: Genotype | None = None
    device: torch.device = CPU

    def search_config(self, seed: int) -> SearchConfig:
        """All settings of the search."""
        return preset_config(self.preset, **self.settings, seed=seed)

    def training_config(self, genotype: Genotype, seed: int) -> TrainingConfig:
        """All settings of a training: those of the search, as far as both have them."""
        search = self.search_config(seed)
        shared = {name: getattr(search, name) for name in RunConfig.model_fields}
        changed = {"genotype": to_json(genotype), "epochs": self.training_epochs}
        return make_training_config({**shared, **changed})


class Figures:
    """The rows of a JSON file, which is written anew after each of them.

    Args:
        path: The file; None keeps nothing.
        kind: What the rows are, for whoever reads the file.
    """

    def __init__(self, path: Path | None, kind: str = KIND) -> None:
        self.path = path
        self.kind = kind
        self.rows: list[Row] = []
        if path is not None and path.exists():
            self.rows = json.loads(path.read_text())["rows"]

    def obtain(self, key: Row, measure: Callable[[], Row]) -> Row:
        """The row that begins with ``key``; measured, printed and written where it is missing."""
        for row in self.rows:
            if key.items() <= row.items():
                return row
        row = {**key, **measure()}
        shown = {name: row[name] for name in row if name not in ("genotype", "settings")}
        print(json.dumps(shown), flush=True)
        self.rows.append(row)
        self._write()
        return row

    def _write(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        versions = {"torch": torch.__version__, "python": platform.python_version()}
        whole = {"kind": self.kind, "versions": versions, "rows": self.rows}
        written = json.dumps(whole, indent=1)
        beside = self.path.with_suffix(".part")
        beside.write_text(written + "\n")
        beside.replace(self.path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and print mean and spread."""
    given = parser().parse_args(arguments)
    figures = Figures(given.out or (None if given.quick else RAW))
    chosen = comparisons(given)
    if not chosen:
        print("Say what to compare: --built-in, --camvid FOLDER, --wikitext2 FOLDER, or --quick.")
    for comparison in chosen:
        for seed in range(1 if given.quick else given.seeds):
            search_seed = 0 if given.one_search else seed
            compare(comparison, seed, search_seed, figures, random_cells=given.random_cells)
    for line in summary(figures.rows):
        print(line)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--camvid", type=Path, help="folder with train, val, test and classes.txt")
    made.add_argument("--wikitext2", type=Path, help="folder with train, valid and test .txt")
    made.add_argument("--built-in", action="store_true", help="the data that need no file")
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument(
        "--one-search", action="store_true", help="search with seed 0 only, train with all seeds"
    )
    made.add_argument(
        "--genotype", action="append", default=[], metavar="PRESET=FILE", help="a cell found before"
    )
    made.add_argument("--threads", type=int, help="CPU threads, instead of the preset's")
    made.add_argument("--device", type=torch.device, default="cpu", help="cpu, or cuda for a GPU")
    made.add_argument("--random-cells", type=int, default=1, help="random cells a seed")
    made.add_argument("--quick", action="store_true", help="one epoch on few data, one seed")
    made.add_argument("--out", type=Path, help=f"the JSON file; {RAW.name} in benchmarks/raw")
    return made


def comparisons(given: argparse.Namespace) -> list[Comparison]:
    """What was asked for; the built-in data where a quick round is given no folder."""
    folders = {"camvid-cpu": given.camvid, "wikitext2-cpu": given.wikitext2}
    chosen = {name: {"data": str(folder)} for name, folder in folders.items() if folder}
    if given.built_in or (given.quick and not chosen):
        chosen |= {"digit-scenes": {}, "topics": {}}
    shared = {"cpu_threads": given.threads} if given.threads else {}
    shared |= QUICK if given.quick else {}
    found = dict(map(found_before, given.genotype))
    return [
        Comparison(
            name,
            {**settings, **shared},
            1 if given.quick else TRAINING_EPOCHS[name],
            found.get(name),
            given.device,
        )
        for name, settings in chosen.items()
    ]


def found_before(given: str) -> tuple[str, Genotype]:
    """Preset and cell of ``PRESET=FILE``."""
    name, _, file = given.partition("=")
    return name, read_genotype(Path(file).read_text("utf-8"), SPACES.values())


def compare(
    comparison: Comparison, seed: int, search_seed: int, figures: Figures, *, random_cells: int
) -> None:
    """Search, derive, and train everything that is compared, with one seed."""
    config = comparison.search_config(search_seed)
    device = comparison.device
    set_up_torch(config, device)
    data = load_data(config)

    def obtain(network: str, cell: int, given: RunConfig, measure: Callable[[], Row]) -> Row:
        named = {"comparison": comparison.preset, "network": network}
        place = {"seed": given.seed, "cell": cell}
        return figures.obtain({**named, **place, **settings_of(given)}, measure)

    genotype = comparison.genotype
    if genotype is None:
        found = obtain("search", 0, config, partial(searched, config, data, device))
        genotype = from_json(json.dumps(found["genotype"]))
    training = comparison.training_config(genotype, seed)

    def train_derived(training: TrainingConfig) -> Row:
        return trained(derived_loop(training, data, device))

    derived = obtain("searched", 0, training, partial(train_derived, training))
    kind = "lstm" if config.task == "language_modelling" else "residual"

    def train_hand_made() -> Row:
        return trained(hand_made_loop(training, data, device, derived["parameters"]))

    obtain(kind, 0, training, train_hand_made)
    for cell in range(random_cells):
        drawn = random_genotype(
            space_of(config), draws=config.draws, scope=config.scope, seed=1000 * seed + cell
        )
        of_drawn = comparison.training_config(drawn, seed)
        obtain("random", cell, of_drawn, partial(train_derived, of_drawn))


def settings_of(config: RunConfig) -> Row:
    """All settings but the place of the data; the architecture of a training beside them."""
    settings = config.model_dump(mode="json", exclude={"data", "genotype"})
    if isinstance(config, TrainingConfig):
        return {"settings": settings, "genotype": json.loads(config.genotype)}
    return {"settings": settings}


def searched(config: SearchConfig, data: Any, device: torch.device) -> Row:
    """Run a search to its end; its figures and what it derived."""
    started = time.perf_counter()
    *_, last = assemble_search(config, data, device)
    if last.derived is None:
        raise ValueError("a search ends with the end of an epoch, which derives a cell")
    genotype = from_masks(
        space_of(config), last.derived, config.rule, {"seed": config.seed, "step": last.step}
    )
    return {
        **{name: value for name, value in last.metrics.items() if name.startswith("child_")},
        "gap": last.metrics["gap"],
        "steps": last.step,
        "seconds": time.perf_counter() - started,
        "genotype": json.loads(to_json(genotype)),
    }


def derived_loop(config: TrainingConfig, data: Any, device: torch.device) -> TrainingLoop:
    """The training of the configuration's genotype."""
    return assemble_training(config, data, device, report=print)


def hand_made_loop(
    config: TrainingConfig, data: Any, device: torch.device, parameters: int
) -> TrainingLoop:
    """The same training of a hand-made network with that number of parameters."""
    random = generator(config.seed, "weights")
    network: nn.Module
    if config.task == "language_modelling":
        model = lstm_of_size(
            parameters,
            vocabulary=len(data.vocabulary),
            embedding=config.embedding_size,
            dropouts=Dropouts(
                words=config.dropout_embedding,
                inputs=config.dropout_input,
                hidden=config.dropout_hidden,
                outputs=config.dropout,
            ),
            generator=random,
        )
        config = config.model_copy(update={"hidden_size": model.state_size})
        network = model
    else:
        network = residual_of_size(parameters, network_shape(config, data.summary), random)
    network.to(device)
    task = build_task(
        config,
        data,
        device,
        label_smoothing=config.label_smoothing,
        evaluation_streams=EVALUATION_STREAMS,
    )
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    return TrainingLoop(
        config,
        genotype=read_genotype(config.genotype, SPACES.values()),
        task=task,
        trainee=Trainee(network),
        optimiser=optimiser,
        report=print,
    )


def trained(loop: TrainingLoop) -> Row:
    """Run a training to its end, and its figures on validation and test data."""
    started = time.perf_counter()
    *_, last = loop
    kept = ("validation_", "test_")
    return {
        "parameters": parameters_of(loop.network),
        **{name: value for name, value in last.metrics.items() if name.startswith(kept)},
        "steps": last.step,
        "seconds": time.perf_counter() - started,
    }


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Per data set and network, mean and sample standard deviation of the test figure."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        for name in ("test_perplexity", "test_mean_iou"):
            if name in row:
                groups.setdefault((row["comparison"], row["network"], name), []).append(row)
    for (comparison, network, name), members in groups.items():
        values = [row[name] for row in members]
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        parameters = statistics.mean(row["parameters"] for row in members)
        yield (
            f"{comparison} {network}: {name} {statistics.mean(values):.2f}{spread} "
            f"over {len(values)}, {parameters:,.0f} parameters"
        )


if __name__ == "__main__":
    main()
