"""Groups of users who were answered in different ways: whether they differ, and whether they may be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from serendip.domain import Invalid

CONFIDENCE = 0.95
N_BUCKETS = 100
SUSPICIOUS = 0.001
"""Groups whose sizes are less likely than this were not drawn as they should have been."""


@dataclass(frozen=True)
class Counted:
    """What was counted of each user; columns of shape (n_users,)."""

    group: NDArray[np.int64]
    """Place of the user's group among the names."""
    bucket: NDArray[np.int64]
    """A number as good as drawn, 0 or more, that has nothing to do with the group's."""
    shown: NDArray[np.float64]
    """How many items were shown; above 0."""
    liked: NDArray[np.float64]
    """How many likes there were."""


@dataclass(frozen=True)
class Share:
    """A number and the ends of its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Gap:
    """How far a group is from the first one: the 95% interval, and how likely so large a gap is where there is none."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Group:
    """One group."""

    name: str
    users: int
    shown: int
    liked: int
    liking: Share
    """Share of users with a like."""
    rate: Share
    """Likes over what was shown, of all users together; the interval by the delta method."""


@dataclass(frozen=True)
class Versus:
    """A group against the first one."""

    name: str
    liking: Gap
    """By the normal approximation to two shares."""
    rate: Gap
    """By the delta method."""
    bucketed: Gap
    """The rate again: users are thrown into buckets, and the buckets' rates compared by Welch's t-test."""


@dataclass(frozen=True)
class Analysis:
    """An experiment as it stands."""

    groups: tuple[Group, ...]
    mismatch_p: float
    """How likely group sizes so far from equal are, by the chi-squared test, if everybody was drawn fairly."""
    versus: tuple[Versus, ...]
    n_buckets: int
    """Of each group."""

    @property
    def suspicious(self) -> bool:
        """Whether the sizes say that the groups must not be compared before somebody has found out why."""
        return self.mismatch_p < SUSPICIOUS

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "suspicious": self.suspicious}


def analyse(names: Sequence[str], counted: Counted, n_buckets: int = N_BUCKETS) -> Analysis:
    """The groups called ``names``, equally likely when users were drawn, each against the first of them.

    With few users there are fewer buckets, so that each has five users or more.
    """
    sizes = np.bincount(counted.group, minlength=len(names))
    if sizes.min() < 2:
        raise Invalid(f"the group {names[int(sizes.argmin())]!r} has {sizes.min()} users; two are the least", "group")
    n_buckets = int(max(2, min(n_buckets, sizes.min() // 5)))
    own = [counted.group == g for g in range(len(names))]
    liking = [_mean((counted.liked[rows] > 0).astype(np.float64)) for rows in own]
    rate = [ratio(counted.liked[rows], counted.shown[rows]) for rows in own]
    buckets = [_rates(counted, rows, n_buckets) for rows in own]
    groups = tuple(
        Group(name, int(sizes[g]), int(counted.shown[own[g]].sum()), int(counted.liked[own[g]].sum()),
              _interval(*liking[g]), _interval(*rate[g]))
        for g, name in enumerate(names)
    )  # fmt: skip
    versus = tuple(
        Versus(name, _gap(*liking[g], *liking[0]), _gap(*rate[g], *rate[0]), _welch(buckets[g], buckets[0]))
        for g, name in enumerate(names)
        if g
    )
    return Analysis(groups, float(stats.chisquare(sizes).pvalue), versus, n_buckets)


def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[float, float]:
    """sum(above) / sum(below) over users, both (n,), and its standard error by the delta method (Deng et al. 2018).

    Views of one user are not independent, users are. With r the ratio, and means, variances and the covariance over
    users:

        var(r) = (var(above) - 2 r cov(above, below) + r^2 var(below)) / (n mean(below)^2)
    """
    r = float(above.sum() / below.sum())
    spread = np.cov(above, below)
    variance = (spread[0, 0] - 2 * r * spread[0, 1] + r * r * spread[1, 1]) / (len(above) * below.mean() ** 2)
    return r, sqrt(max(0.0, float(variance)))


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / sqrt(len(values)))


def _interval(value: float, error: float) -> Share:
    far = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return Share(value, value - far, value + far)


def _gap(value: float, error: float, base: float, base_error: float) -> Gap:
    """By the normal approximation, for independent groups."""
    gap, both = value - base, sqrt(error**2 + base_error**2)
    around = _interval(gap, both)
    return Gap(gap, around.low, around.high, 2 * float(stats.norm.sf(abs(gap) / both)) if both else float(gap == 0))


def _rates(counted: Counted, rows: NDArray[np.bool_], n: int) -> NDArray[np.float64]:
    """Likes over what was shown in each bucket of a group; a bucket to which nothing was shown is left out."""
    bucket = counted.bucket[rows] % n
    liked, shown = (np.bincount(bucket, column[rows], n) for column in (counted.liked, counted.shown))
    return np.asarray(liked[shown > 0] / shown[shown > 0])


def _welch(rates: NDArray[np.float64], base: NDArray[np.float64]) -> Gap:
    """The t-test for means of unequal variance (Welch 1947), its degrees of freedom by Satterthwaite."""
    gap = float(rates.mean() - base.mean())
    if min(len(rates), len(base)) < 2:
        return Gap(gap, -np.inf, np.inf, 1.0)
    parts = np.array([one.var(ddof=1) / len(one) for one in (rates, base)])
    error = sqrt(parts.sum())
    if not error:
        return Gap(gap, gap, gap, float(gap == 0))
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / (len(rates) - 1) + parts[1] ** 2 / (len(base) - 1))
    far = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return Gap(gap, gap - far, gap + far, 2 * float(stats.t.sf(abs(gap) / error, freedom)))
