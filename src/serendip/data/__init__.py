"""Interactions as arrays: what models learn from and what they are asked with."""

from serendip.data.columns import COMPARE, Column, Columns
from serendip.data.dataset import DAY, Dataset
from serendip.data.frames import adopt, as_frame, dataset_of, described, renamed
from serendip.data.ids import ids_of, text_id
from serendip.data.lists import Floats, ItemLists, ItemRows
from serendip.data.queries import Queries, hidden_items
from serendip.data.vocabulary import UNKNOWN, Arrays, Hashes, Vocabulary

__all__ = [
    "COMPARE",
    "DAY",
    "UNKNOWN",
    "Arrays",
    "Column",
    "Columns",
    "Dataset",
    "Floats",
    "Hashes",
    "ItemLists",
    "ItemRows",
    "Queries",
    "Vocabulary",
    "adopt",
    "as_frame",
    "dataset_of",
    "described",
    "hidden_items",
    "ids_of",
    "renamed",
    "text_id",
]
