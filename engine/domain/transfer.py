"""What a training can be made of: cells that fit its task, and weights that fit its cells."""

from collections.abc import Iterable, Sequence

from engine.domain.config import TrainingConfig
from engine.domain.errors import InvalidConfig
from engine.domain.genotype import Genotype, from_json, read_genotype, to_masks
from engine.domain.pruning import check_connected
from engine.domain.run import Run, RunState
from engine.domain.skeleton import check_cells
from engine.domain.space import SearchSpace

SEGMENTATION, LANGUAGE = "semantic_segmentation", "language_modelling"


def trained_genotype(config: TrainingConfig, spaces: Iterable[SearchSpace]) -> Genotype:
    """The architecture of a training, made sure to fit its task and sizes.

    Args:
        config: All settings of the training.
        spaces: The search spaces that are known here.

    Raises:
        InvalidGenotype: It is none, of no known space, or no path leads from the
            network's input to its scores.
        InvalidConfig: Its cells are for another kind of data, or its skeleton
            cannot have so many cells or such strides.
    """
    genotype = read_genotype(config.genotype, spaces)
    genotype.space.check_task(config.task)
    if config.task != LANGUAGE:
        check_cells(
            genotype.space,
            config.cells,
            stem_stride=config.stem_stride,
            output_stride=config.output_stride if config.task == SEGMENTATION else 0,
        )
    if config.leave_out_dead:
        check_connected(genotype, config.cells)
    return genotype


def start_run(config: TrainingConfig, runs: Sequence[Run]) -> Run | None:
    """The run whose weights a training starts from; None where it starts from scratch.

    Args:
        config: All settings of the training.
        runs: All runs that there are.

    Raises:
        InvalidConfig: There is no such run, it is not complete, or it trains
            other cells.
    """
    if not config.start_from:
        return None
    run = next((run for run in runs if run.uid == config.start_from), None)
    if run is None or not isinstance(run.config, TrainingConfig):
        raise _refused(config, "no training of that identity")
    if run.state is not RunState.COMPLETED:
        raise _refused(config, f"a training that is {run.state.value}")
    if not _same_cells(run.config, config):
        raise _refused(config, f"run {run.id}, which trains other cells")
    return run


def _same_cells(first: TrainingConfig, second: TrainingConfig) -> bool:
    one, other = (from_json(config.genotype) for config in (first, second))
    return (one.space.name, to_masks(one)) == (other.space.name, to_masks(other))


def _refused(config: TrainingConfig, found: str) -> InvalidConfig:
    return InvalidConfig(
        asked=f"start_from = {config.start_from!r}",
        found=found,
        allowed="the uid of a completed training of the same cells",
        advice="choose another run or leave start_from empty",
    )
