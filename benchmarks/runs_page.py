"""How long the server takes to draw the page *Runs* with a thousand runs.

    python -m benchmarks.runs_page [COUNT]

Seeds a new SQLite database with COUNT runs (1,000) and draws the page twenty
times through Streamlit's own test runner: the whole script with navigation,
filters, table and serialisation, without a browser. Prints one JSON object.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.frontend import open_frontend
from app.settings import Settings
from engine.catalog import gather_catalog
from engine.domain.presets import preset_config

MAIN = Path(__file__).parents[1] / "app" / "main.py"
DRAWS = 20
TAGS = ("baseline", "draws", "report")


def seed(count: int) -> None:
    """Queued runs with tags, a tenth of them archived."""
    studio = open_frontend(Settings.from_environment()).studio
    studio.store.publish(gather_catalog())
    for number in range(count):
        run = studio.store.create(preset_config("digits", seed=number), name=f"run {number}")
        studio.annotate(run.id, tags=[TAGS[number % 3]], archived=number % 10 == 0)


def milliseconds(**query: str) -> list[float]:
    """Time of each draw after the first, which loads modules."""
    test = AppTest.from_file(str(MAIN), default_timeout=60)
    for key, value in query.items():
        test.query_params[key] = value
    test._page_hash = calc_hash("")
    test.run()
    assert not test.exception, test.exception
    times = []
    for _ in range(DRAWS):
        start = time.perf_counter()
        test.run()
        times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EGS_HOME"] = folder
        seed(count)
        cases = {
            "list": milliseconds(),
            "filtered and sorted": milliseconds(find="run 7", tag="draws", sort="-name"),
            "last page": milliseconds(page="99"),
        }
        open_frontend.cache_clear()
    print(
        json.dumps(
            {
                "runs": count,
                "draws": DRAWS,
                "milliseconds": {
                    name: {
                        "median": round(statistics.median(times), 1),
                        "longest": round(max(times), 1),
                    }
                    for name, times in cases.items()
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
