"""For notebooks: frames in, external ids at the border, the same pipeline that a server answers with."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip import __version__, evaluation
from serendip import pipeline as pipelines
from serendip.bundle import MANIFEST, read_bundle, write_bundle
from serendip.data import (
    UNKNOWN,
    Columns,
    Dataset,
    ItemLists,
    Queries,
    adopt,
    dataset_of,
    described,
    hidden_items,
    ids_of,
    renamed,
    text_id,
)
from serendip.domain import InteractionKind, Invalid, NotFound, NotReady, kinds_from, moment
from serendip.evaluation import Protocol, RatingTable, Table, given_split
from serendip.models import KINDS, HasInterests, HasPeople, HasUserNeighbours, Overlaps
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.ranking import NOTHING, Mask

Ids = str | int | Iterable[str] | Iterable[int]
"""Ids of users or items: text or whole numbers, also of numpy; a bare one is a list of one."""


@dataclass(frozen=True)
class Recommendations:
    """One list of items an asker, best first."""

    users: tuple[str | None, ...]
    items: NDArray[np.object_]
    """Ids of shape (n_askers, k), None where nothing qualified."""
    scores: NDArray[np.float32]
    """Shape (n_askers, k), -inf where nothing qualified."""
    sources: NDArray[np.object_]
    """The model or fallback that placed each item, of shape (n_askers, k)."""

    def to_polars(self) -> pl.DataFrame:
        """A row a place: user, rank (from 1), item, score, source."""
        n, k = self.items.shape
        frame = pl.DataFrame(
            {
                "user": [user for user in self.users for _ in range(k)],
                "rank": list(range(1, k + 1)) * n,
                "item": self.items.ravel().tolist(),
                "score": self.scores.ravel(),
                "source": self.sources.ravel().tolist(),
            }
        )
        return frame.filter(pl.col("item").is_not_null())

    def to_arrow(self) -> Any:
        """The same as an Arrow table; needs pyarrow."""
        return self.to_polars().to_arrow()

    def to_pandas(self) -> Any:
        """The same as a pandas frame; needs pandas."""
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]

        return pd.DataFrame(self.to_polars().to_dict(as_series=False))


@dataclass(frozen=True)
class Recommender:
    """A fitted pipeline beside the interactions it was fitted to."""

    pipeline: Pipeline
    data: Dataset

    def recommend(
        self,
        users: Ids | None = None,
        k: int = 10,
        *,
        history: Ids | None = None,
        profile: Mapping[str, Any] | None = None,
        filter_seen: bool = True,
        items: Ids | None = None,
    ) -> Recommendations:
        """The best ``k`` items for each of ``users``, or for a bare ``history`` of item ids, oldest first.

        A stranger gets the fallback. ``profile``: attributes of somebody unknown, with a history or without one.
        ``filter_seen``: leave out what the asker has met, as far as the kinds say that it hides. ``items``: only among
        these. An id is text or a number; one alone is a list of one. ``k`` counts up to the number of items.
        """
        k = _at_most(k, len(self.pipeline.items), "item")
        queries, hidden, names = self._asked(users, history, filter_seen, profile)
        answers = self.pipeline.answer(queries, k, hidden, self._among(items))
        ids = self._ids[answers.rows]
        return Recommendations(names, ids, answers.scores, np.array(self.pipeline.names, object)[answers.source])

    @cached_property
    def _ids(self) -> NDArray[np.object_]:
        """Ids by row, and None for NOTHING."""
        return np.array([*self.pipeline.items.ids, None], object)

    def explain(self, user: str, item: str) -> list[tuple[str, float]]:
        """The past items that gave ``item`` its score for ``user``, with their shares, largest first.

        Empty where the models have nothing to say: a stranger, a popularity model.
        """
        row = self._item_row(item)
        queries = self._one(user)
        only = np.zeros(len(self.pipeline.items), np.bool_)
        only[row] = True
        answers = self.pipeline.answer(queries, 1, None, only)
        _, shares, _ = self.pipeline.explain(queries, answers, None, only)[0][0]
        if shares is None:
            return []
        order = np.argsort(-np.abs(shares), kind="stable")
        return [(self.pipeline.items.ids[queries.item_ix[e]], float(shares[e])) for e in order if shares[e]]

    def similar_items(self, item: str, k: int = 10) -> list[tuple[str, float]]:
        """The ``k`` items most alike ``item`` with their likeness, best first."""
        k = _at_most(k, len(self.pipeline.items), "item")
        _, rows, likeness = self.pipeline.neighbours(np.array([self._item_row(item)], np.int32), k)
        found = zip(rows[0], likeness[0], strict=True)
        return [(self.pipeline.items.ids[row], float(like)) for row, like in found if row != NOTHING]

    def similar_users(
        self, user: str | None = None, k: int = 10, *, profile: Mapping[str, Any] | None = None
    ) -> list[tuple[str, float]]:
        """The ``k`` users most alike ``user``, or somebody of this ``profile``, with their likeness, best first.

        Who is alike says the first model that knows: user-knn by what people took, svd and nmf by what they think of
        it, profile-knn by their profiles.
        """
        k = _at_most(k, self.data.n_users, "user")
        without = "knows no likeness of people; fit user-knn, svd, nmf or profile-knn"
        able, asked = self._able(HasPeople | HasUserNeighbours, without), self._one(user, profile)
        if isinstance(able, HasPeople):
            rows, likeness = able.people(asked, k)
        else:
            everybody = Queries.of_users(self.data, np.arange(self.data.n_users))
            rows, likeness = able.user_neighbours(asked, everybody, k)
        found = zip(rows[0], likeness[0], strict=True)
        return [(self.data.users.ids[row], float(like)) for row, like in found if row != UNKNOWN]

    def overlap(self, item: str, other: str) -> list[tuple[str, float]]:
        """The words and tags that both items have, with their parts of the cosine of TF-IDF, largest first."""
        model = self._able(Overlaps, "knows no words of items; fit content-knn")
        found: list[tuple[str, float]] = model.overlap(self._item_row(item), self._item_row(other))
        return found

    def interests(self, user: str) -> list[tuple[str, float, float]]:
        """For each cluster of tags: how many ``user`` met, and how many are expected; the most expected first.

        Empty for somebody who has met none.
        """
        queries = self._one(user)
        names, counts, expected = self._able(HasInterests, "knows no clusters of tags; fit tag-svd").interests(queries)
        if np.isnan(expected[0]).any():
            return []
        order = np.argsort(-expected[0], kind="stable")
        return [(names[t], float(counts[0, t]), float(expected[0, t])) for t in order]

    def _able(self, what: Any, without: str) -> Any:
        """The first source's model that is one of ``what``."""
        for source in self.pipeline.sources:
            if isinstance(source.model, what):
                return source.model
        raise Invalid(f"{self.pipeline.config.name} {without} for that")

    def save(self, folder: str | Path) -> None:
        """Keep all of it in ``folder``, as plain arrays and a manifest; one that was saved there before is replaced."""
        target = Path(folder)
        if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
            raise Invalid(f"{target} holds other things; name a folder that is empty or not there yet")
        draft = target.with_name(f".{target.name}.draft-{secrets.token_hex(4)}")
        old = draft.with_name(draft.name + "-old")
        manifest = {
            "name": re.sub(r"[^a-z0-9_.-]+", "-", self.pipeline.config.name.lower()).strip("-.")[:60] or "model",
            "pipeline": self.pipeline.config.model_dump(mode="json"),
            "kinds": [asdict(kind) for kind in self.pipeline.kinds],
            "data": {"kinds": [asdict(kind) for kind in self.data.kinds], "until": self.data.until},
            "code": __version__,
        }
        try:
            draft.mkdir(parents=True)
            told = {f"data.{name}": array for name, array in self.data.arrays().items()}
            write_bundle(draft, manifest, self.pipeline.arrays() | told)
            if target.exists():
                target.rename(old)
            draft.rename(target)
        except OSError as error:
            raise NotReady(f"{target} cannot be written: {error}; check the disk's room and rights") from error
        finally:
            for left in (draft, old):
                shutil.rmtree(left, ignore_errors=True)

    def _item_row(self, item: str) -> int:
        row = self.pipeline.items.row(text_id(item, "item"))
        if row == UNKNOWN:
            raise NotFound(f"no item {item!r} in what this model learnt from")
        return row

    def _among(self, items: Ids | None) -> Mask | None:
        if items is None:
            return None
        rows = self.pipeline.items.rows(ids_of(items, "item"))
        allowed = np.zeros(len(self.pipeline.items), np.bool_)
        allowed[rows[rows != UNKNOWN]] = True
        return allowed

    def _one(self, user: Any, profile: Mapping[str, Any] | None = None) -> Queries:
        """The query of one asker."""
        queries, _, names = self._asked(user, None, filter_seen=False, profile=profile)
        if len(names) != 1:
            raise Invalid(f"this is asked for one user at a time, and {len(names)} were given", field="user")
        return queries

    def _asked(
        self,
        users: Ids | None,
        history: Ids | None,
        filter_seen: bool,
        profile: Mapping[str, Any] | None = None,
    ) -> tuple[Queries, ItemLists | None, tuple[str | None, ...]]:
        """The queries, what is hidden from each, and who asks."""
        if (users is None) == (history is None and profile is None):
            raise Invalid("say who is asked for: users, or a history of item ids or a profile, not both")
        if users is None:
            queries = self.pipeline.bare_queries(() if history is None else ids_of(history, "item"))
            if profile is not None:
                queries = replace(queries, profile=self._told(profile))
            return queries, ItemLists(queries.indptr, queries.item_ix) if filter_seen else None, (None,)
        names = ids_of(users)
        rows = self.data.users.rows(names)
        known = np.flatnonzero(rows != UNKNOWN)
        asked = Queries.of_users(self.data, rows[known])
        hidden = hidden_items(self.data, asked)
        if len(known) < len(names):
            asked, hidden = self._with_strangers(names, known, asked, hidden)
        return asked, hidden if filter_seen else None, names

    def _told(self, profile: Mapping[str, Any]) -> Columns:
        """A profile as columns, for models that read one."""
        if not isinstance(profile, Mapping):
            raise Invalid(f"the profile {profile!r} is no dict; give attributes by name", field="profile")
        if "user_columns" not in self.pipeline.config.reads:
            able = " or ".join(name for name, kind in KINDS.items() if "user_columns" in kind.reads)
            raise Invalid(f"{self.pipeline.config.name} reads no profile; fit {able} for that", field="profile")
        return Columns.of([profile])

    def _with_strangers(
        self, names: tuple[str, ...], known: NDArray[np.int64], asked: Queries, hidden: ItemLists
    ) -> tuple[Queries, ItemLists]:
        """Known askers with their histories, and strangers between them with none, in the order of ``names``."""
        now = moment(self.data.now)
        place = {int(where): q for q, where in enumerate(known)}
        empty = self.pipeline.queries([[] for _ in names], now, names)
        sizes = np.zeros(len(names), np.int64)
        sizes[known] = np.diff(asked.indptr)
        lists = [hidden[place[q]] if q in place else np.empty(0, np.int32) for q in range(len(names))]
        own = np.full(len(names), UNKNOWN, np.int32)
        own[known] = asked.own
        return (
            Queries(
                np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
                asked.item_ix,
                asked.weight,
                asked.kind,
                asked.value,
                asked.at,
                np.full(len(names), self.data.now, np.int64),
                empty.salt,
                own,
                asked.kinds,
                None if self.data.user_columns is None else self.data.user_columns.take(own),
                asked.event_columns,
            ),
            ItemLists.of(lists),
        )


def _at_most(k: Any, n: int, what: str) -> int:
    """``k``, or ``n`` where there are no more."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise Invalid(f"k is {k!r}; ask for 1 {what} or more", field="k")
    return max(1, min(int(k), n))


def read(
    source: str | Path, columns: Mapping[str, str] | None = None, *, kinds: Sequence[InteractionKind] = ()
) -> Dataset:
    """The interactions of a file (CSV, TSV, ``::``, JSON lines, Parquet, gzip of these) or an SQL table.

    ``columns`` says which column is which, for example ``{"user": "CustomerID"}``; the rest is inferred. A row that
    cannot be read is an Invalid naming its line; `serendip import` leaves such rows out and lists them instead.
    """
    from serendip.sources import all_interactions

    return dataset_of(all_interactions(source, columns), kinds)


def load(folder: str | Path) -> Recommender:
    """What ``Recommender.save`` kept in ``folder``, verified; its arrays are mapped from the files and read-only."""
    path = Path(folder)
    if not (path / MANIFEST).is_file():
        raise NotFound(f"there is no saved model in {path}; `save` writes one")
    try:
        manifest, arrays = read_bundle(path)
    except OSError as error:
        raise NotReady(f"{path} cannot be read: {error}; check its rights") from error
    try:
        config = PipelineConfig.model_validate(manifest["pipeline"])
        told = manifest["data"]
        fitted = pipelines.restore(
            config, kinds_from(manifest["kinds"]), {name: arrays[name] for name in arrays if name[:5] != "data."}
        )
        own = {name.removeprefix("data."): array for name, array in arrays.items() if name[:5] == "data."}
        data = Dataset.restore(own, fitted.items, kinds_from(told["kinds"]), told["until"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"{path} holds no model that `save` wrote: {error!r}") from None
    return Recommender(fitted, data)


def fit(
    model: str,
    data: Any,
    *,
    seed: int = 0,
    columns: Mapping[str, str] | str | Sequence[str] | None = None,
    items: Any = None,
    users: Any = None,
    **settings: Any,
) -> Recommender:
    """A recommender of kind ``model`` (als, ease, item-knn, popularity, again, or several joined by ``+``).

    ``data``: a Dataset or a frame with user, item[, value][, at]; ``settings`` are the model's own. The same seed gives
    the same model. ``items`` and ``users``: frames of attributes, with a column item or user that holds the ids; items
    that nobody took join those that can be recommended. ``columns``: a mapping {ours: theirs} renames the columns of
    ``data``; a text or a sequence is the model's own setting of that name.
    """
    renames = columns if columns is None or isinstance(columns, Mapping) else None
    if columns is not None and renames is None:
        settings["columns"] = columns
    dataset = described(adopt(data, renames), items, users)
    fitted = pipelines.fit(PipelineConfig.parse(model, settings), dataset, seed)
    return Recommender(pipelines.remembering(fitted, dataset), dataset)


def evaluate(
    models: Sequence[str | PipelineConfig],
    data: Any,
    split: str = "time:0.1",
    *,
    test: Any = None,
    k: int = 10,
    metrics: Sequence[str] = (),
    seed: int = 0,
    protocol: Protocol = "frozen",
    columns: Mapping[str, str] | None = None,
    items: Any = None,
    users: Any = None,
) -> Table | RatingTable:
    """A table of ``models`` and the usual baselines over ``split``, with 95% intervals.

    ``split``: time:0.1, last-out, random:0.2 or kfold:5, the last two with a seed behind if wanted. With ``test``, a
    frame as ``data`` is, everything in ``data`` is learnt from and ``test`` is to be found. ``metrics``, such as
    ``recall@20``, are what the table holds; none are all there are at ``k``. ``rmse`` and ``mae``, or models of ratings
    alone, give a table of predicted ratings beside their mean and the biases. ``items`` and ``users`` are frames of
    attributes, as for ``fit``.
    """
    configs = [PipelineConfig.parse(model) if isinstance(model, str) else model for model in models]
    if test is None:
        told = described(adopt(data, columns), items, users)
        return evaluation.evaluate(configs, told, split, protocol=protocol, k=k, metrics=metrics, seed=seed)
    if isinstance(data, Dataset) or isinstance(test, Dataset):
        raise Invalid("parts are given as two frames, so that their ids can be told apart together", field="test")
    rows = [renamed(one, columns) for one in (data, test)]
    if not all("at" in frame.columns for frame in rows):
        rows = [frame.drop("at", strict=False) for frame in rows]
    n = rows[0].height
    whole = described(dataset_of(pl.concat(rows, how="diagonal_relaxed")), items, users)
    parts = given_split(whole.take(slice(0, n)), whole.take(slice(n, len(whole))))
    return evaluation.evaluate(configs, parts.train, parts, protocol=protocol, k=k, metrics=metrics, seed=seed)
