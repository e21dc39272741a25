import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.domain.cost import NetworkShape
from engine.domain.derivation import DerivationRule, written_rule
from engine.domain.errors import InvalidGenotype
from engine.domain.genotype import Gene, Genotype, from_darts, from_json, from_masks
from engine.domain.published import PUBLISHED
from engine.domain.snapshot import mask_of
from engine.export import EXPORTERS
from engine.export.module import render_module
from engine.model.supernet import Supernet
from engine.operations.table import OPERATIONS
from engine.spaces import SPACES
from tests.engine.domain.genotypes import older_input_only

DARTS = SPACES["darts"]
SHAPE = NetworkShape(4, 3, in_channels=1, classes=3, height=8, width=8, stem_stride=2)
HOSTILE = '"""\nimport engine\n\\" \\N{x} \' {0} \u2028 é'

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
images = torch.load(sys.argv[1] + "/images.pt")
logits = network.build(weights=sys.argv[1] + "/checkpoint.pt")(images)
torch.save(logits.detach(), sys.argv[1] + "/logits.pt")
assert network.build().eval()(images[:1]).shape == (1, 3)
assert len(network.build(cells=5, channels=6).cells) == 5
"""


def genotype_of(codes) -> Genotype:
    masks = {kind: tuple(map(mask_of, code.tolist())) for kind, code in codes.items()}
    return from_masks(DARTS, masks, DerivationRule(), {"name": HOSTILE, "step": 7})


def random_codes(share: float) -> dict[str, torch.Tensor]:
    return {kind: (torch.rand(14, 8) < share).float() for kind in DARTS.cell_kinds}


def namespace_of(source: bytes) -> dict:
    namespace: dict = {"__name__": "network"}
    exec(compile(source, "network.py", "exec"), namespace)
    return namespace


def test_the_plain_file_alone_answers_as_the_supernet_does(tmp_path):
    codes = random_codes(0.3)
    net = Supernet(
        DARTS,
        in_channels=1,
        classes=3,
        channels=4,
        cells=3,
        stem_stride=2,
        generator=torch.Generator().manual_seed(0),
    )
    images = torch.randn(5, 1, 9, 8)
    torch.save(images, tmp_path / "images.pt")
    torch.save({"model": net.state_dict(), "step": 7}, tmp_path / "checkpoint.pt")
    (tmp_path / "network.py").write_bytes(render_module(genotype_of(codes), SHAPE))
    command = [sys.executable, "-I", "-c", ONLY_TORCH, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    logits = torch.load(tmp_path / "logits.pt")
    torch.testing.assert_close(logits, net(images, codes), atol=1e-5, rtol=0)


def test_the_plain_file_imports_torch_and_the_standard_library_only():
    tree = ast.parse(render_module(genotype_of(random_codes(1.0)), SHAPE))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert "torch" in imported
    assert imported - {"torch"} <= sys.stdlib_module_names


def test_the_plain_file_says_where_it_comes_from_whatever_the_name_of_the_run():
    source = render_module(genotype_of(random_codes(0.2)), SHAPE)
    docstring = ast.get_docstring(ast.parse(source))
    assert '"step": 7' in docstring
    assert f'"rule": {json.dumps(written_rule(DerivationRule()))}' in docstring
    assert "import engine" in docstring
    assert not [line for line in source.decode().splitlines() if line.startswith("import engine")]


def test_the_plain_file_holds_only_what_its_network_needs():
    cell = tuple(frozenset({Gene(0, "skip_connect")}) for _ in range(4))
    small = render_module(Genotype(DARTS, {"normal": cell, "reduction": cell}), SHAPE).decode()
    assert "class MaxPool" not in small
    assert "class SeparableConvolution" not in small
    assert "class FactorizedReduce" in small


def test_the_plain_file_builds_the_published_network():
    genotype = PUBLISHED["data_m7"].genotype(DARTS)
    shape = NetworkShape(36, 20, in_channels=3, classes=10, height=32, width=32)
    with torch.device("meta"):
        network = namespace_of(render_module(genotype, shape))["build"]()
    assert f"{sum(p.numel() for p in network.parameters()) / 1e6:.3f}" == "3.436"


def test_a_network_that_connects_nothing_is_not_exported():
    empty = tuple(frozenset() for _ in range(4))
    genotype = Genotype(DARTS, {"normal": empty, "reduction": empty})
    with pytest.raises(InvalidGenotype, match="no path from the image to the scores"):
        render_module(genotype, SHAPE)
    network = namespace_of(render_module(genotype, replace(SHAPE, keep_dead=True)))["build"]()
    assert torch.equal(network(torch.randn(2, 1, 8, 8)), network.classifier.bias.expand(2, 3))


def test_the_plain_file_leaves_out_what_is_dead_at_its_number_of_cells():
    namespace = namespace_of(render_module(older_input_only(), SHAPE))
    assert list(namespace["build"]().cells) == ["0", "2"]
    assert list(namespace["build"](cells=6).cells) == ["1", "3", "5"]
    assert list(namespace["build"](cells=4, keep_dead=True).cells) == ["0", "1", "2", "3"]
    namespace["NODES"].update({kind: [[], [], [], []] for kind in namespace["NODES"]})
    with pytest.raises(ValueError, match="no path leads from the image to the scores"):
        namespace["build"]()


def test_an_operation_that_is_gone_is_refused_in_one_sentence():
    space = replace(DARTS, nodes=1, operations=("none", "sep_conv_9x9"))
    cells = dict.fromkeys(("normal", "reduction"), (frozenset({Gene(0, "sep_conv_9x9")}),))
    with pytest.raises(InvalidGenotype) as refusal:
        render_module(Genotype(space, cells), SHAPE)
    assert str(refusal.value) == (
        "Asked for a module of this genotype; found the operation 'sep_conv_9x9'; allowed is one "
        f"of {', '.join(OPERATIONS)}; export the genotype as JSON instead."
    )


def test_the_genotype_file_is_read_back_whole():
    genotype = genotype_of(random_codes(0.3))
    content = EXPORTERS["genotype"].write(genotype)
    assert from_json(content.decode()) == genotype


def test_the_darts_file_is_read_back_with_its_cells():
    genotype = genotype_of(random_codes(0.3))
    content = EXPORTERS["darts"].write(genotype)
    assert from_darts(content.decode(), DARTS).cells == genotype.cells


def test_each_format_has_its_name_its_ending_and_its_media_type():
    assert {
        name: (exporter.card.name, exporter.filename("run-1"), exporter.media_type)
        for name, exporter in EXPORTERS.items()
    } == {
        "genotype": ("genotype", "run-1.json", "application/json"),
        "darts": ("darts", "run-1.txt", "text/plain"),
        "tuple": ("tuple", "run-1-genotype.py", "text/x-python"),
        "graphml": ("graphml", "run-1.graphml", "application/graphml+xml"),
        "dot": ("dot", "run-1.dot", "text/vnd.graphviz"),
        "svg": ("svg", "run-1.svg", "image/svg+xml"),
        "png": ("png", "run-1.png", "image/png"),
        "module": ("module", "run-1.py", "text/x-python"),
        "checkpoint": ("checkpoint", "run-1.pt", "application/octet-stream"),
    }


def test_only_the_checkpoint_is_a_file_that_lies_there_already():
    assert [name for name, e in EXPORTERS.items() if e.is_checkpoint] == ["checkpoint"]


def test_no_two_files_of_a_run_have_the_same_name():
    names = [exporter.filename("run-1") for exporter in EXPORTERS.values()]
    assert len(set(names)) == len(names)


def test_every_format_belongs_to_a_group():
    groups = {name: exporter.card.group for name, exporter in EXPORTERS.items()}
    assert all(groups.values()), groups


def test_exporting_never_imports_torch():
    script = (
        "import sys\n"
        "from engine.domain.catalog import Catalog\n"
        "from engine.domain.cost import NetworkShape\n"
        "from engine.domain.published import PUBLISHED\n"
        "from engine.export import EXPORTERS\n"
        "from engine.spaces import SPACES\n"
        "genotype = PUBLISHED['data_m4'].genotype(SPACES['darts'])\n"
        "shape = NetworkShape(4, 3, 1, 3, 8, 8)\n"
        "for exporter in EXPORTERS.values():\n"
        "    exporter.write and exporter.write(genotype)\n"
        "    exporter.render and exporter.render(genotype, shape)\n"
        "    exporter.draw and exporter.draw(genotype, Catalog((), (), (), ()))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
