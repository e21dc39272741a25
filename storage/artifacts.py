"""Files by key: in a folder, or in an object store.

A file appears under its key only when it is complete: written beside, flushed
to the disk, renamed, and the folder flushed as well. What is written beside has a
name that begins with a dot, which no key does; a killed writer leaves it there.
"""

import errno
import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit
from uuid import uuid4

import fsspec

from engine.domain.errors import DiskFull, InvalidConfig, NotFound
from engine.domain.ports import Artifact

SCHEMES = ("file", "s3", "gs", "az")

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BUFFER_BYTES = 1 << 20


class FolderArtifacts:
    """An :class:`~engine.domain.ports.ArtifactStore` in a folder of this machine.

    Args:
        root: The folder; it is made when the first file is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().resolve()

    @contextmanager
    def write(self, key: str) -> Iterator[BinaryIO]:
        """See :class:`ArtifactStore`."""
        path = self._path(key)
        temporary = path.with_name(f".{path.name}.{uuid4().hex}")
        with _refuse_when_full(key):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _written(temporary, key) as file:
                yield file
            os.replace(temporary, path)
            _flush_folders(path.parent, self._root)
        finally:
            temporary.unlink(missing_ok=True)

    def describe(self, key: str) -> Artifact:
        """See :class:`ArtifactStore`."""
        with self.read(key) as file:
            return _described(key, file)

    @contextmanager
    def read(self, key: str) -> Iterator[BinaryIO]:
        """See :class:`ArtifactStore`."""
        try:
            file = self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise _no_such_file(key) from None
        with file:
            yield file

    def keys(self, prefix: str) -> list[str]:
        """See :class:`ArtifactStore`."""
        folder = self._path(prefix.rstrip("/")) if prefix.rstrip("/") else self._root
        found = (path.relative_to(self._root) for path in _files_below(folder))
        return sorted(path.as_posix() for path in found if not _is_unfinished(path.name))

    def delete(self, key: str) -> None:
        """See :class:`ArtifactStore`."""
        self._path(key).unlink(missing_ok=True)

    def delete_below(self, folder: str) -> None:
        """See :class:`ArtifactStore`."""
        for path in _files_below(self._path(folder)):
            path.unlink(missing_ok=True)

    def delete_unfinished(self, folder: str) -> None:
        """See :class:`ArtifactStore`."""
        for path in _files_below(self._path(folder)):
            if _is_unfinished(path.name):
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        _check_key(key)
        path = self._root / key
        if not path.parent.resolve().is_relative_to(self._root) or path.is_symlink():
            raise _wrong_key(key, "a link that leads out of the folder")
        return path


class FsspecArtifacts:
    """An :class:`~engine.domain.ports.ArtifactStore` behind a URL.

    Object stores show an object only when its upload is complete. A file is
    written on this machine first, then uploaded in one piece; over ``file:`` it
    is uploaded beside and renamed.

    Args:
        url: ``s3://BUCKET/PREFIX``, ``gs://…``, ``az://CONTAINER/PREFIX`` or
            ``file:///PATH``. Credentials come from the environment.

    Raises:
        InvalidConfig: The URL is another one, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._scheme, self._root = parse_artifacts_url(url)
        try:
            self._files = fsspec.filesystem(
                self._scheme, use_listings_cache=False, skip_instance_cache=True
            )
        except ImportError as error:
            raise InvalidConfig(
                asked=f"the artifact store {url!r}",
                found=f"no driver for it in this installation ({error})",
                allowed="a folder, or a store whose driver is installed",
                advice="run `pip install` for the driver, or set EGS_ARTIFACTS to a folder",
            ) from None

    @contextmanager
    def write(self, key: str) -> Iterator[BinaryIO]:
        """See :class:`ArtifactStore`."""
        target = self._path(key)
        with TemporaryDirectory(prefix="egs-upload-") as folder:
            local = Path(folder) / "content"
            with _written(local, key) as file:
                yield file
            with _refuse_when_full(key):
                self._upload(local, target)

    def describe(self, key: str) -> Artifact:
        """See :class:`ArtifactStore`."""
        with self.read(key) as file:
            return _described(key, file)

    @contextmanager
    def read(self, key: str) -> Iterator[BinaryIO]:
        """See :class:`ArtifactStore`."""
        path = self._path(key)
        try:
            file = self._files.open(path, "rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise _no_such_file(key) from None
        with file:
            yield file

    def keys(self, prefix: str) -> list[str]:
        """See :class:`ArtifactStore`."""
        folder = self._path(prefix.rstrip("/")) if prefix.rstrip("/") else self._root
        start = len(self._root) + 1
        found = (path[start:] for path in self._below(folder))
        return sorted(key for key in found if not _is_unfinished(_name_in(key)))

    def delete(self, key: str) -> None:
        """See :class:`ArtifactStore`."""
        self._remove(self._path(key))

    def delete_below(self, folder: str) -> None:
        """See :class:`ArtifactStore`."""
        for path in self._below(self._path(folder)):
            self._remove(path)

    def delete_unfinished(self, folder: str) -> None:
        """See :class:`ArtifactStore`. Only over ``file:`` a writer leaves any."""
        if self._scheme != "file":
            return
        for path in self._below(self._path(folder)):
            if _is_unfinished(_name_in(path)):
                self._remove(path)

    def _below(self, folder: str) -> list[str]:
        """Paths of all files below a folder, unfinished ones too."""
        return [str(path) for path in self._files.find(folder)]

    def _remove(self, path: str) -> None:
        if self._files.exists(path):
            self._files.rm_file(path)

    def _upload(self, local: Path, target: str) -> None:
        if self._scheme != "file":
            self._files.put_file(str(local), target)
            return
        parent, _, name = target.rpartition("/")
        beside = f"{parent}/.{name}.{uuid4().hex}"
        self._files.makedirs(parent, exist_ok=True)
        try:
            self._files.put_file(str(local), beside)
            os.replace(beside, target)
        finally:
            Path(beside).unlink(missing_ok=True)

    def _path(self, key: str) -> str:
        _check_key(key)
        return f"{self._root}/{key}"


def parse_artifacts_url(url: str) -> tuple[str, str]:
    """Scheme and root path of an artifact URL.

    Raises:
        InvalidConfig: Another scheme, a chain of schemes, a part that does not
            belong there, or no bucket.
    """
    parts = urlsplit(url)
    root = (parts.netloc + parts.path).rstrip("/")
    plain = "::" not in url and "\0" not in url and not (parts.query or parts.fragment)
    plain = plain and "@" not in parts.netloc and ".." not in root.split("/")
    has_root = bool(parts.path.strip("/")) if parts.scheme == "file" else bool(parts.netloc)
    local = parts.scheme != "file" or not parts.netloc
    if parts.scheme in SCHEMES and plain and has_root and local:
        return parts.scheme, root
    raise InvalidConfig(
        asked=f"the artifact store {url!r}",
        found="another kind of address",
        allowed="a folder, file:///PATH, s3://BUCKET/PREFIX, gs://… or az://…",
        advice="set EGS_ARTIFACTS to one of these, without credentials in it",
    )


class _WatchedFile(io.FileIO):
    """A file that remembers a full disk, whatever its writer makes of the error."""

    is_full = False

    def write(self, data: Any) -> Any:
        try:
            return super().write(data)
        except OSError as error:
            self.is_full = error.errno in _FULL
            raise


@contextmanager
def _written(path: Path, key: str) -> Iterator[BinaryIO]:
    """A new file, flushed to the disk on leaving."""
    with _refuse_when_full(key):
        raw = _WatchedFile(path, "xb")
    try:
        with io.BufferedWriter(raw, _BUFFER_BYTES) as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(raw.fileno())
    except (OSError, RuntimeError) as error:
        # torch.save turns a failed write into a RuntimeError of its own.
        if raw.is_full or _is_full(error):
            raise _disk_full(key) from error
        raise


@contextmanager
def _refuse_when_full(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if _is_full(error):
            raise _disk_full(key) from error
        raise


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL


def _flush_folders(folder: Path, root: Path) -> None:
    """Make the names of a new file, and of new folders above it, durable."""
    if os.name == "nt":
        return
    for place in (folder, *folder.parents):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place == root.parent:
            return


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _is_unfinished(name: str) -> bool:
    return name.startswith(".")


def _name_in(key: str) -> str:
    return key.rpartition("/")[2]


def _described(key: str, file: BinaryIO) -> Artifact:
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BUFFER_BYTES):
        digest.update(block)
        size += len(block)
    return Artifact(key, size, digest.hexdigest())


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise _wrong_key(key, "a name that is not a plain path below the store")


def _wrong_key(key: str, found: str) -> NotFound:
    return NotFound(
        asked=f"the file {key!r}",
        found=found,
        allowed="letters, digits, '.', '_', '-' and '/' between names that start with none of '.'",
        advice="use a key that the studio wrote",
    )


def _no_such_file(key: str) -> NotFound:
    return NotFound(
        asked=f"the file {key!r}",
        found="no complete file of that name",
        allowed="the key of a stored file",
        advice="check whether its run was deleted",
    )


def _disk_full(key: str) -> DiskFull:
    return DiskFull(
        asked=f"writing the file {key!r}",
        found="no room left on its disk",
        allowed="a disk with free space",
        advice="free some space, for example by deleting runs, and resume",
    )
