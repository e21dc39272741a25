import zipfile
from pathlib import Path

import pytest

from app.library import add_genotype, genotype_at, genotypes, text_of_file
from app.studio import Studio
from app.wiring import SystemClock
from engine.catalog import gather_catalog
from engine.domain.errors import DataError, InvalidGenotype, NotFound
from engine.domain.genotype import to_darts, to_json
from storage.artifacts import FolderArtifacts
from storage.memory_store import MemoryStore
from tests.e2e.seeding import seed_run

RNN = "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=range(1, 3))"


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    clock = SystemClock()
    store = MemoryStore(clock)
    store.publish(gather_catalog())
    return Studio(store, FolderArtifacts(tmp_path / "artifacts"), clock)


def test_a_genotype_is_kept_once_and_listed(studio):
    key = add_genotype(studio, RNN, "my\ncell", origin="file rnn.txt")
    assert add_genotype(studio, RNN, "my cell", origin="file rnn.txt") == key
    (entry,) = genotypes(studio)
    assert (entry.key, entry.name, entry.space) == (key, "my cell", "rnn")
    assert (entry.operations, entry.origin) == (2, "file rnn.txt")
    assert to_darts(genotype_at(studio, key)) == RNN


def test_a_genotype_of_a_run_keeps_its_lineage_and_name(studio):
    run = seed_run(studio.store, studio.artifacts, count=20, name="Digits, seed 0")
    genotype = studio.derive(run.id)
    key = add_genotype(studio, to_json(genotype), "", origin="file x.json")
    assert genotype_at(studio, key) == genotype
    (entry,) = genotypes(studio)
    assert entry.name == "Digits, seed 0"
    assert entry.origin == f"found on digits, step {genotype.lineage['step']}"


def test_a_damaged_file_of_the_library_is_passed_over(studio):
    add_genotype(studio, RNN, "cell")
    with studio.artifacts.write("genotypes/000000000000.json") as file:
        file.write(b"{}")
    assert [entry.name for entry in genotypes(studio)] == ["cell"]


def test_an_empty_library_is_an_empty_list(studio):
    assert genotypes(studio) == []


def test_text_of_no_known_space_is_refused_and_nothing_is_kept(studio):
    with pytest.raises(InvalidGenotype):
        add_genotype(studio, "Genotype(up=[])", "x")
    assert genotypes(studio) == []


def test_without_a_catalogue_nothing_can_be_read(tmp_path):
    clock = SystemClock()
    empty = Studio(MemoryStore(clock), FolderArtifacts(tmp_path), clock)
    with pytest.raises(NotFound, match="start an engine once"):
        add_genotype(empty, RNN, "x")


def bundle(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return path


def test_a_bundle_gives_its_genotype_and_writes_no_file(tmp_path):
    path = bundle(tmp_path / "b.zip", **{"net__genotype.json": "{}", "..__..__evil.py": "x"})
    assert text_of_file(path) == "{}"
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.zip"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "that it cannot be read (No such file or directory)"),
        (b"\xff\xfe\x00", "bytes that are no text"),
        (b"PK\x03\x04 cut", "a zip file that is damaged (File is not a zip file)"),
        (b"x" * (2**20 + 1), "more than 1,048,576 bytes of text"),
    ],
)
def test_a_file_that_holds_none_is_refused_in_one_sentence(tmp_path, content, found):
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as refusal:
        text_of_file(path)
    assert str(refusal.value) == (
        f"Asked for an architecture from '{path}'; found {found}; allowed is a genotype's JSON, "
        "DARTS text, a NAS-Bench-201 string, or a bundle (zip); choose another file."
    )


def test_a_bundle_without_or_with_a_swollen_genotype_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a zip file with 0 files genotype\.json"):
        text_of_file(bundle(tmp_path / "none.zip", model="x"))
    swollen = bundle(tmp_path / "big.zip", **{"genotype.json": " " * (2**22)})
    assert swollen.stat().st_size < 10_000
    with pytest.raises(DataError, match="more than 1,048,576 bytes"):
        text_of_file(swollen)
