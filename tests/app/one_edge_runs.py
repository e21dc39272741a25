"""Recorded searches whose cells a table of published accuracies can hold."""

from dataclasses import replace

from app.studio import Studio
from engine.catalog import gather_catalog
from engine.domain.config import SearchConfig
from engine.domain.ports import RunStore
from engine.domain.presets import preset_config
from engine.domain.run import Run
from engine.domain.space import SearchSpace
from tests.e2e.seeding import CPU, NODE, Synthetic, extend_run

ONE_EDGE = SearchSpace(
    name="one_edge",
    label="Two nodes, one operation an edge",
    cell_kinds=("cell",),
    inputs=1,
    nodes=2,
    operations=("none", "skip_connect", "avg_pool_3x3"),
    output="last",
    skeleton="stages",
)


def seed_one_edge_run(
    studio: Studio,
    *,
    count: int = 40,
    upto: int | None = None,
    draws: int = 1,
    seed: int = 0,
    name: str = "one edge",
) -> Run:
    """A running search in that space, with the first ``upto`` of ``count`` snapshots."""
    catalog = gather_catalog()
    store: RunStore = studio.store
    store.publish(replace(catalog, spaces=(*catalog.spaces, ONE_EDGE)))
    config = config_of(draws, seed)
    run = store.create(config, name=name)
    claimed = store.claim(run.id, node=NODE.name, device=CPU)
    assert claimed is not None
    space = store.space_of(claimed)
    assert space is not None
    extend_run(store, claimed, Synthetic(config, space, count=count), 0, upto or count)
    return store.run(run.id)


def config_of(draws: int, seed: int) -> SearchConfig:
    return preset_config(
        "digits", space="one_edge", nodes=2, draws=draws, scope="edge", seed=seed, epochs=4, cells=3
    )
