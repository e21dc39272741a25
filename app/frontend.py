"""What the browser's process holds: one studio and one secret, opened once."""

from dataclasses import dataclass, field
from functools import lru_cache
from threading import Event

from app.access import Feed, RunTokens, load_secret
from app.settings import Settings
from app.studio import Studio
from app.truth import TruthTables
from app.wiring import open_studio

api_mounted = Event()
"""Set by ``app.asgi``: pages may send the browser to the API."""


@dataclass(frozen=True)
class Frontend:
    """The use cases and the signature of this process."""

    studio: Studio
    tokens: RunTokens
    tables: TruthTables = field(default_factory=TruthTables)

    @property
    def feed(self) -> Feed:
        """Where components find their figures."""
        return Feed(self.tokens, api_mounted.is_set())


@lru_cache(maxsize=8)
def open_frontend(settings: Settings) -> Frontend:
    """The front end for these settings; the database is opened only once."""
    return Frontend(
        open_studio(settings),
        RunTokens(load_secret(settings.home)),
        TruthTables(settings.truth_tables, settings.home / "tables"),
    )
