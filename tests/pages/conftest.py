"""Pages run in AppTest on a SQLite store of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.frontend import api_mounted, open_frontend
from app.settings import Settings
from app.studio import Studio
from tests.waiting import PATIENCE_SECONDS

MAIN = Path(__file__).parents[2] / "app" / "main.py"
OpenPage = Callable[..., AppTest]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """The studio of an empty home, in a process without the API as AppTest's is."""
    monkeypatch.setenv("EGS_HOME", str(tmp_path / "home"))
    for name in ("EGS_DATABASE_URL", "EGS_ARTIFACTS", "EGS_DATA_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    mounted = api_mounted.is_set()
    api_mounted.clear()
    yield open_frontend(Settings.from_environment()).studio
    open_frontend.cache_clear()
    if mounted:
        api_mounted.set()


@pytest.fixture
def page(studio: Studio) -> OpenPage:
    """Open a page by its address, with query parameters."""

    def opened(address: str = "", **query: object) -> AppTest:
        test = AppTest.from_file(str(MAIN), default_timeout=PATIENCE_SECONDS)
        for key, value in query.items():
            test.query_params[key] = str(value)
        test._page_hash = calc_hash(address)
        return test.run()

    return opened


def words(test: AppTest) -> str:
    """Everything that the page says in text elements."""
    kinds = (
        test.title,
        test.subheader,
        test.markdown,
        test.caption,
        test.error,
        test.warning,
        test.info,
        test.success,
        test.code,
    )
    return "\n".join(str(element.value) for elements in kinds for element in elements)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How a run stands each time that Live draws it."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "pages.live.key_figures_board", lambda run, standing, **_: given.append(standing)
    )
    return given


def tiles(board: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The key figures that were drawn last, by label."""
    return {label: value for label, value, _ in board[-1]["tiles"]}
