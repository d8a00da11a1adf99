"""How sure a mean is: intervals from drawing users again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 2000
CONFIDENCE = 0.95
CELLS = 4_000_000
"""How many draws are held at once."""


@dataclass(frozen=True)
class Estimate:
    """A mean and the ends of its 95% interval."""

    mean: float
    low: float
    high: float


def estimates(
    values: NDArray[np.floating], groups: NDArray[np.integer], seed: int = 0, n: int = N_RESAMPLES
) -> list[Estimate]:
    """The mean of every column of ``values`` (n_queries, n_columns), and its interval.

    Whole groups (n_queries,), such as all queries of one user, are drawn with replacement, as many as there are, and
    the mean over the queries drawn is taken; the interval is what the middle 95% of ``n`` such means span (percentile
    bootstrap, Efron 1979, over clusters). All columns see the same draws, so a column of differences is a paired
    comparison. One group alone has an interval without width: the caller must ask for more.
    """
    _, group = np.unique(groups, return_inverse=True)
    columns = [*values.T, np.ones(len(group))]
    sums = np.stack([np.bincount(group, column).astype(np.float64) for column in columns], axis=1)
    totals = resampled(sums, seed, n)
    mean = values.mean(axis=0, dtype=np.float64)
    return [estimate_of(*one) for one in zip(mean, (totals[:, :-1] / totals[:, -1:]).T, strict=True)]


def resampled(sums: NDArray[np.float64], seed: int = 0, n: int = N_RESAMPLES) -> NDArray[np.float64]:
    """Totals of ``n`` draws of all groups with replacement; (n_groups, n_columns) -> (n, n_columns)."""
    n_groups = len(sums)
    rng = np.random.default_rng(seed)
    at_once = max(1, CELLS // n_groups)
    totals = []
    for start in range(0, n, at_once):
        n_draws = min(at_once, n - start)
        drawn = rng.integers(n_groups, size=(n_draws, n_groups), dtype=np.int64)
        drawn += (np.arange(n_draws) * n_groups)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n_draws * n_groups).reshape(n_draws, n_groups)
        totals.append(times.astype(np.float64) @ sums)
    return np.concatenate(totals)


def estimate_of(mean: float, draws: NDArray[np.float64]) -> Estimate:
    """``mean`` with what the middle 95% of ``draws`` (n,) span."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Estimate(float(mean), float(low), float(high))
