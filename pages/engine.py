"""Engine: the machines that search, their devices, and why a run waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from app import machine
from app.components.table import Column, data_table
from app.settings import Settings
from app.studio import Studio
from app.widgets import ENGINE_COMMAND, ago, attempt, go_to, refreshing
from engine.domain.ports import Node
from engine.domain.run import Run, RunState

REFRESH_SECONDS = 2.0
DISK_SECONDS = 30.0

NODE_COLUMNS = (
    Column("node", "Machine"),
    Column("state", "State", "state"),
    Column("device", "Device"),
    Column("memory", "Memory", "number"),
    Column("use", "In use", "number"),
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


VERSION_COLUMNS = (
    Column("node", "Machine"),
    Column("package", "Package"),
    Column("version", "Version", "code"),
)
LOGS_SHOWN = 50


def render(studio: Studio, settings: Settings) -> None:
    """Draw the page."""
    st.title("Engine", anchor=False)
    refreshing(lambda: _machines(studio), every=REFRESH_SECONDS)
    refreshing(lambda: _queue(studio), every=REFRESH_SECONDS)
    _priority(studio)
    st.subheader("Disk", anchor=False)
    refreshing(lambda: _disk(settings), every=DISK_SECONDS)
    refreshing(lambda: _versions(studio))
    st.subheader("Logs", anchor=False)
    refreshing(lambda: _logs(settings), every=REFRESH_SECONDS)


def _machines(studio: Studio) -> None:
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
        rows = node_rows(nodes, living, running, now, use=machine.use_by_device())
        data_table(NODE_COLUMNS, rows, key="nodes", label="Machines")


def _queue(studio: Studio) -> None:
    st.subheader("Queue", anchor=False)
    queue = studio.queue()
    if not queue:
        st.caption("Nothing is waiting.")
        return
    opened = data_table(QUEUE_COLUMNS, queue_rows(queue), key="queue", label="Queue", opens="live")
    if opened is not None:
        go_to("live", run=opened)


def _priority(studio: Studio) -> None:
    """Change the place of a waiting run."""
    waiting = {run.id: run for run in studio.queue()}
    if not waiting:
        return
    # A form sends all at once; alone, a click is lost while the page draws what was entered.
    with (
        st.form("place", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        chosen = st.selectbox(
            "Waiting run",
            list(waiting),
            format_func=lambda number: f"{waiting[number].name} (run {number})",
            key="waiting",
            width=320,
        )
        wanted = st.number_input(
            "New priority",
            value=0,
            min_value=-100,
            max_value=100,
            step=1,
            key="priority",
            help="Higher ones start earlier; equal ones in order of creation.",
            width=160,
        )
        pressed = st.form_submit_button("Set priority", icon=":material/low_priority:")
    if pressed:
        attempt(lambda: studio.set_priority(chosen, int(wanted)))
        st.rerun()


def _disk(settings: Settings) -> None:
    with st.container(horizontal=True, gap="small"):
        for label, value in disk_figures(machine.disk_of(settings)).items():
            st.metric(label, value, border=True)
    st.caption(
        "Of each run the latest two checkpoints and the best one are kept, with all snapshots; "
        "deleting a run frees its room."
    )


def disk_figures(disk: machine.Disk) -> dict[str, str]:
    """Room in words, by label; a dash for what lies elsewhere."""
    values = {
        "Checkpoints and files": disk.artifacts,
        "Database": disk.database,
        "Free on this disk": disk.free,
    }
    return {label: _bytes(value) for label, value in values.items()}


def _bytes(size: int | None) -> str:
    if size is None:
        return "–"
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _versions(studio: Studio) -> None:
    rows = version_rows(studio.nodes())
    if not rows:
        return
    st.subheader("Versions", anchor=False)
    data_table(VERSION_COLUMNS, rows, key="versions", label="Versions")


def version_rows(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """What each machine runs with."""
    return [
        {
            "id": f"{node.name}/{package}",
            "node": node.name,
            "package": package,
            "version": version,
        }
        for node in nodes
        for package, version in (node.versions or {}).items()
    ]


def _logs(settings: Settings) -> None:
    files = machine.log_files(settings)
    if not files:
        st.caption("No process has written a log here yet.")
        return
    chosen = st.selectbox("File", list(files)[:LOGS_SHOWN], key="log-file", width=320)
    lines = machine.tail(files[chosen]) if chosen in files else []
    st.code("\n".join(lines) or "It is empty.", language=None, height=320)


def node_rows(
    nodes: Sequence[Node],
    living: set[str],
    running: Sequence[Run],
    now: datetime,
    *,
    use: Mapping[str, machine.Use] | None = None,
) -> list[dict[str, Any]]:
    """One row a device; a machine without devices still has a row.

    Args:
        nodes: All machines that were ever seen.
        living: Names of those with a living engine.
        running: The runs that run.
        now: For how long ago something was.
        use: Of the devices of this machine, by their id; others are not known.
    """
    rows: list[dict[str, Any]] = []
    for node in nodes:
        alive = node.name in living
        state = ["running", "running"] if alive else ["silent", "stopped"]
        busy = [run for run in running if run.node == node.name]
        shared = {"node": node.name, "state": state, "seen": ago(node.heartbeat_at, now)}
        if not node.devices:
            rows.append(
                {"id": node.name, **shared, "device": "–", "memory": "–", "use": "–", "busy": "–"}
            )
        for device in node.devices:
            held = sum(run.device == device.id for run in busy)
            rows.append(
                {
                    "id": f"{node.name}/{device.id}",
                    **shared,
                    "device": device.label,
                    "memory": [f"{device.memory_bytes / 2**30:.1f} GiB", device.memory_bytes],
                    "use": _use_words(node, device.id, use or {}),
                    "busy": f"{held} of {device.places}",
                }
            )
    return rows


def _use_words(node: Node, device: str, use: Mapping[str, machine.Use]) -> str:
    if node.name != machine.name() or device not in use:
        return "–"
    known = use[device]
    return f"{100 * known.load:.0f} %, {known.memory_bytes / 2**30:.1f} GiB"


def queue_rows(queue: Sequence[Run]) -> list[dict[str, Any]]:
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
