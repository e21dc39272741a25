"""What the gap meter draws and says."""

import pytest

from app.components.gap_meter import gap_words, meter_data
from engine.domain.metrics import main_figure

ACCURACY = main_figure("image_classification")
PERPLEXITY = main_figure("language_modelling")


def test_accuracies_become_errors_on_one_scale():
    data = meter_data(ACCURACY, {"child_accuracy": 94.0, "supernet_accuracy": 95.0, "gap": 1.0})
    assert data is not None
    assert [(mark["name"], mark["value"]) for mark in data["marks"]] == [
        ("child", 6.0),
        ("supernet", 5.0),
    ]
    assert data["scale"] > 6.0


def test_perplexities_stay_as_they_are():
    measured = {"child_perplexity": 120.5, "supernet_perplexity": 118.0, "gap": 2.5}
    data = meter_data(PERPLEXITY, measured)
    assert data is not None
    assert [mark["value"] for mark in data["marks"]] == [120.5, 118.0]
    assert data["words"] == "The derived network's perplexity is 2.5 above the supernet's."


def test_nothing_is_drawn_before_all_is_measured():
    assert meter_data(ACCURACY, {"supernet_accuracy": 95.0}) is None
    assert meter_data(ACCURACY, {"child_accuracy": 1.0, "supernet_accuracy": 1.0}) is None


@pytest.mark.parametrize(
    ("gap", "part"),
    [
        (-0.4, "0.4 points less often"),
        (0.0, "0.0 points less often"),
        (1.5, "within 1.5 points"),
        (6.1, "6.1 points more often"),
    ],
)
def test_the_sentence_fits_the_size(gap: float, part: str):
    assert part in gap_words(ACCURACY, gap)


def test_a_perfect_pair_still_has_a_scale():
    data = meter_data(ACCURACY, {"child_accuracy": 100.0, "supernet_accuracy": 100.0, "gap": 0.0})
    assert data is not None
    assert data["scale"] == 1.0
