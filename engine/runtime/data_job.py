"""The job that examines the data of a configuration before a search of it starts."""

import logging
from collections.abc import Mapping
from typing import Any

from engine.data.contact_sheet import Sheet, sheet_of_images, sheet_of_scenes
from engine.data.doctor import examine_images, examine_scenes
from engine.data.examination import Examination, unreadable
from engine.data.images import ImageData
from engine.data.inspection import check_place
from engine.data.scenes import SceneData
from engine.data.sources import load_data
from engine.data.text_doctor import examine_text
from engine.domain.errors import DataError, NoNetwork
from engine.export.colours import OKABE_ITO
from engine.runtime.job_context import JobContext

log = logging.getLogger(__name__)


def examine_data(context: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the data are like, as the search would read them.

    They are read and, where a search would do so, downloaded. What a search
    would refuse is a finding here; broken pictures are all named.

    Args:
        context: Without a run.
        arguments: ``config``: the settings that say which data, and how they
            are read and split.

    Returns:
        The values of an :class:`~engine.data.examination.Examination`, and
        ``sheet``: sample pictures, or None.

    Raises:
        StudioError: The settings do not fit, the data lie outside the folders
            that may be read, or cannot be fetched.
    """
    del arguments
    config = context.settings
    check_place(config, context.data_roots)
    lenient = config.model_copy(update={"broken_images": "skip"})
    try:
        data = load_data(lenient, cache=context.cache, progress=log.info)
    except NoNetwork:
        raise
    except DataError as refusal:
        return {**unreadable(str(refusal)).to_plain(), "sheet": None}
    found, sheet = _examined(data, refuses_broken=config.broken_images == "refuse")
    return {**found.to_plain(), "sheet": sheet and sheet.to_plain()}


def _examined(data: Any, *, refuses_broken: bool) -> tuple[Examination, Sheet | None]:
    if isinstance(data, ImageData):
        return examine_images(data, refuses_broken=refuses_broken), sheet_of_images(data)
    if isinstance(data, SceneData):
        found = examine_scenes(data, refuses_broken=refuses_broken)
        return found, sheet_of_scenes(data, tuple(OKABE_ITO.values()))
    return examine_text(data), None
