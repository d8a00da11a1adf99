"""Parquet files, a few row groups at a time, with the types they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from serendip.domain import Invalid
from serendip.sources.source import BATCH_ROWS, Batch, Source, file_digest


class ParquetFile(Source):
    """A Parquet file; rows are numbered from 1."""

    format = "parquet"

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.notes, self.digest = path, str(path), [], file_digest(path)
        try:
            self._schema = dict(pl.read_parquet_schema(path))
            self.n_rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise Invalid(f"{path} is not a readable Parquet file: {_first_line(error)}") from None
        self.columns = list(self._schema)

    def read(self) -> Iterator[Batch]:
        """Slices of the file, decoded as they are asked for."""
        assert self.n_rows is not None
        step = 4 * BATCH_ROWS
        for start in range(0, self.n_rows, step):
            try:
                frame = pl.scan_parquet(self.path).slice(start, step).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise Invalid(f"{self.path} is damaged after row {start}: {_first_line(error)}") from None
            lines = np.arange(start + 1, start + frame.height + 1, dtype=np.int64)
            yield Batch(
                frame.select(map(_readable, frame.schema.items())), lines, done=(start + frame.height) / self.n_rows
            )


def _readable(column: tuple[str, pl.DataType]) -> pl.Expr:
    """Numbers, moments, texts and lists as they are; categories and bytes as text; structures as JSON text."""
    name, dtype = column
    if isinstance(dtype, pl.Struct):
        return pl.col(name).struct.json_encode()
    if dtype in (pl.Categorical, pl.Enum):
        return pl.col(name).cast(pl.String)
    if dtype == pl.Binary:
        return pl.col(name).cast(pl.String, strict=False)
    if isinstance(dtype, pl.Decimal):
        return pl.col(name).cast(pl.Float64)
    return pl.col(name)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
