import json
from pathlib import Path

import pytest

from app.plain import plain
from app.studio import Studio
from app.study import queue_study, report, runs_of, unfinished
from app.truth import read_table, truth_of_run
from app.wiring import SystemClock
from engine.domain.errors import DataError
from engine.domain.run import RunState
from engine.domain.statistics import spread_of
from engine.domain.study import Configuration, Study, read_study
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.app.one_edge_runs import ONE_EDGE, config_of, seed_one_edge_run
from tests.app.truth_files import write_table
from tests.e2e.seeding import seed_run

SEEDS = (0, 1, 2)
TEXT = """
name = "study"
preset = "digits"
seeds = [0, 1, 2]
baseline = "M = 4"
[shared]
scope = "node"
[[configuration]]
name = "M = 1"
settings = { draws = 1 }
[[configuration]]
name = "M = 4"
settings = { draws = 4 }
"""


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    clock = SystemClock()
    return Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)


def run_all(studio: Studio, study: Study, state: RunState = RunState.COMPLETED) -> None:
    for trial in study.trials:
        changes = {"draws": trial.config.draws, "seed": trial.seed}
        seed_run(
            studio.store, studio.artifacts, count=40, name=trial.run_name, state=state, **changes
        )


def test_a_study_queues_each_trial_once(studio):
    study = read_study(TEXT)
    first = queue_study(studio, study)
    assert [run.name for run in first] == [trial.run_name for trial in study.trials]
    assert [run.search.seed for run in first] == [0, 0, 1, 1, 2, 2]
    assert [run.id for run in queue_study(studio, study)] == [run.id for run in first]
    assert len(studio.runs()) == 6


def test_an_interrupted_study_goes_on_with_what_is_missing(studio):
    study = read_study(TEXT)
    runs = queue_study(studio, study, priority=3)
    studio.stop(runs[2].id)
    studio.delete(runs[2].id)
    again = queue_study(studio, study)
    assert [run.id for run in again] == [1, 2, 7, 4, 5, 6]
    assert runs[0].priority == 3


def test_a_run_of_the_same_name_with_other_settings_does_not_count(studio):
    study = read_study(TEXT)
    changed = read_study(TEXT, changes={"epochs": 3})
    queue_study(studio, study)
    assert runs_of(studio, changed) == {}
    queue_study(studio, changed)
    assert len(studio.runs()) == 12


def test_a_run_whose_settings_were_changed_on_the_way_does_not_count(studio):
    study = read_study(TEXT)
    name = study.trials[0].run_name
    halfway = {"count": 40, "upto": 20, "state": RunState.RUNNING}
    run = seed_run(studio.store, studio.artifacts, name=name, draws=1, **halfway)
    assert runs_of(studio, study)[name].id == run.id
    for draws, step in ((3, 100), (1, 150)):
        change = studio.store.ask_change(run.id, {"draws": draws})
        config = run.search.model_copy(update={"draws": draws})
        studio.store.take_change(
            run.id, change.number, config, step=step, attempt=studio.run(run.id).attempt
        )
    assert studio.run(run.id).config == run.config
    assert name not in runs_of(studio, study)


def test_nothing_is_queued_if_one_trial_cannot_be_started(studio):
    study = read_study(TEXT, changes={"data": "nowhere"})
    with pytest.raises(DataError):
        queue_study(studio, study)
    assert studio.runs() == []


def test_of_several_equal_runs_the_completed_one_counts(studio):
    study = read_study(TEXT)
    trial = study.trials[1]
    done = seed_run(studio.store, studio.artifacts, count=20, name=trial.run_name)
    seed_run(studio.store, studio.artifacts, count=20, name=trial.run_name, state=RunState.STOPPED)
    assert runs_of(studio, study)[trial.run_name].id == done.id


def test_the_report_holds_the_last_epochs_figures_and_their_spread(studio):
    study = read_study(TEXT)
    run_all(studio, study)
    found = report(studio, study, command="egs study x.toml")
    assert found.complete
    assert [measure.name for measure in found.measures] == [
        "child",
        "supernet",
        "gap",
        "parameters",
        "seconds",
    ]
    for result in found.configurations:
        for trial in result.trials:
            run = studio.run(trial.run)
            last = studio.snapshots(run.id, epochs_only=True)[-1]
            assert trial.figures["child"] == 100 - last.metrics["child_accuracy"]
            assert trial.figures["supernet"] == 100 - last.metrics["supernet_accuracy"]
            assert trial.figures["gap"] == last.metrics["gap"]
            assert trial.figures["seconds"] == run.progress.seconds
            cost = studio.cost(run.id, studio.derive(run.id))
            assert trial.figures["parameters"] == cost.parameters
            assert trial.data_digest == "d" * 64
        gaps = [trial.figures["gap"] for trial in result.trials]
        assert result.summary["gap"] == spread_of(gaps)
    (comparison,) = found.comparisons
    assert (comparison.configuration, comparison.seeds) == ("M = 1", SEEDS)


def test_a_report_of_an_unfinished_study_says_what_is_there(studio):
    study = read_study(TEXT)
    seed_run(
        studio.store,
        studio.artifacts,
        count=20,
        upto=5,
        name=study.trials[1].run_name,
        state=RunState.FAILED,
    )
    stopped = seed_run(
        studio.store,
        studio.artifacts,
        count=20,
        name=study.trials[3].run_name,
        seed=1,
        state=RunState.STOPPED,
    )
    found = report(studio, study, command="")
    assert not found.complete
    first, second = found.configurations
    assert [trial.state for trial in first.trials] == ["missing"] * 3
    assert [trial.state for trial in second.trials] == ["failed", "stopped", "missing"]
    assert second.trials[0].figures == {}
    assert second.summary == {}
    assert "no memory left" in second.trials[0].why[0]
    assert unfinished(found) == [
        "M = 4, seed 0: run 1 failed; resume it with `egs resume 1`.",
        f"M = 4, seed 1: run {stopped.id} stopped; delete it with `egs delete {stopped.id}` to "
        "have it started again.",
    ]


def test_a_report_is_plain_json_without_folders_of_this_machine(studio, tmp_path):
    study = read_study(TEXT)
    run_all(studio, study)
    text = json.dumps(plain(report(studio, study, command="egs study x.toml")), allow_nan=False)
    assert json.loads(text)["kind"] == "study"
    assert str(tmp_path) not in text


def study_of_one_edge(draws: tuple[int, ...]) -> Study:
    configurations = tuple(Configuration(f"M = {m}", config_of(m, 0)) for m in draws)
    return Study("one edge", SEEDS, configurations, f"M = {draws[0]}", ("truth",))


def seeded_one_edge(studio: Studio, study: Study) -> None:
    for trial in study.trials:
        run = seed_one_edge_run(
            studio, draws=trial.config.draws, seed=trial.seed, name=trial.run_name
        )
        studio.store.transition(run.id, RunState.COMPLETED, why="done")


def test_published_accuracies_of_the_last_cells_are_reported_and_compared(studio, tmp_path):
    table = write_table(tmp_path / "one_edge.npz", ONE_EDGE)
    study = study_of_one_edge((1,))
    study = Study(
        study.name,
        SEEDS,
        (*study.configurations, Configuration("again", config_of(1, 0))),
        "M = 1",
        ("truth",),
    )
    seeded_one_edge(studio, study)
    found = report(studio, study, command="", truth=table)
    first, again = found.configurations
    for trial in first.trials:
        last = truth_of_run(studio, trial.run, read_table(table))[-1].truth
        assert trial.figures["truth"] == last.test_accuracy
        assert trial.figures["rank"] == last.rank
        assert trial.architecture == last.arch
    assert again.summary["truth"] == first.summary["truth"]
    (comparison,) = found.comparisons
    assert (comparison.verdict, comparison.corrected_p) == ("not shown", 1.0)


def test_cells_that_the_table_does_not_hold_are_named_as_such(studio, tmp_path):
    table = write_table(tmp_path / "one_edge.npz", ONE_EDGE)
    study = study_of_one_edge((32,))
    seeded_one_edge(studio, study)
    (result,) = report(studio, study, command="", truth=table).configurations
    missing = [trial for trial in result.trials if "truth" not in trial.figures]
    assert missing
    assert all("an edge with" in trial.why[-1] for trial in missing)
    assert all("child" in trial.figures for trial in result.trials)
