"""The largest of a row of numbers: a floor that most are below, found many at a time, then sorting the few above it.

Numbers above 0 are compared by their bits, as whole numbers, whose order is theirs: so maxima and counts need no rules
about NaN and go sixteen at once.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import types

intrinsic: Any = extending.intrinsic

BLOCK = 64
"""Numbers that are held against the floor at once: a bit of a word for each."""

SPREAD = 4
"""Groups whose maxima give the floor, as a multiple of how many are wanted: more come closer to it, and cost more."""

LEAST_BIT = 10
"""The floor is rounded down to this bit: one part in 8,192, which lets hardly any more pass."""


@intrinsic
def at_least(_: Any, bits: Any, _at: Any, _floor: Any) -> Any:
    """Which of the BLOCK numbers of ``bits`` (n,) int32 from ``at`` on are the floor or more, as bits of a word."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        small, wide = ir.IntType(32), ir.VectorType(ir.IntType(32), BLOCK)
        some = builder.load(builder.bitcast(builder.gep(data, [args[1]]), wide.as_pointer()), align=4)
        one = builder.insert_element(wide(ir.Undefined), args[2], small(0))
        floors = builder.shuffle_vector(one, wide(ir.Undefined), ir.Constant(wide, [0] * BLOCK))
        return builder.bitcast(builder.icmp_signed(">=", some, floors), ir.IntType(BLOCK))

    return types.uint64(bits, types.int64, types.int32), generate


@intrinsic
def lowest_bit(_: Any, _word: Any) -> Any:
    """The place of the lowest bit that is set in a word that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(types.uint64), generate


@numba.njit(cache=True, nogil=True)
def n_groups(n: int, k: int) -> int:
    """How many groups give the floor of the ``k`` largest of ``n``: whole blocks."""
    return (min(SPREAD * k, n) + BLOCK - 1) // BLOCK * BLOCK


@numba.njit(cache=True, nogil=True)
def largest(bits, names, n, k, groups, keys):  # type: ignore[no-untyped-def]
    """The ``k`` largest above 0 of the first ``n`` (a multiple of BLOCK) of ``bits``, sorted; -> how many.

    bits (>= n,) are float32 seen as int32, names (>= n,) what each is called. Into ``keys`` (>= n,) go numbers that
    ascend from the largest on, and of equal ones from the lowest name: minus the bits in the upper half, the name in
    the lower. groups (n_groups(...),) is room to work in.
    """
    floor = _floor(bits, n, k, groups)
    size = 0
    for first in range(0, n, BLOCK):
        word = at_least(bits, first, floor)
        while word != 0:
            place = first + lowest_bit(word)
            word &= word - np.uint64(1)
            keys[size] = (-np.int64(bits[place]) << 32) | np.int64(names[place])
            size += 1
    keys[:size].sort()
    return min(size, k)


@numba.njit(cache=True, nogil=True)
def _floor(bits, n, k, groups):  # type: ignore[no-untyped-def]
    """A number that at least ``k`` of ``bits`` reach and few others, or 1, the least that is above 0.

    Each number belongs to a group, the whole row being dealt to the groups in turn. As many maxima of groups as reach
    a floor, at least so many numbers do. The floor is the k-th largest maximum, found bit by bit.
    """
    width = groups.shape[0]
    if k >= width:
        return np.int32(1)
    groups[:] = 0
    for first in range(0, n, width):
        dealt = bits[first : min(first + width, n)]
        for g in range(dealt.shape[0]):
            groups[g] = max(groups[g], dealt[g])
    floor = np.int32(0)
    for bit in range(30, LEAST_BIT - 1, -1):
        higher = np.int32(floor | (1 << bit))
        reached = np.int32(0)
        for g in range(width):
            reached += np.int32(groups[g] >= higher)
        if reached >= k:
            floor = higher
    return max(floor, np.int32(1))
