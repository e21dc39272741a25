import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.project.places import ROOT, files

PACKAGES = ("app", "engine", "pages", "storage", "tests")
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
SOURCES = [path for path in files() if path.suffix == ".py" and path.parts[0] in PACKAGES]
FRONT_END = ("pages", "storage", "app.figures", "app.components")
FRONT_END_MODULES = (
    "app.main",
    "app.asgi",
    "app.run_routes",
    "app.studio",
    "app.forms",
    "app.widgets",
    "app.job_widgets",
    "app.requests",
    "app.checks",
    "app.bench",
    "app.truth",
    "app.library",
    "app.evaluations",
    "app.trainings",
    "app.settings",
    "app.wiring",
)


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def front_end_modules() -> list[str]:
    below = [
        name
        for name in map(module_of, SOURCES)
        if name.startswith(FRONT_END) and "migrations" not in name
    ]
    return [*FRONT_END_MODULES, *below]


def test_the_browsers_process_never_imports_torch():
    program = (
        "import importlib, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        f"for name in {front_end_modules()!r}:\n"
        "    importlib.import_module(name)\n"
        "found = {'torch', 'torchvision', 'torch_geometric'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_check_for_torch_looks_at_every_screen():
    names = front_end_modules()
    assert {"pages.live", "pages.runs", "storage.sql_store"} <= set(names)


def test_the_domain_imports_nothing_but_pydantic():
    allowed = {*sys.stdlib_module_names, "pydantic", "engine"}
    for path in SOURCES:
        if path.parts[:2] != ("engine", "domain"):
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, path


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_folder_or_file_is_named_after_nothing(path):
    assert not FORBIDDEN & {*path.parts[:-1], path.stem}


def test_every_folder_of_tests_and_packages_is_a_package():
    folders = {path.parent for path in SOURCES}
    missing = [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()]
    assert [folder for folder in missing if "versions" not in folder.parts] == []


def test_every_package_says_what_it_is():
    for path in SOURCES:
        if path.name == "__init__.py" and path.parts[0] != "tests":
            assert ast.get_docstring(ast.parse((ROOT / path).read_text())), path


def test_nothing_is_caught_broadly_but_in_the_two_places():
    found = [
        path
        for path in SOURCES
        if path.parts[0] != "tests"
        and re.search(r"except (Base)?Exception\b|except:", (ROOT / path).read_text())
    ]
    assert set(map(str, found)) <= {"engine/runtime/worker.py", "app/main.py"}


def test_versions_are_ranges_and_the_command_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"egs": "app.cli:main"}
    assert {"dev", "postgres", "ray"} <= set(project["optional-dependencies"])
    listed = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    assert all("==" not in requirement and ">=" in requirement for requirement in listed)


def test_everything_that_the_image_copies_exists_and_is_sent_to_the_build():
    sent = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M))
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    paths = [path for words in copies if words[0][:2] != "--" for path in words]
    assert set(paths) == sent
    assert all((ROOT / path).exists() for path in paths)
    assert {"app", "engine", "pages", "storage"} <= set(paths)


def test_the_image_runs_as_nobody_special_with_its_state_in_a_volume():
    text = (ROOT / "Dockerfile").read_text()
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER egs$", final, re.M)
    assert re.search(r"^VOLUME /data$", final, re.M)
    assert "EGS_HOME=/data" in final
    assert "/_stcore/health" in final


def test_the_compose_file_publishes_to_this_machine_only():
    text = (ROOT / "compose.yaml").read_text()
    ports = re.findall(r'- "([\d.:]+)"', text)
    assert ports == ["127.0.0.1:8501:8501"]
    assert "ports:" not in (ROOT / "compose.postgres.yaml").read_text()


def test_the_build_servers_script_calls_what_people_call():
    script = ROOT / ".ci" / "run"
    lines = script.read_text().splitlines()
    assert script.stat().st_mode & 0o111
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-2:] == ["make check", "make test"]
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
