import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data.download_scenes import published_scenes, read_published_scenes
from engine.data.scenes import RawScenes
from engine.data.sources import load_data
from engine.data.table import SCENE_SOURCES
from engine.domain.config import SearchConfig
from engine.domain.errors import DataError, NoNetwork
from tests.engine.data.two_readers import two_readers
from tests.ports import reserved_port

VOC_ROOT = "VOCdevkit/VOC2012"


@pytest.fixture
def files() -> dict[str, bytes]:
    return {}


@pytest.fixture
def site(files: dict[str, bytes]) -> Iterator[str]:
    """A publisher on this machine."""

    class Publisher(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def picture(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def trimap(values: list[int], size: tuple[int, int], *, palette: bool = False) -> bytes:
    """A mask with vertical stripes of these values."""
    width, height = size
    row = np.repeat(np.array(values, np.uint8), width // len(values))
    mask = Image.frombytes("P" if palette else "L", size, np.tile(row, (height, 1)).tobytes())
    if palette:
        mask.putpalette(list(range(256)) * 3)
    return picture(mask, "PNG")


def packed(members: dict[str, bytes], mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def publish_voc(site: str, files: dict[str, bytes], monkeypatch) -> None:
    from torchvision.datasets import voc

    members = {
        f"{VOC_ROOT}/ImageSets/Segmentation/train.txt": b"a\nb\n",
        f"{VOC_ROOT}/ImageSets/Segmentation/val.txt": b"c\n",
    }
    for name, size in (("a", (40, 30)), ("b", (20, 50)), ("c", (30, 30))):
        image = Image.new("RGB", size, (250, 0, 0))
        members[f"{VOC_ROOT}/JPEGImages/{name}.jpg"] = picture(image, "JPEG")
        mask = trimap([0, 20], size, palette=True) if name != "c" else trimap([255, 3], size)
        members[f"{VOC_ROOT}/SegmentationClass/{name}.png"] = mask
    files["/voc.tar"] = packed(members, "w")
    entry = {**voc.DATASET_YEAR_DICT["2012"], "url": f"{site}/voc.tar"}
    monkeypatch.setitem(voc.DATASET_YEAR_DICT, "2012", {**entry, "md5": md5(files["/voc.tar"])})


def publish_pets(site: str, files: dict[str, bytes], monkeypatch) -> None:
    from torchvision.datasets import OxfordIIITPet

    names = {"Some_cat_1": "1 1 1", "Some_dog_1": "2 2 1", "Some_dog_2": "2 2 1"}
    images = {f"images/{name}.jpg": picture(Image.new("RGB", (30, 20)), "JPEG") for name in names}
    notes = {
        "annotations/trainval.txt": b"Some_cat_1 1 1 1\nSome_dog_1 2 2 1\n",
        "annotations/test.txt": b"Some_dog_2 2 2 1\n",
    }
    for name in names:
        notes[f"annotations/trimaps/{name}.png"] = trimap([1, 2, 3], (30, 20))
    files["/images.tar.gz"] = packed(images, "w:gz")
    files["/annotations.tar.gz"] = packed(notes, "w:gz")
    resources = tuple((f"{site}{path}", md5(content)) for path, content in files.items())
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", resources)


def read(name: str, cache: Path, said: list[str] | None = None, **changes) -> RawScenes:
    options = {"image_size": 16, "ignore_index": 255, **changes}
    report = (lambda _: None) if said is None else said.append
    return read_published_scenes(name, SCENE_SOURCES[name], cache, report, **options)


def test_voc_is_downloaded_checked_unpacked_and_brought_to_one_size(
    site, files, tmp_path, monkeypatch
):
    publish_voc(site, files, monkeypatch)
    said: list[str] = []
    raw = read("voc2012", tmp_path, said)
    assert raw.train.images.shape == (2, 16, 16, 3)
    assert raw.train.masks[0, 5].tolist() == [0] * 8 + [20] * 8
    assert np.abs(raw.train.images[0, 0, 0].astype(int) - (250, 0, 0)).max() < 12
    assert raw.validation is None
    assert raw.test is not None
    assert raw.test.masks[0, 5].tolist() == [255] * 8 + [3] * 8
    assert (len(raw.class_names), raw.class_names[20]) == (21, "tvmonitor")
    assert said[0].startswith("Downloading PASCAL VOC 2012: 100 %")


def test_pixels_without_a_class_get_the_ignore_index(site, files, tmp_path, monkeypatch):
    publish_voc(site, files, monkeypatch)
    raw = read("voc2012", tmp_path, ignore_index=21)
    assert raw.test is not None
    assert raw.test.masks[0, 5].tolist() == [21] * 8 + [3] * 8


def test_trimaps_of_pets_become_background_pet_and_ignored_border(
    site, files, tmp_path, monkeypatch
):
    publish_pets(site, files, monkeypatch)
    raw = read("oxford_pets", tmp_path, image_size=15)
    assert raw.train.images.shape == (2, 15, 15, 3)
    assert raw.train.masks[1, 5].tolist() == [1] * 5 + [0] * 5 + [255] * 5
    assert raw.test is not None
    assert len(raw.test) == 1
    assert raw.class_names == ("background", "pet")


def test_unpacked_scenes_are_neither_fetched_nor_unpacked_again(site, files, tmp_path, monkeypatch):
    publish_voc(site, files, monkeypatch)
    first = read("voc2012", tmp_path)
    files.clear()
    (tmp_path / "vocsegmentation" / "VOCtrainval_11-May-2012.tar").unlink()
    said: list[str] = []
    np.testing.assert_array_equal(read("voc2012", tmp_path, said).train.masks, first.train.masks)
    assert said == []


def test_unpacking_that_was_cut_off_is_done_again(site, files, tmp_path, monkeypatch):
    publish_pets(site, files, monkeypatch)
    half = tmp_path / "oxfordiiitpet" / "oxford-iiit-pet"
    (half / "images").mkdir(parents=True)
    (half / "annotations").mkdir()
    assert len(read("oxford_pets", tmp_path).train) == 2


def test_second_reader_waits_for_the_first_ones_scenes_and_takes_them(
    site, files, tmp_path, monkeypatch
):
    publish_voc(site, files, monkeypatch)
    source = SCENE_SOURCES["voc2012"]
    options = {"image_size": 16, "ignore_index": 255}
    first, second = two_readers(
        lambda report: read_published_scenes("voc2012", source, tmp_path, report, **options)
    )
    np.testing.assert_array_equal(first.read.train.masks, second.read.train.masks)
    assert second.said == [
        "Waiting for another process, which downloads or unpacks PASCAL VOC 2012"
    ]


def test_scenes_that_cannot_be_fetched_are_one_sentence(tmp_path, monkeypatch):
    from torchvision.datasets import voc

    config = SearchConfig(task="semantic_segmentation", data="voc2012")
    with reserved_port() as port:
        nobody = f"http://127.0.0.1:{port}/voc.tar"
        entry = {**voc.DATASET_YEAR_DICT["2012"], "url": nobody}
        monkeypatch.setitem(voc.DATASET_YEAR_DICT, "2012", entry)
        with pytest.raises(NoNetwork, match="PASCAL VOC 2012, which has to be downloaded once"):
            load_data(config, cache=tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["vocsegmentation.lock"]


@pytest.mark.parametrize(("name", "ignore_index"), [("voc2012", 20), ("oxford_pets", 0)])
def test_ignore_index_that_is_a_class_is_refused_before_any_download(name, ignore_index, tmp_path):
    with pytest.raises(DataError, match="which is the number of a class"):
        read(name, tmp_path, ignore_index=ignore_index)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["voc2012", "oxford_pets"])
def test_every_named_set_of_scenes_is_published_with_digests(name, tmp_path):
    from torchvision import datasets

    published = list(published_scenes(getattr(datasets, SCENE_SOURCES[name].dataset), tmp_path))
    assert published
    for file in published:
        assert len(file.md5) == 32
        assert all(url.startswith("http") for url in file.urls)
        assert file.target.is_relative_to(tmp_path)
