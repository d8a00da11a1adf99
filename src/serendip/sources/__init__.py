"""Files and tables that others made, as checked batches of columns."""

from serendip.sources.checking import Checked, read
from serendip.sources.mapping import Mapping, infer
from serendip.sources.opening import open_source
from serendip.sources.source import BATCH_ROWS, Batch, FrameSource, RowError, Source
from serendip.sources.whole import all_attributes, all_candidates, all_interactions, is_sequences
from serendip.sources.words import As

__all__ = [
    "BATCH_ROWS",
    "As",
    "Batch",
    "Checked",
    "FrameSource",
    "Mapping",
    "RowError",
    "Source",
    "all_attributes",
    "all_candidates",
    "all_interactions",
    "infer",
    "is_sequences",
    "open_source",
    "read",
]
