import pytest
from scipy import stats

from engine.domain.comparison import FEWEST_PAIRS, compare_all, measures_of

SEEDS = (0, 1, 2)
CHILD, SUPERNET, GAP, PARAMETERS, SECONDS = measures_of("image_classification")


def compared(mine, random, measure=CHILD, seeds=SEEDS):
    figures = {
        "mine": {measure.name: dict(zip(seeds, mine, strict=False))},
        "random": {measure.name: dict(zip(seeds, random, strict=False))},
    }
    (comparison,) = compare_all([measure], figures, "random", seeds)
    return comparison


def test_a_clear_difference_is_a_yes_with_its_figures():
    found = compared([5.0, 5.5, 6.0], [9.0, 9.6, 10.1])
    p = stats.ttest_rel([5.0, 5.5, 6.0], [9.0, 9.6, 10.1]).pvalue
    assert found.verdict == "yes"
    assert found.corrected_p == pytest.approx(p)
    assert found.test.exact_p == 0.25
    assert found.sentence == (
        "mine better than random: yes (mean difference in child error -4.07 points, p < 0.001, "
        "n = 3)."
    )


def test_a_clear_difference_the_other_way_is_a_no():
    found = compared([9.0, 9.6, 10.1], [5.0, 5.5, 6.0])
    assert found.verdict == "no"
    assert found.sentence.startswith("mine better than random: no (mean difference")


def test_a_difference_that_may_be_chance_is_not_shown():
    found = compared([9.0, 7.0, 10.0], [9.5, 9.0, 9.8])
    assert found.verdict == "not shown"
    p = stats.ttest_rel([9.0, 7.0, 10.0], [9.5, 9.0, 9.8]).pvalue
    assert f"p = {p:.3f}, n = 3" in found.sentence


def test_higher_is_better_where_the_measure_says_so():
    truth = measures_of("image_classification", with_truth=True)[0]
    assert compared([94.0, 94.1, 94.2], [92.0, 92.2, 92.1], truth).verdict == "yes"
    assert measures_of("semantic_segmentation")[0].better == "higher"
    assert measures_of("language_modelling")[0].better == "lower"


def test_two_pairs_are_never_enough():
    found = compared([5.0, 5.5], [9.0, 9.4])
    assert FEWEST_PAIRS == 3
    assert found.verdict == "not shown"
    assert found.sentence == (
        "mine better than random: not shown (mean difference in child error -3.95 points, fewer "
        "than 3 pairs cannot be judged, n = 2 of 3 seeds)."
    )


def test_only_seeds_with_both_figures_count():
    found = compared([5.0], [9.0, 9.4, 9.9])
    assert found.seeds == (0,)
    assert compared([], [9.0]).sentence == (
        "mine better than random: not shown (no seed has the child error of both)."
    )


def test_equal_differences_are_not_a_proof():
    found = compared([5.0, 6.0, 7.0], [6.0, 7.0, 8.0])
    assert found.verdict == "not shown"
    assert "differences that are all equal cannot be judged" in found.sentence


def test_several_comparisons_are_corrected_together():
    figures = {
        "a": {"child": {0: 5.0, 1: 5.5, 2: 6.2}},
        "b": {"child": {0: 5.1, 1: 7.0, 2: 5.0}},
        "random": {"child": {0: 9.0, 1: 9.6, 2: 10.1}},
    }
    first, second = compare_all([CHILD], figures, "random", SEEDS)
    assert first.corrected_p == pytest.approx(2 * first.test.p)
    assert second.corrected_p == pytest.approx(max(second.test.p, first.corrected_p))
    assert "corrected for 2 comparisons" in first.sentence


def test_amounts_have_their_unit_and_a_dash_where_there_is_none():
    assert PARAMETERS.text(3_436_000) == "3.436 M"
    assert GAP.difference_text(-1.5) == "-1.50 points"
    assert SECONDS.text(None) == "–"
    assert SUPERNET.label == "supernet error"
