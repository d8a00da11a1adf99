"""Small dense systems in registers: rank updates, Cholesky factors and solutions, eight rows by sixteen columns.

A system of n unknowns stands in the upper triangle of an array of rows, with its right side as column n; n is a
multiple of ``SIDE``. Vectors of ``LANES`` columns are counted from the diagonal on, so that rows reach up to ``LANES``
columns past the right side; these must hold finite numbers, and are never looked at. No bounds are checked; arrays are
C-contiguous float32.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types

from serendip.models.kernels.item_item import FAST as ANY_ORDER
from serendip.models.kernels.lanes import (
    FAST,
    FLOAT,
    INT,
    LANES,
    VECTOR,
    array_of,
    intrinsic,
    load,
    multiply_add,
    pick,
    spread,
    square_root,
    store,
    total_of,
)

SIDE = 8
"""Rows of a tile."""

WIDTH = 3
"""Most vectors of a tile: 8 x 3 sums and what they are made of fill the 32 registers of AVX-512."""


@numba.njit(cache=True)
def whole_sides(n: int) -> int:
    """``n`` rounded up to whole tiles."""
    return (n + SIDE - 1) // SIDE * SIDE


def _tile(
    builder: Any, r: Any, stride: Any, n: Any, a: Any, a_stride: Any, i: Any, j: Any, width: int, less: bool
) -> None:
    """a[i + s, j + l] +- = the sum over t < n of r[t, i + s] r[t, j + l]; s < SIDE, l < width * LANES."""
    sums = [[cgutils.alloca_once(builder, VECTOR) for _ in range(width)] for _ in range(SIDE)]
    zero = VECTOR([0.0] * LANES)
    for row in sums:
        for total in row:
            builder.store(zero, total)
    lanes = [builder.add(j, INT(lane * LANES)) for lane in range(width)]
    with cgutils.for_range_slice(builder, INT(0), n, INT(1), INT) as (t, _count):
        start = builder.mul(t, stride)
        numbers = [load(builder, r, builder.add(start, f)) for f in lanes]
        first = builder.add(start, i)
        for s, row in enumerate(sums):
            one = spread(builder, builder.load(builder.gep(r, [builder.add(first, INT(s))])))
            for total, vector in zip(row, numbers, strict=True):
                builder.store(multiply_add(builder, one, vector, builder.load(total)), total)
    for s, row in enumerate(sums):
        start = builder.mul(builder.add(i, INT(s)), a_stride)
        for f, total in zip(lanes, row, strict=True):
            place = builder.add(start, f)
            change = builder.fsub if less else builder.fadd
            store(builder, change(load(builder, a, place), builder.load(total), flags=FAST), a, place)


def _band(less: bool) -> Any:
    """The code of ``add_band`` and ``take_band``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        r, (_rows, stride) = array_of(context, builder, signature, args, 0)
        a, (_rows, a_stride) = array_of(context, builder, signature, args, 2)
        n, i, end = args[1], args[3], args[4]
        wide = INT(WIDTH * LANES)
        whole = builder.mul(builder.sdiv(builder.sub(end, i), wide), wide)
        rest = builder.add(i, whole)
        with cgutils.for_range_slice(builder, i, rest, wide, INT) as (j, _count):
            _tile(builder, r, stride, n, a, a_stride, i, j, WIDTH, less)
        left = builder.sub(end, rest)
        for width in range(1, WIDTH + 1):
            above = builder.icmp_signed(">", left, INT((width - 1) * LANES))
            with builder.if_then(builder.and_(above, builder.icmp_signed("<=", left, INT(width * LANES)))):
                _tile(builder, r, stride, n, a, a_stride, i, rest, width, less)
        return context.get_dummy_value()

    return generate


@intrinsic
def add_band(_: Any, r: Any, _n: Any, a: Any, _i: Any, _end: Any) -> Any:
    """a[i : i + SIDE, i:end] += r[:n, i : i + SIDE]' r[:n, i:end]; r (>= n, > end + LANES), a the same width."""
    return types.void(r, types.int64, a, types.int64, types.int64), _band(less=False)


@intrinsic
def take_band(_: Any, r: Any, _n: Any, a: Any, _i: Any, _end: Any) -> Any:
    """As ``add_band``, subtracting; r may be the rows of a above i."""
    return types.void(r, types.int64, a, types.int64, types.int64), _band(less=True)


@intrinsic
def factor_band(_: Any, a: Any, _i: Any, _end: Any, scale: Any) -> Any:
    """Rows i to i + SIDE of the upper Cholesky factor of ``a``, in place, where the rows above are taken off already.

    Columns i to end. No pivot is below 1, whatever rounding says. scale (n,) gets 1 / U_jj. Within the band a row is
    taken off with its pivot's reciprocal, for which the next need not wait for a square root.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, (_rows, stride) = array_of(context, builder, signature, args, 0)
        scales, _ = array_of(context, builder, signature, args, 3)
        i, end = args[1], args[2]
        starts = [builder.mul(builder.add(i, INT(s)), stride) for s in range(SIDE)]
        root = square_root(builder)
        band = [load(builder, data, builder.add(start, i)) for start in starts]
        for j in range(SIDE):
            pivot = builder.extract_element(band[j], ir.IntType(32)(j))
            pivot = builder.select(builder.fcmp_ordered(">", pivot, FLOAT(1.0)), pivot, FLOAT(1.0))
            inverse = builder.fdiv(FLOAT(1.0), pivot)
            shares = builder.fmul(band[j], spread(builder, inverse), flags=FAST)
            for s in range(j + 1, SIDE):
                share = builder.fneg(pick(builder, shares, shares, [s] * LANES))
                band[s] = multiply_add(builder, share, band[j], band[s])
            short = builder.fdiv(FLOAT(1.0), builder.call(root, [pivot]))
            builder.store(short, builder.gep(scales, [builder.add(i, INT(j))]))
            store(builder, builder.fmul(band[j], spread(builder, short), flags=FAST), data, builder.add(starts[j], i))
        rest = builder.add(i, INT(LANES))
        with cgutils.for_range_slice(builder, rest, end, INT(LANES), INT) as (f, _count):
            band = [load(builder, data, builder.add(start, f)) for start in starts]
            for j in range(SIDE):
                short = builder.load(builder.gep(scales, [builder.add(i, INT(j))]))
                band[j] = builder.fmul(band[j], spread(builder, short), flags=FAST)
                for s in range(j + 1, SIDE):
                    place = builder.add(builder.add(starts[j], i), INT(s))
                    share = builder.fneg(spread(builder, builder.load(builder.gep(data, [place]))))
                    band[s] = multiply_add(builder, share, band[j], band[s])
                store(builder, band[j], data, builder.add(starts[j], f))
        return context.get_dummy_value()

    return types.void(a, types.int64, types.int64, scale), generate


@intrinsic
def dots_of_band(_: Any, a: Any, _i: Any, _end: Any, x: Any, _out: Any) -> Any:
    """out[s] = the inner product of x and row i + s of ``a``, from column i to end; out (SIDE,)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, (_rows, stride) = array_of(context, builder, signature, args, 0)
        (known, _), (out, _) = (array_of(context, builder, signature, args, place) for place in (3, 4))
        i, end = args[1], args[2]
        sums = [cgutils.alloca_once(builder, VECTOR) for _ in range(SIDE)]
        for total in sums:
            builder.store(VECTOR([0.0] * LANES), total)
        with cgutils.for_range_slice(builder, i, end, INT(LANES), INT) as (f, _count):
            own = load(builder, known, f)
            for s, total in enumerate(sums):
                place = builder.add(builder.mul(builder.add(i, INT(s)), stride), f)
                builder.store(multiply_add(builder, load(builder, data, place), own, builder.load(total)), total)
        for s, total in enumerate(sums):
            builder.store(total_of(builder, builder.load(total)), builder.gep(out, [INT(s)]))
        return context.get_dummy_value()

    return types.void(a, types.int64, types.int64, x, x), generate


@intrinsic
def turn_over(_: Any, rows: Any, _n: Any, _k: Any, out: Any) -> Any:
    """out[f, t] = rows[t, f] for t < n and f < k, both multiples of ``LANES``; rows (>= n, >= k), out (>= k, >= n)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (data, (_rows, stride)), (turned, (_out, width)) = (
            array_of(context, builder, signature, args, place) for place in (0, 3)
        )
        half = LANES // 2
        low = [place + side for place in range(half) for side in (0, LANES)]
        with (
            cgutils.for_range_slice(builder, INT(0), args[1], INT(LANES), INT) as (t, _count),
            cgutils.for_range_slice(builder, INT(0), args[2], INT(LANES), INT) as (f, _inner),
        ):
            block = [
                load(builder, data, builder.add(builder.mul(builder.add(t, INT(s)), stride), f)) for s in range(LANES)
            ]
            # Four perfect shuffles of 256 numbers: each moves the lowest bit of a number's place to the top.
            for _shuffle in range(4):
                pairs = zip(block[:half], block[half:], strict=True)
                block = [pick(builder, a, b, [place + part for place in low]) for a, b in pairs for part in (0, half)]
            for s, vector in enumerate(block):
                store(builder, vector, turned, builder.add(builder.mul(builder.add(f, INT(s)), width), t))
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, out), generate


@numba.njit(cache=True, nogil=True, fastmath=ANY_ORDER)
def solve_tiles(a, n, scale, dots, v):  # type: ignore[no-untyped-def]
    """v[:n] = A^-1 b, where A is I plus a positive semidefinite matrix, so that no pivot is below 1.

    a (>= n, > n + 2 * LANES): A's upper triangle, b as column n; overwritten by the factor U of A = U'U and U'^-1 b,
    which is the forward substitution. scale (>= n,), dots (SIDE,), v (> n + LANES,), of which 0 beyond n.
    """
    for i in range(0, n, SIDE):
        take_band(a, i, a, i, n + 1)
        factor_band(a, i, n + 1, scale)
    for f in range(n + LANES):
        v[f] = 0
    for i in range(n - SIDE, -1, -SIDE):
        # The band's own unknowns are still 0.
        dots_of_band(a, i, n, v, dots)
        for j in range(SIDE - 1, -1, -1):
            total = a[i + j, n] - dots[j]
            for s in range(j + 1, SIDE):
                total -= a[i + j, i + s] * v[i + s]
            v[i + j] = total * scale[i + j]
