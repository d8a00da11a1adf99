"""What a ranker practises on where it was logged what people were shown: the rows of a feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats
from serendip.data.features import Feature, Features
from serendip.domain import Invalid, moment
from serendip.models.rankers import Groups, Practice, RankerSettings


@dataclass(frozen=True)
class Shown:
    """Items that were shown, with their features as of that moment; all columns of shape (n_rows,)."""

    features: Floats
    """Shape (n_rows, n_features)."""
    label: Floats
    """1 taken, 0 not, NaN where nobody said which."""
    group: NDArray[np.int32]
    """Rows that compete with one another."""
    at: NDArray[np.int64]
    definitions: tuple[Feature, ...]
    categories: Mapping[int, tuple[str, ...]]
    """The words of those features that are codes, by their positions."""

    def narrowed(self, wanted: Sequence[Feature], name: str) -> Shown:
        """The rows with the features ``wanted`` alone, as far as these are no scores of sources, which no log tells.

        ``name`` is the ranker's, for the refusal where the table has not all of them.
        """
        told = tuple(feature for feature in wanted if feature.source is None)
        if not told or told == self.definitions:
            return self
        there = {feature.text for feature in self.definitions}
        missing = [feature.text for feature in told if feature.text not in there]
        if missing:
            raise Invalid(
                f"{name} looks at {', '.join(missing)}, which the feature table has not; build it with "
                "`serendip features build --scenario NAME`, or leave the features of the ranker out",
                field="features",
            )
        places, start = dict[str, range](), 0
        for feature in self.definitions:
            places[feature.text] = range(start, start + feature.n_parts)
            start += feature.n_parts
        columns = [place for feature in told for place in places[feature.text]]
        words = {to: self.categories[of] for to, of in enumerate(columns) if of in self.categories}
        return replace(self, features=self.features[:, columns], definitions=told, categories=words)


def practise_shown(
    settings: RankerSettings, features: Features, shown: Shown, until: int
) -> tuple[Practice, dict[str, Any]]:
    """The questions that the rows before ``until`` make, those with something taken and something left.

    The later ones, ``check_share`` of them, are not learnt from.
    """
    early = shown.at < until
    if np.isnan(shown.label[early]).any() or not early.any():
        said = "says of no row whether it was taken" if early.any() else f"has no row before {moment(until):%Y-%m-%d}"
        raise Invalid(f"the feature table {said}; build it with --shown and --positive", field="features")
    rows = np.flatnonzero(early)
    rows = rows[np.lexsort((shown.at[rows], shown.group[rows]))]
    _, first, size = np.unique(shown.group[rows], return_index=True, return_counts=True)
    taken = shown.label[rows] > 0
    n_taken = np.add.reduceat(taken.astype(np.int64), first)
    telling = np.flatnonzero((n_taken > 0) & (n_taken < size))
    telling = telling[np.argsort(shown.at[rows[first[telling]]], kind="stable")]
    n_check = max(1, round(len(telling) * settings.check_share))
    if len(telling) <= n_check:
        raise Invalid(
            "the feature table has no two questions of which something shown was taken and something was not, so "
            "there is no order to learn",
            field="features",
        )
    coded = recoded(features, shown)

    def groups(chosen: NDArray[np.int64]) -> Groups:
        own = np.concatenate([rows[first[one] : first[one] + size[one]] for one in chosen])
        indptr = np.concatenate([[0], np.cumsum(size[chosen])]).astype(np.int64)
        return Groups(coded[own], shown.label[own] > 0, indptr)

    learn, check = groups(telling[:-n_check]), groups(telling[-n_check:])
    about = {
        "shown": True,
        "since": moment(int(shown.at[rows].min())).isoformat(),
        "until": moment(until).isoformat(),
        "questions": len(size),
        "learnt": learn.counts,
        "checked": check.counts,
    }
    return Practice(learn, check, features.names, features.categories), about


def recoded(features: Features, shown: Shown) -> Floats:
    """The rows' features with the codes that ``features`` have for the same words; NaN for words they do not know."""
    out = shown.features.copy()
    for position, words in features.categories.items():
        code = {word: place for place, word in enumerate(words)}
        told = np.array([code.get(word, np.nan) for word in shown.categories.get(position, ())] + [np.nan], np.float32)
        own = out[:, position]
        out[:, position] = told[np.where(own >= 0, np.nan_to_num(own, nan=-1), -1).astype(np.int64)]
    return out
