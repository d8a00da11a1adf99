"""What Numba has no words for: sixteen numbers at once, and a look ahead into memory.

LLVM's own vectoriser asks before every loop whether it pays and whether arrays overlap, and a view of a row is counted
by the memory manager; for loops of 64 numbers the asking and counting takes longer than the work. These say it
outright. They look at no bounds: arrays are C-contiguous float32, and vectors are a multiple of ``LANES`` long.
"""

from __future__ import annotations

from collections.abc import Callable
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

AHEAD = 12
"""How many rows before its turn a row of factors is fetched."""

UNROLLED = 8
"""Vectors of up to this many times ``LANES`` have code of their own, in which they stay in registers."""

INT, SMALL, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
FLOAT, VECTOR = ir.FloatType(), ir.VectorType(ir.FloatType(), LANES)
FAST = ("reassoc", "contract", "nsz", "arcp")


@numba.njit(cache=True)
def padded(n: int) -> int:
    """``n`` rounded up to whole lanes."""
    return (n + LANES - 1) // LANES * LANES


def array_of(context: Any, builder: Any, signature: Any, args: Any, place: int) -> tuple[Any, list[Any]]:
    """Where the numbers of an argument begin, and its shape."""
    array = context.make_array(signature.args[place])(context, builder, args[place])
    return array.data, cgutils.unpack_tuple(builder, array.shape)


def address(builder: Any, data: Any, offset: Any) -> Any:
    """Where the vector at ``offset`` begins."""
    return builder.bitcast(builder.gep(data, [offset]), VECTOR.as_pointer())


def load(builder: Any, data: Any, offset: Any) -> Any:
    """Sixteen numbers from ``offset`` on."""
    return builder.load(address(builder, data, offset), align=4)


def store(builder: Any, vector: Any, data: Any, offset: Any) -> None:
    """Sixteen numbers to ``offset`` and beyond."""
    builder.store(vector, address(builder, data, offset), align=4)


def spread(builder: Any, number: Any) -> Any:
    """One number sixteen times."""
    one = builder.insert_element(VECTOR(ir.Undefined), number, SMALL(0))
    return pick(builder, one, one, [0] * LANES)


def pick(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    """The numbers at ``places`` of ``a`` followed by ``b``."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(SMALL, len(places)), places))


def multiply_add(builder: Any, a: Any, b: Any, total: Any) -> Any:
    """a * b + total."""
    return builder.fadd(builder.fmul(a, b, flags=FAST), total, flags=FAST)


def square_root(builder: Any) -> Any:
    """The function that gives the square root of one number."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOAT, [FLOAT]), "llvm.sqrt.f32")


def total_of(builder: Any, vector: Any) -> Any:
    """The sum of sixteen numbers."""
    name = f"llvm.vector.reduce.fadd.v{LANES}f32"
    add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOAT, [FLOAT, VECTOR]), name)
    return builder.call(add, [FLOAT(-0.0), vector], fastmath=FAST)


def by_width(builder: Any, lanes: Any, narrow: Callable[[int], None], wide: Callable[[], None]) -> None:
    """``narrow(n)`` where ``lanes`` is n, 1 to ``UNROLLED``; else ``wide()``."""
    done, other = builder.append_basic_block("done"), builder.append_basic_block("wide")
    switch = builder.switch(lanes, other)
    for n in range(1, UNROLLED + 1):
        block = builder.append_basic_block(f"lanes.{n}")
        switch.add_case(INT(n), block)
        builder.position_at_end(block)
        narrow(n)
        builder.branch(done)
    builder.position_at_end(other)
    wide()
    builder.branch(done)
    builder.position_at_end(done)


def _prefetch(builder: Any, data: Any, offset: Any) -> None:
    """Begin to fetch the line of cache at ``offset``."""
    byte = BYTE.as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [byte, SMALL, SMALL, SMALL])
    fetch = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    place = builder.bitcast(builder.gep(data, [offset]), byte)
    # To be read, kept in all caches, data and not code.
    builder.call(fetch, [place, SMALL(0), SMALL(3), SMALL(1)])


@intrinsic
def prefetch_row(_: Any, rows: Any, _at: Any) -> Any:
    """Begin to fetch row ``at`` of ``rows`` (n, k), which will be wanted soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, (_rows, k) = array_of(context, builder, signature, args, 0)
        first = builder.mul(args[1], k)
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            _prefetch(builder, data, builder.add(first, f))
        return context.get_dummy_value()

    return types.void(rows, types.int64), generate


@intrinsic
def gather_rows(_: Any, z: Any, indices: Any, weight: Any, _first: Any, _n: Any, scale: Any, rows: Any) -> Any:
    """rows[t] = sqrt(weight[first + t]) * scale * z[indices[first + t]] for 0 <= t < n.

    z (n_cols, k), float32, or uint16: the upper halves of float32, bfloat16; indices and weight (nnz,); scale (k,);
    rows (>= n, >= k). A row of z begins to be fetched ``AHEAD`` rows before its turn, across the end of this call too.
    """
    half = z.dtype == types.uint16

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (far, (_rows, k)), (names, (nnz,)) = (array_of(context, builder, signature, args, place) for place in (0, 1))
        (weights, _), (scales, _) = (array_of(context, builder, signature, args, place) for place in (2, 5))
        near, (_rows, stride) = array_of(context, builder, signature, args, 6)
        first, n = args[3], args[4]
        end = builder.sub(nnz, INT(1))
        root = square_root(builder)

        def place_of(t: Any) -> Any:
            return builder.mul(builder.sext(builder.load(builder.gep(names, [t])), INT), k)

        def of_row(t: Any, f: Any, row: Any, later: Any, weight: Any, fetched: bool) -> None:
            if fetched:
                _prefetch(builder, far, builder.add(later, f))
            if half:
                shorts = ir.VectorType(ir.IntType(16), LANES).as_pointer()
                bits = builder.load(builder.bitcast(builder.gep(far, [builder.add(row, f)]), shorts), align=2)
                whole = ir.VectorType(SMALL, LANES)
                bits = builder.shl(builder.zext(bits, whole), ir.Constant(whole, [16] * LANES))
                numbers = builder.bitcast(bits, VECTOR)
            else:
                numbers = load(builder, far, builder.add(row, f))
            scaled = builder.fmul(load(builder, scales, f), weight, flags=FAST)
            out = builder.add(builder.mul(t, stride), f)
            store(builder, builder.fmul(numbers, scaled, flags=FAST), near, out)

        def each(of_lanes: Callable[[Callable[[Any, bool], None]], None]) -> None:
            with cgutils.for_range_slice(builder, INT(0), n, INT(1), INT) as (t, _count):
                at = builder.add(first, t)
                soon = builder.add(at, INT(AHEAD))
                soon = builder.select(builder.icmp_signed("<", soon, end), soon, end)
                row, later = place_of(at), place_of(soon)
                weight = spread(builder, builder.call(root, [builder.load(builder.gep(weights, [at]))]))
                of_lanes(lambda f, fetched: of_row(t, f, row, later, weight, fetched))

        def narrow(n_lanes: int) -> None:
            def of_lanes(one: Callable[[Any, bool], None]) -> None:
                for lane in range(n_lanes):
                    one(INT(lane * LANES), not half or lane % 2 == 0)

            each(of_lanes)

        def wide() -> None:
            def of_lanes(one: Callable[[Any, bool], None]) -> None:
                with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
                    one(f, True)

            each(of_lanes)

        by_width(builder, builder.udiv(k, INT(LANES)), narrow, wide)
        return context.get_dummy_value()

    return types.void(z, indices, weight, types.int64, types.int64, scale, rows), generate


def _sums_of(builder: Any, vectors: list[Any]) -> Any:
    """The sums of two or four vectors, in this order, repeated to the end of the lanes."""
    low = [place + side for lane in range(0, LANES, 4) for place in (lane, lane + 1) for side in (0, LANES)]
    pairs = [
        builder.fadd(pick(builder, a, b, low), pick(builder, a, b, [place + 2 for place in low]), flags=FAST)
        for a, b in zip(vectors[::2], vectors[1::2], strict=True)
    ]
    ab, cd = pairs[0], pairs[-1]
    first = [lane + place for lane in range(0, LANES, 4) for place in (0, 1, LANES, LANES + 1)]
    total = builder.fadd(pick(builder, ab, cd, first), pick(builder, ab, cd, [p + 2 for p in first]), flags=FAST)
    for apart in (8, 4):
        turned = pick(builder, total, total, [place ^ apart for place in range(LANES)])
        total = builder.fadd(total, turned, flags=FAST)
    return total


def _pass_over(rows: Any, right: Any, p: Any) -> Any:
    """The code of ``add_images`` (right None) and ``add_misses``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, (_rows, stride) = array_of(context, builder, signature, args, 0)
        n = args[1]
        known, (k,) = array_of(context, builder, signature, args, len(args) - 2)
        sums, _ = array_of(context, builder, signature, args, len(args) - 1)
        wanted = None if right is None else array_of(context, builder, signature, args, 2)[0]

        def factors(t: Any, dots: list[Any]) -> list[Any]:
            """What each of the rows from ``t`` is added with."""
            sums, n_rows = _sums_of(builder, dots), len(dots)
            if wanted is not None:
                few = ir.VectorType(FLOAT, n_rows)
                aims = builder.load(builder.bitcast(builder.gep(wanted, [t]), few.as_pointer()), align=4)
                repeated = pick(builder, aims, aims, [lane % n_rows for lane in range(LANES)])
                sums = builder.fsub(repeated, sums, flags=FAST)
            return [pick(builder, sums, sums, [lane // 4 * 4 + r for lane in range(LANES)]) for r in range(n_rows)]

        def offsets(t: Any, n_rows: int) -> list[Any]:
            return [builder.mul(builder.add(t, INT(r)), stride) for r in range(n_rows)]

        def narrow(n_lanes: int) -> None:
            lanes = [INT(lane * LANES) for lane in range(n_lanes)]
            own = [load(builder, known, f) for f in lanes]
            totals = [cgutils.alloca_once_value(builder, load(builder, sums, f)) for f in lanes]
            # More than four rows of four vectors do not fit into 32 registers beside the sums.
            n_rows = ROWS if n_lanes <= 4 else 2
            with cgutils.for_range_slice(builder, INT(0), n, INT(n_rows), INT) as (t, _count):
                places = offsets(t, n_rows)
                block = [[load(builder, data, builder.add(place, f)) for f in lanes] for place in places]
                dots = []
                for row in block:
                    total = builder.fmul(row[0], own[0], flags=FAST)
                    for numbers, mine in zip(row[1:], own[1:], strict=True):
                        total = multiply_add(builder, numbers, mine, total)
                    dots.append(total)
                shares = factors(t, dots)
                for lane in range(n_lanes):
                    total = builder.load(totals[lane])
                    for row, share in zip(block, shares, strict=True):
                        total = multiply_add(builder, row[lane], share, total)
                    builder.store(total, totals[lane])
            for f, kept in zip(lanes, totals, strict=True):
                store(builder, builder.load(kept), sums, f)

        def wide() -> None:
            with cgutils.for_range_slice(builder, INT(0), n, INT(ROWS), INT) as (t, _count):
                places = offsets(t, ROWS)
                dots = [cgutils.alloca_once(builder, VECTOR) for _ in places]
                for dot in dots:
                    builder.store(VECTOR([0.0] * LANES), dot)
                with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _inner):
                    own = load(builder, known, f)
                    for place, dot in zip(places, dots, strict=True):
                        row = load(builder, data, builder.add(place, f))
                        builder.store(multiply_add(builder, row, own, builder.load(dot)), dot)
                shares = factors(t, [builder.load(dot) for dot in dots])
                with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _inner):
                    total = load(builder, sums, f)
                    for place, share in zip(places, shares, strict=True):
                        total = multiply_add(builder, load(builder, data, builder.add(place, f)), share, total)
                    store(builder, total, sums, f)

        by_width(builder, builder.udiv(k, INT(LANES)), narrow, wide)
        return context.get_dummy_value()

    extra = () if right is None else (right,)
    return types.void(rows, types.int64, *extra, p, p), generate


@intrinsic
def add_images(_: Any, rows: Any, _n: Any, p: Any, _q: Any) -> Any:
    """q += B'(B p) for the first n rows B of ``rows`` (>= n, >= k), n a multiple of ``ROWS``; p and q (k,)."""
    return _pass_over(rows, None, p)


@intrinsic
def add_misses(_: Any, rows: Any, _n: Any, right: Any, p: Any, _q: Any) -> Any:
    """q += B'(right - B p) for the first n rows B of ``rows`` (>= n, >= k), n a multiple of ``ROWS``; p, q (k,)."""
    return _pass_over(rows, right, p)


@intrinsic
def inner(_: Any, a: Any, b: Any) -> Any:
    """The inner product of a and b, both (k,)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (left, (k,)), (right, _) = (array_of(context, builder, signature, args, place) for place in (0, 1))
        total = cgutils.alloca_once(builder, VECTOR)
        builder.store(VECTOR([0.0] * LANES), total)
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            numbers = load(builder, left, f), load(builder, right, f)
            builder.store(multiply_add(builder, *numbers, builder.load(total)), total)
        return total_of(builder, builder.load(total))

    return types.float32(a, b), generate


@intrinsic
def add_scaled(_: Any, a: Any, _s: Any, b: Any, _out: Any) -> Any:
    """out = a + s * b; a, b and out (k,), of which out may be a or b."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (left, (k,)), (right, _), (out, _) = (array_of(context, builder, signature, args, place) for place in (0, 2, 3))
        share = spread(builder, args[1])
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            numbers = multiply_add(builder, load(builder, right, f), share, load(builder, left, f))
            store(builder, numbers, out, f)
        return context.get_dummy_value()

    return types.void(a, types.float32, b, a), generate
