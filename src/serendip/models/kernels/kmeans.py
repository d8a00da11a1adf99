"""k-means: centres by k-means++ and Lloyd's steps, and how well they stand apart."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.models.parallel import in_chunks

Doubles = NDArray[np.float64]

CHUNK = 65_536
"""Rows that a thread takes at a time: always the same, so that threads change no bits."""

N_STEPS = 100
"""Lloyd's steps at most."""

N_STARTS = 4
"""Times that centres are drawn; the best are kept."""

SAMPLE = 2000
"""Rows that the silhouette is measured on at most."""


class Clusters(NamedTuple):
    """Centres, and whose they are."""

    centres: Doubles
    """Shape (k, d)."""
    label: NDArray[np.int32]
    """The nearest centre of each row; shape (n,)."""
    inertia: float
    """Sum of squared distances to the nearest centres."""


def cluster(x: Doubles, k: int, rng: np.random.Generator) -> Clusters:
    """The best of several runs of k-means on the rows of ``x`` (n, d); fewer centres where fewer rows differ."""
    k = min(k, len(np.unique(x, axis=0)))
    return min((_lloyd(x, _seeded(x, k, rng)) for _ in range(N_STARTS)), key=lambda found: found.inertia)


def _seeded(x: Doubles, k: int, rng: np.random.Generator) -> Doubles:
    """At most ``k`` rows, each drawn by its squared distance to those drawn before (Arthur, Vassilvitskii 2007)."""
    centres: Doubles = x[rng.integers(len(x))][None]
    while len(centres) < k:
        distance = nearest(x, centres)[1]
        far = np.flatnonzero(distance)
        if not len(far):
            break  # what is left differs by less than squares can tell
        done = np.cumsum(distance)
        # A row that is a centre already has no distance and is never drawn, whatever the rounding of the last sum.
        row = min(int(np.searchsorted(done, rng.random() * done[-1], side="right")), int(far[-1]))
        centres = np.concatenate([centres, x[row][None]])
    return centres


def _lloyd(x: Doubles, centres: Doubles) -> Clusters:
    """Rows to their nearest centres, centres to the means of their rows, until nothing moves (Lloyd 1982).

    A centre that is nobody's nearest goes to the row farthest from its own.
    """
    k, before = len(centres), np.empty(0, np.int32)
    for _ in range(N_STEPS):
        label, distance = nearest(x, centres)
        if np.array_equal(label, before):
            break
        before = label
        size = np.bincount(label, minlength=k)
        sums = np.stack([np.bincount(label, column, minlength=k) for column in x.T], axis=1)
        centres = sums / np.maximum(size, 1)[:, None]
        for empty in np.flatnonzero(size == 0):
            far = int(distance.argmax())
            centres[empty], distance[far] = x[far], 0
    label, distance = nearest(x, centres)
    return Clusters(centres, label, float(distance.sum()))


def nearest(x: Doubles, centres: Doubles) -> tuple[NDArray[np.int32], Doubles]:
    """The nearest centre of each row, the first of equal ones, and its squared distance; both (n,)."""
    label, distance = np.empty(len(x), np.int32), np.empty(len(x))
    bounds = [*range(0, len(x), CHUNK), len(x)]
    in_chunks(lambda start, stop: nearest_centres(x, centres, label, distance, start, stop), bounds)
    return label, distance


@numba.njit(cache=True, nogil=True)
def nearest_centres(x, centres, label, distance, start, stop):  # type: ignore[no-untyped-def]
    """The same for rows ``start`` to ``stop`` (exclusive)."""
    for i in range(start, stop):
        best = np.inf
        for c in range(centres.shape[0]):
            total = 0.0
            for f in range(x.shape[1]):
                away = x[i, f] - centres[c, f]
                total += away * away
            if total < best:
                best = total
                label[i] = c
        distance[i] = best


def silhouette(x: Doubles, label: NDArray[np.int32], rng: np.random.Generator) -> float:
    """Mean over rows of (b - a) / max(a, b) (Rousseeuw 1987), from -1 to 1; NaN where all rows are one cluster's.

    a: mean distance to the others of the row's cluster, b: the least mean distance to another cluster. A row alone in
    its cluster counts 0. Measured on a sample of rows where there are many.
    """
    if len(x) > SAMPLE:
        rows = np.sort(rng.choice(len(x), SAMPLE, replace=False))
        x, label = x[rows], label[rows]
    names, own = np.unique(label, return_inverse=True)
    if len(names) < 2:
        return float("nan")
    away = np.zeros((len(x), len(x)))
    for column in x.T:
        away += (column[:, None] - column) ** 2
    size = np.bincount(own)
    sums = np.stack([np.sqrt(away)[:, own == c].sum(axis=1) for c in range(len(names))], axis=1)
    here = np.arange(len(x)), own
    a = sums[here] / np.maximum(size[own] - 1, 1)
    means = sums / size
    means[here] = np.inf
    b = means.min(axis=1)
    most = np.maximum(a, b)
    return float(np.where((size[own] > 1) & (most > 0), (b - a) / np.where(most > 0, most, 1), 0).mean())
