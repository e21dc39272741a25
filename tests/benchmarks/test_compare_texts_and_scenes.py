"""All networks of a comparison go through the same training, and its figures are kept."""

import json
from functools import partial

import numpy as np
import pytest

from benchmarks.compare_texts_and_scenes import (
    CPU,
    TRAINING_EPOCHS,
    Comparison,
    Figures,
    comparisons,
    derived_loop,
    hand_made_loop,
    parser,
    searched,
    summary,
    trained,
)
from engine.data.scenes import SceneData, SceneSplit
from engine.data.text import TextData
from engine.domain.genotype import from_json, to_json

TEXT = Comparison(
    "topics",
    {"epochs": 1, "embedding_size": 8, "hidden_size": 8, "nodes": 2, "bptt": 5, "batch_size": 4},
    2,
)
SCENES = Comparison(
    "digit-scenes",
    {"epochs": 1, "channels": 4, "aspp_channels": 4, "batch_size": 4, "nodes": 1},
    2,
)


def scenes(count: int, seed: int) -> SceneSplit:
    """Bright and brighter squares on black."""
    masks = np.random.default_rng(seed).integers(0, 3, (count, 2, 2)).astype(np.uint8)
    masks = masks.repeat(6, axis=1).repeat(6, axis=2)
    return SceneSplit((100 * masks)[..., None], masks)


def data_of(comparison: Comparison):
    if comparison is SCENES:
        return SceneData(scenes(16, 0), scenes(4, 1), scenes(4, 2), ("no", "grey", "white"))
    texts = [np.arange(length, dtype=np.int32) % 10 for length in (120, 60, 60)]
    return TextData(*texts, vocabulary=tuple("abcdefghij"), source="counting", digest="0")


@pytest.mark.parametrize(
    ("comparison", "score"), [(SCENES, "mean_iou"), (TEXT, "perplexity")], ids=["scenes", "texts"]
)
def test_a_hand_made_network_is_trained_as_the_derived_one_is(comparison, score):
    data = data_of(comparison)
    found = searched(comparison.search_config(3), data, CPU)
    genotype = from_json(json.dumps(found["genotype"]))
    config = comparison.training_config(genotype, 3)
    derived_training = derived_loop(config, data, CPU)
    derived = trained(derived_training)
    other_training = hand_made_loop(config, data, CPU, derived["parameters"])
    other = trained(other_training)
    assert derived.keys() == other.keys()
    assert {f"test_{score}", f"validation_{score}", "parameters"} <= derived.keys()
    assert derived["steps"] == other["steps"] == 2 * derived_training.task.steps_per_epoch
    assert other["parameters"] == pytest.approx(derived["parameters"], rel=0.1)
    assert type(other_training.network) is not type(derived_training.network)
    again = trained(hand_made_loop(config, data, CPU, derived["parameters"]))
    assert again[f"test_{score}"] == other[f"test_{score}"]


def test_a_training_has_the_settings_of_the_search_but_for_its_length():
    search = TEXT.search_config(1)
    genotype = from_json(json.dumps(searched(search, data_of(TEXT), CPU)["genotype"]))
    training = TEXT.training_config(genotype, 1)
    assert training.epochs == 2
    assert training.seed == 1
    shared = set(type(search).model_fields) & set(type(training).model_fields) - {"epochs"}
    assert {"learning_rate", "dropout", "batch_size", "hidden_size"} <= shared
    assert all(getattr(search, name) == getattr(training, name) for name in shared)


def test_rows_are_measured_once_and_survive_the_program(tmp_path, capsys):
    path = tmp_path / "raw" / "rows.json"
    calls = []

    def measure(value: float) -> dict[str, float]:
        calls.append(value)
        return {"test_perplexity": value, "parameters": 10}

    for value in (90.0, 110.0):
        key = {"comparison": "topics", "network": "lstm", "seed": int(value), "settings": {"a": 1}}
        for _ in range(2):
            Figures(path).obtain(key, partial(measure, value))
    assert calls == [90.0, 110.0]
    assert len(capsys.readouterr().out.splitlines()) == 2
    rows = json.loads(path.read_text())["rows"]
    assert list(summary(rows)) == [
        "topics lstm: test_perplexity 100.00 ± 14.14 over 2, 10 parameters"
    ]
    Figures(path).obtain({**key, "settings": {"a": 2}}, partial(measure, 1.0))
    assert calls[2:] == [1.0]


def test_folders_choose_what_is_compared():
    assert comparisons(parser().parse_args([])) == []
    built_in = comparisons(parser().parse_args(["--built-in"]))
    assert [comparison.preset for comparison in built_in] == ["digit-scenes", "topics"]
    assert len(comparisons(parser().parse_args(["--quick"]))) == 2
    (camvid,) = comparisons(parser().parse_args(["--camvid", "road"]))
    assert camvid.training_epochs == TRAINING_EPOCHS["camvid-cpu"]
    assert camvid.search_config(0).data == "road"
    (quick,) = comparisons(parser().parse_args(["--wikitext2", "wiki", "--quick"]))
    assert quick.search_config(0).epochs == quick.training_epochs == 1


def test_a_cell_that_was_found_before_is_not_searched_again(tmp_path):
    data = data_of(TEXT)
    genotype = from_json(json.dumps(searched(TEXT.search_config(0), data, CPU)["genotype"]))
    file = tmp_path / "found.json"
    file.write_text(to_json(genotype), "utf-8")
    given = ["--wikitext2", "wiki", "--genotype", f"wikitext2-cpu={file}", "--threads", "1"]
    (wiki,) = comparisons(parser().parse_args(given))
    assert wiki.genotype == genotype
    assert wiki.search_config(0).cpu_threads == 1
