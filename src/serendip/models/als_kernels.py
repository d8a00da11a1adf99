"""Kernels of implicit ALS: the half-step that solves every row while the other side stands still.

Legend, after Hu, Koren and Volinsky 2008: r (n_rows, n_cols) says who took what; row u is to get the factors x_u, its
columns have the factors y_j; a pair that met has the confidence c = 1 + w and the preference 1, all others 1 and 0.
A row's solution is eq. 4,

    x_u = (Y'Y + lambda I + Y_u' W_u Y_u)^-1  Y_u' (1 + w_u)

with Y_u (n, k) the factors of the row's own columns and W_u = diag(w_u): Y'Y is made once for all rows.
"""

from __future__ import annotations

import numba
import numpy as np

from serendip.models.item_item import FAST
from serendip.models.lanes import ROWS, add_four, dot_four, padded, prefetch_row

AHEAD = 12
"""How many rows before its turn a row of factors is fetched."""


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
def solve_rows(indptr, indices, w, y, base, floor, x, start, stop):  # type: ignore[no-untyped-def]
    """Eq. 4 for rows ``start`` to ``stop`` (exclusive), in the precision of ``x`` (n_rows, k).

    base (k, k) is Y'Y + lambda I, floor a bound on its eigenvalues from below, w the confidences less 1 (nnz,).
    """
    k = y.shape[1]
    rows = np.empty((64, k), x.dtype)
    a = np.empty((k, k), x.dtype)
    b = np.empty(k, x.dtype)
    for u in range(start, stop):
        _primal(indptr[u], indptr[u + 1], indices, w, y, base, rows, a, b)
        solve_spd(a, b, k, floor)
        x[u] = b


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _primal(first, last, indices, w, y, base, rows, a, b):  # type: ignore[no-untyped-def]
    """The k x k system of one row: a = base + Y_u' W_u Y_u in the lower triangle, b = Y_u' (1 + w_u)."""
    k = y.shape[1]
    one = b.dtype.type(1)
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
            surely = one + extra
            for f in range(k):
                b[f] += surely * own[f]
                rows[t, f] = root * own[f]
        add_outer(rows, n, a)
        first += n


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def solve_white_rows(indptr, indices, w, z, x, start, stop):  # type: ignore[no-untyped-def]
    """Eq. 4 in whitened factors, where Y'Y + lambda I is the identity; rows ``start`` to ``stop`` of x (n_rows, k).

    With Y'Y + lambda I = L L' and Z = Y L^-T, L'x_u solves (I + Z_u' W Z_u) L'x_u = Z_u'(1 + w). A row of n < k
    columns is solved in its n x n dual: with B = W^1/2 Z_u,

        L'x_u = B' v,    (I + B B') v = (1 + w) / w^1/2.

    k is a multiple of ``LANES``.
    """
    k = z.shape[1]
    rows = np.zeros((max(64, k), k), x.dtype)
    a = np.zeros((k + ROWS, k), x.dtype)
    scale = np.empty(k, x.dtype)
    v = np.zeros(k, x.dtype)
    one = x.dtype.type(1)
    end = indices.shape[0] - 1
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        n = last - first
        own = x[u]
        for f in range(k):
            own[f] = 0
        side = min(n, k)
        for s in range(side):
            for t in range(padded(s + 1)):
                a[s, t] = 0
            a[s, s] = one
        right = a[side]
        for f in range(k):
            right[f] = 0
        while first < last:
            size = min(rows.shape[0], last - first)
            for t in range(size):
                prefetch_row(z, np.int64(indices[min(first + t + AHEAD, end)]))
                far, near = z[indices[first + t]], rows[t]
                extra = w[first + t]
                root = np.sqrt(extra)
                for f in range(k):
                    near[f] = root * far[f]
                if n < k:
                    right[t] = (one + extra) / root
                else:
                    surely = one + extra
                    for f in range(k):
                        right[f] += surely * far[f]
            for t in range(size, (size + ROWS - 1) // ROWS * ROWS):
                for f in range(k):
                    rows[t, f] = 0
            if n < k:
                _add_inner_by_lanes(rows, size, a)
            else:
                _add_outer_by_lanes(rows, size, a)
            first += size
        solve_by_lanes(a, side, scale, v)
        if n < k:
            for t in range(n, (n + ROWS - 1) // ROWS * ROWS):
                v[t] = 0
            for t in range(0, n, ROWS):
                add_four(rows, t, (v[t], v[t + 1], v[t + 2], v[t + 3]), own)
        else:
            for f in range(k):
                own[f] = v[f]


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _add_outer_by_lanes(rows, n, a):  # type: ignore[no-untyped-def]
    """a += rows' rows in the lower triangle and to the end of its lanes; n rows, then zeros to a multiple of ROWS."""
    for t in range(0, n, ROWS):
        r0, r1, r2, r3 = rows[t], rows[t + 1], rows[t + 2], rows[t + 3]
        for f in range(rows.shape[1]):
            add_four(rows, t, (r0[f], r1[f], r2[f], r3[f]), a[f, : padded(f + 1)])


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _add_inner_by_lanes(rows, n, a):  # type: ignore[no-untyped-def]
    """a += rows rows' in the lower triangle of n x n, and to the end of its groups of ROWS."""
    for s in range(n):
        left, sums = rows[s], a[s]
        for t in range(0, s + 1, ROWS):
            d0, d1, d2, d3 = dot_four(rows, t, left)
            sums[t] += d0
            sums[t + 1] += d1
            sums[t + 2] += d2
            sums[t + 3] += d3


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def solve_by_lanes(a, n, scale, v):  # type: ignore[no-untyped-def]
    """v = A^-1 b, where A is I plus a positive semidefinite matrix: so no pivot is below 1, whatever rounding says.

    a (>= n + ROWS, k): A's lower triangle, and b as row n, which is overwritten. Cholesky column by column, four rows
    at once; b goes along as one more row, which is the forward substitution. Entry j of column j and beyond are put to
    0 before row j is multiplied, so that whole lanes may be; scale (>= n,) gets 1 / L_jj.
    """
    one = a.dtype.type(1)
    for j in range(n):
        row = a[j]
        pivot = row[j]
        for f in range(j, padded(j + 1)):
            row[f] = 0
        known = row[: padded(j)]
        for i in range(j // ROWS * ROWS, n + 1, ROWS):
            dots = dot_four(a, i, known)
            if i <= j:
                for r in range(ROWS):
                    if i + r == j:
                        scale[j] = one / np.sqrt(max(pivot - dots[r], one))
            for r in range(ROWS):
                if j < i + r <= n:
                    a[i + r, j] = (a[i + r, j] - dots[r]) * scale[j]
    right = a[n]
    for i in range(n - 1, -1, -1):
        v[i] = right[i] * scale[i]
        row = a[i]
        for f in range(i):
            right[f] -= v[i] * row[f]


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def step_white_rows(indptr, indices, w, z, n_steps, x, start, stop):  # type: ignore[no-untyped-def]
    """``n_steps`` of conjugate gradients (Takacs, Pilaszy, Tikk 2011) on the same system, from the x there is.

    Whitened, Y'Y + lambda I is its own preconditioner and costs nothing: a step is one pass over the row's factors,
    which are fetched once, ahead of their turn, and lie side by side from then on. k is a multiple of ``LANES``.
    """
    k = z.shape[1]
    rows = np.empty((512, k), x.dtype)
    extra = np.empty(512, x.dtype)
    p = np.empty(k, x.dtype)
    q = np.empty(k, x.dtype)
    residual = np.empty(k, x.dtype)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    end = indices.shape[0] - 1
    for u in range(start, stop):
        first = indptr[u]
        n = indptr[u + 1] - first
        own = x[u]
        if n == 0:
            own[:] = 0
            continue
        whole = (n + ROWS - 1) // ROWS * ROWS
        if whole > rows.shape[0]:
            rows = np.empty((whole, k), x.dtype)
            extra = np.empty(whole, x.dtype)
        for t in range(n):
            prefetch_row(z, np.int64(indices[min(first + t + AHEAD, end)]))
            far = z[indices[first + t]]
            near = rows[t]
            for f in range(k):
                near[f] = far[f]
            extra[t] = w[first + t]
        for t in range(n, whole):
            rows[t] = 0
            extra[t] = 0
        for f in range(k):
            residual[f] = -own[f]
        for t in range(0, whole, ROWS):
            d0, d1, d2, d3 = dot_four(rows, t, own)
            w0, w1, w2, w3 = extra[t], extra[t + 1], extra[t + 2], extra[t + 3]
            missing = (one + w0 * (one - d0), one + w1 * (one - d1), one + w2 * (one - d2), one + w3 * (one - d3))
            add_four(rows, t, missing, residual)
        size = zero
        for f in range(k):
            p[f] = residual[f]
            size += residual[f] * residual[f]
        for _ in range(n_steps):
            if size < 1e-20:
                break
            for f in range(k):
                q[f] = p[f]
            for t in range(0, whole, ROWS):
                d0, d1, d2, d3 = dot_four(rows, t, p)
                add_four(rows, t, (extra[t] * d0, extra[t + 1] * d1, extra[t + 2] * d2, extra[t + 3] * d3), q)
            curvature = zero
            for f in range(k):
                curvature += p[f] * q[f]
            length = size / curvature
            fresh = zero
            for f in range(k):
                own[f] += length * p[f]
                residual[f] -= length * q[f]
                fresh += residual[f] * residual[f]
            turn = fresh / size
            size = fresh
            for f in range(k):
                p[f] = residual[f] + turn * p[f]


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
