"""The environment, read once into one frozen value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.domain.errors import InvalidConfig


@dataclass(frozen=True)
class Settings:
    """Where things are and how much may run, for all processes alike.

    Attributes:
        home: Folder of everything that the studio keeps (``EGS_HOME``).
        database_url: ``sqlite:///PATH`` or ``postgresql://…`` (``EGS_DATABASE_URL``).
        artifacts_url: A folder, or the URL of an object store (``EGS_ARTIFACTS``).
        cpu_places: Searches that share the CPU at a time (``EGS_CPU_PLACES``).
        gpu_places: Searches that share one GPU at a time (``EGS_GPU_PLACES``).
        data_roots: Folders from which data may be read; empty allows every path
            of this machine (``EGS_DATA_ROOTS``, separated like ``PATH``).
        host: Address that the front end listens on (``EGS_HOST``).
        port: Its port (``EGS_PORT``).
        truth_tables: Files with published accuracies, beside those in
            ``EGS_HOME/tables`` (``EGS_TRUTH_TABLES``, separated like ``PATH``).
        example: Whether an engine brings a recorded search into a home without
            runs (``EGS_EXAMPLE``).
        webhook: Address that an engine tells of runs that end or go wrong; empty
            for none (``EGS_WEBHOOK``).
        allow_remote: Whether the address may be one that other machines reach
            (``EGS_ALLOW_REMOTE``).
    """

    home: Path
    database_url: str
    artifacts_url: str
    cpu_places: int = 1
    gpu_places: int = 1
    data_roots: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8501
    truth_tables: tuple[Path, ...] = ()
    example: bool = True
    webhook: str = ""
    allow_remote: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings in environment variables, of this process by default.

        Raises:
            InvalidConfig: A variable has a value that makes no sense.
        """
        values = os.environ if environment is None else environment
        home = Path(values.get("EGS_HOME") or "~/.egs-studio").expanduser().absolute()
        roots = values.get("EGS_DATA_ROOTS", "").split(os.pathsep)
        tables = values.get("EGS_TRUTH_TABLES", "").split(os.pathsep)
        return cls(
            home=home,
            database_url=values.get("EGS_DATABASE_URL") or f"sqlite:///{home / 'studio.db'}",
            artifacts_url=values.get("EGS_ARTIFACTS") or str(home / "artifacts"),
            cpu_places=_number(values, "EGS_CPU_PLACES", 1, low=0, high=1024),
            gpu_places=_number(values, "EGS_GPU_PLACES", 1, low=1, high=1024),
            data_roots=tuple(Path(root).expanduser().resolve() for root in roots if root),
            truth_tables=tuple(Path(table).expanduser().absolute() for table in tables if table),
            example=bool(_number(values, "EGS_EXAMPLE", 1, low=0, high=1)),
            allow_remote=bool(_number(values, "EGS_ALLOW_REMOTE", 0, low=0, high=1)),
            webhook=_address(values.get("EGS_WEBHOOK") or ""),
            host=values.get("EGS_HOST") or "127.0.0.1",
            port=_number(values, "EGS_PORT", 8501, low=1, high=65535),
        )


def _number(values: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = values.get(name) or str(default)
    if text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    raise InvalidConfig(
        asked=f"{name}={text!r}",
        found="not such a number",
        allowed=f"a whole number from {low} to {high}",
        advice=f"correct or unset the variable {name}",
    )


def _address(text: str) -> str:
    if not text or text.startswith(("http://", "https://")):
        return text
    raise InvalidConfig(
        asked=f"EGS_WEBHOOK={text!r}",
        found="no web address",
        allowed="an address that begins with http:// or https://",
        advice="correct or unset the variable EGS_WEBHOOK",
    )
