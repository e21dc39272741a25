"""What people do with the studio: the use cases behind pages and commands.

Everything here is a read of rows, a new row or a wish; nothing computes, so
that the browser's process needs no torch.
"""

import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from app.deletion import delete_run
from engine.data.inspection import absolute_path, inspect_data, is_path
from engine.data.shapes import language_shape, network_shape
from engine.data.summaries import DataSummary, Summary, summary_from_json
from engine.data.table import DATA_SOURCES
from engine.domain.architecture import architecture_at
from engine.domain.blocks import dead_share_of, parts_of
from engine.domain.catalog import Catalog
from engine.domain.config import AnyConfig, SearchConfig, TrainingConfig
from engine.domain.cost import Cost, DeadShare, total_of
from engine.domain.errors import DeviceMissing, InvalidConfig, NotFound, WrongState
from engine.domain.fields import validated
from engine.domain.genotype import Genotype, from_json, from_masks
from engine.domain.item_patterns import check_items
from engine.domain.ports import ArtifactStore, Clock, Device, Node, RunStore
from engine.domain.presets import PRESETS, preset_config
from engine.domain.run import Checkpoint, Request, Run, RunEvent, RunState, sources_of
from engine.domain.run_config import RunConfig
from engine.domain.run_list import RunSummary, checked_notes, checked_tags
from engine.domain.snapshot import Frames, Series, Snapshot, SnapshotKind
from engine.domain.space import SearchSpace
from engine.domain.steering import Change, check_origin, config_after
from engine.domain.transfer import start_run, trained_genotype
from engine.export import EXPORTERS
from engine.export.exporter import Exporter, Shape

NODE_STALE_SECONDS = 10.0
"""An engine without a heartbeat for this long does not count as living."""

Config = TypeVar("Config", bound=RunConfig)

RESUMABLE = frozenset({RunState.PAUSED, RunState.FAILED})

NAME_LENGTH = 120
FILE_NAME_LENGTH = 80


@dataclass(frozen=True)
class Export:
    """One file to take home.

    Attributes:
        filename: Safe on every system.
        media_type: For the browser.
        content: The file; None for one that lies in the artifact store.
        artifact_key: Where it lies then.
    """

    filename: str
    media_type: str
    content: bytes | None = None
    artifact_key: str | None = None


class Studio:
    """The use cases over one store.

    Args:
        store: Runs and everything recorded about them.
        artifacts: Checkpoints and summaries, below ``runs/<uid>/``.
        clock: Tells which engines live.
        data_roots: Folders in which data given as a path have to lie; none
            means anywhere on this machine.
    """

    def __init__(
        self,
        store: RunStore,
        artifacts: ArtifactStore,
        clock: Clock,
        *,
        data_roots: Sequence[Path] = (),
    ) -> None:
        self.store = store
        self.artifacts = artifacts
        self.clock = clock
        self.data_roots = tuple(data_roots)

    # Starting and steering

    def create(self, config: AnyConfig, *, name: str | None = None, priority: int = 0) -> Run:
        """Queue a search or a training, after all that can be checked without running it.

        Data given as a path are stored with their absolute path.

        Raises:
            InvalidConfig: Task or search space are not in the catalogue, or the
                cells of a training do not fit its task.
            InvalidGenotype: A training has no architecture that is known here.
            DeviceMissing: No living engine has the device.
            DataError: The data are not there or malformed.
        """
        config = with_absolute_path(config)
        self.check(config)
        origin = self._origin(config)
        return self.store.create(
            config,
            name=_clean(name) or self._default_name(config),
            priority=priority,
            parent_id=None if origin is None else origin.id,
        )

    def _origin(self, config: AnyConfig) -> Run | None:
        """The search that a fork starts from; None where it is no fork."""
        if not isinstance(config, SearchConfig) or not config.origin:
            return None
        return check_origin(config, self.store.runs(purpose="search"))

    def check(self, config: AnyConfig) -> None:
        """Everything that :meth:`create` refuses, without queueing anything."""
        catalog = self.store.catalog()
        if catalog is not None:
            catalog.task(config.task)
            if isinstance(config, TrainingConfig):
                trained_genotype(config, catalog.spaces)
            else:
                space = catalog.space(config.space).with_nodes(config.nodes)
                space.check_task(config.task)
                check_items(config, space)
        if isinstance(config, TrainingConfig):
            start_run(config, self.store.runs(purpose="training"))
        origin = self._origin(config)
        if origin is not None:
            self._check_snapshot(origin, config)
        self._check_device(config.device)
        self.inspect(config)

    def _check_snapshot(self, origin: Run, config: AnyConfig) -> None:
        """A fork starts from probabilities that were recorded at just that step."""
        step = config.origin_step if isinstance(config, SearchConfig) else 0
        found = self.store.snapshot(origin.id, step)
        if found is None or found.step != step:
            raise InvalidConfig(
                asked=f"a fork of run {origin.id} at step {step}",
                found="no snapshot there" if found is None else f"one at step {found.step}",
                allowed="a step at which its probabilities were recorded",
                advice="choose another step; `egs snapshots` lists them",
            )

    def inspect(self, config: RunConfig) -> Summary:
        """What the data of a configuration are; cheap enough for a form.

        Raises:
            DataError: They are not there or malformed.
        """
        return inspect_data(with_absolute_path(config), self.data_roots)

    def pause(self, run_id: int) -> Run:
        """Ask a running search to write a checkpoint and to rest.

        Raises:
            WrongState: It is not running.
        """
        return self.store.ask(run_id, Request.PAUSE)

    def resume(self, run_id: int) -> Run:
        """Queue a paused run again, or a failed one from its last checkpoint.

        Raises:
            WrongState: It is neither paused nor failed.
        """
        run = self.store.run(run_id)
        if run.state not in RESUMABLE:
            raise WrongState(
                asked=f"to resume run {run_id}",
                found=f"a run that is {run.state.value}",
                allowed="a run that is paused or failed",
                advice=_advice_for(run),
            )
        return self.store.transition(
            run_id, RunState.QUEUED, why="resumed by a person", sources=RESUMABLE
        )

    def stop(self, run_id: int) -> Run:
        """End a search for good; a running one is asked and ends by itself.

        Raises:
            WrongState: It has ended already.
        """
        resting = sources_of(RunState.STOPPED) - {RunState.RUNNING}
        if self.store.run(run_id).state is not RunState.RUNNING:
            try:
                return self.store.transition(
                    run_id, RunState.STOPPED, why="stopped by a person", sources=resting
                )
            except WrongState:
                if self.store.run(run_id).state is not RunState.RUNNING:
                    raise
        return self.store.ask(run_id, Request.STOP)

    def delete(self, run_id: int) -> None:
        """Remove a run with everything recorded, first the rows, then its files.

        Raises:
            WrongState: It is queued or running, or a fork of it has yet to
                take over its state.
        """
        delete_run(self.store, self.artifacts, self.store.run(run_id))

    def annotate(
        self,
        run_id: int,
        *,
        tags: Iterable[str] | None = None,
        notes: str | None = None,
        archived: bool | None = None,
    ) -> Run:
        """Change what a person says about a run; None leaves a part as it is.

        Raises:
            InvalidConfig: A tag or the notes are too long.
        """
        return self.store.annotate(
            run_id,
            tags=None if tags is None else checked_tags(tags),
            notes=None if notes is None else checked_notes(notes),
            archived=archived,
        )

    def set_priority(self, run_id: int, priority: int) -> None:
        """Change the place of a run in the queue; higher starts earlier."""
        self.store.set_priority(run_id, priority)

    # Looking

    def runs(self, states: Iterable[RunState] | None = None) -> list[Run]:
        """Runs, latest first; all of them or those in the given states."""
        return self.store.runs(states)

    def summaries(self) -> list[RunSummary]:
        """What a list shows of every run, latest first; cheap for thousands."""
        return self.store.summaries()

    def queue(self) -> list[Run]:
        """Queued runs in the order in which they shall start."""
        return self.store.queue()

    def run(self, run_id: int) -> Run:
        """One run. Raises :class:`NotFound`."""
        return self.store.run(run_id)

    def snapshots(
        self,
        run_id: int,
        *,
        after: int = -1,
        limit: int | None = None,
        epochs_only: bool = False,
    ) -> list[Snapshot]:
        """Snapshots with step above ``after``, ascending."""
        return self.store.snapshots(run_id, after=after, limit=limit, epochs_only=epochs_only)

    def snapshot(self, run_id: int, step: int | None = None) -> Snapshot | None:
        """The latest snapshot at or before ``step``; None if there is none."""
        return self.store.snapshot(run_id, step)

    def frames(
        self, run_id: int, *, after: int = -1, limit: int = 50_000, stride: int = 1
    ) -> Frames:
        """Snapshots above step ``after`` in the browser's compact form."""
        return self.store.frames(run_id, after=after, limit=limit, stride=stride)

    def series(self, run_id: int, *, after: int = -1, stride: int = 1) -> list[Series]:
        """Every metric over time, above step ``after``; see :class:`RunStore`."""
        return self.store.series(run_id, after=after, stride=stride)

    def events(self, run_id: int) -> list[RunEvent]:
        """The log of a run, oldest first."""
        return self.store.events(run_id)

    def changes(self, run_id: int) -> list[Change]:
        """Changes of a search that were asked for, in the order of the wishes."""
        return self.store.changes(run_id)

    def checkpoints(self, run_id: int) -> list[Checkpoint]:
        """Checkpoints of a run by step, ascending."""
        return self.store.checkpoints(run_id)

    def catalog(self) -> Catalog | None:
        """What an engine said that can be chosen; None before the first one started."""
        return self.store.catalog()

    def nodes(self) -> list[Node]:
        """Every machine that had an engine."""
        return self.store.nodes()

    def living_nodes(self) -> list[Node]:
        """Machines whose engine gave a sign of life just now."""
        return living(self.store.nodes(), self.clock.now())

    def devices(self) -> list[Device]:
        """Devices of all living engines."""
        return [device for node in self.living_nodes() for device in node.devices]

    def space(self, run: Run) -> SearchSpace:
        """The search space of a run with its number of nodes.

        Raises:
            NotFound: No engine has published it yet.
        """
        space = self.store.space_of(run)
        if space is None:
            raise NotFound(
                asked=f"the search space of run {run.id}",
                found="no catalogue that has it",
                allowed="a space that an engine has published",
                advice="start an engine once with `egs engine`",
            )
        return space

    def data(self, run: Run) -> Summary | None:
        """What the worker found the data to be; None before it has loaded them."""
        key = f"runs/{run.uid}/data.json"
        try:
            with self.artifacts.read(key) as file:
                return summary_from_json(file.read().decode())
        except NotFound:
            return None

    # Taking home

    def derive(self, run_id: int, step: int | None = None) -> Genotype:
        """The architecture that a search has found, or that a training trains.

        Args:
            run_id: The run.
            step: Read it off the latest snapshot at or before this step; None
                takes the last epoch's end, or the last snapshot if no epoch
                has ended yet.

        Raises:
            NotFound: Nothing has been recorded there.
        """
        run = self.store.run(run_id)
        if isinstance(run.config, TrainingConfig):
            return from_json(run.config.genotype)
        snapshot = self._snapshot_to_derive(run, step)
        space = self.space(run)
        settings = self.settings_of(run, snapshot)
        masks = architecture_at(space, self._kept_at(run, snapshot), settings)
        rule = settings.rule if settings.derives else None
        return from_masks(space, masks, rule, self._lineage(run, snapshot))

    def _kept_at(self, run: Run, snapshot: Snapshot) -> Snapshot:
        """Where the architecture of a snapshot stands: a random search has it at epochs' ends."""
        if run.search.derives or snapshot.derived is not None or not snapshot.epoch:
            return snapshot
        ends = self.store.snapshots(run.id, epochs_only=True)
        return [end for end in ends if end.step <= snapshot.step][-1]

    def settings_of(
        self, run: Run, snapshot: Snapshot, changes: Sequence[Change] | None = None
    ) -> SearchConfig:
        """The settings of a search that a snapshot was recorded with.

        At the end of an epoch they are those of the update before it.

        Args:
            run: The search.
            snapshot: One of its snapshots.
            changes: All changes of the search; None reads them.
        """
        at = snapshot.step - (snapshot.kind is SnapshotKind.EPOCH)
        known = self.changes(run.id) if changes is None else changes
        return config_after(run.search, known, at)

    def cost(self, run_id: int, genotype: Genotype) -> Cost:
        """Parameters and multiply-adds of a genotype in the run's own network.

        Raises:
            NotFound: No engine has published its catalogue yet, or the data have
                not been read yet.
            DataError: Nothing is known of the data: the run has not loaded
                them and they are not there.
        """
        return total_of(parts_of(genotype, *self._size_of_run(run_id)))

    def dead_share(self, run_id: int, genotype: Genotype) -> DeadShare:
        """Parameters of a genotype that are dead in the run's own network.

        Raises:
            NotFound: As for :meth:`cost`.
            DataError: As for :meth:`cost`.
        """
        return dead_share_of(genotype, *self._size_of_run(run_id))

    def _size_of_run(self, run_id: int) -> tuple[Catalog, Shape]:
        run = self.store.run(run_id)
        catalog = self.published_catalog(f"the cost of a network of run {run_id}")
        return catalog, shape_of(run.config, self.known_data(run))

    def export(
        self,
        run_id: int,
        format_name: str,
        step: int | None = None,
        *,
        genotype: Genotype | None = None,
    ) -> Export:
        """One file to take home.

        Args:
            run_id: The run.
            format_name: A name of the export table, such as ``genotype`` or
                ``svg``.
            step: As for :meth:`derive`; for a checkpoint, the latest at or
                before this step.
            genotype: Another architecture than :meth:`derive` gives, such as
                one that another rule derived from the same snapshot.

        Raises:
            InvalidConfig: There is no such format.
            NotFound: There is nothing to export yet.
        """
        run = self.store.run(run_id)
        exporter = _exporter(format_name)
        if exporter.is_checkpoint:
            checkpoint = self._checkpoint(run, step)
            filename = exporter.filename(_stem(run, checkpoint.step))
            return Export(filename, exporter.media_type, artifact_key=checkpoint.key)
        genotype = genotype or self.derive(run_id, step)
        content = self._rendered(exporter, genotype, run)
        filename = self.file_name(run_id, genotype, exporter.extension)
        return Export(filename, exporter.media_type, content)

    def file_name(self, run_id: int, genotype: Genotype, extension: str) -> str:
        """The name of a file of this architecture, safe on every system."""
        run = self.store.run(run_id)
        trains = isinstance(run.config, TrainingConfig)
        step = run.progress.step if trains else genotype.lineage.get("step", 0)
        return _stem(run, step) + extension

    def _rendered(self, exporter: Exporter, genotype: Genotype, run: Run) -> bytes:
        """The content of a format that is made here; a checkpoint lies ready."""
        if exporter.write is not None:
            return exporter.write(genotype)
        if exporter.draw is not None:
            catalog = self.published_catalog("labels of the operations")
            return exporter.draw(genotype, catalog, run.config.cells)
        if exporter.render is not None:
            return exporter.render(genotype, shape_of(run.config, self.known_data(run)))
        return b""

    def published_catalog(self, asked: str) -> Catalog:
        """The operations that an engine has published, without which there is no ``asked``.

        Raises:
            NotFound: No engine has run yet.
        """
        catalog = self.store.catalog()
        if catalog is None:
            raise NotFound(
                asked=asked,
                found="no catalogue of operations",
                allowed="operations that an engine has published",
                advice="start an engine once with `egs engine`",
            )
        return catalog

    def write_export(self, export: Export, file: BinaryIO) -> None:
        """Write the content of an export, wherever it lies."""
        if export.artifact_key is None:
            file.write(export.content or b"")
            return
        with self.artifacts.read(export.artifact_key) as source:
            shutil.copyfileobj(source, file)

    def _checkpoint(self, run: Run, step: int | None) -> Checkpoint:
        found = [c for c in self.store.checkpoints(run.id) if step is None or c.step <= step]
        if not found:
            raise NotFound(
                asked=f"a checkpoint of run {run.id}" + ("" if step is None else f" up to {step}"),
                found="none",
                allowed="a run that has ended an epoch or was paused",
                advice="wait for the end of the first epoch",
            )
        return found[-1]

    def known_data(self, run: Run) -> Summary:
        """What is known of a run's data, from the run itself or from the data.

        Raises:
            DataError: The run has not loaded them, and they are not there.
        """
        return self.data(run) or self.inspect(run.config)

    def _snapshot_to_derive(self, run: Run, step: int | None) -> Snapshot:
        latest = self.store.snapshot(run.id, step)
        if latest is None:
            raise NotFound(
                asked=f"an architecture of run {run.id}"
                + ("" if step is None else f" at step {step}"),
                found="no snapshot up to there",
                allowed="a run with at least one snapshot",
                advice="wait for the first snapshot or choose a later step",
            )
        if step is not None or latest.kind is SnapshotKind.EPOCH:
            return latest
        epochs = self.store.snapshots(run.id, epochs_only=True)
        return epochs[-1] if epochs else latest

    def _lineage(self, run: Run, snapshot: Snapshot) -> dict[str, Any]:
        data = self.data(run)
        forked = {"parent": run.search.origin, "parent_step": run.search.origin_step}
        return {
            **(forked if run.search.origin else {}),
            "run": run.uid,
            "name": run.name,
            "step": snapshot.step,
            "epoch": snapshot.epoch,
            "data": run.config.data,
            "data_digest": data.digest if data else None,
            "seed": run.config.seed,
            "versions": versions(),
        }

    def _check_device(self, wanted: str) -> None:
        devices = self.devices()
        if wanted == "auto" or not devices:
            return
        names = {device.id for device in devices} | {
            f"cuda:{device.index}" for device in devices if device.index is not None
        }
        if wanted not in names:
            raise DeviceMissing(
                asked=f"device = {wanted!r}",
                found=f"{len(devices)} other device(s)",
                allowed=f"auto or one of {', '.join(sorted(names))}",
                advice="choose one of these",
            )

    def _default_name(self, config: AnyConfig) -> str:
        names = [p.name for p in PRESETS if preset_config(p.name, seed=config.seed) == config]
        what = names[0] if names else Path(config.data).stem or config.purpose
        return _clean(f"{what} {self.clock.now():%Y-%m-%d %H:%M}")


def living(nodes: Iterable[Node], now: datetime) -> list[Node]:
    """Those of the nodes whose engine gave a sign of life just before ``now``."""
    oldest = now - timedelta(seconds=NODE_STALE_SECONDS)
    return [node for node in nodes if node.heartbeat_at >= oldest]


def shape_of(config: RunConfig, data: Summary) -> Shape:
    """The network of a run, applied to its data.

    Raises:
        NotFound: Words have not been counted or images not been measured yet.
    """
    if not (data.height if isinstance(data, DataSummary) else data.vocabulary):
        raise NotFound(
            asked=f"the size of a network for {config.data!r}",
            found="data that nobody has read to their end yet",
            allowed="a run that has loaded its data",
            advice="wait until it starts",
        )
    if not isinstance(data, DataSummary):
        return language_shape(config, data.vocabulary)
    return network_shape(config, data)


def versions() -> dict[str, str]:
    """Versions of the studio and of torch, read without importing either."""
    found = {}
    for package in ("egs-studio", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _exporter(name: str) -> Exporter:
    if name in EXPORTERS:
        return EXPORTERS[name]
    raise InvalidConfig(
        asked=f"the export format {name!r}",
        found="no such format",
        allowed=f"one of {', '.join(EXPORTERS)}",
        advice="choose one of these",
    )


def _stem(run: Run, step: int) -> str:
    """Which run and step a file is of, as the first part of its name."""
    tail = f"-run{run.id}-step{step}"
    return safe_file_name(run.name)[: FILE_NAME_LENGTH - len(tail)].rstrip("-.") + tail


def safe_file_name(text: str) -> str:
    """``text`` as part of a file name: NFKC, ``[A-Za-z0-9._-]``, 80 characters."""
    plain = unicodedata.normalize("NFKC", text)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    return plain.strip("-.")[:FILE_NAME_LENGTH].rstrip("-.") or "run"


def _clean(name: str | None) -> str:
    """A run's name on one line, without control characters, of limited length."""
    visible = "".join(c if c.isprintable() else " " for c in name or "")
    return " ".join(visible.split())[:NAME_LENGTH].rstrip()


def with_absolute_path(config: Config) -> Config:
    """The same with data given as a path made absolute; other text as it is."""
    data = config.data
    if data in DATA_SOURCES or not is_path(data):
        return config
    known: Config = validated(type(config), {**dict(config), "data": str(absolute_path(data))})
    return known


def _advice_for(run: Run) -> str:
    if run.state in {RunState.QUEUED, RunState.RUNNING}:
        return "wait, or pause it first"
    return "start a new search"
