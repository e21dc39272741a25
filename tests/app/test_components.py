"""What is handed to the browser: components, wire form, tokens, addresses, the process itself."""

import asyncio
import json
import math
import re
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from app import asgi
from app.access import Feed, RunTokens, load_secret
from app.components.cell_player import cell_title, player_data
from app.components.curves import charts_of, curve_data
from app.components.derived_cell import derived_data
from app.components.loading import STATIC, digest
from app.components.network_strip import strip_data, uses_words
from app.frontend import open_frontend
from app.serve import CONFIG, check_address, is_loopback, server_options
from app.settings import Settings
from app.wire import (
    MOST_MOMENTS,
    OVERVIEW_MOMENTS,
    frame_message,
    overview_stride,
    series_message,
)
from engine.domain.blocks import network_blocks
from engine.domain.catalog import Catalog, OperationCard
from engine.domain.config import SearchConfig
from engine.domain.cost import NetworkShape
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import from_masks
from engine.domain.metrics import MAIN_FIGURES, METRICS
from engine.domain.run import Progress, Run, RunState
from engine.domain.snapshot import Frames, Series
from engine.spaces import SPACES
from tests.engine.domain.genotypes import older_input_only

SPACE = SPACES["darts"]
CATALOG = Catalog(
    tuple(OperationCard(name, name.title(), name[:8], "conv") for name in SPACE.operations),
    (SPACE,),
    (),
    (),
)
RUN = Run(
    id=3,
    uid="abc",
    name="n",
    state=RunState.RUNNING,
    config=SearchConfig(),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    attempt=2,
)

FRONT_END = """
import sys
import app.asgi, app.serve, app.frontend, app.studio, storage.sql_store, storage.artifacts
import pages.runs, pages.live, pages.new_search, pages.architecture, pages.engine
from app.settings import Settings
app.frontend.open_frontend(Settings.from_environment()).studio.runs()
heavy = sorted({"torch", "torchvision", "torch_geometric", "pandas", "pyarrow"} & set(sys.modules))
print(",".join(heavy))
"""


def test_player_data_do_not_change_while_a_run_goes_on():
    def data(run: Run) -> str:
        return json.dumps(player_data(run, SPACE, CATALOG, address="api/x?token=t", step=None))

    later = replace(RUN, progress=Progress(step=500, total_steps=600, epoch=4))
    assert data(RUN) == data(later)


def test_player_data_name_rows_operations_and_cells():
    data = player_data(RUN, SPACE, CATALOG, address="api/x?token=t", step=7)
    assert [len(row) for row in data["rows"]] == [1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 3]
    assert [operation["none"] for operation in data["operations"]].count(True) == 1
    assert data["titles"] == ["Normal cell, used 6 times", "Reduction cell, used 2 times"]
    assert data["step"] == 7


def test_cell_used_once_is_said_in_the_singular():
    assert cell_title("reduction", 2) == "Reduction cell, used 2 times"
    assert cell_title("normal", 1) == "Normal cell, used 0 times"
    assert cell_title("cell", 15) == "Cell, used 15 times"
    assert cell_title("recurrent", 8) == "Recurrent cell, used at every token"
    assert cell_title("reduction", 1) == "Reduction cell, used 1 time"


def test_curves_ask_only_for_figures_that_are_measured():
    known = {metric.name for metric in METRICS} | {"temperature"}
    charts = [chart for task in MAIN_FIGURES for chart in charts_of(task)]
    asked = {line.metric for chart in charts for line in chart.lines}
    assert asked <= known
    assert {"gap", "entropy", "temperature", "child_accuracy", "supernet_accuracy"} <= asked
    assert {"child_perplexity", "supernet_mean_iou"} <= asked
    json.dumps(curve_data(RUN, address="api/x?token=t"))


def test_derived_cells_hand_over_the_kept_columns():
    masks = {kind: (0b1010, *([0] * 13)) for kind in SPACE.cell_kinds}
    data = derived_data(from_masks(SPACE, masks), CATALOG, cells=8)
    assert [cell["kept"][0] for cell in data["cells"]] == [[1, 3], [1, 3]]
    json.dumps(data)


def test_derived_cells_say_what_is_dead_and_why():
    data = derived_data(older_input_only(), CATALOG, cells=6)
    normal, reduction = data["cells"]
    assert not any(any(reasons) for reasons in normal["dead"])
    assert normal["deadNodes"] == {"1": "nothing reads this input"}
    assert len(normal["outputs"]) == 4
    assert normal["note"] == "1 of 4 normal cells is dead: no later cell reads this cell."
    assert [len(reasons) for reasons in reduction["dead"]] == [
        len(columns) for columns in reduction["kept"]
    ]
    assert {reason for reasons in reduction["dead"] for reason in reasons} == {
        "no later cell reads this cell"
    }
    assert (len(reduction["deadNodes"]), reduction["outputs"]) == (7, [])
    json.dumps(data)


def test_the_strip_shows_which_cells_are_dead():
    shape = NetworkShape(4, 4, in_channels=1, classes=3, height=8, width=8)
    blocks = network_blocks(older_input_only(), CATALOG, shape)
    dead = [block["dead"] for block in strip_data(blocks)["blocks"]]
    unread = "no later cell reads this cell"
    assert dead == ["", unread, "", unread, "", ""]
    assert uses_words(blocks) == (
        "The network has the normal cell twice and the reduction cell twice. 2 of these are dead "
        "and left out."
    )


@pytest.mark.parametrize(
    "module", ["cell_player.js", "curves.js", "derived_cell.js", "overlay.js", "table.js"]
)
def test_component_module_is_there_and_its_address_carries_a_digest(module: str):
    assert "export default function mount" in (STATIC / module).read_text()
    assert len(digest()) == 12


def test_vendored_file_comes_with_its_licence():
    assert "MIT License" in (STATIC / "vendor" / "uPlot.LICENSE.txt").read_text()


def test_frame_message_can_be_read_back_number_for_number():
    edges, operations = len(SPACE.edges), len(SPACE.operations)
    size = 2 * edges * operations
    frames = Frames(
        steps=(10, 20),
        epochs=(0, 1),
        probabilities=bytes(n % 251 for n in range(2 * size)),
        codes=bytes(range(2 * 2 * edges)),
        stride=3,
    )
    message = frame_message(RUN, SPACE, frames)
    assert message[:4] == b"EGSF"
    (length,) = struct.unpack("<I", message[4:8])
    header = json.loads(message[8 : 8 + length])
    assert (header["n"], header["kinds"], header["edges"], header["operations"]) == (2, 2, 14, 8)
    assert (header["stride"], header["attempt"], header["lively"]) == (3, 2, True)
    at = 8 + length
    assert at % 4 == 0
    assert struct.unpack("<4I", message[at : at + 16]) == (10, 20, 0, 1)
    assert message[at + 16 :] == frames.probabilities + frames.codes


def test_frame_message_without_frames_still_tells_the_state():
    message = frame_message(RUN, SPACE, Frames((), (), b"", b""))
    (length,) = struct.unpack("<I", message[4:8])
    assert json.loads(message[8 : 8 + length])["n"] == 0
    assert len(message) == 8 + length


def test_series_message_holds_columns_by_name():
    message = series_message(RUN, [Series("gap", (1, 2), (3.0, 4.0))])
    assert message["series"] == {"gap": {"steps": [1, 2], "values": [3.0, 4.0]}}
    assert message["ended"] is False


def test_series_message_has_no_number_that_json_does_not_know():
    message = series_message(RUN, [Series("gap", (1, 2, 3), (3.0, math.inf, math.nan))])
    assert message["series"]["gap"]["values"] == [3.0, None, None]
    json.dumps(message, allow_nan=False)


def test_token_opens_its_own_run_only():
    tokens = RunTokens("secret")
    token = tokens.sign("one")
    assert tokens.allows("one", token)
    assert not tokens.allows("two", token)
    assert not RunTokens("other secret").allows("one", token)
    assert not tokens.allows("one", "")
    assert token == tokens.sign("one")


def test_feed_without_an_api_has_no_address():
    assert Feed(RunTokens("s"), mounted=False).address(1, "one", "frames") is None
    address = Feed(RunTokens("s"), mounted=True).address(1, "one", "frames")
    assert address is not None
    assert address.startswith("api/runs/1/frames?token=")


def test_secret_is_kept_and_readable_by_its_owner_only(tmp_path: Path):
    secret = load_secret(tmp_path / "home")
    assert len(secret) >= 32
    assert load_secret(tmp_path / "home") == secret
    mode = (tmp_path / "home" / "token-secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.5.5.5"])
def test_loopback_address_is_served(host: str):
    assert is_loopback(host)
    check_address(host, remote_allowed=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_address_that_others_reach_is_refused_unless_wanted(host: str):
    with pytest.raises(InvalidConfig, match="no login in front of it"):
        check_address(host, remote_allowed=False)
    check_address(host, remote_allowed=True)


def test_server_has_the_measured_settings(tmp_path: Path):
    settings = Settings.from_environment({"EGS_HOME": str(tmp_path), "EGS_PORT": "9000"})
    options = server_options(settings)
    assert options["runner.postScriptGC"] is False
    assert options["server.fileWatcherType"] == "none"
    assert options["server.enableXsrfProtection"] is True
    assert options["server.address"] == "127.0.0.1"
    assert options["server.port"] == 9000
    assert "localhost" in options["server.allowedHosts"]
    assert options["browser.gatherUsageStats"] is False
    assert options["theme.dark.primaryColor"] != options["theme.light.primaryColor"]


def test_plain_streamlit_finds_the_same_settings_beside_the_entry():
    assert Path(CONFIG.parents[1] / ".streamlit" / "config.toml") == CONFIG
    assert (CONFIG.parents[1] / "main.py").is_file()


def test_refused_address_ends_with_a_sentence_and_code_two(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-m", "app.serve"],
        env={"EGS_HOME": str(tmp_path), "EGS_HOST": "0.0.0.0", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "EGS_ALLOW_REMOTE=1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_process_of_the_browser_never_loads_torch(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-c", FRONT_END],
        env={"EGS_HOME": str(tmp_path / "home"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == ""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Response]]:
    """Ask the routes of the API in this process."""
    monkeypatch.setenv("EGS_HOME", str(tmp_path / "home"))
    application = Starlette(
        routes=asgi.routes(),
        exception_handlers={HTTPException: asgi.answer_http_error},
    )

    async def answer(path: str) -> Response:
        transport = ASGITransport(application)
        async with AsyncClient(transport=transport, base_url="http://studio") as client:
            return await client.get(path)

    yield lambda path: asyncio.run(answer(path))
    open_frontend.cache_clear()


def test_health_answers_once_the_database_does(ask):
    assert ask("/api/health").json() == {"status": "ok", "runs": 0}


def test_every_page_begins_with_streamlit_s_file_that_knows_its_server(ask):
    main = Path(asgi.__file__).with_name("main.py").read_text()
    assert {"", *asgi.PAGES} == set(re.findall(r'url_path="(\w*)"', main))
    for name in asgi.PAGES:
        answer = ask(f"/{name}?run=1")
        assert answer.headers["content-type"].startswith("text/html")
        assert f"<head>{asgi.BASE}" in answer.text
        assert '<div id="root">' in answer.text


def test_modules_that_come_with_a_page_are_there(ask):
    early = re.findall(r'<link rel="modulepreload" href="\./([^"]+)">', ask("/live").text)
    assert len(early) == 1 + len(asgi.SHARED_MODULES)
    theirs, *ours = early
    assert (Path(st.__file__).parent / "static" / theirs).is_file()
    for address in ours:
        name, _, version = address.removeprefix("app/static/").partition("?v=")
        assert (STATIC / name).is_file()
        assert version == digest()


def test_route_of_an_unknown_run_is_not_found(ask):
    answer = ask("/api/runs/9/frames?token=x")
    assert answer.status_code == 404
    assert "9" in answer.json()["detail"]


def test_routes_want_the_token_of_the_run_and_whole_numbers(ask):
    front = open_frontend(Settings.from_environment())
    run = front.studio.create(SearchConfig())
    token = front.tokens.sign(run.uid)
    for what in ("frames", "series"):
        assert ask(f"/api/runs/{run.id}/{what}").status_code == 403
        assert ask(f"/api/runs/{run.id}/{what}?token={token}&after=x").status_code == 422
    assert ask(f"/api/runs/{run.id}/frames?token={token}&stride=0").status_code == 422
    answer = ask(f"/api/runs/{run.id}/series?token={token}")
    assert answer.json()["state"] == "queued"
    assert answer.headers["cache-control"] == "no-store"
    gone = ask(f"/api/runs/{run.id}/artifacts/checkpoints/5?token={token}")
    assert gone.status_code == 404


def test_only_a_very_long_search_is_shown_as_an_overview(ask):
    front = open_frontend(Settings.from_environment())
    run = front.studio.create(SearchConfig())
    interval = run.config.snapshot_interval

    def stride_after(snapshots: int) -> int:
        progress = replace(run.progress, step=snapshots * interval)
        return overview_stride(replace(run, progress=progress))

    assert stride_after(MOST_MOMENTS - 1) == 1
    assert stride_after(MOST_MOMENTS) == MOST_MOMENTS // OVERVIEW_MOMENTS + 1
    assert stride_after(10 * OVERVIEW_MOMENTS * 10 - 1) == 100
    feed = Feed(front.tokens, True)
    address = feed.address(run.id, run.uid, "series", stride=11)
    assert address is not None
    assert address.endswith("&stride=11")
    assert ask(f"/{address}").json()["series"] == {"temperature": {"steps": [], "values": []}}
