"""The recurrent supernet against a second one that runs everything, step by step."""

import gc

import pytest
import torch
from torch.nn import functional

from engine.domain.genotype import from_masks
from engine.domain.snapshot import mask_of
from engine.domain.space import SearchSpace
from engine.model.dropouts import Dropouts
from engine.model.probe import Probe
from engine.model.recurrent import RecurrentSupernet
from engine.model.recurrent_derived import (
    DerivedRecurrentNetwork,
    LanguageModel,
    load_recurrent_weights,
)
from engine.model.sampler import CodeSampler
from engine.operations.text import Predictions, Text
from engine.spaces import SPACES

SPACE = SPACES["rnn"].with_nodes(3)
VOCABULARY, HIDDEN, STREAMS, STEPS = 11, 5, 4, 6
NO_DROPOUT = Dropouts()
SOME = Dropouts(words=0.2, inputs=0.3, hidden=0.4, outputs=0.5)


def build(
    space: SearchSpace = SPACE,
    *,
    embedding: int = HIDDEN,
    dropouts: Dropouts = NO_DROPOUT,
    mixture: bool = False,
    seed: int = 0,
) -> RecurrentSupernet:
    net = RecurrentSupernet(
        space,
        vocabulary=VOCABULARY,
        embedding=embedding,
        hidden=HIDDEN,
        dropouts=dropouts,
        generator=torch.Generator().manual_seed(seed),
        mixture=mixture,
    ).double()
    with torch.no_grad():
        for parameter in net.weight_parameters():
            parameter.mul_(15)
        net.ends.bias.normal_()
    return net


def a_code(space: SearchSpace = SPACE, share: float = 0.4) -> dict[str, torch.Tensor]:
    shape = (len(space.edges), len(space.operations))
    code = (torch.rand(shape) < share).double()
    return {"recurrent": code.requires_grad_()}


def a_window(seed: int | None = None, streams: int = STREAMS) -> Text:
    random = None if seed is None else torch.Generator().manual_seed(seed)
    tokens = torch.randint(VOCABULARY, (STEPS, streams))
    return Text(tokens, torch.randn(streams, HIDDEN, dtype=torch.float64).tanh(), random)


def naive(net: RecurrentSupernet, text: Text, code):
    """Logits by formula: every operation at every step, times the code; no dropout."""
    functions = {
        "tanh": torch.tanh,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "identity": lambda u: u,
    }
    h, logits = text.state, []
    for tokens in text.tokens:
        x = net.ends.embedding.weight[tokens]
        c, u = (torch.cat([x, h], 1) @ net.cell.first.weight.T).chunk(2, 1)
        states = [h + c.sigmoid() * (u.tanh() - h)]
        for j in range(net.space.nodes):
            total, count = 0.0, 0.0
            for e in net.space.edges_of[j]:
                s = states[net.space.edges[e].source]
                c, u = (s @ net.cell.nodes[str(j)].weight.T).chunk(2, 1)
                for k, name in enumerate(net.space.operations):
                    if name != "none":
                        total = total + code[e, k] * (s + c.sigmoid() * (functions[name](u) - s))
                        count = count + code[e, k]
            states.append(total / count if count > 1 else total)
        h = sum(states[1:]) / net.space.nodes
        decoder = net.ends.embedding if net.ends.decoder is None else net.ends.decoder
        logits.append(h @ decoder.weight.T + net.ends.bias)
    return torch.stack(logits), h


def gradients(net, logits, codes) -> dict[str, torch.Tensor]:
    net.zero_grad()
    for code in codes.values():
        code.grad = None
    targets = torch.arange(logits[..., 0].numel()) % VOCABULARY
    functional.cross_entropy(logits.flatten(0, 1), targets).backward()
    named = dict(net.named_parameters()) | {f"code.{kind}": c for kind, c in codes.items()}
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in named.items()
        if p.is_leaf
    }


def assert_same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-10, rtol=1e-6, msg=name)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
@pytest.mark.parametrize("embedding", [HIDDEN, 3])
def test_exact_has_the_logits_and_gradients_of_running_everything(share, embedding):
    net, codes, text = build(embedding=embedding), a_code(share=share), a_window()
    answer = net(text, codes, Probe.exact())
    logits, state = naive(net, text, codes["recurrent"])
    torch.testing.assert_close(answer.logits, logits)
    torch.testing.assert_close(answer.state, state)
    assert_same(gradients(net, answer.logits, codes), gradients(net, logits, codes))


@pytest.mark.parametrize("scope", ["node", "source", "edge"])
def test_exact_moves_alpha_as_running_everything_does(scope):
    net, text = build(), a_window()
    sampler = CodeSampler(SPACE, draws=3, scope=scope, route="even", normalisation="softmax")

    def drawn():
        random = torch.Generator().manual_seed(4)
        return {"recurrent": sampler.draw(net.alphas["recurrent"], 1.0, random)}

    found = gradients(net, net(text, drawn(), Probe.exact()).logits, {})
    expected = gradients(net, naive(net, text, drawn()["recurrent"])[0], {})
    assert_same(found, expected)
    assert found["alphas.recurrent"].abs().max() > 1e-8


def test_sampled_gives_the_exact_gradient_to_what_was_drawn_and_none_to_the_rest():
    net, codes, text = build(), a_code(), a_window()
    found = gradients(net, net(text, codes).logits, codes)
    expected = gradients(net, net(text, codes, Probe.exact()).logits, codes)
    expected["code.recurrent"] *= codes["recurrent"].detach()
    assert_same(found, expected)


def test_probed_operations_have_the_exact_gradient_as_their_mean():
    net, codes, text = build(), a_code(), a_window()
    probe = Probe.operations(0.5, SPACE, torch.Generator().manual_seed(1))
    opposite = Probe(
        weight=probe.weight,
        chosen={k: [[not c for c in row] for row in rows] for k, rows in probe.chosen.items()},
    )
    one, other, exact = (
        gradients(net, net(text, codes, p).logits, codes) for p in (probe, opposite, Probe.exact())
    )
    assert not torch.allclose(one["code.recurrent"], exact["code.recurrent"])
    assert_same({name: (one[name] + other[name]) / 2 for name in exact}, exact)


def test_probing_a_part_of_the_streams_leaves_all_but_the_undrawn_as_it_is():
    net, codes, text = build(), a_code(), a_window()
    found = gradients(net, net(text, codes, Probe.batch(0.5)).logits, codes)
    expected = gradients(net, net(text, codes, Probe.exact()).logits, codes)
    part, whole = found.pop("code.recurrent"), expected.pop("code.recurrent")
    kept = codes["recurrent"].detach() == 1
    torch.testing.assert_close(part[kept], whole[kept])
    assert not torch.allclose(part[~kept], whole[~kept])
    assert_same(found, expected)


def test_two_halves_of_the_streams_have_the_exact_gradient_as_their_mean():
    net, codes, text = build(), a_code(), a_window()
    one, other, exact = (
        gradients(net, net(text, codes, probe).logits, codes)
        for probe in (Probe.batch(0.5), Probe.batch(0.5, start=0.5), Probe.exact())
    )
    assert not torch.allclose(one["code.recurrent"], exact["code.recurrent"])
    assert_same({name: (one[name] + other[name]) / 2 for name in exact}, exact)


def test_what_no_code_draws_is_not_run_and_gets_no_gradient():
    net, codes, text = build(), a_code(share=0.0), a_window()
    codes["recurrent"].data[0, SPACE.operations.index("tanh")] = 1.0
    net(text, codes).logits.sum().backward()
    assert net.cell.nodes["0"].weight.grad.abs().sum() > 0
    assert net.cell.nodes["1"].weight.grad is None
    assert net.cell.nodes["2"].weight.grad is None


def test_only_its_single_operation_and_none_tell_a_node_from_nothing():
    """One drawn: the code sees the values themselves; several: how they differ from the mean."""
    net, text = build(), a_window()
    code = torch.zeros(len(SPACE.edges), len(SPACE.operations), dtype=torch.float64)
    code[:, SPACE.operations.index("tanh")] = 1.0
    codes = {"recurrent": code.requires_grad_()}
    found = gradients(net, net(text, codes, Probe.exact()).logits, codes)["code.recurrent"]
    single, several = (SPACE.edges_of[node] for node in (0, 2))
    assert found[single][code[single] == 1].abs().min() > 1e-8
    assert found[several][code[several] == 1].sum().abs() < 1e-12
    assert (found[:, SPACE.none_index] == 0).all()


@pytest.mark.parametrize("over", ["edge", "node"])
def test_a_mixture_is_the_weighted_mean_with_plain_gradients(over):
    net, text = build(mixture=True), a_window()
    weights = torch.rand(len(SPACE.edges), len(SPACE.operations), dtype=torch.float64)
    weights = weights / weights.sum(1, keepdim=True)
    if over == "node":
        for edges in SPACE.edges_of:
            weights[edges] = weights[edges] / len(edges)
    codes = {"recurrent": weights.requires_grad_()}
    factors = torch.ones(len(SPACE.edges), 1, dtype=torch.float64)
    for edges in SPACE.edges_of:
        factors[edges] = 1.0 if over == "node" else 1 / len(edges)
    functions = [torch.tanh, torch.relu, torch.sigmoid, lambda u: u]
    h = text.state
    for tokens in text.tokens:
        x = torch.cat([net.ends.embedding.weight[tokens], h], 1)
        c, u = (x @ net.cell.first.weight.T).chunk(2, 1)
        states = [h + c.sigmoid() * (u.tanh() - h)]
        for j, edges in enumerate(SPACE.edges_of):
            node = 0.0
            for e in edges:
                s = states[SPACE.edges[e].source]
                c, u = (s @ net.cell.nodes[str(j)].weight.T).chunk(2, 1)
                for k, function in enumerate(functions):
                    value = s + c.sigmoid() * (function(u) - s)
                    node = node + factors[e] * weights[e, k + 1] * value
            states.append(node)
        h = sum(states[1:]) / SPACE.nodes
    answer = net(text, codes)
    torch.testing.assert_close(answer.state, h)
    expected = torch.autograd.grad(h.square().sum(), weights)[0]
    found = torch.autograd.grad(answer.state.square().sum(), weights)[0]
    torch.testing.assert_close(found, expected)


def test_a_mixture_measures_its_child_as_what_it_will_be_when_retrained():
    net, codes, text = build(mixture=True), a_code(), a_window()
    assert torch.equal(net(text, codes).logits, build()(text, codes).logits) is False
    plain = build()
    plain.load_state_dict(net.state_dict())
    assert torch.equal(net(text, codes).logits, plain(text, codes).logits)


def child_of(net: RecurrentSupernet, code: torch.Tensor):
    masks = {"recurrent": tuple(map(mask_of, code.tolist()))}
    return DerivedRecurrentNetwork(
        from_masks(net.space, masks),
        vocabulary=VOCABULARY,
        embedding=net.ends.embedding.weight.shape[1],
        hidden=HIDDEN,
    ).double()


@pytest.mark.parametrize("share", [0.15, 0.4, 1.0])
@pytest.mark.parametrize(("nodes", "embedding"), [(1, HIDDEN), (8, 3), (12, HIDDEN)])
def test_the_child_answers_as_the_supernet_under_its_code(share, nodes, embedding):
    space = SPACES["rnn"].with_nodes(nodes)
    net, codes, text = build(space, embedding=embedding), a_code(space, share), a_window()
    child = child_of(net, codes["recurrent"])
    load_recurrent_weights(child, net.state_dict())
    torch.testing.assert_close(child(text).logits, net(text, codes).logits, atol=1e-5, rtol=0)
    plain, state = LanguageModel(child)(text.tokens)
    from_zero = Text(text.tokens, torch.zeros_like(text.state))
    torch.testing.assert_close(plain, child(from_zero).logits)
    torch.testing.assert_close(state, child(from_zero).state)


def test_a_child_answers_for_one_stream_as_within_a_batch():
    net, codes, text = build(), a_code(), a_window()
    child = child_of(net, codes["recurrent"])
    alone = Text(text.tokens[:, :1], text.state[:1])
    torch.testing.assert_close(child(alone).logits, child(text).logits[:, :1])


def test_a_mean_keeps_the_state_of_a_child_bounded_however_many_operations_it_keeps():
    space = SPACES["rnn"]
    code = torch.zeros(len(space.edges), len(space.operations))
    code[:, [space.operations.index(name) for name in ("tanh", "sigmoid")]] = 1.0
    child = child_of(build(space), code)
    state = LanguageModel(child)(torch.randint(VOCABULARY, (200, 2)))[1]
    assert state.abs().max() <= 1.0


def test_a_window_in_two_parts_gives_the_predictions_of_the_whole():
    net, codes, text = build(), a_code(), a_window()
    whole = net(text, codes)
    first = net(Text(text.tokens[:2], text.state), codes)
    second = net(Text(text.tokens[2:], first.state), codes)
    torch.testing.assert_close(torch.cat([first.logits, second.logits]), whole.logits)
    torch.testing.assert_close(second.state, whole.state)
    assert isinstance(whole.detach(), Predictions)
    assert not any(value.requires_grad for value in vars(whole.detach()).values())


def test_dropout_comes_from_the_window_s_generator_and_only_in_training():
    net, codes = build(dropouts=SOME), a_code()
    text = a_window()

    def logits(seed):
        random = None if seed is None else torch.Generator().manual_seed(seed)
        return net(Text(text.tokens, text.state, random), codes).logits

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
    torch.testing.assert_close(logits(None), naive(net, text, codes["recurrent"])[0])
    net.eval()
    assert torch.equal(logits(1), logits(None))


def test_exact_sees_the_masks_that_plain_autograd_sees():
    """A mixture with almost binary weights has the constant-n gradient by autograd."""
    net, text, codes = build(dropouts=SOME, mixture=True), a_window(), a_code(share=0.5)
    code = codes["recurrent"].detach()
    code[:, 0], code[:, 1] = 0.0, 1.0
    almost = {"recurrent": (code + 1e-10).requires_grad_()}

    def gradient(of):
        random = torch.Generator().manual_seed(3)
        answer = net(Text(text.tokens, text.state, random), of, Probe.exact())
        return gradients(net, answer.logits, of)["code.recurrent"]

    found, expected = gradient(codes), gradient(almost)
    for edges in SPACE.edges_of:
        here, count = expected[edges], code[edges].sum()
        mean = (here * code[edges]).sum() / count if count > 1 else 0.0
        expected[edges] = here - mean
    expected[:, SPACE.none_index] = 0.0
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-5)


def test_embedding_and_decoder_are_one_where_their_sizes_agree():
    tied, untied = build(), build(embedding=3)
    assert sum(p.numel() for p in untied.ends.parameters()) == VOCABULARY * (3 + HIDDEN + 1)
    assert sum(p.numel() for p in tied.ends.parameters()) == VOCABULARY * (HIDDEN + 1)


def test_the_same_generator_gives_the_same_network_whatever_torch_s_own_state():
    one = build(seed=5).state_dict()
    torch.manual_seed(12)
    two, three = build(seed=5).state_dict(), build(seed=6).state_dict()
    names = [name for name in one if name != "ends.bias"]
    assert all(torch.equal(one[name], two[name]) for name in names)
    assert all(not torch.equal(one[name], three[name]) for name in names)


def test_alphas_are_in_the_state_and_among_no_weights():
    net = build()
    assert "alphas.recurrent" in net.state_dict()
    alphas, weights = set(net.alpha_parameters()), set(net.weight_parameters())
    assert alphas == {net.alphas["recurrent"]}
    assert alphas | weights == set(net.parameters())
    assert not alphas & weights


@pytest.mark.parametrize("backward", [True, False])
def test_a_window_of_text_is_forgotten_once_it_has_been_used(backward):
    """Graph and offsets must not hold each other: the collector does not see through autograd."""
    net = build(dropouts=SOME)

    def tensors_after_use():
        outputs = net(a_window(), a_code(), Probe.exact())
        if backward:
            net.zero_grad()
            outputs.logits.sum().backward()
        del outputs
        gc.collect()
        return sum(type(each) is torch.Tensor for each in gc.get_objects())

    first = tensors_after_use()
    assert [tensors_after_use() for _ in range(3)] == [first] * 3
