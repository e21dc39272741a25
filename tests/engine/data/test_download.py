import gzip
import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from engine.data.download import read_published
from engine.data.sources import load_images
from engine.data.table import IMAGE_SOURCES
from engine.data.transfer import fetch
from engine.domain.config import SearchConfig
from engine.domain.errors import DataError, DiskFull, NoNetwork
from tests.engine.data.two_readers import two_readers
from tests.ports import reserved_port

CONTENT = bytes(range(256)) * 4096
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def files() -> dict[str, bytes]:
    return {"/whole": CONTENT}


@pytest.fixture
def site(files: dict[str, bytes]) -> Iterator[str]:
    """A publisher on this machine."""

    class Publisher(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT[:1000])
                return
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


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with reserved_port() as port:
        yield f"http://127.0.0.1:{port}/whole"


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_file_arrives_whole_and_progress_is_told_each_ten_per_cent(site, tmp_path):
    said: list[str] = []
    fetch("Some set", [f"{site}/whole"], tmp_path / "sub" / "file", MD5, said.append)
    assert (tmp_path / "sub" / "file").read_bytes() == CONTENT
    assert listing(tmp_path) == ["file"]
    assert said[-1] == "Downloading Some set: 100 % of 1 MB"
    assert len(said) == 4


def test_file_that_is_there_is_not_fetched_again(nobody, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    said: list[str] = []
    fetch("Some set", [nobody], tmp_path / "file", MD5, said.append)
    assert said == []


def test_next_address_is_tried_when_the_first_does_not_answer(site, nobody, tmp_path):
    urls = [nobody, f"{site}/missing", f"{site}/cut", f"{site}/whole"]
    fetch("Some set", urls, tmp_path / "file", MD5, lambda _: None)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("where", ["missing", "cut"])
def test_failed_download_says_so_and_leaves_nothing(site, tmp_path, where):
    with pytest.raises(NoNetwork):
        fetch("Some set", [f"{site}/{where}"], tmp_path / "file", MD5, lambda _: None)
    assert listing(tmp_path) == []


def test_no_network_is_one_sentence_and_leaves_nothing(nobody, tmp_path):
    with pytest.raises(NoNetwork) as caught:
        fetch("Some set", [nobody], tmp_path / "file", MD5, lambda _: None)
    assert str(caught.value) == (
        "Asked for the data set Some set, which has to be downloaded once; found no way to "
        "reach its publisher ([Errno 111] Connection refused); allowed is a machine with a "
        "network, or data that are already here; connect this machine, or choose digits, a "
        "folder or an .npz file."
    )
    assert listing(tmp_path) == []


def test_content_other_than_published_is_refused_and_removed(site, tmp_path):
    with pytest.raises(DataError, match="another content"):
        fetch("Some set", [f"{site}/whole"], tmp_path / "file", "0" * 32, lambda _: None)
    assert listing(tmp_path) == []


def test_folder_that_cannot_hold_the_file_is_told_apart_from_the_network(site, tmp_path):
    (tmp_path / "file.part").mkdir()
    with pytest.raises(DataError, match="cannot be written") as caught:
        fetch("Some set", [f"{site}/whole"], tmp_path / "file", MD5, lambda _: None)
    assert not isinstance(caught.value, NoNetwork)


def test_cache_that_is_no_folder_is_one_sentence(site, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        fetch("Some set", [f"{site}/whole"], tmp_path / "cache" / "file", MD5, lambda _: None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_is_told_as_such_and_leaves_nothing(site, tmp_path):
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="no room in"):
        fetch("Some set", [f"{site}/whole"], tmp_path / "file", MD5, lambda _: None)
    assert not (tmp_path / "file").exists()


def cifar_members() -> dict[str, bytes]:
    """The files of CIFAR-10 in their published layout, with 2 images a batch."""
    batches = [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]
    members: dict[str, object] = {
        name: {"data": np.full((2, 3072), n, np.uint8), "labels": [n, 9]}
        for n, name in enumerate(batches)
    }
    members["batches.meta"] = {"label_names": [f"name {n}" for n in range(10)]}
    return {name: pickle.dumps(value) for name, value in members.items()}


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def test_cifar_is_downloaded_checked_unpacked_and_read(site, files, tmp_path, monkeypatch):
    from torchvision import datasets

    members = cifar_members()
    files["/cifar"] = packed(members)
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in members.items()}
    cifar = datasets.CIFAR10
    monkeypatch.setattr(cifar, "url", f"{site}/cifar")
    monkeypatch.setattr(cifar, "tgz_md5", hashlib.md5(files["/cifar"]).hexdigest())
    for name in ("train_list", "test_list"):
        entries = [[entry[0], md5[entry[0]]] for entry in getattr(cifar, name)]
        monkeypatch.setattr(cifar, name, entries)
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5["batches.meta"]})
    raw = read_published(IMAGE_SOURCES["cifar10"], tmp_path, lambda _: None)
    assert raw.train.images.shape == (10, 32, 32, 3)
    assert raw.train.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert raw.train.images[2, 0, 0].tolist() == [1, 1, 1]
    assert raw.test is not None
    assert raw.test.labels.tolist() == [5, 9]
    assert raw.class_names[0] == "name 0"


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def mnist(site, files, monkeypatch) -> dict[str, np.ndarray]:
    """Six and two images with their labels, published as MNIST."""
    from torchvision import datasets

    random = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte.gz": random.integers(0, 256, (6, 28, 28)),
        "train-labels-idx1-ubyte.gz": np.arange(6),
        "t10k-images-idx3-ubyte.gz": random.integers(0, 256, (2, 28, 28)),
        "t10k-labels-idx1-ubyte.gz": np.arange(2),
    }
    files.update({f"/{name}": idx(array) for name, array in arrays.items()})
    resources = [(name, hashlib.md5(files[f"/{name}"]).hexdigest()) for name in arrays]
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"{site}/"])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return arrays


def test_mnist_is_downloaded_checked_unpacked_and_read(mnist, tmp_path):
    said: list[str] = []
    raw = read_published(IMAGE_SOURCES["mnist"], tmp_path, said.append)
    np.testing.assert_array_equal(raw.train.images[..., 0], mnist["train-images-idx3-ubyte.gz"])
    assert raw.test is not None
    assert raw.test.labels.tolist() == [0, 1]
    assert raw.class_names[3] == "3 - three"
    assert said[0].startswith("Downloading MNIST: 100 %")


def test_second_reader_waits_for_the_first_ones_download_and_takes_its_files(mnist, tmp_path):
    first, second = two_readers(
        lambda report: read_published(IMAGE_SOURCES["mnist"], tmp_path, report)
    )
    np.testing.assert_array_equal(first.read.train.images, second.read.train.images)
    assert first.said[0].startswith("Downloading MNIST: 100 %")
    assert second.said == ["Waiting for another process, which downloads or unpacks MNIST"]


def test_search_on_a_set_that_cannot_be_fetched_says_so(nobody, tmp_path, monkeypatch):
    from torchvision import datasets

    monkeypatch.setattr(datasets.CIFAR100, "url", nobody)
    with pytest.raises(NoNetwork, match="CIFAR-100"):
        load_images(SearchConfig(data="cifar100"), cache=tmp_path)
    assert listing(tmp_path) == ["cifar100.lock"]


@pytest.mark.parametrize(
    "name", [name for name, source in IMAGE_SOURCES.items() if source.origin == "torchvision"]
)
def test_every_named_set_is_one_that_torchvision_publishes_with_digests(name, tmp_path):
    from torchvision import datasets

    from engine.data.download import _published

    dataset = getattr(datasets, IMAGE_SOURCES[name].dataset)
    published = list(_published(dataset, tmp_path))
    assert published
    for file in published:
        assert len(file.md5) == 32
        assert all(url.startswith("http") for url in file.urls)
