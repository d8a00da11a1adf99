"""Stochastic gradient descent over ratings, by blocks that several threads learn from at the same time."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats
from serendip.models.kernels.lanes import LANES, prefetch_row
from serendip.models.kernels.row_pairs import dot_rows, turn_rows

MOST_GROUPS = 16
"""Groups that users, and items, are dealt into at most: so many threads can learn at once."""

BLOCK = 15_000
"""Ratings of a block at least, on average; with fewer, threads would wait for one another most of the time."""

WINDOW, STRIDE = 256, 97
"""Ratings that are shuffled with one another, and how far apart neighbours come to be; without a common divisor."""

AHEAD = 8
"""Ratings ahead of the one that is learnt from, whose rows are fetched from memory."""


@numba.njit(cache=True, nogil=True)
def descend(user_ix, item_ix, rest, p, q, rate, keep, start, stop):  # type: ignore[no-untyped-def]
    """One step for every rating from ``start`` to ``stop`` (exclusive), in that order (Koren 2009, eq. 5 and on).

        e = rest_ui - p_u'q_i        p_u += gamma (e q_i - lambda p_u)        q_i += gamma (e p_u - lambda q_i)

    rest (n,) is what mean and biases leave of the ratings; rate is gamma, keep 1 - gamma lambda; p (n_users, k) and
    q (n_items, k), with k a multiple of ``LANES``.
    """
    for t in range(start, stop):
        if t + AHEAD < stop:
            prefetch_row(p, user_ix[t + AHEAD])
            prefetch_row(q, item_ix[t + AHEAD])
        u, i = user_ix[t], item_ix[t]
        turn_rows(p, u, q, i, keep, rate * (rest[t] - dot_rows(p, u, q, i)))


def n_groups(n_ratings: int) -> int:
    """1, 2, 4, 8 or 16, by the ratings alone: the model does not depend on the number of threads."""
    n = 1
    while n < MOST_GROUPS and n_ratings >= (2 * n) ** 2 * BLOCK:
        n *= 2
    return n


def deal(sizes: NDArray[np.integer], n: int, rng: np.random.Generator) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """New numbers for rows of ``sizes`` ratings, in random order, and the group of each row, of ``n``; both (n_rows,).

    Groups are runs of new numbers of about as many ratings each: threads do not write to one another's lines of memory.
    """
    order = rng.permutation(len(sizes))
    number, group = np.empty((2, len(sizes)), np.int32)
    number[order] = np.arange(len(sizes), dtype=np.int32)
    done = np.cumsum(sizes[order])
    group[order] = np.minimum((done - 1).clip(0) * n // max(int(done[-1]), 1), n - 1)
    return number, group


@numba.njit(cache=True, nogil=True)
def by_block(user_ix, item_ix, value, bias_u, bias_i, numbers, groups, n):  # type: ignore[no-untyped-def]
    """What biases leave of the ratings, by block, numbered anew, and the bounds of ``n`` x ``n`` blocks (n**2 + 1,).

    bias_u (n_users,) and bias_i (n_items,) go by the old numbers; numbers and groups are pairs, of users (n_users,)
    and of items (n_items,). Stratum s, of n blocks in a row, holds the ratings of user group a and item group (a + s)
    mod n: no user and no item of one block is in another of its stratum, so that they may be learnt from at the same
    time (Gemulla, Nijkamp, Haas, Sismanis 2011).

    Within a block the ratings stand as they came, by user, but for a shuffle of every ``WINDOW`` of them: those of a
    user are near, so that the user's row is at hand, but not next to each other, so that no step waits for the last.
    """
    size = len(value)
    block = np.empty(size, np.int32)
    bounds = np.zeros(n * n + 1, np.int64)
    for t in range(size):
        a = groups[0][user_ix[t]]
        block[t] = (groups[1][item_ix[t]] + n - a) % n * n + a
        bounds[block[t] + 1] += 1
    for b in range(n * n):
        bounds[b + 1] += bounds[b]
    place = bounds[:-1].copy()
    users, items = np.empty(size, np.int32), np.empty(size, np.int32)
    rest = np.empty(size, np.float32)
    for t in range(size):
        b = block[t]
        to = place[b]
        place[b] += 1
        first = to - (to - bounds[b]) % WINDOW
        if first + WINDOW <= bounds[b + 1]:
            to = first + (to - first) * STRIDE % WINDOW
        u, i = user_ix[t], item_ix[t]
        users[to], items[to], rest[to] = numbers[0][u], numbers[1][i], value[t] - bias_u[u] - bias_i[i]
    return users, items, rest, bounds


@numba.njit(cache=True, nogil=True)
def sow(q, k, sigma, seed):  # type: ignore[no-untyped-def]
    """Random numbers, even between -3^1/2 ``sigma`` and 3^1/2 ``sigma``, in the first ``k`` columns of ``q`` (n, >= k).

    Hashes of their place (SplitMix64; Steele, Lea, Flood 2014), from ``seed`` on.
    """
    reach = np.float32(sigma * 12**0.5 / 2**24)
    for i in range(q.shape[0]):
        for f in range(k):
            x = np.uint64(seed) + np.uint64(i * k + f + 1) * np.uint64(0x9E3779B97F4A7C15)
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            q[i, f] = (np.float32(np.int32((x ^ (x >> np.uint64(31))) >> np.uint64(40))) - np.float32(2**23)) * reach


def aligned(n: int, k: int) -> Floats:
    """Zeros of shape (n, k) that begin with a line of memory: rows of whole lanes are whole lines."""
    room = np.zeros(n * k + LANES, np.float32)
    skip = -(room.ctypes.data // room.itemsize) % LANES
    return room[skip : skip + n * k].reshape(n, k)
