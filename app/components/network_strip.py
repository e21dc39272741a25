"""The whole network as a strip of blocks: which cell stands where, and what it costs."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.loading import StaticComponent
from engine.domain.blocks import Block

_strip = StaticComponent("egs_network_strip", "network_strip.js", room=160)


def strip_data(blocks: Sequence[Block]) -> dict[str, Any]:
    """What is drawn, as plain values, from the input to the output."""
    return {
        "tallest": max(block.height for block in blocks),
        "dearest": max(block.cost.multiply_adds for block in blocks),
        "blocks": [
            {
                "label": block.label,
                "kind": block.kind,
                "cell": block.cell,
                "height": block.height,
                "size": size_words(block),
                "parameters": block.cost.parameters,
                "adds": block.cost.multiply_adds,
                "dead": block.dead,
            }
            for block in blocks
        ],
    }


def size_words(block: Block) -> str:
    """Channels and pixels of what a block gives, as people write them; empty for scores alone."""
    pixels = f"{block.height}×{block.width}" if block.height else ""
    channels = f"{block.channels}" if block.channels else ""
    return " × ".join(part for part in (channels, pixels) if part)


def uses_words(blocks: Sequence[Block]) -> str:
    """How often the network has each kind of cell, in a sentence."""
    kinds = [block.kind for block in blocks if block.kind is not None]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    parts = [
        f"{'the' if kind == 'cell' else f'the {kind}'} cell {_times(count)}"
        for kind, count in counts.items()
    ]
    dead = sum(bool(block.dead) for block in blocks)
    left_out = f" {dead} of these {'is' if dead == 1 else 'are'} dead and left out." if dead else ""
    return f"The network has {' and '.join(parts)}.{left_out}"


def network_strip(data: Mapping[str, Any], *, key: str) -> int:
    """Mount the strip; returns the number of the cell that was clicked last, 0 at first."""
    result = _strip(data, key=key, default={"cell": 0}, on_cell_change=_nothing)
    return int(result.cell or 0)


def _nothing() -> None:
    """Make Streamlit keep the state of the component."""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
