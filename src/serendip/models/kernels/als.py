"""Kernels of implicit ALS: the half-step that solves every row while the other side stands still.

Legend, after Hu, Koren and Volinsky 2008: r (n_rows, n_cols) says who took what; row u is to get the factors x_u, its
columns have the factors y_j; a pair that met has the confidence c = c_0 + w and the preference 1, all others c_0 and 0.
A row's solution is eq. 4,

    x_u = (c_0 Y'Y + lambda_u I + Y_u' W_u Y_u)^-1  Y_u' (c_0 + w_u)

with Y_u (n, k) the factors of the row's own columns and W_u = diag(w_u): Y'Y is made once for all rows. In the paper
c_0 is 1 and lambda the same for all.
"""

from __future__ import annotations

import numba
import numpy as np

from serendip.models.kernels.item_item import FAST
from serendip.models.kernels.lanes import LANES, ROWS, add_images, add_misses, add_scaled, gather_rows, inner, padded
from serendip.models.kernels.tiles import SIDE, add_band, solve_tiles, turn_over, whole_sides

PIECE = 128
"""Rows of factors that a long row's system is made of at a time, so that they stay in the nearest cache."""


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def add_outer(rows, n, a):  # type: ignore[no-untyped-def]
    """a += rows[:n]' rows[:n] in the lower triangle; rows (>= n, k), a (k, k)."""
    k = a.shape[0]
    t = 0
    while t + 4 <= n:
        r0, r1, r2, r3 = rows[t], rows[t + 1], rows[t + 2], rows[t + 3]
        for f in range(k):
            v0, v1, v2, v3 = r0[f], r1[f], r2[f], r3[f]
            for g in range(f + 1):
                a[f, g] += v0 * r0[g] + v1 * r1[g] + v2 * r2[g] + v3 * r3[g]
        t += 4
    while t < n:
        r0 = rows[t]
        for f in range(k):
            v0 = r0[f]
            for g in range(f + 1):
                a[f, g] += v0 * r0[g]
        t += 1


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def solve_spd(a, b, n, floor):  # type: ignore[no-untyped-def]
    """b = A^-1 b for the leading n x n of A, given in its lower triangle and overwritten by its Cholesky factor.

    No eigenvalue of A is below ``floor``, so no pivot is; rounding may say otherwise, and is not believed.
    """
    for i in range(n):
        row = a[i]
        for j in range(i):
            other = a[j]
            total = row[j]
            for f in range(j):
                total -= row[f] * other[f]
            row[j] = total / other[j]
        pivot = row[i]
        for f in range(i):
            pivot -= row[f] * row[f]
        row[i] = np.sqrt(max(pivot, floor))
        total = b[i]
        for f in range(i):
            total -= row[f] * b[f]
        b[i] = total / row[i]
    for i in range(n - 1, -1, -1):
        row = a[i]
        b[i] /= row[i]
        for f in range(i):
            b[f] -= row[f] * b[i]


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def solve_rows(indptr, indices, w, y, base, floor, ridge, unseen, x, start, stop):  # type: ignore[no-untyped-def]
    """Eq. 4 for rows ``start`` to ``stop`` (exclusive), in the precision of ``x`` (n_rows, k).

    base (k, k) is c_0 Y'Y + floor I, to which a row adds its ridge (n_rows,) >= 0; w the confidences less c_0 = unseen
    (nnz,).
    """
    k = y.shape[1]
    rows = np.empty((64, k), x.dtype)
    a = np.empty((k, k), x.dtype)
    b = np.empty(k, x.dtype)
    for u in range(start, stop):
        _primal(indptr[u], indptr[u + 1], indices, w, y, base, unseen, rows, a, b)
        for f in range(k):
            a[f, f] += ridge[u]
        solve_spd(a, b, k, floor)
        x[u] = b


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _primal(first, last, indices, w, y, base, unseen, rows, a, b):  # type: ignore[no-untyped-def]
    """The k x k system of one row: a = base + Y_u' W_u Y_u in the lower triangle, b = Y_u' (c_0 + w_u)."""
    k = y.shape[1]
    for f in range(k):
        b[f] = 0
        for g in range(f + 1):
            a[f, g] = base[f, g]
    while first < last:
        n = min(rows.shape[0], last - first)
        for t in range(n):
            own = y[indices[first + t]]
            extra = w[first + t]
            root = np.sqrt(extra)
            surely = unseen + extra
            for f in range(k):
                b[f] += surely * own[f]
                rows[t, f] = root * own[f]
        add_outer(rows, n, a)
        first += n


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def solve_white_rows(indptr, indices, w, z, spectrum, ridge, unseen, x):  # type: ignore[no-untyped-def]
    """Eq. 4 in rotated factors: x (n_rows, k); k is a multiple of ``LANES``.

    z (n_cols, k) are factors in which the part that all rows share is diagonal: spectrum (k,) plus the row's own
    ridge (n_rows,). Scaled by s = (spectrum + ridge)^-1/2 that part is the identity, and with B = W^1/2 Z_u s,
    c_0 = unseen and h = (c_0 + w) / w^1/2,

        x_u / s = (I + B'B)^-1 B' h = B' (I + B B')^-1 h:

    a row of n < k columns is solved in its n x n dual, the second form.
    """
    k = z.shape[1]
    wide = k + 2 * LANES
    rows, turned = np.zeros((max(PIECE, k), wide), x.dtype), np.zeros((k, wide), x.dtype)
    a, v, nought = np.zeros((k, wide), x.dtype), np.zeros(wide, x.dtype), np.zeros(k, x.dtype)
    scale, short, own, dots = np.empty(k, x.dtype), np.empty(k, x.dtype), np.empty(k, x.dtype), np.empty(SIDE, x.dtype)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    ridged = -one
    for u in range(x.shape[0]):
        first, last = indptr[u], indptr[u + 1]
        n = last - first
        if n == 0:
            for f in range(k):
                x[u, f] = zero
            continue
        if ridge[u] != ridged:
            ridged = ridge[u]
            for f in range(k):
                scale[f] = one / np.sqrt(spectrum[f] + ridged)
        side = min(whole_sides(n), k)
        for s in range(side):
            for t in range(s, side + LANES):
                a[s, t] = zero
            a[s, s] = one
        if side < k:
            gather_rows(z, indices, w, first, n, scale, rows)
            for t in range(n, padded(n)):
                for f in range(k):
                    rows[t, f] = zero
            turn_over(rows, padded(n), k, turned)
            for i in range(0, side, SIDE):
                add_band(turned, k, a, i, side)
            for t in range(n):
                a[t, side] = (unseen + w[first + t]) / np.sqrt(w[first + t])
            solve_tiles(a, side, short, dots, v)
            for f in range(k):
                own[f] = zero
            add_misses(rows, side, v, nought, own)
            for f in range(k):
                x[u, f] = own[f] * scale[f]
        else:
            while first < last:
                size = min(PIECE, last - first)
                gather_rows(z, indices, w, first, size, scale, rows)
                for t in range(size):
                    rows[t, k] = (unseen + w[first + t]) / np.sqrt(w[first + t])
                for i in range(0, k, SIDE):
                    add_band(rows, size, a, i, k + 1)
                first += size
            solve_tiles(a, k, short, dots, v)
            for f in range(k):
                x[u, f] = v[f] * scale[f]


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def step_white_rows(indptr, indices, w, z, spectrum, ridge, unseen, n_steps, x):  # type: ignore[no-untyped-def]
    """``n_steps`` of conjugate gradients (Takacs, Pilaszy, Tikk 2011) on the same system, from the x there is.

    Scaled, the part that all rows share is its own preconditioner and costs nothing: a step is one pass over the
    row's factors, which are fetched once, ahead of their turn, and lie side by side from then on. z may be the upper
    halves of its numbers, uint16, as ``halve`` makes them.
    """
    k = z.shape[1]
    rows = np.empty((512, k), x.dtype)
    right = np.empty(512, x.dtype)
    scale, own = np.empty(k, x.dtype), np.empty(k, x.dtype)
    p, q, residual = np.empty(k, x.dtype), np.empty(k, x.dtype), np.empty(k, x.dtype)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    ridged = -one
    for u in range(x.shape[0]):
        first = indptr[u]
        n = indptr[u + 1] - first
        if n == 0:
            for f in range(k):
                x[u, f] = zero
            continue
        if ridge[u] != ridged:
            ridged = ridge[u]
            for f in range(k):
                scale[f] = one / np.sqrt(spectrum[f] + ridged)
        whole = (n + ROWS - 1) // ROWS * ROWS
        if whole > rows.shape[0]:
            rows = np.empty((whole, k), x.dtype)
            right = np.empty(whole, x.dtype)
        gather_rows(z, indices, w, first, n, scale, rows)
        for t in range(n):
            right[t] = (unseen + w[first + t]) / np.sqrt(w[first + t])
        for t in range(n, whole):
            right[t] = zero
            for f in range(k):
                rows[t, f] = zero
        for f in range(k):
            own[f] = x[u, f] / scale[f]
            residual[f] = -own[f]
        add_misses(rows, whole, right, own, residual)
        size = inner(residual, residual)
        add_scaled(residual, zero, residual, p)
        for _ in range(n_steps):
            if size < 1e-20:
                break
            add_scaled(p, zero, p, q)
            add_images(rows, whole, p, q)
            length = size / inner(p, q)
            add_scaled(own, length, p, own)
            add_scaled(residual, -length, q, residual)
            fresh = inner(residual, residual)
            add_scaled(residual, fresh / size, p, p)
            size = fresh
        for f in range(k):
            x[u, f] = own[f] * scale[f]


@numba.njit(cache=True, nogil=True)
def halve(bits, out, start, stop):  # type: ignore[no-untyped-def]
    """Rows ``start`` to ``stop`` rounded to bfloat16: the upper halves of float32, given as its bits, uint32 (n, k)."""
    for i in range(start, stop):
        for f in range(bits.shape[1]):
            b = bits[i, f]
            # To the nearest, and from the middle to the even one.
            out[i, f] = np.uint16((b + np.uint32(0x7FFF) + ((b >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def inner_products(y, x, out):  # type: ignore[no-untyped-def]
    """out = y @ x for one vector: y (n, k), x (k,), out (n,); four rows at a time.

    Beside BLAS, which would wake its threads for a third of a millisecond of work.
    """
    n, k = y.shape
    zero = x.dtype.type(0)
    i = 0
    while i + 4 <= n:
        r0, r1, r2, r3 = y[i], y[i + 1], y[i + 2], y[i + 3]
        d0 = d1 = d2 = d3 = zero
        for f in range(k):
            d0 += r0[f] * x[f]
            d1 += r1[f] * x[f]
            d2 += r2[f] * x[f]
            d3 += r3[f] * x[f]
        out[i], out[i + 1], out[i + 2], out[i + 3] = d0, d1, d2, d3
        i += 4
    while i < n:
        d0 = zero
        for f in range(k):
            d0 += y[i, f] * x[f]
        out[i] = d0
        i += 1
