"""PyTorch, where it is installed: the one door to it.

It trains. What it leaves is plain arrays, so that answers need none of it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from serendip.domain import Invalid

_lock = Lock()
_holders = 0
_before = 1


def torch_is_here() -> bool:
    """Whether PyTorch is installed; it is not imported to find out."""
    return importlib.util.find_spec("torch") is not None


@contextmanager
def training(kind: str) -> Iterator[Any]:
    """The module ``torch``, one thread an operation inside, so that many threads or one give the same bits.

    Work is shared out by chunks instead, as everywhere in ``models.parallel``. When the last of several overlapping
    holders leaves, PyTorch has as many threads as before.
    """
    global _holders, _before
    torch = import_torch(kind)
    with _lock:
        if not _holders:
            _before = torch.get_num_threads()
            torch.set_num_threads(1)
        _holders += 1
    try:
        yield torch
    finally:
        with _lock:
            _holders -= 1
            if not _holders:
                torch.set_num_threads(_before)


def import_torch(kind: str) -> Any:
    """The module ``torch``; where it is absent, what models of ``kind`` want installed."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise Invalid(
            f"models of kind {kind!r} are trained with PyTorch, which is not installed: "
            'pip install "serendip[neural]"; a model that was trained elsewhere answers without it',
            field="kind",
        ) from None


def generator(torch: Any, rng: np.random.Generator) -> Any:
    """A generator of PyTorch's own, seeded from ``rng``; the one that all of a process share is never touched."""
    return torch.Generator().manual_seed(int(rng.integers(2**63 - 1)))


def dropping(torch: Any, rng: np.random.Generator, part: float) -> Callable[[Any], Any]:
    """What sets a random ``part`` of a tensor's cells to 0 and makes up for it in the others.

    Bits of ``rng`` are several times faster than PyTorch's own dropout on a processor. The part is rounded to a whole
    number of 65,536ths.
    """
    bar = round(part * 2**16)
    larger = np.float32(2**16 / max(2**16 - bar, 1))

    def drop(x: Any) -> Any:
        if not bar:
            return x
        kept = np.frombuffer(rng.bytes(2 * x.numel()), np.uint16).reshape(x.shape) >= bar
        return x * torch.from_numpy(kept * larger)

    return drop
