"""Interactions: ids, moments, kinds, values, and keys by which a second import adds nothing."""

from __future__ import annotations

import hashlib
from functools import partial
from operator import methodcaller

import numpy as np
import polars as pl

from serendip.sources.cells import MISSING, Refusals, ids, json_objects, numbers, texts
from serendip.sources.mapping import Mapping
from serendip.sources.moments import to_micros
from serendip.sources.occurrences import Occurrences
from serendip.sources.reading import Columns, Reading

NOT_A_MOMENT = (
    "is not a moment as the others of its column (2024-05-01T12:00:00Z, or a count since 1970), from 1900 to 2200"
)

SCHEMA = {
    "user": pl.String,
    "item": pl.String,
    "at": pl.Int64,
    "kind": pl.String,
    "value": pl.Float64,
    "context": pl.String,
    "key": pl.Binary,
}
"""Columns of accepted interactions; ``at`` in microseconds since 1970, ``key`` of 16 bytes."""


class InteractionChecker:
    """Checks interactions and numbers them."""

    def __init__(self, mapping: Mapping, reading: Reading) -> None:
        self.columns, self.scale = Columns(mapping, reading), reading.scale
        self.kind = reading.defaults.get("kind", mapping.kind)
        self.has_moments = "at" in mapping.fields or "at" in reading.defaults
        self.occurrences = Occurrences(reading.expected)
        self.n_rows = 0

    def check(self, frame: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
        """Typed columns for every row, without keys."""
        n = frame.height
        get = partial(self.columns.get, frame)
        user, item, value = get("user"), get("item"), get("value")
        assert user is not None
        assert item is not None
        kind, context = get("kind"), get("context")
        return pl.DataFrame(
            {
                "user": ids(user, "user", refusals),
                "item": ids(item, "item", refusals),
                "at": self._moments(frame, refusals),
                "kind": pl.repeat(self.kind, n, eager=True) if kind is None else _kinds(kind, self.kind, refusals),
                "value": pl.repeat(None, n, dtype=pl.Float64, eager=True)
                if value is None
                else numbers(value, "value", refusals, self.scale),
                "context": pl.repeat(None, n, dtype=pl.String, eager=True)
                if context is None
                else json_objects(context, "context", refusals),
            }
        )

    def _moments(self, frame: pl.DataFrame, refusals: Refusals) -> pl.Series:
        column = self.columns.get(frame, "at")
        if column is None:
            first, self.n_rows = self.n_rows, self.n_rows + frame.height
            return pl.Series(np.arange(first, self.n_rows, dtype=np.int64))
        text = texts(column) if column.dtype == pl.String else column
        micros = to_micros(text, self.columns.form("at", text), self.columns.reading.timezone)
        if micros.null_count():
            refusals.refuse(text.is_null(), "at", MISSING, text)
            refusals.refuse(micros.is_null(), "at", NOT_A_MOMENT, text)
        return micros

    def finish(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """The rows with their keys."""
        identity = _identity(accepted, self.has_moments)
        number = self.occurrences.number(identity.hash(seed=7).to_numpy())
        return accepted.with_columns(_keys(identity, number))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about moments."""
        return self.columns.notes


def _kinds(column: pl.Series, default: str, refusals: Refusals) -> pl.Series:
    text = texts(column).fill_null(default)
    return ids(text, "kind", refusals)


def _identity(frame: pl.DataFrame, has_moments: bool) -> pl.Series:
    """The mapped fields of each row as one text that no other row has: texts with lengths, numbers by their bits."""
    bits = pl.Series((frame["value"].fill_null(0.0).to_numpy() + 0.0).view(np.int64))
    parts = [_sized(name) for name in ("user", "item", "kind")]
    parts += [pl.col("at").cast(pl.String)] if has_moments else []
    parts += [pl.when(pl.col("value").is_null()).then(pl.lit("-")).otherwise(bits.cast(pl.String))]
    if frame["context"].null_count() < frame.height:
        parts += [_sized("context").fill_null("")]
    return frame.select(pl.concat_str(parts, separator=" ")).to_series()


def _sized(name: str) -> pl.Expr:
    return pl.concat_str([pl.col(name).str.len_bytes().cast(pl.String), pl.col(name)], separator=":")


def _keys(identity: pl.Series, number: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    """16 bytes of each row's identity and its number among equal rows."""
    texts = identity.cast(pl.Binary).to_list()
    for i in np.flatnonzero(number):
        texts[i] += b" #%d" % number[i]
    digests = map(methodcaller("digest"), map(partial(hashlib.blake2b, digest_size=16), texts))
    return pl.Series("key", list(digests), dtype=pl.Binary)
