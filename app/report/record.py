"""The record of a run in a report: settings, changes, family, log, versions, how to repeat it."""

from collections.abc import Iterator, Mapping

from app.forms import field_groups, field_label
from app.html_file import Html, day, escaped, joined, table
from app.report.command import chosen_settings, command_lines
from app.report.facts import Facts
from app.report.sections import section
from app.studio import versions
from engine.domain.config_diff import config_diff, setting_text
from engine.domain.metrics import main_figure
from engine.domain.run import EventKind
from engine.domain.run_list import RunSummary
from engine.domain.steering import Change

LONGEST_LOG = 40
"""Events of a report; of a longer log the latest."""

CITATION = """\
@inproceedings{chang2019data,
  title     = {{DATA}: Differentiable {ArchiTecture} Approximation},
  author    = {Chang, Jianlong and Zhang, Xinbang and Guo, Yiwen and Meng, Gaofeng and
               Xiang, Shiming and Pan, Chunhong},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2019}
}"""


def settings(facts: Facts) -> Html:
    """All settings that mean something for the task, those that were chosen marked."""
    config = facts.run.config
    chosen = set(chosen_settings(config))
    groups = field_groups(type(config), config.task)
    shown = [name for names in groups.values() for name in names]
    hidden = [name for name in chosen if name not in shown]
    tables = (_group(facts, title, names, chosen) for title, names in groups.items())
    said = (
        f"A mark ▸ and bold type: chosen instead of the default, which stands beside it "
        f"({len(chosen)} of {len(type(config).model_fields)} settings). Settings that mean "
        "nothing for this task are left out."
    )
    extra = _group(facts, "Of other tasks", hidden, chosen) if hidden else ""
    return section(
        "Settings",
        f'<p>{said}</p><div class="columns">{joined(tables)}{extra}</div>',
        kind="settings",
    )


def _group(facts: Facts, title: str, names: list[str], chosen: set[str]) -> Html:
    rows = joined((_setting(facts, name, is_chosen=name in chosen) for name in names), "")
    return Html(f"<table><caption>{escaped(title)}</caption><tbody>{rows}</tbody></table>")


def _setting(facts: Facts, name: str, *, is_chosen: bool) -> Html:
    config = facts.run.config
    value = escaped(value_text(name, getattr(config, name)))
    label = escaped(field_label(name, type(config)))
    if not is_chosen:
        return Html(f'<tr><th scope="row">{label}</th><td>{value}</td></tr>')
    default = value_text(name, type(config).model_fields[name].default)
    instead = "" if name == "genotype" else f" <small>instead of {escaped(default)}</small>"
    return Html(
        f'<tr class="chosen"><th scope="row">▸ {label}</th><td><b>{value}</b>{instead}</td></tr>'
    )


def value_text(name: str, value: object) -> str:
    """A setting as people read it; nothing as the word."""
    return setting_text(name, value) or "nothing"


def changes(facts: Facts) -> Html:
    """Settings that were to change while the search went on."""
    if not facts.changes:
        return Html("")
    rows = [
        (f"{one.number}", day(one.asked_at), _fate(one), _change_words(one))
        for one in facts.changes
    ]
    head = ("Change", "Asked", "In force", "What")
    return section("Changed on the way", table(head, rows))


def _fate(change: Change) -> str:
    if change.refused:
        return f"never: {change.refused}"
    return "not yet" if change.step is None else f"after step {change.step:,}"


def _change_words(change: Change) -> str:
    before = change.before or {}
    return "; ".join(
        f"{field_label(name)}: "
        + (f"{value_text(name, before[name])} → " if name in before else "")
        + value_text(name, value)
        for name, value in change.settings.items()
    )


def family(facts: Facts) -> Html:
    """The tree of forks that the search is in."""
    if not facts.family:
        return Html("")
    rows = [
        (
            "\u2003" * max(0, depth - 1) + ("└ " if depth else "") + one.name,
            f"{one.id}{' (this one)' if one.id == facts.run.id else ''}",
            one.state.value,
            main_figure(one.task).text(one.progress.score),
            _differs(facts, one) if depth else "the first of them",
        )
        for depth, one in facts.family
    ]
    head = ("Search", "Run", "State", "Child", "What differs from where it was forked")
    return section("Family", table(head, rows))


def _differs(facts: Facts, one: RunSummary) -> str:
    parent, child = facts.others.get(one.parent_id or 0), facts.others[one.id]
    if parent is None:
        return ""
    found = [
        f"{diff.label}: {' → '.join(value_text(diff.name, value) for value in diff.values)}"
        for diff in config_diff([parent.config, child.config])
        if not diff.name.startswith("origin")
    ]
    at = f"from step {child.search.origin_step:,}"
    return "; ".join([at, *found]) if found else f"{at}, no setting"


def log(facts: Facts) -> Html:
    """What happened, without the checkpoints."""
    told = [event for event in facts.events if event.kind is not EventKind.CHECKPOINT]
    saved, early = len(facts.events) - len(told), max(0, len(told) - LONGEST_LOG)
    left_out = [
        f"{count} {what}"
        for count, what in (
            (saved, "checkpoint" + "s" * (saved != 1)),
            (early, "earlier event" + "s" * (early != 1)),
        )
        if count
    ]
    said = f"<p>Left out: {' and '.join(left_out)}.</p>" if left_out else ""
    rows = [(f"{event.at:%Y-%m-%d %H:%M:%S}", event.text) for event in told[early:]]
    return section("Log", f"{said}{table(('UTC', 'What'), rows)}", kind="log")


def lineage(facts: Facts) -> Html:
    """Identities and versions, by which all of it can be found again."""
    return section("Lineage", table((), list(_identities(facts)), kind="pairs"))


def _identities(facts: Facts) -> Iterator[tuple[str, object]]:
    run = facts.run
    yield "Run", run.uid
    if run.config.purpose == "search" and run.search.origin:
        yield "Forked from", f"{run.search.origin}, step {run.search.origin_step:,}"
    if facts.origin is not None:
        yield "Found by", facts.origin.uid
    if facts.genotype is not None and "step" in facts.genotype.lineage:
        yield "Architecture of step", f"{facts.genotype.lineage['step']:,}"
    yield "Seed", run.config.seed
    yield "Data", run.config.data
    if facts.data is not None and facts.data.digest:
        yield "Data, SHA-256", facts.data.digest
    if run.node:
        yield "Machine", run.node
    if not facts.is_search and facts.genotype is not None:
        known = facts.genotype.lineage.get("versions")
        if isinstance(known, dict):
            yield "Architecture written by", _version_words(known)
    yield "Report written by", _version_words(versions())


def _version_words(found: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def repetition(facts: Facts) -> Html:
    """The command that starts the same again, and what to cite."""
    run = facts.run
    notes = ["The same seed gives the same run on the same machine and versions."]
    if run.config.purpose == "search" and run.search.origin:
        notes.append("The search that it was forked from has to be there, too.")
    return section(
        "How to repeat and to cite it",
        f"<p>{' '.join(notes)}</p><pre>{escaped(command_lines(run, facts.changes))}</pre>"
        f"<p>The method is the Ensemble Gumbel-Softmax of DATA:</p><pre>{escaped(CITATION)}</pre>"
        "<footer>This file holds everything it shows: no script runs in it, and it fetches "
        "nothing.</footer>",
        kind="repetition",
    )
