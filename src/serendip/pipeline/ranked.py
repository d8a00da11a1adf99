"""Two stages: the best of all sources, and a ranker that orders them by features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from serendip.data import Arrays, Dataset, Floats, Hashes, ItemLists, ItemRows, Queries, Vocabulary
from serendip.data.features import OF_SOURCE, Feature, Features, parse_features
from serendip.domain import Invalid
from serendip.models.rankers import Ranker
from serendip.pipeline.config import RankerConfig
from serendip.pipeline.merging import Merged, placed
from serendip.ranking import NOTHING, Mask

CELLS = 16_000_000
"""Feature values that are held at once."""

NAMED_PARTS = 8
"""Of an explanation, the features that are named; the others are summed."""

BASE = "base"
"""The part of every score that does not depend on the item."""
OTHERS = "other features"

USERS = "users/"
"""Begins the names of the arrays of features that hold ids of users."""

Values = dict[str, float | None]
"""What features were, by name; None where nothing was known."""

Explained = tuple[dict[str, float], list[float], Values]
"""The parts of a score by name, how much of it each source said, and what the features among the parts were."""


@dataclass(frozen=True)
class Candidates:
    """What may be ranked for each of several queries, and what the sources say of it."""

    among: ItemRows
    """Shape (n_queries, n_among), ascending, padded with NOTHING."""
    said: Mapping[str, tuple[Floats, Floats]]
    """By source: scores and ranks from 1, NaN where it is silent or the item is not among its best."""

    @staticmethod
    def of(
        merged: Merged, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, lift: Floats | None = None
    ) -> Candidates:
        """The union of all sources' best."""
        found, unions = merged.best(queries, n, hidden, allowed, lift)
        width = max([1, *map(len, unions)])
        among = np.full((len(queries), width), NOTHING, np.int32)
        for q, union in enumerate(unions):
            among[q, : len(union)] = union
        said = {}
        for source, (scores, best) in zip(merged.sources, found, strict=True):
            own = np.take_along_axis(scores, np.maximum(among, 0).astype(np.int64), axis=1)
            own = np.where(np.isfinite(own) & (among != NOTHING), own, np.nan).astype(np.float32)
            ranks = np.full(among.shape, np.nan, np.float32)
            for q, union in enumerate(unions):
                rows = placed(best, q)
                ranks[q, np.searchsorted(union, rows)] = np.arange(1, len(rows) + 1)
            said[source.config.name] = own, ranks
        return Candidates(among, said)

    def runs(self, n_features: int) -> Iterator[slice]:
        """Queries in parts whose features fit into memory."""
        size = max(1, CELLS // max(1, self.among.shape[1] * n_features))
        return (slice(start, start + size) for start in range(0, len(self.among), size))

    def features(self, features: Features, queries: Queries, run: slice) -> Floats:
        """The features of the candidates of some of ``queries``, (n_queries, n_among, n_features)."""
        asked = queries if len(self.among) <= run.stop - run.start else queries.take(run)
        said = {name: (scores[run], ranks[run]) for name, (scores, ranks) in self.said.items()}
        return features.at(asked, self.among[run], said)


@dataclass(frozen=True)
class FittedRanker:
    """A ranker and the features that it looks at, as of some moment."""

    config: RankerConfig
    ranker: Ranker
    features: Features
    users: Hashes
    """The users whose own counters the features hold, in the order of their rows."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What a manifest says of it; empty where it was read back."""

    def __post_init__(self) -> None:
        # As arrays that are mapped from a file: kernels see one type of array.
        for array in (*self.ranker.arrays().values(), *self.features.arrays().values()):
            array.flags.writeable = False

    def scores(self, merged: Merged, queries: Queries, candidates: Candidates) -> Floats:
        """A row of scores a query, (n_queries, n_items), -inf for what is no candidate.

        Nothing is scored for a moment of the past whose features are not kept.
        """
        out = np.full((len(queries), len(merged.items)), -np.inf, np.float32)
        known = self.features.knows(queries.moment)
        for run in candidates.runs(len(self.features.names)):
            table = candidates.features(self.features, queries, run)
            there = (candidates.among[run] != NOTHING) & known[run, None]
            asker, _ = np.nonzero(there)
            out[asker + run.start, candidates.among[run][there]] = self.ranker.score(table[there])
        return out

    def parts(self, queries: Queries, candidates: Candidates, wanted: Sequence[ItemRows]) -> list[list[Explained]]:
        """Of each query, what the scores of its candidates ``wanted`` are made of: Shapley shares of the features."""
        out = []
        names = self.features.names
        for run in candidates.runs(len(names)):
            table = candidates.features(self.features, queries, run)
            for place, rows in enumerate(table, run.start):
                among = candidates.among[place]
                n = int((among != NOTHING).sum())
                told = rows[np.searchsorted(among[:n], wanted[place])]
                base, shares = self.ranker.shares(told)
                explained: list[Explained] = []
                for own, numbers in zip(shares, told, strict=True):
                    said = named_parts(names, base, own)
                    values = {
                        name: None if np.isnan(number) else float(number)
                        for name, number in zip(names, numbers, strict=True)
                        if name in said
                    }
                    explained.append((said, self._by_source(candidates, own), values))
                out.append(explained)
        return out

    def _by_source(self, candidates: Candidates, shares: Floats) -> list[float]:
        """What the scores and ranks of each source add to a score."""
        positions = [(name, at) for at, name in enumerate(self.features.names)]
        return [
            float(sum(shares[at] for name, at in positions if name in {f"{what}({source})" for what in OF_SOURCE}))
            for source in candidates.said
        ]

    def advanced(self, data: Dataset, past_days: float = 0.0) -> FittedRanker:
        """The same ranker over features as of ``data.now``; the users of ``data`` begin with those it knows.

        ``past_days``: how far back features are kept as of the start of each day too.
        """
        joined = data.users.hashes[len(self.users) :]
        users = Hashes(np.concatenate([self.users.hashes, joined])) if len(joined) else self.users
        # Features that were read back know no names; rows are what counts.
        named = replace(self.features, users=Vocabulary(data.users.ids[: len(self.users)]))
        return replace(self, features=named.advanced(data, past_days), users=users)

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config; of the users, only hashes of their ids."""
        told = "\n".join(feature.text for feature in self.features.definitions)
        out: Arrays = {"definitions": np.frombuffer(told.encode(), np.uint8), "users": self.users.hashes}
        out |= {f"ranker.{key}": array for key, array in self.ranker.arrays().items()}
        kept = {key: array for key, array in self.features.arrays().items() if not key.startswith(USERS)}
        return out | {f"features.{key}": array for key, array in kept.items()}

    @staticmethod
    def restore(config: RankerConfig, arrays: Arrays) -> FittedRanker:
        """The ranker that ``arrays`` was made of."""

        def own(prefix: str) -> Arrays:
            return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}

        told = np.asarray(arrays["definitions"], np.uint8).tobytes().decode()
        users = Hashes(np.asarray(arrays["users"], np.uint64))
        names = {f"{USERS}{name}": array for name, array in users.nameless.arrays().items()}
        features = Features.restore(parse_features(filter(None, told.split("\n"))), own("features.") | names)
        return FittedRanker(config, config.kind.restore(config.ranker_settings(), own("ranker.")), features, users)


def named_parts(names: Sequence[str], base: float, shares: Floats) -> dict[str, float]:
    """``base`` and the largest of ``shares`` by name, the rest as one; they sum to the score."""
    order = np.argsort(-np.abs(shares), kind="stable")
    said = {BASE: float(base)} | {names[at]: float(shares[at]) for at in order[:NAMED_PARTS] if shares[at]}
    rest = float(shares[order[NAMED_PARTS:]].sum(dtype=np.float64))
    return said | ({OTHERS: rest} if rest else {})


def check_sources(features: Sequence[Feature], sources: Sequence[str]) -> None:
    """Invalid where a feature asks a source that the pipeline has not."""
    for feature in features:
        if feature.source is not None and feature.source not in sources:
            raise Invalid(
                f"{feature.text}: the pipeline has no source {feature.source!r}; its sources are {', '.join(sources)}",
                field="features",
            )
