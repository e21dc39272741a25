"""Start the front end with the settings that a studio needs.

The settings lie in ``.streamlit/config.toml`` beside this file, where plain
``streamlit run app/main.py`` finds them as well, from any folder.
"""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from app.settings import Settings
from engine.domain.errors import InvalidConfig, StudioError

CONFIG = Path(__file__).with_name(".streamlit") / "config.toml"
ALLOW_REMOTE = "EGS_ALLOW_REMOTE"
REFUSED = 2


def serve(settings: Settings) -> None:
    """Serve the pages and the API until stopped.

    Raises:
        InvalidConfig: The address can be reached from outside and nobody said
            that this is wanted.
    """
    check_address(settings.host, remote_allowed=settings.allow_remote)
    from app.asgi import app

    app.run(config=server_options(settings))


def check_address(host: str, *, remote_allowed: bool) -> None:
    """Refuse an address that others can reach, unless that is wanted.

    Raises:
        InvalidConfig: Then.
    """
    if remote_allowed or is_loopback(host):
        return
    raise InvalidConfig(
        asked=f"the address {host!r}",
        found="an address that other machines can reach, and no login in front of it",
        allowed="127.0.0.1, ::1 or localhost",
        advice=f"set EGS_HOST=127.0.0.1, or {ALLOW_REMOTE}=1 where a container or a proxy "
        "with a login guards the port",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def server_options(settings: Settings) -> dict[str, Any]:
    """Streamlit's options for this start: the file's, with address and port."""
    options = dict(_flat(tomllib.loads(CONFIG.read_text(encoding="utf-8"))))
    options["server.address"] = settings.host
    options["server.port"] = settings.port
    options["server.headless"] = True
    if is_loopback(settings.host):
        options["server.allowedHosts"] = ["localhost", "127.0.0.1", "[::1]"]
    else:
        options["server.allowedHosts"] = _hosts_from_environment()
    return options


def _hosts_from_environment() -> list[str]:
    named = os.environ.get("EGS_ALLOWED_HOSTS", "localhost,127.0.0.1")
    return [host.strip() for host in named.split(",") if host.strip()]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def main() -> None:
    """Serve as the environment says; a refusal is one sentence and exit code 2."""
    try:
        serve(Settings.from_environment())
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
