"""Files of ``egs export`` that need torch: made at once, in the command's own process."""

import os

from app.settings import Settings
from app.studio import Export, Studio
from engine.domain.config import TrainingConfig
from engine.domain.genotype import Genotype
from engine.domain.run import Run


def make_network_file(
    settings: Settings,
    studio: Studio,
    run_id: int,
    format_name: str,
    step: int | None,
    *,
    genotype: Genotype | None = None,
) -> Export:
    """One file of the table of conversions, without an engine.

    Args:
        settings: Where downloaded data lie.
        studio: The use cases.
        run_id: The run.
        format_name: Name of a conversion, such as ``onnx``.
        step: The architecture of the latest snapshot at or before this step;
            of a training the weights at or before it, None for the last ones.
        genotype: Another architecture of the same search space.

    Raises:
        StudioError: There is no such format, architecture, checkpoint or network.
    """
    import torch

    from engine.runtime.export_job import convert_run

    run = studio.run(run_id)
    torch.set_num_threads(run.config.cpu_threads or os.cpu_count() or 1)
    genotype = genotype or studio.derive(run_id, step)
    made = convert_run(
        studio.store,
        studio.artifacts,
        run,
        genotype,
        format_name,
        step=_wanted_step(run, genotype) if step is None else step,
        device=torch.device("cpu"),
        cache=settings.home / "data",
    )
    filename = studio.file_name(run_id, genotype, made.conversion.extension)
    return Export(filename, made.conversion.media_type, made.converted.content)


def _wanted_step(run: Run, genotype: Genotype) -> int | None:
    """The step whose weights fit an architecture; of a training always the last ones."""
    step: int | None = genotype.lineage.get("step")
    return None if isinstance(run.config, TrainingConfig) else step
