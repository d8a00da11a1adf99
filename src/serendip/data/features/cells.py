"""Kernels of counters: what an entity's events tell before a moment, over a log in order of time and for a request.

A cell is one entity: a user's code (left) and an item's code (right). Cell (l, r) stands at l * n_right + r of the
arrays ``a`` and ``b``, or, where ``indptr`` is not empty, where r is found in ``cols[indptr[l]:indptr[l + 1]]``,
ascending. What a and b hold is a matter of HOW:

    COUNT    a events                                   -> a
    RATIO    a, b events of two kinds, or two windows   -> scale a / b, NaN if b = 0
    MEAN     a sum of values, b how many                -> a / b, NaN if b = 0
    DECAYED  a as it was at the moment b                -> a 0.5^((moment - b) / span)
    RECENCY  a moment of the last event, NaN: none      -> days since then
    AGE      a moment of the first event, NaN: none     -> days since then

Where only a is used, b may be a itself. Moments are microseconds; a double holds them exactly. An entity of several
cells (an item of several tags) is told the mean of what they tell, NaN left out.
"""

from __future__ import annotations

import numba
import numpy as np

from serendip.data.dataset import DAY

COUNT, RATIO, MEAN, DECAYED, RECENCY, AGE = range(6)

NO_SPAN = 0
"""Instead of a window: everything."""

NEVER_MET, NO_CELL = -1, -2

_DAY = float(DAY)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def told(how, a, b, moment, span, scale):  # type: ignore[no-untyped-def]
    """What one cell tells at ``moment``."""
    if how == COUNT:
        return a
    if how in (RATIO, MEAN):
        return scale * a / b if b > 0 else np.nan
    if how == DECAYED:
        return a * 0.5 ** (max(moment - b, 0.0) / span) if a > 0 else 0.0
    return max(moment - a, 0.0) / _DAY


@numba.njit(cache=True, nogil=True, error_model="numpy")
def told_nothing(how):  # type: ignore[no-untyped-def]
    """What a cell without events tells."""
    return 0.0 if how in (COUNT, DECAYED) else np.nan


@numba.njit(cache=True, nogil=True, error_model="numpy")
def add(how, a, b, cell, is_a, is_b, at, value, span_a):  # type: ignore[no-untyped-def]
    """Take one event into a cell; events come in order of time."""
    if how == RATIO:
        if is_a:
            a[cell] += 1
        if is_b:
            b[cell] += 1
    elif not is_a:
        return
    elif how == COUNT:
        a[cell] += 1
    elif how == MEAN:
        if not np.isnan(value):
            a[cell] += value
            b[cell] += 1
    elif how == DECAYED:
        a[cell] = a[cell] * 0.5 ** ((at - b[cell]) / span_a) + 1 if a[cell] > 0 else 1.0
        b[cell] = at
    elif how == RECENCY or np.isnan(a[cell]):
        a[cell] = at


@numba.njit(cache=True, nogil=True, error_model="numpy")
def place(left, right, n_right, indptr, cols):  # type: ignore[no-untyped-def]
    """Where a cell stands; -1 if nowhere."""
    if left < 0 or right < 0:
        return -1
    if indptr.shape[0] == 0:
        return left * n_right + right
    low, high = indptr[left], indptr[left + 1]
    end = high
    while low < high:
        middle = (low + high) >> 1
        if cols[middle] < right:
            low = middle + 1
        else:
            high = middle
    return low if low < end and cols[low] == right else -1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sweep(  # type: ignore[no-untyped-def]
    how, span_a, span_b, scale, log, kinds, left, right, n_right, cells, a, b, pointers, start, stop, until, emit, out
):
    """Write what the cells of each emitted row of ``start`` up to ``stop`` tell before its moment; carry on from there.

    log: (user_ix, item_ix, kind, value, at) in order of time; kinds: whether each counts for a, and for b; left, right:
    (indptr, codes) of users and items; cells: (indptr, cols). ``pointers`` (3,): the first row that is not yet
    counted, and the first that is not yet out of the windows of a and b. Rows of one moment do not see each other: a
    row is counted when a later moment is met. ``emit`` (stop - start,); ``out`` (n_emitted,) float32.

    With nothing between ``start`` and ``stop`` all rows below them are counted that were before ``until``.
    """
    user_ix, item_ix, kind, value, at = log
    as_a, as_b = kinds
    lp, lc = left
    rp, rc = right
    indptr, cols = cells
    finishing = start == stop
    windows_a = span_a != NO_SPAN and how <= RATIO
    windows_b = span_b != NO_SPAN and how == RATIO
    next_, out_a, out_b = pointers
    n_out = 0
    for t in range(start, stop + 1 if finishing else stop):
        now = until if finishing else at[t]
        while next_ < t and at[next_] < now:
            k, u, i = kind[next_], user_ix[next_], item_ix[next_]
            is_a, is_b = as_a[k], as_b[k]
            if is_a or is_b:
                for x in range(lp[u], lp[u + 1]):
                    for y in range(rp[i], rp[i + 1]):
                        cell = place(np.int64(lc[x]), np.int64(rc[y]), n_right, indptr, cols)
                        if cell >= 0:
                            add(how, a, b, cell, is_a, is_b, at[next_], value[next_], span_a)
            next_ += 1
        if windows_a:
            while out_a < next_ and at[out_a] < now - span_a:
                if as_a[kind[out_a]]:
                    take_out(a, user_ix[out_a], item_ix[out_a], lp, lc, rp, rc, n_right, indptr, cols)
                out_a += 1
        if windows_b:
            while out_b < next_ and at[out_b] < now - span_b:
                if as_b[kind[out_b]]:
                    take_out(b, user_ix[out_b], item_ix[out_b], lp, lc, rp, rc, n_right, indptr, cols)
                out_b += 1
        if finishing or not emit[t - start]:
            continue
        total, n = 0.0, 0
        u, i = user_ix[t], item_ix[t]
        for x in range(lp[u], lp[u + 1]):
            for y in range(rp[i], rp[i + 1]):
                cell = place(np.int64(lc[x]), np.int64(rc[y]), n_right, indptr, cols)
                one = told_nothing(how) if cell < 0 else told(how, a[cell], b[cell], now, span_a, scale)
                if not np.isnan(one):
                    total += one
                    n += 1
        out[n_out] = total / n if n else np.nan
        n_out += 1
    pointers[0], pointers[1], pointers[2] = next_, out_a, out_b


@numba.njit(cache=True, nogil=True, error_model="numpy")
def take_out(held, user, item, lp, lc, rp, rc, n_right, indptr, cols):  # type: ignore[no-untyped-def]
    """Count an event no more."""
    for x in range(lp[user], lp[user + 1]):
        for y in range(rp[item], rp[item + 1]):
            cell = place(np.int64(lc[x]), np.int64(rc[y]), n_right, indptr, cols)
            if cell >= 0:
                held[cell] -= 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sweep_single(  # type: ignore[no-untyped-def]
    how, span_a, span_b, scale, row_cell, as_a, as_b, kind, value, at, a, b, pointers, start, stop, until, emit, out
):
    """``sweep`` where every row has one cell at most, ``row_cell`` (n,): several times as fast.

    NEVER_MET: a cell that has no place, for it has no events; NO_CELL: of the row nothing is known.
    """
    finishing = start == stop
    windows_a = span_a != NO_SPAN and how <= RATIO
    windows_b = span_b != NO_SPAN and how == RATIO
    next_, out_a, out_b = pointers
    n_out = 0
    for t in range(start, stop + 1 if finishing else stop):
        now = until if finishing else at[t]
        while next_ < t and at[next_] < now:
            is_a, is_b = as_a[kind[next_]], as_b[kind[next_]]
            cell = row_cell[next_]
            if cell >= 0 and (is_a or is_b):
                add(how, a, b, cell, is_a, is_b, at[next_], value[next_], span_a)
            next_ += 1
        if windows_a:
            while out_a < next_ and at[out_a] < now - span_a:
                if as_a[kind[out_a]] and row_cell[out_a] >= 0:
                    a[row_cell[out_a]] -= 1
                out_a += 1
        if windows_b:
            while out_b < next_ and at[out_b] < now - span_b:
                if as_b[kind[out_b]] and row_cell[out_b] >= 0:
                    b[row_cell[out_b]] -= 1
                out_b += 1
        if finishing or not emit[t - start]:
            continue
        cell = row_cell[t]
        if cell >= 0:
            out[n_out] = told(how, a[cell], b[cell], now, span_a, scale)
        else:
            out[n_out] = told_nothing(how) if cell == NEVER_MET else np.nan
        n_out += 1
    pointers[0], pointers[1], pointers[2] = next_, out_a, out_b


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sweep_counts(row_cell, as_a, kind, at, a, pointers, start, stop, emit, out):  # type: ignore[no-untyped-def]
    """``sweep_single`` of counts without a window: the commonest, in a few nanoseconds a row."""
    next_ = pointers[0]
    n_out = 0
    for t in range(start, stop):
        now = at[t]
        while at[next_] < now:
            if as_a[kind[next_]] and row_cell[next_] >= 0:
                a[row_cell[next_]] += 1
            next_ += 1
        if emit[t - start]:
            cell = row_cell[t]
            out[n_out] = a[cell] if cell >= 0 else (0.0 if cell == NEVER_MET else np.nan)
            n_out += 1
    pointers[0] = next_


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sweep_counts_together(row_cell, counts, kind, at, a, pointers, start, stop, until, out):  # type: ignore[no-untyped-def]
    """``sweep_counts`` of several counters of the same cells, whose numbers stand side by side in ``a`` (n_cells, n).

    ``counts`` (n_kinds, n): 1 where a counter counts a kind, else 0. ``out`` (n, stop - start), a row a counter. As in
    ``sweep``, with nothing between ``start`` and ``stop`` all rows below are counted that were before ``until``.
    """
    n = a.shape[1]
    next_ = pointers[0]
    for t in range(start, stop):
        now = at[t]
        while at[next_] < now:
            for f in range(n):
                a[row_cell[next_], f] += counts[kind[next_], f]
            next_ += 1
        for f in range(n):
            out[f, t - start] = a[row_cell[t], f]
    if start == stop:
        while next_ < stop and at[next_] < until:
            for f in range(n):
                a[row_cell[next_], f] += counts[kind[next_], f]
            next_ += 1
    pointers[0] = next_


@numba.njit(cache=True, nogil=True, error_model="numpy")
def find_cells(user_code, item_code, n_right, indptr, cols, out):  # type: ignore[no-untyped-def]
    """The cell of each row of one code at most on both sides; codes may be NEVER_MET or NO_CELL."""
    for t in range(user_code.shape[0]):
        left, right = np.int64(user_code[t]), np.int64(item_code[t])
        if left == NO_CELL or right == NO_CELL:
            out[t] = NO_CELL
        else:
            out[t] = place(left, right, n_right, indptr, cols)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def read(  # type: ignore[no-untyped-def]
    how, span_a, span_b, scale, left, right, n_right, cells, a, b, moment, events, kinds, first, indptr_events,
    among, out,
):  # fmt: skip
    """What the cells of each asker and each item of ``among`` (n_queries, n_among) tell at ``moment`` (n_queries,).

    The cells are as they were when the counters were made; of ``events`` (item_ix, kind, value, at) those of asker q
    from ``first[q]`` up to ``indptr_events[q + 1]`` are taken in besides. left: (indptr, codes) of the askers.
    ``out`` (n_queries, n_among) float32; NaN where ``among`` is below 0.
    """
    lp, lc = left
    rp, rc = right
    indptr, cols = cells
    item_ix, kind, value, at = events
    as_a, as_b = kinds
    own_a, own_b = np.empty(n_right, np.float64), np.empty(n_right, np.float64)
    n_among = among.shape[1]
    total, n = np.empty(n_among, np.float64), np.empty(n_among, np.int64)
    none = np.nan if how in (RECENCY, AGE) else 0.0
    for q in range(among.shape[0]):
        total[:], n[:] = 0.0, 0
        now = moment[q]
        for x in range(lp[q], lp[q + 1]):
            l = np.int64(lc[x])  # noqa: E741
            if l >= 0 and indptr.shape[0] == 0 and first[q] == indptr_events[q + 1]:
                base = l * n_right
                tell(how, a, b, base, now, span_a, scale, rp, rc, among[q], total, n)
                continue
            if l >= 0 and indptr.shape[0] == 0:
                own_a[:], own_b[:] = a[l * n_right : (l + 1) * n_right], b[l * n_right : (l + 1) * n_right]
            else:
                own_a[:], own_b[:] = none, 0.0
                if l >= 0:
                    for cell in range(indptr[l], indptr[l + 1]):
                        own_a[cols[cell]], own_b[cols[cell]] = a[cell], b[cell]
            for e in range(first[q], indptr_events[q + 1]):
                k = kind[e]
                is_a = as_a[k] and (span_a == NO_SPAN or how > RATIO or at[e] >= now - span_a)
                is_b = as_b[k] and (span_b == NO_SPAN or at[e] >= now - span_b)
                if is_a or is_b:
                    for y in range(rp[item_ix[e]], rp[item_ix[e] + 1]):
                        if rc[y] >= 0:
                            add(how, own_a, own_b, rc[y], is_a, is_b, at[e], value[e], span_a)
            tell(how, own_a, own_b, 0, now, span_a, scale, rp, rc, among[q], total, n)
        for j in range(n_among):
            out[q, j] = total[j] / n[j] if n[j] and among[q, j] >= 0 else np.nan


@numba.njit(cache=True, nogil=True, error_model="numpy")
def tell(how, a, b, base, now, span, scale, rp, rc, among, total, n):  # type: ignore[no-untyped-def]
    """Add what the cells of each item of ``among`` (n_among,) tell to ``total``, and how many did to ``n``.

    ``base``: where the cells of the asker's code begin.
    """
    for j in range(among.shape[0]):
        i = among[j]
        if i < 0:
            continue
        for y in range(rp[i], rp[i + 1]):
            r = rc[y]
            one = told_nothing(how) if r < 0 else told(how, a[base + r], b[base + r], now, span, scale)
            if not np.isnan(one):
                total[j] += one
                n[j] += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def count_pairs(user_ix, item_ix, left, right, size, cols):  # type: ignore[no-untyped-def]
    """Write the right codes that each left code met, unsorted, to ``cols`` from ``size[l]`` on, which is moved on.

    With an empty ``cols`` nothing is written: ``size`` then counts them.
    """
    lp, lc = left
    rp, rc = right
    for t in range(user_ix.shape[0]):
        u, i = user_ix[t], item_ix[t]
        for x in range(lp[u], lp[u + 1]):
            if lc[x] < 0:
                continue
            for y in range(rp[i], rp[i + 1]):
                if rc[y] >= 0:
                    if cols.shape[0]:
                        cols[size[lc[x]]] = rc[y]
                    size[lc[x]] += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def each_once(indptr, cols):  # type: ignore[no-untyped-def]
    """Sort the codes of every row and drop repeats, in place; ``indptr`` is changed with them. How many are left."""
    n = np.int64(0)
    start = indptr[0]
    for row in range(indptr.shape[0] - 1):
        stop = indptr[row + 1]
        own = np.sort(cols[start:stop])
        for place_ in range(own.shape[0]):
            if place_ == 0 or own[place_] != own[place_ - 1]:
                cols[n] = own[place_]
                n += 1
        start = stop
        indptr[row + 1] = n
    return n
