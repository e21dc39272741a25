"""What every artifact store promises (engine.domain.ports.ArtifactStore)."""

import hashlib
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.domain.errors import NotFound
from engine.domain.ports import Artifact, ArtifactStore
from storage.artifacts import FolderArtifacts

ROOT = Path(__file__).parents[2]

STORES = {
    "folder": "FolderArtifacts(Path({root!r}))",
    "fsspec": "FsspecArtifacts('file://' + {root!r})",
}
PRELUDE = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {source!r})
from engine.domain.errors import DiskFull
from storage.artifacts import FolderArtifacts, FsspecArtifacts
store = {store}
"""
WRITE_FOR_EVER = """
block = bytes(range(256)) * 4096
number = 0
while True:
    with store.write(f"runs/a/file-{number}.bin") as file:
        for _ in range(4):
            file.write(block)
    print(number, flush=True)
    number += 1
"""
WRITE_WITHOUT_ROOM = """
with store.write("kept.bin") as file:
    file.write(b"good")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    with store.write("kept.bin") as file:
        file.write(bytes(3 << 20))
except DiskFull as error:
    print(error)
with store.read("kept.bin") as file:
    print(file.read())
"""


def prelude(kind: str, root: Path) -> str:
    return PRELUDE.format(source=str(ROOT), store=STORES[kind].format(root=str(root)))


def put(store: ArtifactStore, key: str, content: bytes) -> None:
    with store.write(key) as file:
        file.write(content)


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_written_file_is_read_and_described(artifacts: ArtifactStore) -> None:
    content = bytes(range(256)) * 9000
    put(artifacts, "runs/a/one.bin", content)
    with artifacts.read("runs/a/one.bin") as file:
        assert file.read() == content
    digest = hashlib.sha256(content).hexdigest()
    assert artifacts.describe("runs/a/one.bin") == Artifact("runs/a/one.bin", len(content), digest)


def test_second_write_replaces_the_first(artifacts: ArtifactStore) -> None:
    put(artifacts, "x", b"a long first content")
    put(artifacts, "x", b"")
    assert artifacts.describe("x").size_bytes == 0
    assert artifacts.keys("") == ["x"]


def test_file_appears_only_when_complete(artifacts: ArtifactStore) -> None:
    with artifacts.write("runs/a/x") as file:
        file.write(b"half")
        file.flush()
        assert artifacts.keys("") == []
        with pytest.raises(NotFound, match="'runs/a/x'"):
            artifacts.describe("runs/a/x")
    assert artifacts.keys("") == ["runs/a/x"]


def test_failed_write_leaves_the_old_file_and_no_trace(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    put(artifacts, "runs/a/x", b"old")
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(KeyError, match="stop"))
        file = stack.enter_context(artifacts.write("runs/a/x"))
        file.write(b"new")
        raise KeyError("stop")
    with artifacts.read("runs/a/x") as file:
        assert file.read() == b"old"
    assert files_below(tmp_path / "artifacts") == ["runs/a/x"]


def test_writer_may_seek(artifacts: ArtifactStore) -> None:
    with artifacts.write("x") as file:
        file.write(b"____tail")
        file.seek(0)
        file.write(b"head")
    with artifacts.read("x") as file:
        file.seek(2)
        assert file.read() == b"adtail"


def test_keys_below_a_folder_are_sorted(artifacts: ArtifactStore) -> None:
    assert artifacts.keys("runs") == []
    for key in ("runs/b/1", "runs/a/2", "runs/a/1", "runs/ab/1", "other"):
        put(artifacts, key, b"x")
    assert artifacts.keys("runs/a") == ["runs/a/1", "runs/a/2"]
    assert artifacts.keys("runs/a/") == ["runs/a/1", "runs/a/2"]
    assert artifacts.keys("") == ["other", "runs/a/1", "runs/a/2", "runs/ab/1", "runs/b/1"]


def test_deleted_file_is_gone_and_may_be_deleted_again(artifacts: ArtifactStore) -> None:
    put(artifacts, "runs/a/x", b"x")
    artifacts.delete("runs/a/x")
    artifacts.delete("runs/a/x")
    assert artifacts.keys("") == []
    with pytest.raises(NotFound), artifacts.read("runs/a/x"):
        pass
    with pytest.raises(NotFound), artifacts.read("runs/a"):
        pass


def leave_half(artifacts: ArtifactStore, root: Path, key: str) -> str:
    """What a writer that is killed leaves behind; returns its path below the root."""
    put(artifacts, key, b"whole")
    half = (root / key).with_name(f".{Path(key).name}.0123")
    half.write_bytes(b"half")
    return str(half.relative_to(root))


def test_everything_below_a_folder_is_deleted_what_killed_writers_left_too(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    root = tmp_path / "artifacts"
    leave_half(artifacts, root, "runs/a/data.json")
    leave_half(artifacts, root, "runs/a/checkpoints/1.pt")
    half = leave_half(artifacts, root, "runs/ab/1.pt")
    for _ in range(2):
        artifacts.delete_below("runs/a")
        assert files_below(root) == [half, "runs/ab/1.pt"]
    with pytest.raises(NotFound, match="plain path"):
        artifacts.delete_below("")


def test_only_what_killed_writers_left_is_deleted_where_asked(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    root = tmp_path / "artifacts"
    leave_half(artifacts, root, "runs/a/checkpoints/1.pt")
    half = leave_half(artifacts, root, "runs/a/data.json")
    for _ in range(2):
        artifacts.delete_unfinished("runs/a/checkpoints")
        assert files_below(root) == [half, "runs/a/checkpoints/1.pt", "runs/a/data.json"]


HOSTILE_KEYS = ["", "..", "a/../b", "/etc/passwd", "a//b", "a/", "./a", "a\\b", "a\0b", "a\n"]
HOSTILE_KEYS += ["a/.hidden", "a b", "~/x", "s3://bucket/x", "file::x", "é", "C:x"]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_key_stays_below_the_root(artifacts: ArtifactStore, key: str, tmp_path: Path) -> None:
    for call in (
        artifacts.describe,
        artifacts.delete,
        artifacts.delete_below,
        artifacts.delete_unfinished,
    ):
        with pytest.raises(NotFound, match="plain path"):
            call(key)
    with pytest.raises(NotFound, match="plain path"), artifacts.read(key):
        pass
    with pytest.raises(NotFound, match="plain path"), artifacts.write(key):
        pass
    assert files_below(tmp_path) == []


def test_link_does_not_lead_out_of_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "artifacts", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
    (outside / "secret").write_text("x")
    (root / "way").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for key in ("way/secret", "file"):
        with pytest.raises(NotFound, match="a link"):
            FolderArtifacts(root).describe(key)


@pytest.mark.process
@pytest.mark.parametrize("kind", sorted(STORES))
def test_killed_writer_leaves_no_half_file(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", prelude(kind, root) + WRITE_FOR_EVER],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        done = [int(writer.stdout.readline()) for _ in range(2)]
        writer.kill()
        writer.communicate()
        store = FolderArtifacts(root)
        keys = store.keys("runs/a")
        assert {f"runs/a/file-{number}.bin" for number in done} <= set(keys)
        assert {store.describe(key).size_bytes for key in keys} == {4 << 20}


@pytest.mark.process
@pytest.mark.parametrize("kind", sorted(STORES))
def test_full_disk_is_one_sentence_and_keeps_the_old_file(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    ended = subprocess.run(
        [sys.executable, "-c", prelude(kind, root) + WRITE_WITHOUT_ROOM],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == [
        "Asked for writing the file 'kept.bin'; found no room left on its disk; allowed is a disk "
        "with free space; free some space, for example by deleting runs, and resume.",
        "b'good'",
    ]
    assert files_below(root) == ["kept.bin"]
