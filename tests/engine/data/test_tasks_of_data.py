"""One door to the data of each task: looking at them and loading them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data import memory, sources
from engine.data.inspection import inspect_data, task_of, text_options
from engine.data.memory import available_bytes
from engine.data.sources import ImageData, SceneData, TextData, load_data
from engine.data.table import DATA_SOURCES, sources_of
from engine.data.text_files import read_text
from engine.domain.config import SearchConfig
from engine.domain.errors import DataError
from engine.domain.run_config import CLASSIFICATION, SEGMENTATION, TEXT
from tests.engine.data.bad_data import image_folder, scene_folder, text_folder

TASKS = (*CLASSIFICATION, *SEGMENTATION, *TEXT)
BUILT_IN = {
    "image_classification": "digits",
    "semantic_segmentation": "digit_scenes",
    "language_modelling": "python_topics",
}


def config(task: str, data: str | None = None, **changes) -> SearchConfig:
    return SearchConfig(task=task, data=data or BUILT_IN[task], **changes)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text("one two three\n" * 40)
    return path


@pytest.fixture
def roads(tmp_path: Path) -> Path:
    root = tmp_path / "roads"
    for part in ("images", "masks"):
        (root / "train" / part).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (8, 8), number % 2).save(root / "train" / part / f"{number}.png")
    (root / "classes.txt").write_text("a\nb\n")
    return root


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("image_classification", ImageData),
        ("semantic_segmentation", SceneData),
        ("language_modelling", TextData),
    ],
)
def test_each_task_has_data_that_need_no_file(task, kind):
    said: list[str] = []
    data = load_data(config(task), progress=said.append)
    assert isinstance(data, kind)
    assert said[-1].startswith("Loaded ")
    assert len(data.summary.digest) == 64


def test_every_named_set_belongs_to_a_task_and_is_listed_for_it_only():
    assert {source.task for source in DATA_SOURCES.values()} == set(TASKS)
    assert {name for task in TASKS for name in sources_of(task)} == set(DATA_SOURCES)
    assert sum(len(sources_of(task)) for task in TASKS) == len(DATA_SOURCES)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", list(DATA_SOURCES))
def test_named_data_of_another_task_are_refused_by_looking_and_loading(task, name):
    if DATA_SOURCES[name].task == task:
        assert inspect_data(config(task, name)).source == name
        return
    for door in (inspect_data, load_data):
        with pytest.raises(DataError) as caught:
            door(config(task, name))
        assert caught.value.found == f"{name} is {DATA_SOURCES[name].task} data"
        assert BUILT_IN[task] in caught.value.allowed


@pytest.mark.parametrize("task", ["semantic_segmentation", "language_modelling"])
def test_looking_at_built_in_data_agrees_with_loading_them(task):
    looked, loaded = inspect_data(config(task)), load_data(config(task)).summary
    counts = ("source", "kind", "train", "validation", "test")
    assert [getattr(looked, key) for key in counts] == [getattr(loaded, key) for key in counts]


def test_text_is_loaded_by_its_path_with_what_the_configuration_says(book):
    said: list[str] = []
    text = config("language_modelling", str(book), vocabulary_limit=2, train_limit=50)
    data = load_data(text, progress=said.append)
    assert isinstance(data, TextData)
    assert (len(data.train), data.vocabulary) == (50, ("one", "<unk>"))
    assert said == [
        "Loaded 50 training, 32 validation and 32 test tokens, a word each: 2 different ones; "
        "37 training and 24 validation and 24 test token(s) became <unk>"
    ]
    assert inspect_data(text) == data.summary
    letters = load_data(config("language_modelling", str(book), tokens="character"))
    assert isinstance(letters, TextData)
    assert "\n" in letters.vocabulary


def test_scenes_are_loaded_by_their_path_and_skipped_ones_are_told(roads):
    (roads / "train" / "images" / "9.png").write_bytes(b"no image")
    said: list[str] = []
    scenes = config("semantic_segmentation", str(roads), broken_images="skip", image_size=16)
    data = load_data(scenes, progress=said.append)
    assert isinstance(data, SceneData)
    assert data.train.images.shape[1:] == (16, 16, 1)
    assert said[0].startswith("Skipped a broken image: train/images/9.png")
    assert said[-1] == (
        "Loaded 5 training, 2 validation and 2 test scenes: 16x16 grey, 2 classes; "
        "1 broken image(s) skipped"
    )
    assert inspect_data(scenes).train == 10


def test_names_of_scenes_and_texts_that_are_no_unicode_can_be_told(roads, tmp_path):
    coffee = os.fsdecode(b"caf\xe9")
    for part in ("images", "masks"):
        (roads / "train" / part / f"{coffee}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"train/images/caf\\udce9.png"):
        load_data(config("semantic_segmentation", str(roads)))
    scenes = config("semantic_segmentation", str(roads), broken_images="skip")
    assert load_data(scenes).summary.skipped[0].startswith("train/images/caf\\udce9.png (")
    text = tmp_path / f"{coffee}.txt"
    text.write_text("")
    with pytest.raises(DataError, match=r"no text in caf\\udce9.txt"):
        read_text("a text", text, **text_options(config("language_modelling")))


def test_vocabulary_larger_than_the_free_memory_is_refused_by_loading(book, monkeypatch):
    monkeypatch.setattr(sources, "available_bytes", lambda: 1000)
    with pytest.raises(DataError, match="a vocabulary of 4 tokens"):
        load_data(config("language_modelling", str(book)))


def test_untied_output_needs_memory_of_its_own(book, monkeypatch):
    def needed(**sizes) -> int:
        seen: list[int] = []
        monkeypatch.setattr(
            sources, "check_vocabulary", lambda *_, hidden, **kw: seen.append(hidden)
        )
        load_data(config("language_modelling", str(book), **sizes))
        return seen[0]

    assert needed(embedding_size=300, hidden_size=300) == 300
    assert needed(embedding_size=300, hidden_size=200) == 500


def test_free_memory_is_at_most_what_a_container_may_use(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CONTAINER_LIMIT", limit)
    free = available_bytes()
    assert free > 1_000_000
    limit.write_text("4096\n")
    assert available_bytes() == 4096
    limit.write_text("max\n")
    assert available_bytes() > 4096


@pytest.mark.parametrize(
    ("task", "name", "allowed"),
    [
        ("language_modelling", "data.npz", "one .txt file"),
        ("semantic_segmentation", "data.npz", "train/masks/"),
        ("image_classification", "data.txt", "train/<class>/"),
    ],
)
def test_file_of_another_task_is_refused_with_the_layout_of_this_one(task, name, allowed, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match="a file that ends in") as caught:
        inspect_data(config(task, str(tmp_path / name)))
    assert allowed in caught.value.allowed


@pytest.mark.parametrize("task", TASKS)
def test_path_outside_the_allowed_folders_is_refused_for_each_task(task, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    with pytest.raises(DataError, match="outside the folders"):
        inspect_data(config(task, str(tmp_path)), [allowed])


def test_looking_at_data_needs_neither_torch_nor_scikit_learn():
    code = (
        "import sys\n"
        "from engine.data.inspection import inspect_data\n"
        "from engine.domain.config import SearchConfig\n"
        f"for task, data in {BUILT_IN!r}.items():\n"
        "    inspect_data(SearchConfig(task=task, data=data))\n"
        "assert not {'torch', 'torchvision', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_published_scenes_are_described_at_the_size_they_will_have():
    summary = inspect_data(config("semantic_segmentation", "voc2012"))
    assert (summary.height, summary.width, summary.classes) == (224, 224, 21)
    smaller = inspect_data(config("semantic_segmentation", "voc2012", image_size=96))
    assert (smaller.height, smaller.ignore_index) == (96, 255)
    assert np.isclose(summary.train + summary.test, 2913)


@pytest.mark.parametrize("task", BUILT_IN)
def test_task_of_named_data_is_known(task):
    assert task_of(BUILT_IN[task]) == task


def test_task_follows_from_the_files_of_a_folder(tmp_path, book):
    assert task_of(str(image_folder(tmp_path / "images"))) == "image_classification"
    assert task_of(str(scene_folder(tmp_path / "scenes"))) == "semantic_segmentation"
    assert task_of(str(text_folder(tmp_path / "text"))) == "language_modelling"
    assert task_of(str(book)) == "language_modelling"
    (tmp_path / "published").mkdir()
    (tmp_path / "published/wiki.train.tokens").write_text("one two\n")
    assert task_of(str(tmp_path / "published")) == "language_modelling"


def test_classes_that_are_called_masks_are_still_classes(tmp_path):
    root = image_folder(tmp_path / "images")
    (root / "train/cat").rename(root / "train/masks")
    assert task_of(str(root)) == "image_classification"


def test_no_task_is_read_from_data_that_are_missing_or_not_to_be_read(tmp_path, book):
    assert task_of("/nowhere") is None
    assert task_of("https://example.org/data") is None
    assert task_of(str(book), [tmp_path / "elsewhere"]) is None
    assert task_of(str(book), [tmp_path]) == "language_modelling"
