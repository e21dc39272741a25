"""Taking an architecture home: files made here, and files that an engine prepares."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby
from typing import Any

import streamlit as st

from app.access import Feed
from app.job_widgets import job_button
from app.studio import Studio
from app.widgets import plain
from engine.domain.catalog import Card
from engine.domain.errors import NotFound
from engine.domain.genotype import Genotype, to_json
from engine.domain.run import Run
from engine.export import EXPORTERS

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


def downloads(studio: Studio, run: Run, genotype: Genotype, chosen: int | None, feed: Feed) -> None:
    """The formats that need no torch, group by group."""
    st.subheader("Take it home", anchor=False)
    cards = [card for card in _cards(studio) if not card.by_engine and card.name in EXPORTERS]
    groups = list(dict.fromkeys(card.group for card in cards))
    ordered = sorted(cards, key=lambda card: groups.index(card.group))
    for group, members in groupby(ordered, key=lambda card: card.group):
        st.caption(plain(group))
        for column, card in zip(st.columns(COLUMNS), members, strict=False):
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


def _cards(studio: Studio) -> tuple[Card, ...]:
    catalog = studio.catalog()
    return catalog.exporters if catalog else ()


def _download(studio: Studio, run: Run, name: str, genotype: Genotype) -> None:
    exporter = EXPORTERS[name]
    if exporter.render is not None:
        try:
            studio.export(run.id, name, genotype=genotype)
        except NotFound as error:
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


def _content(studio: Studio, run_id: int, name: str, genotype: Genotype) -> Callable[[], bytes]:
    def content() -> bytes:
        return studio.export(run_id, name, genotype=genotype).content or b""

    return content


def _checkpoint_link(studio: Studio, run: Run, chosen: int | None, feed: Feed) -> None:
    """The latest checkpoint up to the chosen moment, streamed by the API where there is one."""
    known = [
        found for found in studio.checkpoints(run.id) if chosen is None or found.step <= chosen
    ]
    if not known and chosen is None:
        st.caption("There is none yet; the first one comes with the first epoch's end.")
        return
    if not known:
        st.caption("Only the latest checkpoints and the best one are kept; none is that old.")
        return
    latest = known[-1]
    label = f"Step {latest.step:,}, {latest.size_bytes / 2**20:.1f} MiB"
    address = feed.address(run.id, run.uid, f"artifacts/checkpoints/{latest.step}")
    if address is not None:
        st.link_button(label, address, icon=ICONS["checkpoint"])
        return
    st.download_button(
        label,
        data=_stored(studio, latest.key),
        file_name=f"run-{run.id}-step-{latest.step}.pt",
        mime="application/octet-stream",
        on_click="ignore",
        icon=ICONS["checkpoint"],
        key="download-checkpoint",
    )


def _stored(studio: Studio, key: str) -> Callable[[], bytes]:
    def content() -> bytes:
        with studio.artifacts.read(key) as file:
            return file.read()

    return content
