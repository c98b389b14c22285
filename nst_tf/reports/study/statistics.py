"""Statistics of a study: means with their spread, bootstrap intervals and paired tests, computed by SciPy.

All intervals come from a bootstrap with its own generator and a fixed seed, so that a report is the same each time.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
"""Confidence level of the intervals."""

RESAMPLES = 9999
"""Number of bootstrap samples, SciPy's default."""

BOOTSTRAP_SEED = 0
"""Seed of the bootstrap's generator."""

SMALLEST_FOR_INTERVAL = 3
"""Smallest number of values for which an interval is given."""

SMALLEST_FOR_TEST = 6
"""Smallest number of differences other than 0 for a signed-rank test; 5 of them give a p-value of 0.0625 at best."""


@dataclass(frozen=True)
class Mean:
    """Mean of several values.

    Attributes:
        value: The mean.
        deviation: Standard deviation with the divisor n - 1; None for a single value, or beyond the largest float.
        interval: Bounds of the 95 % bootstrap interval of the mean (bias-corrected and accelerated); None if it was not
            asked for, or for fewer than `SMALLEST_FOR_INTERVAL` values.
        count: Number of values n.
    """

    value: float
    deviation: float | None
    interval: tuple[float, float] | None
    count: int


@dataclass(frozen=True)
class PairedDifference:
    """Comparison of two settings over the pairs that both have, where a lower value is better unless stated.

    Attributes:
        first: Index of the first setting.
        second: Index of the second setting.
        mean: Mean of the differences, first minus second.
        first_wins: Number of pairs on which the first is better.
        second_wins: Number of pairs on which the second is better.
        ties: Number of pairs with equal values.
        p_value: Two-sided p-value of Wilcoxon's signed-rank test; None where no test is made.
        adjusted: The p-value after Holm's correction for all comparisons of the measure; None where no test is made.
    """

    first: int
    second: int
    mean: Mean
    first_wins: int
    second_wins: int
    ties: int
    p_value: float | None
    adjusted: float | None = None


def mean_of(values: Sequence[float] | np.ndarray, interval: bool = False) -> Mean:
    """Return mean and standard deviation of finite values, and on request the bootstrap interval of the mean.

    Args:
        values: At least one value.
        interval: Whether to compute the interval.
    """
    numbers = np.asarray(values, dtype=float)
    exponent = int(np.frexp(np.abs(numbers).max())[1])
    scale = math.ldexp(1.0, min(1023, exponent))  # a power of two leaves all digits as they are
    small = numbers / scale  # its squares do not overflow
    deviation = float(small.std(ddof=1)) * scale if numbers.size > 1 else None
    if deviation is not None and not math.isfinite(deviation):
        deviation = None
    return Mean(float(small.mean()) * scale, deviation, bootstrap_interval(numbers) if interval else None, numbers.size)


def bootstrap_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean by `scipy.stats.bootstrap` (BCa); None for fewer than 3 values.

    If all values are equal, both bounds are that value.
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.size < SMALLEST_FOR_INTERVAL:
        return None
    if numbers.min() == numbers.max():
        return float(numbers[0]), float(numbers[0])
    from scipy import stats  # takes a second, which a refused comparison is spared

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a degenerate distribution gives NaN, which is no interval
        bounds = stats.bootstrap(
            (numbers,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            rng=np.random.default_rng(BOOTSTRAP_SEED),
        ).confidence_interval
    low, high = float(bounds.low), float(bounds.high)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def signed_rank_p_value(differences: Sequence[float] | np.ndarray) -> float | None:
    """Return the two-sided p-value of `scipy.stats.wilcoxon` with its defaults.

    SciPy leaves differences of 0 out (``zero_method="wilcox"``), gives tied differences their mean rank, and chooses
    between the exact distribution and an approximation.

    Returns:
        The p-value; None for fewer than 6 differences that are not 0, with which no result could be significant.
    """
    numbers = np.asarray(differences, dtype=float)
    if np.count_nonzero(numbers) < SMALLEST_FOR_TEST:
        return None
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the approximation that SciPy chooses itself
        return float(stats.wilcoxon(numbers).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction (Holm 1979), in the given order.

    With the values sorted as p₁ ≤ … ≤ pₘ, the i-th becomes ``max over j ≤ i of min(1, (m - j + 1) pⱼ)``.
    """
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=float)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return [float(value) for value in adjusted]


def compare_pair(first: int, second: int, values: np.ndarray, lower_is_better: bool = True) -> PairedDifference | None:
    """Compare two settings on the pairs for which both have a value.

    Args:
        first: Column of the first setting.
        second: Column of the second setting.
        values: Array ``(pairs, settings)``; NaN where a value is missing.
        lower_is_better: Whether the lower of two values wins.

    Returns:
        The comparison without Holm's correction; None if no pair has both values.
    """
    differences = values[:, first] - values[:, second]
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return None
    below, above = int((differences < 0).sum()), int((differences > 0).sum())
    first_wins, second_wins = (below, above) if lower_is_better else (above, below)
    ties = differences.size - below - above
    mean = mean_of(differences, interval=True)
    return PairedDifference(first, second, mean, first_wins, second_wins, ties, signed_rank_p_value(differences))
