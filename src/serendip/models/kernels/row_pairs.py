"""A row of one table and a row of another, sixteen numbers at once; as ``lanes``, they look at no bounds."""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types

from serendip.models.kernels.lanes import (
    FAST,
    INT,
    LANES,
    VECTOR,
    array_of,
    intrinsic,
    load,
    multiply_add,
    spread,
    store,
    total_of,
)


@intrinsic
def dot_rows(_: Any, p: Any, _u: Any, q: Any, _i: Any) -> Any:
    """The inner product of row ``u`` of ``p`` (n, k) and row ``i`` of ``q`` (m, k)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (left, u), (right, i), k = _two_rows(context, builder, signature, args)
        total = cgutils.alloca_once_value(builder, VECTOR([0.0] * LANES))
        with cgutils.for_range_slice(builder, INT(0), k, INT(LANES), INT) as (f, _count):
            one, other = load(builder, left, builder.add(u, f)), load(builder, right, builder.add(i, f))
            builder.store(multiply_add(builder, one, other, builder.load(total)), total)
        return total_of(builder, builder.load(total))

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
                store(builder, multiply_add(builder, its, step, builder.fmul(own, keep, flags=FAST)), data, place)
        return context.get_dummy_value()

    return types.void(p, types.int64, q, types.int64, types.float32, types.float32), generate


def _two_rows(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Where the numbers and row args[1] of args[0] begin, the same of row args[3] of args[2], and the rows' length."""
    (left, (_n, k)), (right, _) = (array_of(context, builder, signature, args, at) for at in (0, 2))
    return (left, builder.mul(args[1], k)), (right, builder.mul(args[3], k)), k
