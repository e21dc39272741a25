"""Reading says that it goes on, for the engine ends what seems stuck."""

import fcntl
import hashlib
from pathlib import Path

import numpy as np
import pytest

from engine.data import text_files
from engine.data.download_lock import alone_at
from engine.data.sources import load_data
from engine.data.transfer import BLOCK_BYTES, fetch
from engine.domain.config import make_config
from tests.engine.data.bad_data import image_folder, scene_folder, text_folder


class Pulse:
    """Counts."""

    def __init__(self) -> None:
        self.beats = 0

    def __call__(self) -> None:
        self.beats += 1


@pytest.fixture
def pulse() -> Pulse:
    return Pulse()


def read(pulse: Pulse, data: Path, **settings: object) -> int:
    load_data(make_config({"data": str(data), **settings}), alive=pulse)
    return pulse.beats


def test_every_image_of_a_folder_is_a_sign_of_life(tmp_path, pulse):
    assert read(pulse, image_folder(tmp_path, train=6, other=4)) == 2 * (6 + 4 + 4)


def test_every_scene_of_a_folder_is_a_sign_of_life(tmp_path, pulse):
    root = scene_folder(tmp_path, train=4, other=3)
    assert read(pulse, root, task="semantic_segmentation") == 4 + 3 + 3


def test_so_many_lines_of_a_text_are_a_sign_of_life(tmp_path, pulse, monkeypatch):
    monkeypatch.setattr(text_files, "LINES", 10)
    root = text_folder(tmp_path)
    assert read(pulse, root, task="language_modelling") == 4 + 3 + 3


def test_every_split_of_a_file_of_arrays_is_a_sign_of_life(tmp_path, pulse):
    images, labels = np.zeros((40, 4, 4), np.uint8), np.arange(40) % 2
    arrays = {
        f"{name}_{part}": values
        for name in ("train", "val", "test")
        for part, values in (("images", images), ("labels", labels))
    }
    np.savez(tmp_path / "arrays.npz", **arrays)
    assert read(pulse, tmp_path / "arrays.npz") == 3


def test_every_block_of_a_download_is_a_sign_of_life(tmp_path, pulse):
    content = bytes(3 * BLOCK_BYTES + 1)
    (tmp_path / "published").write_bytes(content)
    fetch(
        "Some set",
        [(tmp_path / "published").as_uri()],
        tmp_path / "fetched",
        hashlib.md5(content).hexdigest(),
        lambda _: None,
        alive=pulse,
    )
    assert pulse.beats == 4


def test_waiting_for_the_download_of_another_process_is_a_sign_of_life(tmp_path):
    with (tmp_path / "set.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with alone_at(
            "Some set",
            tmp_path / "set",
            lambda _: None,
            alive=lambda: fcntl.flock(other, fcntl.LOCK_UN),
        ):
            pass
