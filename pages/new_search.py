"""New search: a form over the config's own fields."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.clone import Clone, clone
from app.forms import field_groups, field_rows
from app.studio import Studio
from app.widgets import engine_notice, go_to, plain, run_named
from engine.data.summaries import DataSummary, Summary, TextSummary
from engine.data.table import sources_of
from engine.domain.config import SearchConfig, make_config
from engine.domain.errors import StudioError
from engine.domain.method_presets import METHOD_PRESETS, laid_over
from engine.domain.ports import Device
from engine.domain.presets import PRESETS, Preset
from engine.domain.proposal_limits import DEFAULT_MINUTES
from engine.domain.proposed import FOLLOWS_DATA
from engine.domain.run import Run
from pages.before_start import looks
from pages.proposal import Form, Origin, budget_row, proposed_form
from pages.run_rows import SHORT_TASKS

OPEN_GROUPS = frozenset({"Task"})
GROUP_WORDS = {
    "Task": "What is learnt, and from which data.",
    "Augmentation": "Random changes to training images.",
    "Network": "How large the searched network is.",
    "Estimator": "How operations are drawn and how the choice learns.",
    "Exploration": "What keeps a search open while its weights are young.",
    "Training": "Epochs, batch and optimisers.",
    "Recording": "How often something is written down.",
    "Reproducibility": "Seed, device and threads.",
}

TASK_ICONS = {
    "image_classification": ":material/image:",
    "language_modelling": ":material/article:",
    "semantic_segmentation": ":material/texture:",
}
TASK_WORDS = {task: f"{icon} {SHORT_TASKS[task]}" for task, icon in TASK_ICONS.items()}
TASKS = tuple(TASK_WORDS)
EGS = Preset(
    "egs",
    "EGS",
    "The Ensemble Gumbel-Softmax as this preset sets it. The other methods have the same budget, "
    "to compare with.",
    {},
)
METHODS = {one.name: one for one in (EGS, *METHOD_PRESETS)}


def render(studio: Studio) -> None:
    """Draw the page."""
    st.title("New search", anchor=False)
    engine_notice(studio)
    origin = _starting_point(studio)
    title = st.text_input(
        "Name", placeholder="Leave empty for a name with the date", max_chars=120, key="name"
    )
    values = _settings(studio, origin)
    priority = st.number_input(
        "Priority",
        value=0,
        min_value=-100,
        max_value=100,
        step=1,
        key="priority",
        help="Higher ones start earlier; equal ones in order of creation.",
        width=180,
    )
    with st.container(horizontal=True):
        start_it = st.button(
            "Start the search", type="primary", icon=":material/play_arrow:", key="start"
        )
        check_it = st.button("Check the data", icon=":material/fact_check:", key="check")
    if check_it:
        _check(studio, values)
    if start_it:
        _start(studio, values, title, int(priority))
    looks(studio, values)


def _starting_point(studio: Studio) -> Origin:
    """What the form shows before anything is proposed."""
    known = _cloned(studio)
    if known is None:
        return _of_a_preset()
    method = _method_settings(known.config)
    return Origin(f"clone-{known.run.id}", known.config, method, DEFAULT_MINUTES)


def _cloned(studio: Studio) -> Clone | None:
    """The search in the address whose settings are to be taken over, after a word about it."""
    asked = st.query_params.get("clone")
    if asked is None:
        return None
    try:
        known = clone(studio, run_named(studio, asked))
    except StudioError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            f"From run {known.run.id}, **{plain(known.run.name)}**; change what you like.",
            icon=":material/content_copy:",
        )
        if st.button("Start from a preset instead", key="no-clone"):
            del st.query_params["clone"]
            st.rerun()
    for note in known.notes:
        st.caption(plain(note))
    return known


def _of_a_preset() -> Origin:
    """The chosen preset, with the chosen method laid over it."""
    task = st.segmented_control(
        "Search a network for",
        list(TASK_WORDS),
        format_func=TASK_WORDS.__getitem__,
        default=TASKS[0],
        required=True,
        key="for",
    )
    of_task = {one.name: one for one in PRESETS if task_of(one) == (task or TASKS[0])}
    chosen = of_task[_choose("Start from", of_task, key=f"preset-{task}")]
    st.caption(chosen.description)
    method = METHODS[_choose("Method", METHODS, key="method")]
    st.caption(method.description)
    names = [chosen.name] if method is EGS else [chosen.name, method.name]
    start = make_config(laid_over(names))
    fixed = _method_settings(start).union(method.settings)
    return Origin("-".join(names), start, fixed, chosen.minutes or DEFAULT_MINUTES)


def _method_settings(start: SearchConfig) -> frozenset[str]:
    """Settings that differ from the defaults and do not follow the data."""
    fields = SearchConfig.model_fields
    changed = {name for name in fields if getattr(start, name) != fields[name].default}
    return frozenset(changed - FOLLOWS_DATA)


def _choose(label: str, options: Mapping[str, Preset], *, key: str) -> str:
    """One of some presets by its label, the first at the start."""
    first = next(iter(options))
    chosen = st.segmented_control(
        label,
        list(options),
        format_func=lambda name: options[name].label,
        default=first,
        required=True,
        key=key,
    )
    return chosen if chosen in options else first


def task_of(one: Preset) -> str:
    """The task that a preset is for."""
    return str(one.settings.get("task", TASKS[0]))


def choices_of(studio: Studio, task: str) -> dict[str, dict[Any, str]]:
    """Fields of text that have to be chosen: labels by value."""
    catalog = studio.catalog()
    choices: dict[str, dict[Any, str]] = {
        "device": device_choices(studio.devices()),
        "data": sources_of(task),
    }
    if catalog is not None:
        choices["task"] = {card.name: card.label for card in catalog.tasks}
        choices["space"] = {
            space.name: space.label for space in catalog.spaces if space.reads(task)
        }
    return choices


def device_choices(devices: list[Device]) -> dict[str, str]:
    """What a person may ask for: anything, the CPU, or a GPU of a living engine."""
    gpus = [device for device in devices if device.index is not None]
    times = Counter(map(gpu_words, gpus))
    labels = {
        gpu.id: gpu_words(gpu) + (f", {gpu.id}" if times[gpu_words(gpu)] > 1 else "")
        for gpu in gpus
    }
    return {"auto": "Any free device", "cpu": "CPU", **labels}


def gpu_words(gpu: Device) -> str:
    """What people know a GPU by; those of two machines may share it."""
    return f"{gpu.label} ({gpu.memory_bytes / 2**30:.0f} GiB, cuda:{gpu.index})"


def _settings(studio: Studio, origin: Origin) -> dict[str, Any]:
    """Task and data, the budget row, then all other settings of the form."""
    form = proposed_form(origin)
    groups = field_groups(task=_task(form))
    first = {group: names for group, names in groups.items() if group in OPEN_GROUPS}
    values = _fields(studio, form, first)
    budget_row(studio, origin, form, values["data"])
    rest = {group: names for group, names in groups.items() if group not in OPEN_GROUPS}
    return {**form.start.model_dump(), **values, **_fields(studio, form, rest)}


def _task(form: Form) -> str:
    return str(st.session_state.get(f"{form.key}-task", form.start.task))


def _fields(studio: Studio, form: Form, groups: Mapping[str, list[str]]) -> dict[str, Any]:
    """Widgets for what means something for the chosen task; the rest stays as in the preset."""
    values: dict[str, Any] = {}
    choices = choices_of(studio, _task(form))
    for group, names in groups.items():
        with st.expander(_group_label(form, group, names), expanded=group in OPEN_GROUPS):
            st.caption(GROUP_WORDS.get(group, ""))
            values |= field_rows(
                form.start, names, key=form.key, choices=choices, reasons=form.reasons
            )
    return values


def _group_label(form: Form, group: str, names: Sequence[str]) -> str:
    """The name of a group, with how many of its settings were proposed or set by the preset."""
    proposed = sum(name in form.reasons for name in names)
    if proposed:
        return f"{group} · {proposed} proposed"
    fields = SearchConfig.model_fields
    changed = sum(getattr(form.start, name) != fields[name].default for name in names)
    return f"{group} · {changed} preset" if changed and group not in OPEN_GROUPS else group


def summary_words(summary: Summary) -> str:
    """What was found in the data, in one line."""
    if not isinstance(summary, DataSummary):
        return _text_words(summary)
    size = f"{summary.height}x{summary.width} pixels" if summary.height else "size not known yet"
    colour = "colour" if summary.in_channels == 3 else "grey"
    parts = [
        f"{summary.train:,} training {summary.kind}",
        f"{summary.validation:,} for validation"
        if summary.validation
        else "validation split off from them",
        f"{summary.test:,} for the test" if summary.test else "test split off from them",
        f"{summary.classes} classes",
        f"{size}, {colour}",
    ]
    if summary.ignore_index is not None:
        parts.append(f"mask value {summary.ignore_index} ignored")
    return ", ".join(parts)


def _text_words(summary: TextSummary) -> str:
    if not summary.vocabulary:
        return "all three texts are there; a text of this size is counted when the search starts"
    parts = [
        f"{summary.train:,} training tokens ({summary.tokens}s)",
        f"{summary.validation:,} for validation",
        f"{summary.test:,} for the test",
        f"a vocabulary of {summary.vocabulary:,}",
    ]
    unknown = summary.unknown_train + summary.unknown_validation + summary.unknown_test
    if unknown:
        parts.append(f"{unknown:,} tokens outside it become <unk>")
    return ", ".join(parts)


def _check(studio: Studio, values: dict[str, Any]) -> None:
    try:
        summary = studio.inspect(make_config(values))
    except StudioError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.success(plain(summary_words(summary)), icon=":material/check_circle:")


def _start(studio: Studio, values: dict[str, Any], title: str, priority: int) -> None:
    made: list[Run] = []
    try:
        config = make_config(values)
        made.append(studio.create(config, name=title or None, priority=priority))
    except StudioError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    go_to("live", run=made[0].id)
