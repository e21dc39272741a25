import ast
import subprocess
import sys

import torch

from engine.domain.derivation import DerivationRule
from engine.domain.genotype import Genotype, from_masks
from engine.domain.language_cost import LanguageShape, language_cost
from engine.domain.published import PUBLISHED_RECURRENT
from engine.domain.snapshot import mask_of
from engine.export.module import render_module
from engine.model.dropouts import Dropouts
from engine.model.recurrent import RecurrentSupernet
from engine.operations.text import Text
from engine.spaces import SPACES

RNN = SPACES["rnn"]

ONLY_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"engine", "app", "storage", "pages", "jaxtyping", "pydantic"}:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import torch
import network
torch.set_num_threads(1)
tokens = torch.load(sys.argv[1] + "/tokens.pt")
model = network.build(weights=sys.argv[1] + "/checkpoint.pt")
first, state = model(tokens[:3])
second, state = model(tokens[3:], state)
torch.save(torch.cat([first, second]).detach(), sys.argv[1] + "/logits.pt")

fresh = network.build(hidden=9, dropouts=network.Dropouts(outputs=0.5))
text = network.Text(tokens, fresh.network.initial_state(2), torch.Generator().manual_seed(0))
answer = fresh.network(text)
assert (answer.dropped == 0).any()
assert answer.hidden.shape == (7, 2, 9)
answer.logits.sum().backward()
"""


def random_code(share: float) -> torch.Tensor:
    return (torch.rand(len(RNN.edges), len(RNN.operations)) < share).float()


def genotype_of(code: torch.Tensor) -> Genotype:
    masks = {"recurrent": tuple(map(mask_of, code.tolist()))}
    return from_masks(RNN, masks, DerivationRule(), {"name": '"""\nimport engine', "step": 7})


def test_the_plain_file_alone_answers_as_the_supernet_does(tmp_path):
    net = RecurrentSupernet(
        RNN,
        vocabulary=11,
        embedding=6,
        hidden=5,
        dropouts=Dropouts(),
        generator=torch.Generator().manual_seed(0),
    )
    code, tokens = random_code(0.3), torch.randint(11, (7, 2))
    torch.save(tokens, tmp_path / "tokens.pt")
    torch.save({"model": net.state_dict(), "step": 7}, tmp_path / "checkpoint.pt")
    source = render_module(genotype_of(code), LanguageShape(11, 6, 5))
    (tmp_path / "network.py").write_bytes(source)
    command = [sys.executable, "-I", "-c", ONLY_TORCH, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = net(Text(tokens, torch.zeros(2, 5)), {"recurrent": code}).logits
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), expected, atol=1e-5, rtol=0)


def test_the_plain_file_imports_torch_and_the_standard_library_only():
    tree = ast.parse(render_module(genotype_of(random_code(1.0)), LanguageShape(11, 5, 5)))
    modules = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert "torch" in modules
    assert modules - {"torch"} <= sys.stdlib_module_names


def test_the_plain_file_says_where_it_comes_from():
    source = render_module(genotype_of(random_code(0.2)), LanguageShape(11, 5, 5))
    docstring = ast.get_docstring(ast.parse(source))
    assert '"step": 7' in docstring
    assert '"text": "11 tokens in the run"' in docstring
    assert not [line for line in source.decode().splitlines() if line.startswith("import engine")]


def test_the_plain_file_builds_the_published_network():
    genotype, shape = PUBLISHED_RECURRENT["darts_v2"].genotype(RNN), LanguageShape(10_000, 850, 850)
    namespace: dict = {"__name__": "network"}
    exec(compile(render_module(genotype, shape), "network.py", "exec"), namespace)
    with torch.device("meta"):
        network = namespace["build"]()
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == language_cost(genotype, shape).parameters
