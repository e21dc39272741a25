"""The bench of the Architecture page: any rule, and what its architecture is worth."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app.bench import Bench
from app.job_widgets import job_button
from app.studio import Studio
from app.truth import TruthTables
from app.widgets import figure, plain
from engine.domain.chances import CodeProbability
from engine.domain.derivation import LIMITS, RULES, DerivationRule
from engine.domain.errors import InvalidConfig, InvalidGenotype
from engine.domain.genotype import Genotype, to_masks
from engine.domain.metrics import main_figure
from engine.domain.run import Run

IN_ADDRESS = {
    "name": "rule",
    "draws": "draws",
    "seed": "seed",
    "threshold": "threshold",
    "votes": "votes",
    "edges_kept": "edges",
    "none_pooled": "pooled",
    "sound": "sound",
}
"""Names of a rule's parameters in the address of the page."""

LABELS = {
    "draws": "Draws M",
    "seed": "Seed",
    "threshold": "Threshold",
    "votes": "Codes that vote",
    "edges_kept": "Edges a node",
    "none_pooled": "Pool none",
    "sound": "Sound",
}
HELP = {
    "draws": "How many draws a row is asked to explain; the search's own number at first.",
    "seed": "The same seed draws the same code from the same probabilities.",
    "threshold": "Keep what the draws keep with at least this probability.",
    "votes": "An operation needs more than half of them.",
    "edges_kept": "DARTS keeps 2 in its convolutional cell and 1 in its recurrent cell.",
    "none_pooled": "Rank the `none` of all edges of a row as one item.",
    "sound": "Derive only architectures in which every cell is connected and no node is empty.",
}
SWITCHES = frozenset({"none_pooled", "sound"})
"""Parameters that are true or false."""

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def rule_from_address(own: DerivationRule, address: Mapping[str, str]) -> DerivationRule:
    """The rule in the address; what is not there is the search's own.

    Raises:
        InvalidConfig: A parameter has no such value.
    """
    changes: dict[str, Any] = {}
    for parameter, name in IN_ADDRESS.items():
        if name in address:
            changes[parameter] = _read(parameter, address[name])
    return replace(own, **changes)


def address_of(own: DerivationRule, rule: DerivationRule) -> dict[str, str]:
    """What of a rule has to stand in the address: where it differs from the search's own."""
    read = ("name", *RULES[rule.name].parameters)
    given = {name: (getattr(rule, name), getattr(own, name)) for name in read}
    return {
        IN_ADDRESS[name]: str(int(value) if isinstance(value, bool) else value)
        for name, (value, default) in given.items()
        if value != default
    }


def parameters_of(rule: DerivationRule) -> list[str]:
    """The parameters of a rule that change anything: in scope edge there is nothing to pool."""
    return [p for p in RULES[rule.name].parameters if p != "none_pooled" or rule.scope != "edge"]


def choose_rule(run: Run, own: DerivationRule) -> DerivationRule:
    """Draw the controls; a change goes to the address, so that everything follows it.

    A random search has none: it keeps the best of the cells that it has trained.

    Args:
        run: The search.
        own: Its rule at the chosen moment, where the controls stand at first.
    """
    if not run.search.derives:
        st.caption(
            f"A random search derives nothing. It trains {run.search.candidates} cells one after "
            "the other and keeps the best so far, which this is."
        )
        return own
    try:
        rule = rule_from_address(own, st.query_params.to_dict())
    except InvalidConfig as error:
        st.error(plain(str(error)), icon=":material/error:")
        rule = own
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen: Any = st.selectbox(
            "Rule",
            list(RULES),
            index=list(RULES).index(rule.name),
            format_func=lambda name: RULES[name].label,
            key=f"rule-{run.id}-{rule.name}",
            width=260,
        )
        changed = replace(rule, name=chosen)
        for parameter in parameters_of(rule):
            value = _control(run, rule, parameter)
            changed = replace(changed, **{parameter: value})
    words = " This is the search's own rule." if rule == own else ""
    st.caption(RULES[rule.name].description + " *none* is dropped afterwards." + words)
    if changed != rule:
        for name in IN_ADDRESS.values():
            st.query_params.pop(name, None)
        for name, text in address_of(own, changed).items():
            st.query_params[name] = text
        st.rerun()
    return rule


def bench_figures(found: Bench) -> dict[str, str]:
    """What the probabilities say of an architecture, as people read it."""
    share = None if found.stability is None else 100 * found.stability
    return {
        "Probability": probability_words(found.probability),
        "Stability": figure(share, "{:.0f}", f" % of {found.compared}"),
    }


FIGURE_HELP = {
    "Probability": "That the draws give exactly this architecture; codes that differ in `none` "
    "only count as the same.",
    "Stability": "Share of the snapshots just before this one from which the same rule derives "
    "the same architecture.",
    "Published accuracy": "On the test split after full training, from the table at hand.",
    "Published rank": "Among all cells of the table; 1 is the best.",
}


def probability_words(probability: CodeProbability) -> str:
    """A probability in per cent, or as one in a power of ten where that says more."""
    if probability.log10 >= -3:
        return f"{100 * probability.value:.3g} %"
    if probability.value == 0 and probability.log10 == float("-inf"):
        return "0"
    return "1 in 10" + f"{-probability.log10:.0f}".translate(SUPERSCRIPTS)


def published_figures(tables: TruthTables, genotype: Genotype) -> dict[str, str]:
    """Published accuracy and rank, where a table fits; a dash where it has no such cell."""
    table = tables.fitting(genotype.space)
    if table is None:
        return {}
    try:
        truth = table.lookup(genotype.space, to_masks(genotype))
    except InvalidGenotype:
        return {"Published accuracy": "–", "Published rank": "–"}
    return {
        "Published accuracy": f"{truth.test_accuracy:.2f} %",
        "Published rank": f"{truth.rank:,} / {truth.cells:,}",
    }


def child_button(studio: Studio, run: Run, found: Bench) -> None:
    """Ask an engine for this child's figures with the search's own weights."""
    job_button(
        studio,
        run.id,
        "child",
        found.question,
        label=f"Measure child {main_figure(run.config.task).label}",
        key="measure-child",
        show=_show_child,
        help_text="Runs exactly this architecture with the weights of the nearest checkpoint "
        "on the validation data, without fine-tuning.",
        icon=":material/speed:",
    )


def latency_button(studio: Studio, run: Run, genotype: Genotype) -> None:
    """Ask an engine how long this network takes for one input on its device."""
    masks = {kind: list(edges) for kind, edges in to_masks(genotype).items()}
    job_button(
        studio,
        run.id,
        "latency",
        {"masks": masks},
        label="Measure latency",
        key="measure-latency",
        show=_show_latency,
        help_text="Runs the derived network at this run's size, one input at a time, on the "
        "engine's device: the median of 50 passes after 10 to warm up.",
        icon=":material/timer:",
    )


def latency_words(result: Mapping[str, Any]) -> str:
    """The answer of such a job in a sentence."""
    threads = result["threads"]
    on_cpu = result["device"] == "cpu"
    with_threads = f" with {threads} thread{'s' if threads > 1 else ''}" if on_cpu else ""
    return (
        f"{result['median_ms']:.2f} ms for a batch of {result['batch']} (quartiles "
        f"{result['low_ms']:.2f} to {result['high_ms']:.2f}) on {result['device_label']}"
        f"{with_threads}."
    )


def _show_latency(result: Mapping[str, Any]) -> None:
    st.success(plain(latency_words(result)), icon=":material/timer:")


def child_words(result: Mapping[str, Any]) -> str:
    """The answer of such a job in a sentence."""
    name = str(result.get("score_name", "score")).replace("_", " ")
    return (
        f"Child {name} {result['score']:.2f}, loss {result['loss']:.3f}, "
        f"with the weights of step {result['step']:,}."
    )


def _show_child(result: Mapping[str, Any]) -> None:
    st.success(plain(child_words(result)), icon=":material/speed:")


def _read(parameter: str, text: str) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "name": str,
        "threshold": float,
        **{switch: lambda value: bool(int(value)) for switch in SWITCHES},
    }
    try:
        return readers.get(parameter, int)(text)
    except ValueError:
        return text


def _control(run: Run, rule: DerivationRule, parameter: str) -> Any:
    value, key = getattr(rule, parameter), f"bench-{run.id}-{rule.name}-{parameter}"
    key += f"-{value}"
    if parameter in SWITCHES:
        return st.toggle(LABELS[parameter], value, key=key, help=HELP[parameter])
    low, high = LIMITS[parameter]
    if parameter == "threshold":
        return st.number_input(
            LABELS[parameter], low, high, value, 0.05, key=key, help=HELP[parameter], width=140
        )
    return st.number_input(
        LABELS[parameter], int(low), int(high), value, 1, key=key, help=HELP[parameter], width=140
    )
