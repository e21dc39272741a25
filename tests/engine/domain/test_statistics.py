import math
import statistics

import numpy as np
import pytest
from scipy import stats

from engine.domain.statistics import (
    Spread,
    holm,
    paired_test,
    sign_flip_p,
    spread_of,
    student_p,
)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 30, 31])
@pytest.mark.parametrize("t", [0.0, 0.3, -1.0, 2.0, 4.303, -12.7, 60.0])
def test_students_p_is_that_of_scipy(t, freedom):
    assert student_p(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), abs=1e-13)


def test_no_degrees_of_freedom_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        student_p(1.0, 0)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 10])
def test_the_paired_t_test_is_that_of_scipy(count):
    random = np.random.default_rng(count)
    first, second = random.normal(1.0, 1.0, count), random.normal(0.0, 1.0, count)
    found = paired_test(first.tolist(), second.tolist())
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=1e-12)
    assert found.difference == pytest.approx((first - second).mean())
    assert found.count == count


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_sign_flip_test_is_scipys_exact_permutation_test(count):
    differences = np.random.default_rng(count).normal(0.5, 1.0, count)
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(differences.tolist()) == pytest.approx(exact.pvalue)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_the_sign_flip_test_never_falls_below_its_smallest_value(count):
    assert sign_flip_p([1.0 + i / 10 for i in range(count)]) == 2.0 ** (1 - count)


def test_mean_and_deviation_are_those_of_the_standard_library():
    values = [3.5, 4.25, 9.0, -1.0]
    assert spread_of(values) == Spread(
        pytest.approx(statistics.fmean(values)), pytest.approx(statistics.stdev(values)), 4
    )
    assert spread_of([2.0]) == Spread(2.0, None, 1)
    assert spread_of([]) is None


def test_equal_differences_cannot_be_judged_and_no_difference_is_none():
    apart = paired_test([93.1, 92.3, 91.7], [92.0, 91.2, 90.6])
    assert apart.difference == pytest.approx(1.1)
    assert (apart.p, apart.exact_p) == (None, 0.25)
    same = paired_test([1.0, 2.0], [1.0, 2.0])
    assert (same.difference, same.p, same.exact_p) == (0.0, 1.0, 1.0)


def test_one_pair_says_nothing_and_no_pair_is_no_test():
    one = paired_test([2.0], [1.0])
    assert (one.difference, one.count, one.p, one.exact_p) == (1.0, 1, None, None)
    assert paired_test([], []) is None
    with pytest.raises(ValueError, match="zip"):
        paired_test([1.0], [])


def test_holms_correction_follows_its_published_rule():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []


def test_holm_counts_comparisons_that_could_not_be_judged():
    assert holm([0.01, None]) == [pytest.approx(0.02), None]


def test_many_differences_are_left_to_the_t_test():
    values = [math.sin(i) for i in range(17)]
    assert sign_flip_p(values) is None
    assert paired_test(values, [0.0] * 17).p is not None
