"""The model card: what a network is, what it was measured on, and its limits."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.conversion.child import Child
from engine.domain.cost import DeadShare
from engine.domain.derivation import written_rule

LIMITS = """\
* It has seen nothing but the data named above; on images or text of another kind its figures say
  nothing.
* Inputs have to be prepared exactly as described; another scale gives other answers.
* The figures come from one run with one seed unless stated otherwise.
* Validation data were used to watch the run; only figures named `test_…` come from data that
  nothing was chosen on."""


LISTED = 100
"""Labels that the card names, at most."""


def model_card(child: Child, checks: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        child: The network.
        checks: What was found while its other formats were made.
    """
    facts, cost = child.facts, child.cost()
    lines = [
        "# Model card",
        "",
        "A network found by neural architecture search with the Ensemble Gumbel-Softmax",
        "(Chang et al., DATA: Differentiable ArchiTecture Approximation, NeurIPS 2019),",
        "made with EGS Studio.",
        "",
        "## What it is",
        "",
        *_table(
            {
                "task": facts["task"],
                "data": facts["data"],
                "digest of the data (SHA-256)": facts["data_digest"],
                "search space": child.genotype.space.label,
                "parameters": f"{cost.parameters:,}",
                f"multiply-adds per {facts['item']}": f"{cost.multiply_adds:,} (convolutions and "
                "linear layers; pooling and normalisation add none)",
                **_dead(facts["dead"]),
                "weights": facts["trained"]["how"],
                "weights of step": facts["trained"]["step"],
                **_rule(child),
                **_named("origin: ", facts["lineage"]),
                **_named("", facts["origin"]),
            }
        ),
        "",
        "## Figures",
        "",
        *_figures(facts["figures"]),
        "",
        facts["statistics"],
        "",
        "## Input and output",
        "",
        *_table(
            {
                **{f"input `{p.name}`": _shape(p.axes, v.shape) for p, v in _ports(child)},
                **_named("", facts["preprocessing"]),
            }
        ),
        "",
        *_labels(facts["labels"]),
        "",
        "## Checks made when this was packed",
        "",
        *_table(dict(checks)),
        "",
        "Run `python verify.py` to repeat them: it needs torch and onnxruntime only.",
        "",
        "## Limits",
        "",
        LIMITS,
    ]
    return "\n".join(lines) + "\n"


def _ports(child: Child) -> Iterable[tuple[Any, Any]]:
    return zip(child.inputs, child.example, strict=True)


def _shape(axes: Mapping[int, str], shape: Iterable[int]) -> str:
    words = [f"any {axes[axis]}" if axis in axes else str(n) for axis, n in enumerate(shape)]
    return f"[{', '.join(words)}]"


def _rule(child: Child) -> dict[str, Any]:
    if child.genotype.rule is None:
        return {}
    return {"derivation rule": written_rule(child.genotype.rule)}


def _dead(dead: Mapping[str, Any]) -> dict[str, Any]:
    """What is dead in the architecture; nothing where everything is alive."""
    if not dead["parameters"] and not dead["reasons"]:
        return {}
    share = DeadShare(dead["parameters"], dead["of_parameters"])
    return {
        "dead parameters": share.text(left_out=dead["left_out"]),
        "why": " ".join(dead["reasons"]),
    }


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in values.items() if value is not None}


def _figures(figures: Mapping[str, float]) -> Iterator[str]:
    if not figures:
        yield "Nothing was measured."
        return
    yield from _table({name: f"{value:.4f}" for name, value in figures.items()})


def _labels(labels: list[str]) -> Iterator[str]:
    if len(labels) > LISTED:
        yield f"Outputs: {len(labels):,} in the order of `facts.labels` in bundle.json."
    elif labels:
        yield "Outputs in the order: " + ", ".join(_plain(label) for label in labels) + "."


def _table(rows: Mapping[str, Any]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for name, value in rows.items():
        yield f"| {_plain(name)} | {_plain(value)} |"


def _plain(value: Any) -> str:
    """Text that stays within its cell and is no markup."""
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
