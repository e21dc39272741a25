"""The plain file of every kind of network answers as the supernet that it came from."""

import pytest
import torch

from engine.domain.cost import NetworkShape
from engine.domain.genotype import from_masks
from engine.domain.snapshot import mask_of
from engine.export.module import render_module
from engine.model.supernet import Supernet
from engine.spaces import SPACES

PIXELS = {"head": "pixels", "aspp_channels": 5}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("nb201", {"cells": 6}),
        ("nb201", {"cells": 3, "output_stride": 4, "stem_stride": 2, **PIXELS}),
        ("darts", {"cells": 3, "stem_stride": 8}),
        ("darts", {"cells": 4, "output_stride": 2, **PIXELS}),
        ("darts", {"cells": 2, "stem_stride": 4, **PIXELS}),
    ],
)
def test_the_plain_file_builds_the_searched_network(tmp_path, name, changes):
    space = SPACES[name]
    sizes = {"channels": 4, "in_channels": 2, "classes": 3, "height": 18, "width": 22}
    shape = NetworkShape(**sizes | changes)
    net = Supernet(space, **shape.arguments, generator=torch.Generator().manual_seed(0))
    torch.save({"model": net.state_dict()}, tmp_path / "checkpoint.pt")
    random = torch.Generator().manual_seed(1)
    codes = {
        kind: (torch.rand(alpha.shape, generator=random) < 0.4).float()
        for kind, alpha in net.alphas.items()
    }
    masks = {kind: tuple(map(mask_of, code.tolist())) for kind, code in codes.items()}
    namespace: dict = {"__name__": "network"}
    source = render_module(from_masks(space, masks), shape)
    exec(compile(source, "network.py", "exec"), namespace)
    network = namespace["build"](tmp_path / "checkpoint.pt")
    images = torch.randn(3, 2, 18, 22, generator=random)
    torch.testing.assert_close(network(images), net(images, codes), atol=1e-5, rtol=1e-5)
