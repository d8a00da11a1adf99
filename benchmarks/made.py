"""What the benchmarks of kernels share: made-up data, two sides measured in turn, versions and tables."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from scipy import sparse

from serendip.data.dataset import csr
from serendip.sources.world import generate_events

SEED = 7
SIZES = {
    "1M": (30_000, 10_000, 1_000_000),
    "10M": (150_000, 30_000, 10_000_000),
    "25M": (300_000, 60_000, 25_000_000),
}
"""Users, items and interactions of the worlds that are measured."""


def taken(size: str) -> sparse.csr_array:
    """Who took what how often in a made-up world, (n_users, n_items)."""
    n_users, n_items, n = SIZES[size]
    events, _ = generate_events(n_users, n_items, n, seed=SEED)
    matrix = csr(events.user_ix, events.item_ix, np.ones(len(events), np.float32), (n_users, n_items))
    digest = hashlib.blake2b(matrix.indices.tobytes() + matrix.data.tobytes(), digest_size=4).hexdigest()
    print(f"\nworld of {n:,} interactions, seed {SEED}: {n_users:,} x {n_items:,}, {matrix.nnz:,} pairs, {digest}")
    return matrix


def heading(*peers: str) -> None:
    """Versions, machine and how busy it is."""
    names = ("numpy", "scipy", "numba", *peers)
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {_version(name)}" for name in names))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def missing(peer: str) -> None:
    """End, saying what is not there; that is no failure."""
    print(f"left out: {peer} is not installed; pip install --group bench")
    sys.exit(0)


def in_turn(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> tuple[float, float, float, float]:
    """Median seconds of both sides, measured in turn; the median ratio of a round; the ratio of processor time."""
    wall: list[list[float]] = [[], []]
    cpu: list[list[float]] = [[], []]
    for _ in range(rounds):
        for side, work in enumerate((ours, peer)):
            start, busy = time.perf_counter(), time.process_time()
            work()
            wall[side].append(time.perf_counter() - start)
            cpu[side].append(time.process_time() - busy)
    a, b = np.array(wall)
    return (
        float(np.median(a)),
        float(np.median(b)),
        float(np.median(b / a)),
        float(np.median(cpu[1]) / np.median(cpu[0])),
    )
