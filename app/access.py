"""Signed tokens: who may read a run's figures over HTTP.

The studio's own pages are the only ones that can sign, so that a foreign page
in the same browser cannot read a run by guessing its number.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeSerializer

SECRET_FILE = "token-secret"


@dataclass(frozen=True)
class RunTokens:
    """Signs and checks tokens, one for each run, with a secret of this home."""

    secret: str

    def sign(self, uid: str) -> str:
        """The token of the run with this identity; always the same one."""
        signed = self._serializer().dumps(uid)
        return signed if isinstance(signed, str) else signed.decode()

    def allows(self, uid: str, token: str) -> bool:
        """Whether ``token`` was signed here for this very run."""
        try:
            return bool(self._serializer().loads(token) == uid)
        except BadSignature:
            return False

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="egs-studio/run")


@dataclass(frozen=True)
class Feed:
    """Where the browser fetches a run's figures; None where there is no API.

    Attributes:
        tokens: Signs the addresses.
        mounted: Whether this process serves the API beside the pages.
    """

    tokens: RunTokens
    mounted: bool

    def address(self, run_id: int, uid: str, what: str, *, stride: int = 1) -> str | None:
        """Path of ``what`` (``frames``, ``series``) of a run, relative to the studio."""
        if not self.mounted:
            return None
        thinned = f"&stride={stride}" if stride > 1 else ""
        return f"api/runs/{run_id}/{what}?token={quote(self.tokens.sign(uid))}{thinned}"


def load_secret(home: Path) -> str:
    """The secret of this home, made at the first call, readable by its owner only."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / SECRET_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii")
