"""The screens that are looked at as a whole: their addresses, and when they are complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from engine.domain.run import Run, RunState
from tests.e2e.conftest import House, is_fault
from tests.e2e.seeding import alive, seed_run
from tests.e2e.trainings import seed_training
from tests.waiting import PATIENCE_SECONDS

MOMENTS = 100
FAILED_AFTER = 30
COMPLETE = """() => {
  const app = document.querySelector('[data-testid=stApp]')
  if (app.dataset.testScriptState !== 'notRunning') return false
  if (document.querySelector('[data-testid=stSkeleton], [data-stale=true]')) return false
  const shown = (part) => part.childElementCount && getComputedStyle(part).visibility === 'visible'
  return [...document.querySelectorAll('.stBidiComponent')].every((place) => {
    const roots = [...place.querySelectorAll('*')].map((node) => node.shadowRoot).filter(Boolean)
    const parts = roots.flatMap((root) => [...root.querySelectorAll('.egs')])
    return parts.length && parts.every(shown)
  })
}"""
"""Whether the script has ended, nothing is stale, and every component of ours is drawn."""


@dataclass(frozen=True)
class Screen:
    """One screen.

    Attributes:
        name: Of its picture.
        path: Address below the front end; ``{found}`` and others are numbers of runs.
        shows: Text that is there once the page is complete.
        height: Of the window, in pixels.
        drawn: Selectors of the parts that have to hold their data.
    """

    name: str
    path: str
    shows: str
    height: int = 1000
    drawn: tuple[str, ...] = ()


def live(moments: int) -> tuple[str, ...]:
    """The parts of Live, where they hold that many moments."""
    return (f".player[data-n='{moments}']", f".history[data-n='{moments}']", ".curves[data-n]")


SCREENS = (
    Screen("runs", "/", "first search"),
    Screen("new-search", "/new", "Start the search"),
    Screen("live", "/live?run={found}", "Dilated convolution 5x5", 1500, live(MOMENTS)),
    Screen("live-failed", "/live?run={failed}", "Event log", drawn=live(FAILED_AFTER)),
    Screen("live-waiting", "/live?run={waiting}", "cpu is taken"),
    Screen("training", "/live?run={training}", "Learning rate", drawn=(".curves[data-n]",)),
    Screen("architecture", "/architecture?run={found}", "Latency", 1500),
    Screen(
        "compare",
        "/compare?runs={found},{other}",
        "Settings that differ",
        1500,
        (".overlay[data-last]",),
    ),
    Screen("engine", "/engine", "workstation"),
)


def furnish(house: House) -> dict[str, int]:
    """Runs in all states, the same each time; their numbers by what they are for."""
    store, artifacts = house.studio.store, house.studio.artifacts
    alive(store)

    def run(name: str, **changes: object) -> Run:
        return seed_run(store, artifacts, count=MOMENTS, name=name, **changes)

    found = run("first search")
    waiting = run("waiting search", seed=4, state=RunState.QUEUED)
    store.set_waiting(waiting.id, "cpu is taken by run 4")
    made = {
        "found": found,
        "other": run("second search", seed=1, draws=7),
        "failed": run("failed search", seed=2, upto=FAILED_AFTER, state=RunState.FAILED),
        "training": seed_training(house.studio, found, name="trained"),
        "waiting": waiting,
    }
    return {name: one.id for name, one in made.items()}


@contextmanager
def opened(
    browser: Browser, url: str, screen: Screen, *, scheme: str, width: int = 1440
) -> Iterator[Page]:
    """The screen in a fresh tab of that width, complete and at rest; no error of a script."""
    context = browser.new_context(
        viewport={"width": width, "height": screen.height},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_SECONDS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if is_fault(said) else None)
    page.goto(url)
    page.get_by_text(screen.shows).first.wait_for(state="attached")
    page.evaluate("document.fonts.ready")
    page.wait_for_function(COMPLETE)
    for part in screen.drawn:
        page.locator(part).first.wait_for(state="attached")
    page.wait_for_timeout(500)
    page.wait_for_function(COMPLETE)
    yield page
    context.close()
    assert errors == []
