"""Fetching one published file, wholly or not at all."""

import errno
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from engine.data.images import Report
from engine.data.signs import Alive, unheard
from engine.domain.errors import DataError, DiskFull, NoNetwork

BLOCK_BYTES = 1 << 18
REPORT_PER_CENT = 10
TIMEOUT_SECONDS = 30


def fetch(
    label: str,
    urls: Sequence[str],
    target: Path,
    md5: str,
    report: Report,
    *,
    alive: Alive = unheard,
) -> None:
    """Make ``target`` exist with the published content.

    A file with the right digest is kept. Otherwise it is written beside its
    place and renamed at its end, so that nothing is left of a failed attempt.
    Two processes at once would be in each other's way, see
    :func:`~engine.data.download_lock.alone_at`.

    Args:
        label: Name of the data set for people.
        urls: Where the file is published; the first that answers is used.
        target: Where it shall lie.
        md5: Published digest of its content.
        report: Takes sentences about the progress, about one each ten per cent.
        alive: Called for every block that has come.

    Raises:
        NoNetwork: No address could be reached.
        DataError: The content is not the published one.
        DiskFull: There was no room.
    """
    if target.is_file() and _md5(target) == md5:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(label, target.parent, error) from error
    part = target.with_name(target.name + ".part")
    try:
        _fetch_first(label, urls, part, report, alive)
        if _md5(part) != md5:
            raise DataError(
                asked=f"the data set {label}",
                found=f"another content of {target.name} than the published one",
                allowed=f"a file with MD5 {md5}",
                advice="try again later, or give the data as a folder or an .npz file",
            )
        part.replace(target)
    finally:
        if part.is_file():
            part.unlink()


def _fetch_first(label: str, urls: Sequence[str], part: Path, report: Report, alive: Alive) -> None:
    last = "no address"
    for url in urls:
        try:
            _download(label, url, part, report, alive)
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            last = str(getattr(error, "reason", "") or error or type(error).__name__)
        except OSError as error:
            raise not_written(label, part.parent, error) from error
        else:
            return
    raise NoNetwork(
        asked=f"the data set {label}, which has to be downloaded once",
        found=f"no way to reach its publisher ({last})",
        allowed="a machine with a network, or data that are already here",
        advice="connect this machine, or choose digits, a folder or an .npz file",
    )


def _download(label: str, url: str, part: Path, report: Report, alive: Alive) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "egs-studio"})
    with (
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer,
        part.open("wb") as file,
    ):
        total = int(answer.headers.get("Content-Length") or 0)
        received = _copy(label, answer, file, total, report, alive)
    if total and received != total:
        raise ConnectionError(f"the connection ended after {received} of {total} bytes")


def _copy(
    label: str, answer: BinaryIO, file: BinaryIO, total: int, report: Report, alive: Alive
) -> int:
    received, next_report = 0, 0
    while block := answer.read(BLOCK_BYTES):
        alive()
        file.write(block)
        received += len(block)
        share = 100 * received // total if total else 0
        if share >= next_report:
            size = f"{share} % of {total / 1e6:.0f} MB" if total else f"{received / 1e6:.0f} MB"
            report(f"Downloading {label}: {size}")
            next_report = share - share % REPORT_PER_CENT + REPORT_PER_CENT
    return received


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def not_written(label: str, folder: Path, error: OSError) -> DataError | DiskFull:
    """The refusal when a data set cannot be stored below a folder."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(
            asked=f"to download the data set {label}",
            found=f"no room in {os.fspath(folder)!r}",
            allowed="enough free space for the data set, twice while it is unpacked",
            advice="free some space or set EGS_HOME to another disk",
        )
    return DataError(
        asked=f"to download the data set {label}",
        found=f"a folder that cannot be written ({error.strerror})",
        allowed="a folder that this account may write",
        advice="change the permissions or set EGS_HOME to another folder",
    )
