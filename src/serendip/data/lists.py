"""Rows of items, and lists of them end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ItemRows = NDArray[np.int32]


@dataclass(frozen=True)
class ItemLists:
    """A list of item rows for each of several askers, end to end."""

    indptr: NDArray[np.int64]
    """Asker ``q`` owns ``item_ix[indptr[q]:indptr[q + 1]]``; shape (n_askers + 1,)."""
    item_ix: ItemRows

    @staticmethod
    def of(lists: Sequence[Sequence[int] | ItemRows]) -> ItemLists:
        """The lists as given, one an asker."""
        indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists], dtype=np.int64)]).astype(np.int64)
        joined = np.concatenate([np.asarray(one, np.int32) for one in lists]) if lists else np.empty(0, np.int32)
        return ItemLists(indptr, joined.astype(np.int32))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, asker: int) -> ItemRows:
        return self.item_ix[self.indptr[asker] : self.indptr[asker + 1]]
