"""Engine: the machines that search, their devices, and why a run waits."""

from datetime import datetime
from typing import Any

import streamlit as st

from app.components.table import Column, data_table
from app.studio import Studio
from app.widgets import ENGINE_COMMAND, ago, go_to, refreshing
from engine.domain.ports import Node
from engine.domain.run import Run, RunState

REFRESH_SECONDS = 2.0

NODE_COLUMNS = (
    Column("node", "Machine"),
    Column("state", "State", "state"),
    Column("device", "Device"),
    Column("memory", "Memory", "number"),
    Column("busy", "Searches", "number"),
    Column("seen", "Last sign of life", "number"),
)
QUEUE_COLUMNS = (
    Column("place", "Place", "number"),
    Column("name", "Name"),
    Column("priority", "Priority", "number"),
    Column("device", "Wants"),
    Column("waiting", "Why it waits"),
)


def render(studio: Studio) -> None:
    """Draw the page."""
    st.title("Engine", anchor=False)
    refreshing(lambda: _page(studio), every=REFRESH_SECONDS)


def _page(studio: Studio) -> None:
    nodes, now = studio.nodes(), studio.clock.now()
    living = {node.name for node in studio.living_nodes()}
    running = studio.runs([RunState.RUNNING])
    st.subheader("Machines", anchor=False)
    if not living:
        with st.container(border=True):
            st.markdown(
                "No engine is running. Start one in a terminal; it may be closed again "
                "at any time, and its searches continue when it is back."
            )
            st.code(ENGINE_COMMAND, language="bash")
    if nodes:
        data_table(
            NODE_COLUMNS, node_rows(nodes, living, running, now), key="nodes", label="Machines"
        )
    st.subheader("Queue", anchor=False)
    queue = studio.queue()
    if not queue:
        st.caption("Nothing is waiting.")
        return
    opened = data_table(QUEUE_COLUMNS, queue_rows(queue), key="queue", label="Queue", opens="live")
    if opened is not None:
        go_to("live", run=opened)


def node_rows(
    nodes: list[Node], living: set[str], running: list[Run], now: datetime
) -> list[dict[str, Any]]:
    """One row a device; a machine without devices still has a row."""
    rows: list[dict[str, Any]] = []
    for node in nodes:
        alive = node.name in living
        state = ["running", "running"] if alive else ["silent", "stopped"]
        busy = [run for run in running if run.node == node.name]
        shared = {"node": node.name, "state": state, "seen": ago(node.heartbeat_at, now)}
        if not node.devices:
            rows.append({"id": node.name, **shared, "device": "–", "memory": "–", "busy": "–"})
        for device in node.devices:
            held = sum(run.device == device.id for run in busy)
            rows.append(
                {
                    "id": f"{node.name}/{device.id}",
                    **shared,
                    "device": device.label,
                    "memory": [f"{device.memory_bytes / 2**30:.1f} GiB", device.memory_bytes],
                    "busy": f"{held} of {device.places}",
                }
            )
    return rows


def queue_rows(queue: list[Run]) -> list[dict[str, Any]]:
    """Waiting runs in the order in which they shall start."""
    return [
        {
            "id": str(run.id),
            "place": place,
            "name": run.name,
            "priority": run.priority,
            "device": run.config.device,
            "waiting": run.waiting or "no engine has looked at it yet",
        }
        for place, run in enumerate(queue, start=1)
    ]
