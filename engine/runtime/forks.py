"""The first start of a fork: probabilities and weights of the search that it comes from.

The worker writes a checkpoint of its own at once, so that everything after it,
a kill included, needs the other search no more.
"""

from collections.abc import Callable
from typing import Any

from engine.domain.errors import NotFound
from engine.domain.item_patterns import banned_items
from engine.domain.ports import ArtifactStore, RunStore
from engine.domain.run import Run
from engine.domain.snapshot import SnapshotKind
from engine.domain.steering import config_after
from engine.runtime.checkpoints import Checkpoints
from engine.runtime.recorded_data import check_recorded_data
from engine.search.forking import alphas_for
from engine.search.loop import SearchLoop


def start_from_origin(
    store: RunStore,
    artifacts: ArtifactStore,
    run: Run,
    loop: SearchLoop,
    report: Callable[[str], None],
) -> None:
    """Give a search at its first step the state that its settings name; does nothing without.

    Args:
        store: Holds the snapshot.
        artifacts: Hold the checkpoints.
        run: The fork.
        loop: Takes the state; its optimisers, schedules and position stay new.
        report: Told what was taken over.

    Raises:
        NotFound: The other search or its snapshot is gone.
        CheckpointError: Its checkpoint is damaged.
        DataError: The data have changed since its weights were trained on them.
    """
    config = loop.config
    if not config.origin:
        return
    parent = _parent(store, run, config.origin)
    snapshot = store.snapshot(parent.id, config.origin_step)
    if snapshot is None or snapshot.step != config.origin_step:
        raise _gone(run, f"no snapshot of run {parent.id} at step {config.origin_step}")
    before = snapshot.step - (snapshot.kind is SnapshotKind.EPOCH)
    then = config_after(parent.search, store.changes(parent.id), before)
    alphas = alphas_for(
        loop.space,
        snapshot.probabilities,
        banned=banned_items(then.banned, loop.space, then.scope),
        scope=config.scope,
        normalisation=config.normalisation,
    )
    weights: dict[str, Any] = {}
    whence = "fresh weights, as asked"
    if config.origin_weights == "checkpoint":
        weights, whence = _weights(Checkpoints(store, artifacts, parent), config.origin_step)
    if weights and (config.seed, config.train_limit) == (then.seed, then.train_limit):
        check_recorded_data(artifacts, parent, loop)
    loop.start_from(alphas, weights)
    report(
        f"Starts from the probabilities of run {parent.id} at step {snapshot.step}, with {whence}."
    )
    if weights and config.seed != then.seed:
        report(
            "The seed is another one: where the data have no validation part of their own it draws "
            "another one, which the weights taken over may have been trained on."
        )


def _parent(store: RunStore, run: Run, uid: str) -> Run:
    parent = None if run.parent_id is None else store.run(run.parent_id)
    if parent is None or parent.uid != uid:
        raise _gone(run, "no such search any more")
    return parent


def _weights(checkpoints: Checkpoints, step: int) -> tuple[dict[str, Any], str]:
    """Weights without alphas, and in words from where."""
    found = checkpoints.weights_near(step)
    if found is None:
        return {}, "fresh weights, since it has no checkpoint"
    saved, model = found
    weights = {name: value for name, value in model.items() if not name.startswith("alphas.")}
    return weights, f"the weights of its checkpoint of step {saved.step}"


def _gone(run: Run, found: str) -> NotFound:
    return NotFound(
        asked=f"the state that run {run.id} starts from",
        found=found,
        allowed="a search that is still there when its fork starts",
        advice="fork another search",
    )
