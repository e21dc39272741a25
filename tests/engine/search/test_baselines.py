"""The searches that ours is compared with run in the same loop."""

import io

import pytest
import torch

from engine.domain.derivation import derive
from engine.domain.errors import InvalidConfig, InvalidGenotype
from engine.domain.snapshot import SnapshotKind, operations_in
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.search.evaluation import measure, tensors_of
from engine.search.networks import supernet_for

RANDOM = {"method": "random", "epochs": 5, "candidates": 2}
DARTS = {"method": "darts", "scope": "edge", "update": "alternating", "epochs": 1}


def epochs_of(snapshots):
    return [s for s in snapshots if s.kind is SnapshotKind.EPOCH]


def result_of(steps):
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value


def figures(snapshot):
    return {k: v for k, v in snapshot.metrics.items() if k != "step_seconds"}


def test_random_search_keeps_the_child_that_ended_its_training_best(make_loop):
    loop = make_loop(**RANDOM)
    ends = epochs_of(list(loop))
    assert [loop._epochs_of(child) for child in range(2)] == [(0, 3), (3, 5)]
    measured = {2: ends[2].metrics["candidate_accuracy"], 4: ends[4].metrics["candidate_accuracy"]}
    assert ends[-1].metrics["child_accuracy"] == max(measured.values())
    best = 2 if measured[2] >= measured[4] else 4
    assert ends[-1].derived == ends[best].derived
    assert loop.progress.score == max(measured.values())
    assert "gap" not in ends[-1].metrics


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_search_has_the_weights_of_the_child_that_it_kept(make_loop, seed):
    loop = make_loop(**RANDOM, seed=seed)
    end = epochs_of(list(loop))[-1]
    file = io.BytesIO()
    save_checkpoint(loop, file)
    file.seek(0)
    again = make_loop(**RANDOM, seed=seed)
    load_checkpoint(again, file)
    again.prepare_child(end.derived)
    codes = tensors_of(end.derived, len(loop.space.operations), loop.task.device)
    again.supernet.train(False)
    found = result_of(measure(again.task, again.supernet, lambda _: codes))
    assert found.score == end.metrics["child_accuracy"]
    assert found.loss == pytest.approx(end.metrics["child_loss"], rel=1e-6)


def test_random_search_keeps_no_weights_of_any_other_cell(make_loop):
    loop = make_loop(**RANDOM)
    list(loop)
    other = {kind: tuple(1 for _ in cell) for kind, cell in loop.derived().items()}
    with pytest.raises(InvalidGenotype, match="keeps those of its best cell so far only"):
        loop.prepare_child(other)


def test_random_children_start_anew_and_alphas_never_move(make_loop):
    loop = make_loop(**RANDOM)
    alphas = {kind: alpha.detach().clone() for kind, alpha in loop.supernet.alphas.items()}
    for _ in loop.steps():
        if (loop.position.epoch, loop.position.index) == (3, 1):
            break
    fresh = supernet_for(loop.config, loop.space, loop.task, attempt=1).state_dict()
    now, drawn = loop.supernet.state_dict(), loop._draw()
    for number in range(len(loop.space.edges)):
        for k, name in enumerate(loop.space.operations):
            for key in (key for key in now if f"cells.0.edges.{number}.{name}." in key):
                moved = not torch.equal(now[key], fresh[key])
                assert moved == bool(drawn["normal"][number, k]), key
    for kind, alpha in loop.supernet.alphas.items():
        assert torch.equal(alpha, alphas[kind])


def test_random_derived_code_has_no_none(make_loop):
    loop = make_loop(**RANDOM)
    none = loop.space.none_index
    for snapshot in epochs_of(loop):
        for cell in snapshot.derived.values():
            assert all(none not in operations_in(mask) for mask in cell)


@pytest.mark.parametrize("stop", [2, 9, 13])
def test_random_search_carried_on_is_the_uninterrupted_one(make_loop, stop):
    straight = [(s.step, s.kind, s.codes, figures(s), s.derived) for s in make_loop(**RANDOM)]
    first = make_loop(**RANDOM)
    steps = first.steps()
    for _ in range(stop):
        next(steps)
    file = io.BytesIO()
    save_checkpoint(first, file)
    file.seek(0)
    second = make_loop(**RANDOM)
    load_checkpoint(second, file)
    rest = [(s.step, s.kind, s.codes, figures(s), s.derived) for s in second]
    assert rest == straight[-len(rest) :]
    assert len(rest) > 1


def test_random_search_refuses_what_means_nothing_for_it(make_loop):
    with pytest.raises(InvalidConfig, match="update"):
        make_loop(**RANDOM, update="alternating")
    with pytest.raises(InvalidConfig, match="candidates"):
        make_loop(method="random", epochs=2, candidates=3)


def test_darts_moves_alphas_runs_all_operations_and_keeps_two_edges_a_node(make_loop):
    loop = make_loop(**DARTS)
    before = {kind: alpha.detach().clone() for kind, alpha in loop.supernet.alphas.items()}
    end = epochs_of(list(loop))[-1]
    everything = (1 << len(loop.space.operations)) - 1
    assert set(end.codes["normal"]) == {everything}
    assert not torch.equal(loop.supernet.alphas["normal"], before["normal"])
    assert end.derived == derive(loop.space, end.probabilities, loop.config.rule)
    for edges in loop.space.edges_of:
        kept = [edge for edge in edges if end.derived["normal"][edge]]
        assert len(kept) == 2
        assert all(len(operations_in(end.derived["normal"][edge])) == 1 for edge in kept)
    assert end.metrics["gap"] == pytest.approx(
        end.metrics["supernet_accuracy"] - end.metrics["child_accuracy"]
    )


def test_darts_refuses_a_scope_that_it_does_not_mix_in(make_loop):
    with pytest.raises(InvalidConfig, match="scope"):
        make_loop(method="darts", scope="node")
