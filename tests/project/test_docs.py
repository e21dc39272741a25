import re
import shlex
from collections.abc import Iterator

import pytest
import typer

from app.cli import app
from app.settings import Settings
from engine.domain.errors import FailureReason
from engine.domain.run import TRANSITIONS, RunState
from tests.project.places import ROOT, files
from tests.project.reference import settings_page

README = (ROOT / "README.md").read_text()
PAGES = [path for path in files() if path.suffix == ".md"]
COMMANDS = typer.main.get_command(app)


def shell_lines(text: str) -> Iterator[list[str]]:
    """The words of each line in the shell blocks of a page, without comments."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                yield words


def egs_lines() -> list[list[str]]:
    return [
        words[1:]
        for path in PAGES
        for words in shell_lines((ROOT / path).read_text())
        if words[0] == "egs"
    ]


def test_readme_has_commands_to_check():
    assert len(egs_lines()) > 10


@pytest.mark.parametrize("words", egs_lines(), ids=" ".join)
def test_every_command_in_the_docs_can_be_read_by_the_command_line(words):
    command = COMMANDS
    context = command.make_context("egs", list(words), resilient_parsing=True)
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        assert rest[0] in command.commands, f"there is no command {rest[0]!r}"
        command = command.commands[rest[0]]
        context = command.make_context(rest[0], rest[1:], parent=context)
    assert not context.args


def test_every_command_is_in_the_readme():
    shown = {words[0] for words in egs_lines()}
    visible = {name for name, command in COMMANDS.commands.items() if not command.hidden}
    named = {name for name in visible if f"`egs {name}" in README}
    assert visible - shown - named == set()


def test_every_make_target_in_the_docs_exists():
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.M))
    used = {
        word
        for path in PAGES
        for words in shell_lines((ROOT / path).read_text())
        for word in words[1:]
        if words[0] == "make"
    }
    assert {"studio", "test", "check", "e2e"} <= used
    assert used <= targets
    assert {"studio", "test", "check", "e2e", "bench", "clean", "help"} <= targets


def test_every_variable_in_the_readme_is_read_somewhere_and_the_other_way_round():
    source = "".join(
        (ROOT / path).read_text()
        for path in files()
        if path.suffix == ".py" and path.parts[0] == "app"
    )
    read = set(re.findall(r'"(EGS_[A-Z_]+)"', source))
    told = set(re.findall(r"`(EGS_[A-Z_]+)`", README))
    assert read == told


def test_defaults_of_the_variables_are_those_of_the_settings():
    settings = Settings.from_environment({})
    assert f"`{settings.host}`, `{settings.port}`" in README
    assert settings.cpu_places == settings.gpu_places == 1
    assert str(settings.home).endswith("/.egs-studio")


def test_drawing_of_the_life_cycle_is_the_table_of_transitions():
    drawing = (ROOT / "docs/lifecycle.md").read_text()
    drawn = set(re.findall(r"^ +(\w+) --> (\w+):", drawing, re.M))
    assert drawn == {(a.value, b.value) for a, after in TRANSITIONS.items() for b in after}
    final = set(re.findall(r"^ +(\w+) --> \[\*\]", drawing, re.M))
    assert final == {state.value for state in RunState if not TRANSITIONS[state]}


def test_every_reason_of_failure_is_explained():
    page = (ROOT / "docs/lifecycle.md").read_text()
    assert all(f"`{reason.value}`" in page for reason in FailureReason)


def test_settings_page_is_printed_from_the_fields():
    assert (ROOT / "docs/settings.md").read_text() == settings_page(), (
        "run python -m tests.project.reference > docs/settings.md"
    )


def test_every_size_letter_in_a_shape_is_in_the_notation():
    page = (ROOT / "docs/notation.md").read_text()
    known = set(re.findall(r"`(\w)`", page))
    used = {
        letter
        for path in files()
        if path.parts[0] == "engine" and path.suffix == ".py"
        for shape in re.findall(
            r'(?:Float|Int|UInt8|Bool)\[Tensor, "([^"]*)"\]', (ROOT / path).read_text()
        )
        for letter in shape.split()
        if len(letter) == 1 and letter.isalpha()
    }
    assert {"E", "K", "M", "R"} <= used
    assert used <= known


def test_decisions_are_numbered_without_gaps_and_say_why():
    names = sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        text = (ROOT / "docs/decisions" / name).read_text()
        assert text.startswith(f"# {int(name[:4])}. ")
        for part in ("**Question.**", "**Decision.**", "**Why.**"):
            assert part in text


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files_that_exist(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"(?<!!)\[[^\]]+\]\(([^)#:]+)\)", text)
    for link in links:
        assert (ROOT / page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_paths_named_in_the_docs_exist(page):
    text = (ROOT / page).read_text()
    for name in re.findall(r"`((?:app|engine|pages|storage|tests|docs)/[\w/.-]*)`", text):
        assert (ROOT / name).exists(), name
