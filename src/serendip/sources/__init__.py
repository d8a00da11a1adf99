"""Files and tables that others made, as checked batches of columns."""

from .checking import Checked, read
from .mapping import Mapping, infer
from .opening import open_source
from .source import BATCH_ROWS, Batch, FrameSource, RowError, Source
from .words import As

__all__ = [
    "BATCH_ROWS",
    "As",
    "Batch",
    "Checked",
    "FrameSource",
    "Mapping",
    "RowError",
    "Source",
    "infer",
    "open_source",
    "read",
]
