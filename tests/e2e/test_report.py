"""The report in a real browser that has no server: on screen, and on paper."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.report.document import report
from app.studio import Studio
from app.wiring import SystemClock
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run
from tests.e2e.trainings import seed_training

HOSTILE = "</style><script>document.title='taken'</script>"
A4_POINTS = (595, 842)
PHONE, DESK = {"width": 390, "height": 800}, {"width": 1200, "height": 900}


@pytest.fixture(params=["search", "training"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    store, artifacts = MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "artifacts")
    studio = Studio(store, artifacts, SystemClock())
    run = seed_run(store, artifacts, count=100, name=HOSTILE)
    if request.param == "training":
        run = seed_training(studio, run, name=HOSTILE)
    path = tmp_path / "report.html"
    path.write_bytes(report(studio, run.id))
    return path


def test_it_prints_on_several_pages_of_a4_without_asking_anybody(file: Path, page: Page):
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("console", lambda message: said.append(message.text))
    page.emulate_media(color_scheme="dark")
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_role("img", name="Accuracy over the epochs")).to_be_visible()
    content = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 2
    box = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert box is not None
    assert [round(float(side)) for side in box.groups()] == pytest.approx(A4_POINTS, abs=1)
    assert (asked, said) == ([file.as_uri()], [])
    assert HOSTILE in page.title()


def test_it_is_never_dark_on_paper_and_never_wider_than_the_screen(file: Path, page: Page):
    page.emulate_media(color_scheme="dark", media="print")
    page.goto(file.as_uri())
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark", media="screen")
    assert page.evaluate(paper) != "rgb(255, 255, 255)"
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
