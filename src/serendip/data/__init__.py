"""Interactions as arrays: what models learn from and what they are asked with."""

from serendip.data.dataset import DAY, Dataset, Floats, ItemLists, ItemRows
from serendip.data.frames import as_frame, dataset_of
from serendip.data.queries import Queries, hidden_items
from serendip.data.vocabulary import UNKNOWN, Arrays, Vocabulary

__all__ = [
    "DAY",
    "UNKNOWN",
    "Arrays",
    "Dataset",
    "Floats",
    "ItemLists",
    "ItemRows",
    "Queries",
    "Vocabulary",
    "as_frame",
    "dataset_of",
    "hidden_items",
]
