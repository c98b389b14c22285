"""Means, intervals and tests: numbers by hand, and SciPy called directly."""

import math

import numpy as np
import pytest
from scipy import stats

from nst_tf.reports.study.statistics import bootstrap_interval, compare_pair, holm, mean_of, signed_rank_p_value

VALUES = [0.31, 0.42, 0.29, 0.55, 0.38, 0.47, 0.33]


def test_mean_and_standard_deviation_have_the_divisor_n_minus_1():
    mean = mean_of([1.0, 2.0, 6.0])
    assert (mean.value, mean.deviation, mean.interval, mean.count) == (3.0, math.sqrt(7.0), None, 3)
    assert mean_of([5.0]).deviation is None


def test_the_interval_is_scipys_with_a_seeded_generator():
    expected = stats.bootstrap((np.array(VALUES),), np.mean, rng=np.random.default_rng(0)).confidence_interval
    assert bootstrap_interval(VALUES) == (expected.low, expected.high)
    assert bootstrap_interval(VALUES) == mean_of(VALUES, interval=True).interval
    assert expected.low < np.mean(VALUES) < expected.high


def test_two_values_have_no_interval_and_equal_values_an_empty_one():
    assert bootstrap_interval([0.1, 0.9]) is None
    assert bootstrap_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_the_exact_p_value_of_six_differences_of_one_sign_is_two_in_64():
    differences = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert signed_rank_p_value(differences) == pytest.approx(2 / 2**6, rel=1e-12)
    assert signed_rank_p_value(differences[:5]) is None


def test_zero_differences_are_left_out_and_ties_are_ranked_as_scipy_does():
    differences = [0.1, 0.1, -0.2, 0.3, 0.4, 0.5, 0.6, 0.0]
    assert signed_rank_p_value(differences) == stats.wilcoxon(differences).pvalue
    assert signed_rank_p_value([0.1, 0.2, 0.3, 0.4, 0.5, 0.0]) is None
    assert signed_rank_p_value([0.0] * 9) is None


def test_holms_correction_of_four_p_values_by_hand():
    # sorted: 0.005·4, 0.01·3, 0.03·2, 0.04·1, each at least the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_comparison_counts_wins_ties_and_the_pairs_that_both_settings_have():
    first = [1.0, 2.0, 3.0, 4.0, math.nan, 1.0]
    second = [2.0, 2.0, 1.0, 6.0, 9.0, 1.5]
    values = np.array([first, second]).T
    lower = compare_pair(0, 1, values)
    assert (lower.first_wins, lower.second_wins, lower.ties) == (3, 1, 1)
    assert (lower.mean.value, lower.mean.count, lower.p_value) == (pytest.approx(-0.3), 5, None)
    higher = compare_pair(0, 1, values, lower_is_better=False)
    assert (higher.first_wins, higher.second_wins) == (1, 3)
    assert compare_pair(0, 1, np.full((3, 2), math.nan)) is None


def test_values_whose_squares_overflow_have_a_mean_and_a_deviation():
    """The deviation of x and 3x is √2 x; that of the largest numbers of both signs is beyond all numbers."""
    far = mean_of([1e200, 3e200])
    assert (far.value, far.deviation) == (pytest.approx(2e200), pytest.approx(2**0.5 * 1e200))
    assert mean_of([1.7e308, -1.7e308]).deviation is None
    assert mean_of([1.5, 2.25]).value == 1.875
