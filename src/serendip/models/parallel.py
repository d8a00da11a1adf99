"""Work by chunks on several threads, with BLAS held at one inside.

Kernels are serial and free of the GIL; threads of Python call them on chunks of rows. No threading layer of Numba's is
entered, so that a server may answer and train from as many threads as it likes. Every row is computed by one
thread from the same numbers whatever the chunks are: one thread or many give the same bits.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

T = TypeVar("T")

_threads: ContextVar[int | None] = ContextVar("threads", default=None)


def n_threads() -> int:
    """How many threads a kernel may use here: what ``threads`` says, else every core this process may run on."""
    chosen = _threads.get()
    if chosen is not None:
        return chosen
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Kernels called inside use ``n`` threads."""
    token = _threads.set(n)
    try:
        yield
    finally:
        _threads.reset(token)


def equal_work(cost: NDArray[np.floating], n_chunks: int) -> list[int]:
    """Bounds of at most ``n_chunks`` runs of rows of about equal summed ``cost`` (n_rows,), first 0, last n_rows."""
    done = np.concatenate([[0.0], np.cumsum(cost, dtype=np.float64)])
    inner = np.searchsorted(done, np.linspace(0, done[-1], n_chunks + 1)[1:-1])
    return [int(bound) for bound in np.unique(np.concatenate([[0], inner, [len(cost)]]))]


@contextmanager
def crew() -> Iterator[ThreadPoolExecutor | None]:
    """Threads for many short rounds of ``in_chunks``, which are not made anew each time; None where one is enough."""
    workers = n_threads()
    if workers <= 1:
        yield None
        return
    with ThreadPoolExecutor(workers - 1) as pool:
        yield pool


def in_chunks(work: Callable[[int, int], T], bounds: list[int], pool: ThreadPoolExecutor | None = None) -> list[T]:
    """``work(start, stop)`` of every chunk, in the order of chunks; idle threads, of ``pool`` if given, take the next.

    The asking thread works with them. The work must not ask the same pool for more.
    """
    chunks = list(pairwise(bounds))
    workers = min(n_threads(), len(chunks))
    if workers <= 1:
        return [work(*chunk) for chunk in chunks]
    done: list[T | None] = [None] * len(chunks)
    left, taking = iter(range(len(chunks))), Lock()

    def take() -> None:
        while True:
            with taking:
                place = next(left, None)
            if place is None:
                return
            try:
                done[place] = work(*chunks[place])
            except BaseException:
                with taking:
                    deque(left, maxlen=0)  # nobody begins another
                raise

    with nullcontext(pool) if pool is not None else ThreadPoolExecutor(workers - 1) as helpers:
        others = [helpers.submit(take) for _ in range(workers - 1)]
        try:
            take()
        finally:
            wait(others)
        for other in others:
            other.result()
    return done  # type: ignore[return-value]


_lock = Lock()
_holders = 0
_before: list[int] = []


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS uses one thread inside; when the last of several overlapping holders leaves, it is as it was before."""
    global _holders
    blas = _libraries().lib_controllers
    with _lock:
        if not _holders:
            _before[:] = [library.num_threads for library in blas]
            for library in blas:
                library.set_num_threads(1)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders:
                for library, before in zip(blas, _before, strict=True):
                    library.set_num_threads(before)
