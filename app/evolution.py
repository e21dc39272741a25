"""A search as an animation: how its cells come about, as a GIF."""

import io
from collections.abc import Iterator, Sequence

from PIL import Image

from app.studio import Studio
from engine.domain.errors import NotFound, WrongState
from engine.domain.run import Run
from engine.domain.snapshot import Snapshot
from engine.export.moment import draw_moment
from engine.export.png import rasters

FRAMES = 60
ZOOM = 0.7
FRAME_MS, LAST_MS = 120, 3000
COLOURS = 64


def evolution(studio: Studio, run_id: int, *, frames: int = FRAMES) -> bytes:
    """An animated GIF of evenly spaced moments; the last one stands longer.

    Raises:
        NotFound: There is no such run, no snapshot yet, or no catalogue.
        WrongState: The run is a training, in which no cell changes.
    """
    run = studio.run(run_id)
    if run.config.purpose != "search":
        raise WrongState(
            asked=f"an animation of run {run_id}",
            found="a training, in which no architecture changes",
            allowed="a search",
            advice="choose the search that found its architecture",
        )
    moments = chosen_moments(studio, run, frames)
    if not moments:
        raise NotFound(
            asked=f"an animation of run {run_id}",
            found="no snapshot of it",
            allowed="a run with snapshots",
            advice="wait for the first snapshot",
        )
    catalog = studio.published_catalog(f"an animation of run {run_id}")
    space = studio.space(run)
    pictures = (draw_moment(space, catalog, moment, title=run.name) for moment in moments)
    return _animated(rasters(pictures, zoom=ZOOM))


def chosen_moments(studio: Studio, run: Run, frames: int) -> Sequence[Snapshot]:
    """At most so many snapshots, evenly spaced in steps, the first and the last among them."""
    first, last = studio.snapshots(run.id, limit=1), studio.snapshot(run.id)
    if not first or last is None:
        return []
    start, end = first[0].step, last.step
    asked = [start + round((end - start) * n / max(1, frames - 1)) for n in range(frames)]
    steps = dict.fromkeys(asked)
    found = {one.step: one for step in steps if (one := studio.snapshot(run.id, step))}
    return [found[step] for step in sorted(found)]


def _animated(frames: Iterator[bytes]) -> bytes:
    images = [_reduced(content) for content in frames]
    file = io.BytesIO()
    images[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=[FRAME_MS] * (len(images) - 1) + [LAST_MS],
        loop=0,
        optimize=True,
    )
    return file.getvalue()


def _reduced(content: bytes) -> Image.Image:
    """A picture of few colours, which makes small files of flat drawings."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.convert("RGB").quantize(COLOURS)
