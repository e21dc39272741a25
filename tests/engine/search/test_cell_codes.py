"""Codes of their own for cells: against gradients collected by hand, cell by cell, and the law."""

import io
from itertools import combinations, islice

import pytest
import torch

from engine.domain.config import make_config
from engine.domain.draws import inclusions
from engine.domain.snapshot import operations_in
from engine.model.item_masks import mask_tensor
from engine.model.network import by_cell
from engine.model.probe import Probe
from engine.model.sampler import CodeSampler
from engine.model.supernet import Supernet
from engine.search.checkpoint import load_checkpoint, save_checkpoint
from engine.search.drawing import codes_of_cells, drawings, generator_of
from engine.search.observe import observe_codes
from engine.tasks.randomness import generator
from tests.engine.search.test_harmony import SPACE, build, images, loss_of, naive
from tests.engine.search.test_language_search import make_loop as text_loop

OWN = {"cell_codes": "own"}
NUMBERS = (0, 0, 1, 1)
"""Number of each of four cells among those of its kind: normal, reduction, reduction, normal."""


def values(snapshots):
    clock = {"step_seconds"}
    return [
        (
            *(s.step, s.kind, s.probabilities, s.codes, s.derived),
            *((name, value) for name, value in s.metrics.items() if name not in clock),
        )
        for s in snapshots
    ]


def assert_same_network(one, other):
    for name, tensor in one.supernet.state_dict().items():
        assert torch.equal(tensor, other.supernet.state_dict()[name]), name


def drawn_by(net: Supernet, sampler: CodeSampler) -> list[torch.Tensor]:
    """A code for each of the cells of a network, with noise of its own."""
    return [
        sampler.draw(net.alphas[kind], 1.0, torch.Generator().manual_seed(number))
        for number, kind in enumerate(net.kinds_of_cells)
    ]


def stacked(net: Supernet, codes: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        kind: torch.stack(
            [code for code, own in zip(codes, net.kinds_of_cells, strict=True) if own == kind]
        )
        for kind in SPACE.cell_kinds
    }


@pytest.mark.parametrize("equal_votes", [False, True])
@pytest.mark.parametrize("route", ["even", "inclusion"])
def test_alpha_gets_the_sum_of_what_each_cell_asks_of_its_own_code(route, equal_votes):
    """Second formula: all operations run with a graph, one leaf per cell, one product per cell."""
    net, inputs = build(equal_votes=equal_votes), images()
    sampler = CodeSampler(
        SPACE, draws=3, scope="node", route=route, normalisation="softmax", sound=True
    )
    codes = stacked(net, drawn_by(net, sampler))
    outputs = net(inputs, codes, Probe.exact())
    loss_of(outputs).backward()
    found = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}

    net.zero_grad()
    leaves = [code.detach().requires_grad_() for code in drawn_by(net, sampler)]
    expected = naive(net, inputs, leaves)
    torch.testing.assert_close(outputs, expected)
    loss_of(expected).backward()
    for name, weight in net.named_parameters():
        if name in found and not name.startswith("alphas."):
            torch.testing.assert_close(found[name], weight.grad)
    for kind, alpha in net.alphas.items():
        total = torch.zeros_like(alpha)
        for leaf, code, own in zip(leaves, drawn_by(net, sampler), net.kinds_of_cells, strict=True):
            asked = leaf.grad / leaf.grad.norm() if equal_votes else leaf.grad
            if own == kind:
                total += torch.autograd.grad(code, alpha, asked)[0]
        torch.testing.assert_close(found[f"alphas.{kind}"], total)
        assert total.abs().max() > 1e-8


def test_the_same_code_in_every_cell_is_the_shared_one():
    net, inputs = build(), images()
    sampler = CodeSampler(SPACE, draws=3, scope="node", route="even", normalisation="softmax")
    results = []
    for copies in (1, 2):
        net.zero_grad()
        random = torch.Generator().manual_seed(1)
        codes = {kind: sampler.draw(alpha, 1.0, random) for kind, alpha in net.alphas.items()}
        if copies == 2:
            codes = {kind: torch.stack([code, code]) for kind, code in codes.items()}
        loss_of(net(inputs, codes, Probe.exact())).backward()
        results.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    for shared, own in zip(*results, strict=True):
        torch.testing.assert_close(shared, own)


def test_each_cell_takes_the_next_code_of_its_kind():
    codes = {"a": torch.arange(12.0).view(3, 2, 2), "b": torch.zeros(2, 2)}
    first, zeros, second, again, third = by_cell(codes, ("a", "b", "a", "b", "a"))
    assert torch.equal(torch.stack([first, second, third]), codes["a"])
    assert zeros is again is codes["b"]
    with pytest.raises(IndexError):
        by_cell(codes, ("a",) * 4)


def test_a_kind_with_one_code_has_no_axis_of_cells():
    calls = []

    def draw(cell, kinds):
        calls.append((cell, tuple(kinds)))
        return {kind: torch.full((1, 2), float(cell)) for kind in kinds}

    found = codes_of_cells({"a": 1, "b": 3}, draw)
    assert calls == [(0, ("a", "b")), (1, ("b",)), (2, ("b",))]
    assert torch.equal(found["a"], torch.zeros(1, 2))
    assert torch.equal(found["b"], torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]], [[2.0, 2.0]]]))


def codes_over(loop, steps: int) -> dict[str, torch.Tensor]:
    """Per cell kind [steps, cells, E, K]: the codes of a search at its present alphas."""
    drawn = []
    for step in range(steps):
        loop.position.step = step
        with torch.no_grad():
            drawn.append(loop._draw())
    return {kind: torch.stack([one[kind] for one in drawn]) for kind in loop.supernet.alphas}


@pytest.mark.parametrize("sound", [True, False])
def test_codes_of_each_cell_follow_the_law_and_are_independent(make_loop, sound):
    steps, sigmas = 150, 4.5
    loop = make_loop(cells=4, sound=sound, **OWN)
    with torch.no_grad():
        for number, alpha in enumerate(loop.supernet.alphas.values()):
            alpha.copy_(torch.randn(alpha.shape, generator=torch.Generator().manual_seed(number)))
    rows = loop.probabilities()
    found, q = {}, {}
    for kind, codes in codes_over(loop, steps).items():
        q[kind] = torch.tensor(inclusions(loop.space, loop.config, rows[kind]))
        assert codes.shape == (steps, 2, *q[kind].shape)
        spread = (q[kind] * (1 - q[kind]) / steps).sqrt() + 1e-6
        assert ((codes.mean(0) - q[kind]).abs() < sigmas * spread).all()
        for cell in (0, 1):
            found[kind, cell] = codes[:, cell].flatten(1) - q[kind].flatten()
    for one, other in combinations(found, 2):
        spreads = [(q[kind] * (1 - q[kind])).flatten().sqrt() for kind, _ in (one, other)]
        covariance = found[one].T @ found[other] / steps
        bound = sigmas * torch.outer(*spreads) / steps**0.5
        usual = bound > 0.05 * sigmas / steps**0.5
        assert usual.sum() > 50
        assert (covariance.abs() <= 1.2 * bound)[usual].all()


def test_the_first_cell_draws_what_all_would_share_and_snapshots_show_it(make_loop):
    """So the codes of a snapshot were drawn from the probabilities beside them."""
    shared, own = make_loop(), make_loop(**OWN)
    one, other = shared._draw(), own._draw()
    assert torch.equal(one["normal"], other["normal"])
    assert torch.equal(one["reduction"], other["reduction"][0])
    assert not torch.equal(other["reduction"][0], other["reduction"][1])
    assert observe_codes(one) == observe_codes(other)
    for snapshot in islice(own, 4):
        log_p = {kind: torch.tensor(rows).log() for kind, rows in snapshot.probabilities.items()}
        random = generator(own.config.seed, "codes", snapshot.step)
        redrawn = {
            kind: own._code(kind, log_p[kind], snapshot.temperature, random)
            for kind in own.supernet.alphas
        }
        assert observe_codes(redrawn) == dict(snapshot.codes)


def test_each_cell_takes_the_context_in_rows_of_its_own(make_loop):
    loop = make_loop(cells=4, scope="node", context=0.5, exploration=0.1, fair_sources=1.0, **OWN)
    masks, rows = loop.derived(), loop.space.rows("node")
    context_of: dict[int, list[frozenset[int]]] = {0: [], 1: []}
    for step in range(8):
        loop.position.step = step
        codes = loop._draw()
        for cell in (0, 1):
            how = drawings(
                loop.config, loop.space, step=step, share=step / 8, derived=loop.derived, cell=cell
            )
            for kind, drawing in how.items():
                assert drawing.exploration == 0.1
                assert drawing.fairness > 0
                mode = mask_tensor(masks[kind], len(loop.space.operations))
                for row in drawing.context.rows:
                    part = slice(rows[row].start, rows[row].stop)
                    assert torch.equal(codes[kind][cell][part].bool(), mode[part])
            context_of[cell].append(how["normal"].context.rows)
    assert context_of[0] != context_of[1]


def test_the_architecture_at_the_mode_is_derived_once_a_step(make_loop):
    loop = make_loop(cells=4, context=0.5, **OWN)
    derive, calls = loop.derived, []
    loop.derived = lambda: calls.append(1) or derive()
    loop._draw()
    assert len(calls) == 1


def test_noise_depends_on_nothing_but_seed_purpose_place_and_cell():
    places = [(0, "codes", 1, 0), (1, "codes", 1, 0), (0, "context", 1, 0), (0, "codes", 1, 1)]
    drawn = [
        torch.rand(4, generator=generator_of(seed, purpose, step, cell=cell))
        for seed, purpose, step, cell in places
    ]
    assert all(not torch.equal(one, other) for one, other in combinations(drawn, 2))
    assert torch.equal(drawn[0], torch.rand(4, generator=generator(0, "codes", 1)))


def test_validation_runs_the_supernet_with_codes_of_their_own_too(make_loop):
    loop = make_loop(**OWN)
    codes = loop._fresh_codes(3)
    assert codes["normal"].dim() == 2
    assert not torch.equal(codes["reduction"][0], codes["reduction"][1])
    assert torch.equal(codes["reduction"][0], make_loop()._fresh_codes(3)["reduction"])
    assert not codes["reduction"].requires_grad


@pytest.mark.parametrize(
    ("broken_at", "settings"),
    [
        (3, {}),
        (6, {"update": "alternating", "cell_votes": "equal", "context": 0.5}),
        (6, {"gradient": "probed", "probe": "operations", "draws_start": 5, "shrink_to": 0.5}),
        (3, {"update": "alternating", "early_stop_agreement": 0.6, "early_stop_window": 1}),
    ],
)
def test_a_search_continues_from_a_checkpoint_as_if_never_broken_off(
    make_loop, broken_at, settings
):
    straight = make_loop(**OWN, **settings)
    expected = values(straight)
    first, second = make_loop(**OWN, **settings), make_loop(**OWN, **settings)
    seen = [s for s in islice(first.steps(), broken_at) if s is not None]
    file = io.BytesIO()
    save_checkpoint(first, file)
    file.seek(0)
    load_checkpoint(second, file)
    assert values(seen + list(second)) == expected
    assert_same_network(straight, second)


def test_a_change_from_shared_to_own_codes_acts_from_its_step_on(make_loop):
    plain, steered = make_loop(snapshot_interval=1), make_loop(snapshot_interval=1)
    steered.steer(2, make_config({**dict(steered.config), **OWN}))
    before, after = values(plain), values(steered)
    assert before[:2] == after[:2]
    assert before[2][3] == after[2][3]
    assert before[3] != after[3]


def test_early_stopping_judges_an_operation_where_the_code_of_its_cell_has_it(make_loop):
    loop = make_loop(cells=4, update="alternating", early_stop_agreement=0.1, **OWN)
    codes = loop._draw()
    inputs, targets = loop.task.alpha_batch(0, 0)
    fixed = {kind: code.detach() for kind, code in codes.items()}
    loop.task.loss(loop.supernet(inputs, fixed), targets).backward()
    rule = loop._early_stopping()
    rule.note_validation()
    on = [
        weights[0].grad is not None
        for cell, number in zip(loop.supernet.cells, NUMBERS, strict=True)
        for edge, row in zip(cell.edges, codes[cell.kind][number].tolist(), strict=True)
        for weights in _weights_of(edge, row, loop.space.operations)
    ]
    assert all(on)
    assert len(rule._validation) == len(on)


def _weights_of(edge, row, names):
    """Per operation of an edge that the row has on and that has weights, these weights."""
    kept = [
        list(edge[name].parameters())
        for name, b in zip(names, row, strict=True)
        if b and name != "none"
    ]
    return [weights for weights in kept if weights]


def test_a_step_runs_the_operations_that_each_cell_has_on(make_loop):
    loop = make_loop(cells=4, gradient="sampled", **OWN)
    calls = []
    for number, cell in enumerate(loop.supernet.cells):
        for e, edge in enumerate(cell.edges):
            for name, operation in edge.items():
                key = (number, e, loop.space.operations.index(name))
                operation.register_forward_hook(lambda *_, key=key: calls.append(key))
    codes = loop._draw()
    loop.supernet(loop.task.weight_batch(0, 0)[0], codes)
    none = loop.space.none_index
    expected = [
        (number, e, k)
        for number, (kind, own) in enumerate(
            zip(loop.supernet.kinds_of_cells, NUMBERS, strict=True)
        )
        for e, mask in enumerate(observe_codes({kind: codes[kind][own]})[kind])
        for k in operations_in(mask)
        if k != none
    ]
    assert sorted(calls) == expected


def test_it_changes_nothing_in_a_language_model_which_has_one_cell():
    shared, own = text_loop(epochs=1), text_loop(epochs=1, **OWN)
    assert values(shared) == values(own)
    assert_same_network(shared, own)
