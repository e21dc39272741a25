"""The animation of a search."""

import io
import re
from xml.etree.ElementTree import fromstring

import pytest
from PIL import Image

from app.evolution import chosen_moments, evolution
from app.studio import Studio
from app.wiring import SystemClock
from engine.domain.errors import StudioError
from engine.export.moment import draw_moment, winners
from engine.spaces import SPACES
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import catalog, seed_run


@pytest.fixture
def studio(tmp_path) -> Studio:
    return Studio(MemoryStore(SystemClock()), FolderArtifacts(tmp_path / "a"), SystemClock())


def test_frames_are_evenly_spaced_from_the_first_to_the_last(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=101)
    known = studio.snapshots(run.id)
    chosen = chosen_moments(studio, run, 11)
    assert chosen == known[::10]
    assert chosen_moments(studio, run, 5000) == known


def test_the_file_plays_and_ends_on_the_last_moment(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=60)
    with Image.open(io.BytesIO(evolution(studio, run.id, frames=3))) as picture:
        assert picture.format == "GIF"
        assert picture.n_frames == 3
        durations = []
        for number in range(3):
            picture.seek(number)
            durations.append(picture.info["duration"])
    assert durations[2] > durations[0] == durations[1]


def test_a_run_without_snapshots_has_no_animation(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=0)
    with pytest.raises(StudioError, match="wait for the first snapshot"):
        evolution(studio, run.id)


def test_the_leading_operation_is_the_most_probable_one():
    space = SPACES["nb201"]
    rows = ((0.1, 0.2, 0.4, 0.2, 0.1),) * 5 + ((0.8, 0.05, 0.05, 0.05, 0.05),)
    found = winners(space, rows)
    assert [one.operation for one in found] == ["nor_conv_1x1"] * 5 + ["none"]
    assert found[0].strength == pytest.approx(0.5)
    assert found[5].strength == 1.0


def test_the_picture_names_what_leads_on_every_edge(studio: Studio):
    run = seed_run(studio.store, studio.artifacts, count=20, name="A <b>")
    space = studio.space(run)
    last = studio.snapshots(run.id)[-1]
    text = draw_moment(space, catalog(), last, title=run.name)
    written = [one.text or "" for one in fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert written[0] == "A <b>"
    assert f"step {last.step:,}" in written[1]
    assert sum(bool(re.search(r"\d%$", one)) for one in written) == 2 * len(space.edges)
