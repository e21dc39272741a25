import json
import sys
from pathlib import Path

import pytest

from app.plain import plain
from app.studio import Studio
from app.study import report
from app.wiring import SystemClock
from benchmarks import results
from engine.domain.run import RunState
from engine.domain.study import Study, read_study
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run

STUDIES = sorted((Path(results.ROOT) / "benchmarks" / "studies").glob("*.toml"))
TEXT = """
name = "a | b"
preset = "digits"
seeds = [0, 1, 2]
baseline = "M = 4"
[[configuration]]
name = "M = 1"
settings = { draws = 1 }
[[configuration]]
name = "M = 4"
settings = { draws = 4 }
"""


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with the report of a study, one of whose runs failed, and another file."""
    clock = SystemClock()
    studio = Studio(MemoryStore(clock), FolderArtifacts(tmp_path / "artifacts"), clock)
    study = read_study(TEXT)
    run_all(studio, study)
    folder = tmp_path / "raw"
    folder.mkdir()
    value = plain(report(studio, study, command="egs study x.toml"))
    (folder / "x.json").write_text(json.dumps(value), "utf-8")
    (folder / "other.json").write_text("[1, 2]", "utf-8")
    return folder


def run_all(studio: Studio, study: Study) -> None:
    for trial in study.trials:
        fails = (trial.configuration, trial.seed) == ("M = 4", 2)
        seed_run(
            studio.store,
            studio.artifacts,
            count=20,
            name=trial.run_name,
            state=RunState.FAILED if fails else RunState.COMPLETED,
            scope=trial.config.scope,
            draws=trial.config.draws,
            seed=trial.seed,
        )


def written(monkeypatch: pytest.MonkeyPatch, raw: Path, page: Path) -> str:
    monkeypatch.setattr(sys, "argv", ["results.py", "--raw", str(raw), "--page", str(page)])
    results.main()
    return page.read_text("utf-8")


def test_the_page_has_means_sentences_raw_figures_and_the_command(raw, tmp_path, monkeypatch):
    text = written(monkeypatch, raw, tmp_path / "docs.md")
    value = json.loads((raw / "x.json").read_text("utf-8"))
    assert "`egs study x.toml`" in text
    assert "[x.json](raw/x.json). **Not all runs have completed.**" in text
    assert value["comparisons"][0]["sentence"] in text
    assert "Exact sign-flip test: p = " in text
    lines = text.splitlines()
    assert sum(line.startswith("| M = 1 |") for line in lines) == 4
    child = value["configurations"][0]["summary"]["child"]
    means = next(line for line in lines if line.startswith("| M = 1 | 3/3 |"))
    assert f"{child['mean']:.2f} ± {child['deviation']:.2f} %" in means
    assert any(line.startswith("| M = 4 | 2/3 |") for line in lines)
    assert any(line.startswith("* M = 4, seed 2: Asked for 64 images") for line in lines)


def test_figures_of_networks_have_a_table_for_each_data_set(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    raw.mkdir()
    figures = {
        "searched": ((30.0, 32.0, 31.0), 20_000),
        "residual": ((28.0, 29.5, 29.1), 20_400),
        "random": ((30.5, 31.0, 31.7), 18_000),
    }
    rows = [
        {
            "comparison": "camvid-cpu",
            "network": network,
            "seed": seed,
            "cell": 0,
            "test_mean_iou": value,
            "validation_mean_iou": value + 1,
            "parameters": parameters,
            "seconds": 60.0,
        }
        for network, (values, parameters) in figures.items()
        for seed, value in enumerate(values)
    ]
    whole = {"kind": "networks", "versions": {"torch": "2"}, "rows": rows}
    (raw / "texts_and_scenes.json").write_text(json.dumps(whole), "utf-8")
    text = written(monkeypatch, raw, tmp_path / "docs.md")
    assert "## CamVid" in text
    assert "WikiText" not in text
    line = "| searched | 3 | 31.00 ± 1.00 % | 32.00 ± 1.00 % | 0.020 ± 0.000 M | 60 ± 0 s |"
    assert line in text.splitlines()
    assert "| residual network | 1 | 29.50 % | 30.50 % | 0.020 M | 60 s |" in text.splitlines()
    assert "compare_texts_and_scenes --camvid FOLDER --out benchmarks/raw/texts_and_scenes" in text
    assert "residual network better than searched: no" in text
    assert "random cells better than searched: not shown" in text


def test_only_the_part_between_the_marks_is_written_again(raw, tmp_path, monkeypatch):
    page = tmp_path / "docs.md"
    first = written(monkeypatch, raw, page)
    page.write_text("# Own head\n\n" + first + "\nOwn end.\n", "utf-8")
    again = written(monkeypatch, raw, page)
    assert again == "# Own head\n\n" + first + "\nOwn end.\n"


def test_without_reports_no_page_is_written(tmp_path, monkeypatch, capsys):
    page = tmp_path / "docs.md"
    monkeypatch.setattr(sys, "argv", ["results.py", "--raw", str(tmp_path), "--page", str(page)])
    results.main()
    assert not page.exists()
    assert "No raw figures" in capsys.readouterr().err


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_ready_study_can_be_read_and_names_no_folder(path):
    study = read_study(path.read_text("utf-8"))
    assert len(study.seeds) >= 3
    assert study.baseline is not None
    assert all("/" not in one.config.data for one in study.configurations)
    names = [trial.run_name for trial in study.trials]
    assert len(set(names)) == len(names)


def test_the_studies_that_are_promised_are_there():
    assert {path.stem for path in STUDIES} >= {
        "table8_cifar10",
        "sensitivity_digits",
        "sensitivity_cifar10",
        "same_size_digits",
        "same_size_cifar10",
        "gap_small_cifar10",
        "gap_longer_cifar10",
        "estimator_nb201",
        "random_digits",
    }
