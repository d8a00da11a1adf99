"""What Numba has no words for: sixteen numbers at once, and a look ahead into memory.

LLVM's own vectoriser asks before every loop whether it pays and whether arrays overlap; for loops of 64 numbers the
asking takes longer than the work. These say it outright. They look at no bounds: arrays are C-contiguous float32, and
rows are a multiple of ``LANES`` long.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

intrinsic: Any = extending.intrinsic

LANES = 16
"""Numbers at once: a register of AVX-512, a line of cache; narrower machines take several registers."""

ROWS = 4
"""Rows at once, so that a vector is read, or written, once for four."""

INT, FLOAT, VECTOR = ir.IntType(64), ir.FloatType(), ir.VectorType(ir.FloatType(), LANES)
FAST = ("reassoc", "contract", "nsz", "arcp")


@numba.njit(cache=True)
def padded(n: int) -> int:
    """``n`` rounded up to whole lanes."""
    return (n + LANES - 1) // LANES * LANES


def address(builder: Any, data: Any, offset: Any) -> Any:
    """Where the vector at ``offset`` begins."""
    return builder.bitcast(builder.gep(data, [offset]), VECTOR.as_pointer())


def load(builder: Any, data: Any, offset: Any) -> Any:
    """The vector at ``offset``."""
    return builder.load(address(builder, data, offset), align=4)


def spread(builder: Any, number: Any) -> Any:
    """A vector of this one number."""
    one = builder.insert_element(VECTOR(ir.Undefined), number, ir.IntType(32)(0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, VECTOR(ir.Undefined), mask)


def _offsets(builder: Any, at: Any, k: Any) -> list[Any]:
    """Where the four rows of length ``k`` from row ``at`` begin."""
    first = builder.mul(at, k)
    return [builder.add(first, builder.mul(k, INT(r))) for r in range(ROWS)]


@intrinsic
def prefetch_row(_: Any, rows: Any, _at: Any) -> Any:
    """Begin to fetch row ``at`` of ``rows`` (n, k), which will be wanted soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        k = cgutils.unpack_tuple(builder, array.shape)[1]
        byte, small = ir.IntType(8).as_pointer(), ir.IntType(32)
        signature_ = ir.FunctionType(ir.VoidType(), [byte, small, small, small])
        fetch = cgutils.get_or_insert_function(builder.module, signature_, "llvm.prefetch.p0")
        first = builder.mul(args[1], k)
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            place = builder.bitcast(builder.gep(array.data, [builder.add(first, f)]), byte)
            # To be read, kept in all caches, data and not code.
            builder.call(fetch, [place, small(0), small(3), small(1)])
        return context.get_dummy_value()

    return types.void(rows, types.int64), generate


@intrinsic
def dot_four(_: Any, rows: Any, _at: Any, p: Any) -> Any:
    """The inner products of ``p`` (m,) with the first m <= k places of rows ``at`` to ``at`` + 3 of ``rows`` (n, k)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        vector = context.make_array(signature.args[2])(context, builder, args[2])
        k = cgutils.unpack_tuple(builder, array.shape)[1]
        m = cgutils.unpack_tuple(builder, vector.shape)[0]
        offsets = _offsets(builder, args[1], k)
        sums = [cgutils.alloca_once_value(builder, VECTOR([0.0] * LANES)) for _ in offsets]
        with cgutils.for_range_slice(builder, INT(0), m, INT(LANES), INT) as (f, _count):
            own = load(builder, vector.data, f)
            for offset, total in zip(offsets, sums, strict=True):
                row = load(builder, array.data, builder.add(offset, f))
                product = builder.fmul(row, own, flags=FAST)
                builder.store(builder.fadd(builder.load(total), product, flags=FAST), total)
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOAT, [FLOAT, VECTOR]), name)
        dots = [builder.call(add, [FLOAT(-0.0), builder.load(total)], fastmath=FAST) for total in sums]
        return context.make_tuple(builder, signature.return_type, dots)

    return types.UniTuple(types.float32, ROWS)(rows, types.int64, p), generate


@intrinsic
def add_four(_: Any, rows: Any, _at: Any, a: Any, q: Any) -> Any:
    """q += a_0 rows[at] + ... + a_3 rows[at + 3] over the m <= k places of q (m,); rows (n, k), four factors ``a``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        vector = context.make_array(signature.args[3])(context, builder, args[3])
        k = cgutils.unpack_tuple(builder, array.shape)[1]
        m = cgutils.unpack_tuple(builder, vector.shape)[0]
        offsets = _offsets(builder, args[1], k)
        factors = [spread(builder, factor) for factor in cgutils.unpack_tuple(builder, args[2])]
        with cgutils.for_range_slice(builder, INT(0), m, INT(LANES), INT) as (f, _count):
            total = load(builder, vector.data, f)
            for offset, factor in zip(offsets, factors, strict=True):
                row = load(builder, array.data, builder.add(offset, f))
                total = builder.fadd(total, builder.fmul(row, factor, flags=FAST), flags=FAST)
            builder.store(total, address(builder, vector.data, f), align=4)
        return context.get_dummy_value()

    return types.void(rows, types.int64, a, q), generate


@intrinsic
def dot_rows(_: Any, p: Any, _u: Any, q: Any, _i: Any) -> Any:
    """The inner product of row ``u`` of ``p`` (n, k) and row ``i`` of ``q`` (m, k)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (left, u), (right, i), k = _two_rows(context, builder, signature, args)
        total = cgutils.alloca_once_value(builder, VECTOR([0.0] * LANES))
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            one, other = load(builder, left, builder.add(u, f)), load(builder, right, builder.add(i, f))
            product = builder.fmul(one, other, flags=FAST)
            builder.store(builder.fadd(builder.load(total), product, flags=FAST), total)
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOAT, [FLOAT, VECTOR]), name)
        return builder.call(add, [FLOAT(-0.0), builder.load(total)], fastmath=FAST)

    return types.float32(p, types.int64, q, types.int64), generate


@intrinsic
def turn_rows(_: Any, p: Any, _u: Any, q: Any, _i: Any, _keep: Any, _step: Any) -> Any:
    """Row u of ``p`` (n, k) becomes keep p_u + step q_i, and row i of ``q`` (m, k) keep q_i + step p_u, at once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (left, u), (right, i), k = _two_rows(context, builder, signature, args)
        keep, step = spread(builder, args[4]), spread(builder, args[5])
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            places = builder.add(u, f), builder.add(i, f)
            one, other = load(builder, left, places[0]), load(builder, right, places[1])
            for data, place, own, its in ((left, places[0], one, other), (right, places[1], other, one)):
                kept, added = builder.fmul(own, keep, flags=FAST), builder.fmul(its, step, flags=FAST)
                builder.store(builder.fadd(kept, added, flags=FAST), address(builder, data, place), align=4)
        return context.get_dummy_value()

    return types.void(p, types.int64, q, types.int64, types.float32, types.float32), generate


def _two_rows(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Data and first offset of row args[1] of args[0] and of row args[3] of args[2], and their length."""
    left, right = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 2))
    k = cgutils.unpack_tuple(builder, left.shape)[1]
    return (left.data, builder.mul(args[1], k)), (right.data, builder.mul(args[3], k)), k
