"""When to stop, and which epoch's parameters to keep."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np

from serendip.data import Floats
from serendip.domain import Invalid

log = logging.getLogger(__name__)


class Best:
    """Parameters of the best epoch so far, by a measure on what was held out: more is better."""

    def __init__(self, kind: str, n_epochs: int, patience: int) -> None:
        self._kind, self._n_epochs, self._patience = kind, n_epochs, patience
        self._began = time.perf_counter()
        self.measure = -float("inf")
        self.epoch = -1
        self.arrays: dict[str, Floats] = {}

    def enough(self, epoch: int, loss: float, measure: float, copy: Callable[[], dict[str, Floats]]) -> bool:
        """Take note of an epoch, counted from 0; True once ``patience`` epochs in a row brought nothing better.

        ``copy`` gives the parameters as arrays that training will not write to again.
        """
        if not self.arrays or measure > self.measure:
            self.measure, self.epoch, self.arrays = measure, epoch, copy()
        took = time.perf_counter() - self._began
        log.info(
            "%s: epoch %d of at most %d, loss %.4f, held out %.4f (best %.4f in epoch %d), %.0f s so far",
            *(self._kind, epoch + 1, self._n_epochs, loss, measure, self.measure, self.epoch + 1, took),
        )
        return epoch - self.epoch >= self._patience


def converged(kind: str, arrays: dict[str, Floats]) -> dict[str, Floats]:
    """``arrays`` as they are; parameters that ran away to infinity would answer nobody, and are refused."""
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise Invalid(
            f"{kind} ran away: training left numbers that are not finite; lower learning_rate, and "
            "regularization where it is set",
            field="learning_rate",
        )
    return arrays
