"""What is told of those who ask, by their profiles or as it was learnt; and what sources say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serendip.data.features.coded import Coded, coded
from serendip.data.features.definition import Feature
from serendip.data.features.described import Coding, category_of, values
from serendip.data.lists import Floats
from serendip.data.queries import Queries
from serendip.domain import Invalid

Said = Mapping[str, tuple[Floats, Floats]]
"""By the name of a candidate source: scores and ranks."""


def asker_codes(queries: Queries, name: str, own: Coded) -> Coded:
    """What a column says of the askers: by their profiles, or where these are not told, as it was learnt."""
    if queries.profile is None:
        return own.take(queries.own)
    column = queries.profile.columns.get(name.split(" ")[-1])
    if column is None:
        return own.take(np.full(len(queries), -1))
    return coded(column, len(queries), own.words)


def asker_parts(definitions: Sequence[Feature], table: Floats, codes: Coding, queries: Queries) -> Floats:
    """What columns say of the askers, as ``table`` does of users; (n_queries, n_numbers)."""
    stored = np.full((len(queries), table.shape[1]), np.nan, np.float32)
    known = queries.own >= 0
    stored[known] = table[queries.own[known]]
    if queries.profile is None:
        return stored
    place = 0
    for feature in definitions:
        if not feature.of_asker or feature.what not in ("column", "category", "length", "text"):
            continue
        assert feature.column is not None
        column = queries.profile.columns.get(feature.column)
        if feature.what != "text":
            told: Floats = np.full((len(queries), 1), np.nan, np.float32)
            if column is not None:
                name = category_of(feature)
                own = codes.get(name)
                words = None if own is None else asker_codes(queries, name, own)
                told = values(feature, column, len(queries), words)
            stored[:, place : place + 1] = told
        place += feature.n_parts
    return stored


def what_is_said(feature: Feature, said: Said) -> Floats:
    """The scores or the ranks of the source that a feature names."""
    assert feature.source is not None
    if feature.source not in said:
        known = ", ".join(said) or "none"
        raise Invalid(f"{feature.text}: there is no candidate source {feature.source!r}; there are {known}", "features")
    scores, ranks = said[feature.source]
    if feature.what != "share":
        return scores if feature.what == "score" else ranks
    highest = np.max(scores, axis=1, keepdims=True, initial=-np.inf, where=np.isfinite(scores))
    # Where nothing is above 0, a part of the highest would turn the order round.
    return np.asarray(scores / np.where(highest > 0, highest, np.nan), np.float32)
