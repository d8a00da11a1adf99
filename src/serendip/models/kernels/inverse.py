"""The inverse of a large positive definite matrix in its own place, block by block, on every thread.

LAPACK's threaded Cholesky crashes on large matrices (see ``ease``), and with one thread it leaves cores idle. This is
one loop of products instead, each tile of which is made by one thread with BLAS held at one.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, pairwise

import numpy as np
from scipy.linalg import lapack

from serendip.data import Floats
from serendip.models.parallel import in_chunks, n_threads, one_blas_thread

BLOCK = 512
"""Rows that are swept at once: enough that a product outweighs reading and writing what it is taken from."""

TILE = 2048
"""Rows and columns of what one thread works on; BLAS is near its best from here on."""

STRIPS = 4
"""A product with a triangle is made in so many strips, each without most of the zeros."""


def workspace(n: int, block: int = BLOCK, tile: int = TILE) -> int:
    """Bytes that ``negate_inverse`` takes beside the matrix of ``n`` rows."""
    return 4 * (2 * min(block, n) * n + min(tile, n) ** 2 * n_threads())


def negate_inverse(a: Floats, block: int = BLOCK, tile: int = TILE) -> bool:
    """Put -A^-1 into the upper triangle of ``a``, which held A's; -> whether A was positive definite.

    a (n, n): the lower triangle is neither read nor written, but in the blocks on the diagonal. The sweep operator
    (Goodnight 1979) on a block K of rows at a time; with A_KK = LL' and W = L^-1 A_K: (block, n), off K

        A <- A - W'W,    A_K: <- L^-T W,    and    A_KK <- -A_KK^-1

    which is symmetric again: when all blocks are swept, A is -A^-1. n^3 operations as with potrf and potri, and no
    more memory than ``workspace``. Cut by ``block`` and ``tile`` only, so threads do not change a bit.
    """
    n = len(a)
    tile = min(tile, n)
    panel, swept = np.empty((min(block, n), n), np.float32), np.empty((min(block, n), n), np.float32)
    spare = [np.empty(tile * tile, np.float32) for _ in range(n_threads())]
    cuts = [*range(0, n, tile), n]
    tiles = list(combinations_with_replacement(pairwise(cuts), 2))
    with one_blas_thread():
        for first in range(0, n, block):
            k = slice(first, min(first + block, n))
            pivot = a[k, k]
            upper, failed = lapack.spotrf(np.triu(pivot), lower=0, clean=1)
            if failed:
                return False
            back, failed = lapack.strtri(upper, lower=0)
            if failed:
                return False
            back = np.ascontiguousarray(back)  # L^-T
            on = np.ascontiguousarray(back.T)
            w, new = panel[: len(pivot)], swept[: len(pivot)]

            def columns(start: int, stop: int, k=k, on=on, back=back, w=w, new=new) -> None:  # type: ignore[no-untyped-def]
                _copy_rows(a, k, start, stop, new)
                _times_triangle(on, new[:, start:stop], w[:, start:stop], lower=True)
                _times_triangle(back, w[:, start:stop], new[:, start:stop], lower=False)

            def products(start: int, stop: int, w=w) -> None:  # type: ignore[no-untyped-def]
                for (top, bottom), (left, right) in tiles[start:stop]:
                    scratch = spare.pop()
                    product = scratch[: (bottom - top) * (right - left)].reshape(bottom - top, right - left)
                    np.matmul(w[:, top:bottom].T, w[:, left:right], out=product)
                    a[top:bottom, left:right] -= product
                    spare.append(scratch)

            in_chunks(columns, cuts)
            in_chunks(products, list(range(len(tiles) + 1)))
            a[: k.start, k] = new[:, : k.start].T
            a[k, k.stop :] = new[:, k.stop :]
            a[k, k] = -(back @ on)
    return bool(np.isfinite(np.einsum("ii->i", a)).all())


def _copy_rows(a: Floats, k: slice, start: int, stop: int, out: Floats) -> None:
    """Columns ``start`` to ``stop`` (exclusive) of rows ``k`` of a symmetric ``a``, by its upper triangle; 0 in K."""
    left, right = np.clip([start, stop], 0, k.start)
    out[:, left:right] = a[left:right, k].T
    left, right = np.clip([start, stop], k.start, k.stop)
    out[:, left:right] = 0
    left, right = np.clip([start, stop], k.stop, len(a))
    out[:, left:right] = a[k, left:right]


def _times_triangle(t: Floats, x: Floats, out: Floats, *, lower: bool) -> None:
    """The product of a triangle (m, m) with ``x`` (m, n), leaving out most of its zeros."""
    cuts = np.linspace(0, len(t), STRIPS + 1).astype(int)
    for start, stop in pairwise(cuts):
        own = slice(0, stop) if lower else slice(start, None)
        np.matmul(t[start:stop, own], x[own], out=out[start:stop])
