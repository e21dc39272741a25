"""Taking an architecture home: files made here, and files that an engine prepares."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import streamlit as st

from app.access import Feed
from app.job_widgets import job_button
from app.studio import Studio
from app.whole_file import size_words
from app.widgets import plain
from engine.domain.catalog import Card
from engine.domain.errors import StudioError
from engine.domain.genotype import Genotype, to_json
from engine.domain.metrics import main_figure
from engine.domain.run import Checkpoint, Run
from engine.export import EXPORTERS
from pages.lineage import TAKE_HOME

ICONS = {
    "genotype": ":material/data_object:",
    "darts": ":material/description:",
    "tuple": ":material/description:",
    "graphml": ":material/hub:",
    "dot": ":material/hub:",
    "svg": ":material/image:",
    "png": ":material/image:",
    "module": ":material/code:",
    "checkpoint": ":material/save:",
    "bundle": ":material/inventory_2:",
}
COLUMNS = 5
SLOW = frozenset({"png", "checkpoint"})
"""Formats whose content is made, or read, only when it is downloaded."""


def downloads(studio: Studio, run: Run, genotype: Genotype, chosen: int | None, feed: Feed) -> None:
    """The formats that need no torch, in rows: texts first, then pictures, code and weights."""
    st.subheader("Take it home", anchor=TAKE_HOME)
    cards = [card for card in _cards(studio) if not card.by_engine and card.name in EXPORTERS]
    groups = list(dict.fromkeys(card.group for card in cards))
    ordered = sorted(cards, key=lambda card: groups.index(card.group))
    for first in range(0, len(ordered), COLUMNS):
        row = ordered[first : first + COLUMNS]
        for column, card in zip(st.columns(COLUMNS), row, strict=False):
            with column.container(border=True, height="stretch"):
                st.markdown(f"**{plain(card.label)}**")
                st.caption(plain(card.description))
                if card.name == "checkpoint":
                    _checkpoint_link(studio, run, chosen, feed)
                else:
                    _download(studio, run, card.name, genotype)


def prepared(studio: Studio, run: Run, genotype: Genotype) -> None:
    """The formats with weights, which an engine makes; must not be within a fragment."""
    cards = [card for card in _cards(studio) if card.by_engine]
    if not cards:
        return
    which = "nearest" if run.config.purpose == "search" else "latest"
    st.caption(
        f"With the weights of the {which} checkpoint. An engine prepares these files, and compares "
        "the answers of the copy with the network's where there are any."
    )
    for column, card in zip(st.columns(max(COLUMNS, len(cards))), cards, strict=False):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{plain(card.label)}**")
            st.caption(plain(card.description))
            job_button(
                studio,
                run.id,
                "export",
                question(card.name, run, genotype),
                label="Prepare",
                key=f"prepare-{card.name}",
                show=partial(_show_file, studio, run, genotype, card.name),
                icon=ICONS.get(card.name, ":material/deployed_code:"),
            )


def question(name: str, run: Run, genotype: Genotype) -> dict[str, Any]:
    """What an engine is asked for: this format of this architecture.

    The weights are those nearest to the step at which a search found it, or
    the latest ones of a training.
    """
    is_search = run.config.purpose == "search"
    return {
        "format": name,
        "genotype": to_json(genotype),
        "step": genotype.lineage.get("step") if is_search else None,
    }


def file_words(result: Mapping[str, Any]) -> str:
    """What was found while a file was made, in a sentence."""
    words = f"{result['size_bytes'] / 2**20:.2f} MiB, weights of step {result['step']:,}"
    if "difference" in result:
        words += f"; differs from PyTorch by at most {result['difference']:.1g}"
    return words + "."


def _show_file(
    studio: Studio, run: Run, genotype: Genotype, name: str, result: Mapping[str, Any]
) -> None:
    st.download_button(
        "Download",
        data=_stored(studio, result["key"]),
        file_name=studio.file_name(run.id, genotype, result["extension"]),
        mime=result["media_type"],
        on_click="ignore",
        type="primary",
        icon=":material/download:",
        key=f"download-{name}",
    )
    st.caption(plain(file_words(result)))
    if "sha256" in result:
        digest_line(result["sha256"])


def _cards(studio: Studio) -> tuple[Card, ...]:
    catalog = studio.catalog()
    return catalog.exporters if catalog else ()


def _download(studio: Studio, run: Run, name: str, genotype: Genotype) -> None:
    exporter = EXPORTERS[name]
    content: bytes | None = None
    if name not in SLOW:
        try:
            content = studio.export(run.id, name, genotype=genotype).content
        except StudioError as error:
            st.caption(plain(str(error)))
            return
    st.download_button(
        "Download",
        data=_content(studio, run.id, name, genotype),
        file_name=studio.file_name(run.id, genotype, exporter.extension),
        mime=exporter.media_type,
        on_click="ignore",
        icon=ICONS.get(name, ":material/download:"),
        key=f"download-{name}",
    )
    if content is not None:
        digest_line(sha256(content).hexdigest(), len(content))


def digest_line(digest: str, size_bytes: int | None = None) -> None:
    """What tells whether a file is the same one: its size and the beginning of its SHA-256."""
    size = "" if size_bytes is None else f"{size_words(size_bytes)}, "
    st.caption(f"{size}SHA-256 {digest[:12]}…", help=f"SHA-256: `{digest}`")


def _content(studio: Studio, run_id: int, name: str, genotype: Genotype) -> Callable[[], bytes]:
    def content() -> bytes:
        return studio.export(run_id, name, genotype=genotype).content or b""

    return content


def _checkpoint_link(studio: Studio, run: Run, chosen: int | None, feed: Feed) -> None:
    """A checkpoint up to the chosen moment, streamed by the API where there is one."""
    known = [
        found for found in studio.checkpoints(run.id) if chosen is None or found.step <= chosen
    ]
    if not known and chosen is None:
        st.caption("There is none yet; the first one comes with the first epoch's end.")
        return
    if not known:
        st.caption("Only the latest checkpoints and the best one are kept; none is that old.")
        return
    checkpoint = _choose_checkpoint(run, known)
    address = feed.address(run.id, run.uid, f"artifacts/checkpoints/{checkpoint.step}")
    if address is not None:
        st.link_button("Download", address, icon=ICONS["checkpoint"])
    else:
        st.download_button(
            "Download",
            data=_stored(studio, checkpoint.key),
            file_name=f"run-{run.id}-step-{checkpoint.step}.pt",
            mime="application/octet-stream",
            on_click="ignore",
            icon=ICONS["checkpoint"],
            key="download-checkpoint",
        )
    digest_line(checkpoint.sha256)


def _choose_checkpoint(run: Run, known: Sequence[Checkpoint]) -> Checkpoint:
    """One of those that are kept, latest first."""
    by_step = {checkpoint.step: checkpoint for checkpoint in reversed(known)}
    task = run.config.task
    chosen = st.selectbox(
        "Checkpoint",
        list(by_step),
        format_func=lambda step: checkpoint_words(by_step[step], task),
        key=f"checkpoint-{run.uid}",
        label_visibility="collapsed",
    )
    return by_step[chosen]


def checkpoint_words(checkpoint: Checkpoint, task: str) -> str:
    """Step, size and, where it was measured, the figure of a checkpoint."""
    words = f"Step {checkpoint.step:,}, {size_words(checkpoint.size_bytes)}"
    if checkpoint.score is None:
        return words
    return f"{words}, {main_figure(task).text(checkpoint.score)}"


def _stored(studio: Studio, key: str) -> Callable[[], bytes]:
    def content() -> bytes:
        with studio.artifacts.read(key) as file:
            return file.read()

    return content
