"""User-kNN: what the people took whose histories are most like the asker's (Resnick et al. 1994, for implicit data)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt
from scipy import sparse

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.answers import finish
from serendip.models.contract import Kind, ModelConfig
from serendip.models.item_knn import event_weights, taken_items
from serendip.models.kernels.item_item import Csr
from serendip.models.memory import claim
from serendip.models.parallel import in_chunks
from serendip.models.people import (
    NOBODY,
    People,
    UserNames,
    chunks,
    nearest_by_items,
    scores_of,
    taken_at,
    taken_by,
)


class UserKnnConfig(ModelConfig):
    """How alike two histories are, and how many people are asked."""

    similarity: Literal["cosine", "tfidf"] = "cosine"
    """cosine of what two people took; tfidf: after an item that many took counts less."""
    n_neighbours: PositiveInt = 100
    """The most alike people whose items are summed."""
    shrinkage: NonNegativeFloat = 0.0
    """A likeness that rests on n items counts n / (n + shrinkage) of itself."""
    binary: bool = True
    """Every item of a person counts 1, in training and in histories; false: the summed weight of its events."""


@dataclass(frozen=True)
class UserKnn:
    """What everybody took, by user and by item."""

    taken: Csr
    """What each item counts for its user, (n_users, n_items)."""
    takers: Csr
    """Every user's row of length 1, by item, (n_items, n_users)."""
    rarity: Floats
    """What an item counts when two people have it in common, 0 where nobody took it; shape (n_items,)."""
    users: UserNames
    """By which an asker is found among those learnt from."""
    config: UserKnnConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """For every item the likenesses of the asker's neighbours, times what the item counts for each of them."""
        near = self.people(queries, self.config.n_neighbours)
        return finish(scores_of(near, self.taken, len(self.rarity), among), near[0][:, 0] == NOBODY, among)

    def people(self, queries: Queries, k: int) -> People:
        """The ``k`` users whose histories are most like the asker's, never the asker; likeness is the shrunk cosine."""
        history, own = self._asked(queries), self.users.own_rows(queries)
        n_users, shrinkage = len(self.users), self.config.shrinkage
        rows = np.empty((len(queries), min(k, n_users)), np.int32)
        values = np.empty(rows.shape, np.float32)

        def near(start: int, stop: int) -> None:
            nearest_by_items(history, self.takers, n_users, own, shrinkage, rows, values, start, stop)

        in_chunks(near, chunks(len(queries)))
        return rows, values

    def _asked(self, queries: Queries) -> Csr:
        """The queries' rows of length 1, as those of the users learnt from."""
        history = taken_items(queries, self.config.binary)
        owner = np.repeat(np.arange(len(queries)), np.diff(history.indptr))
        value = unit_value(self.config, history, self.rarity, owner)
        return history._replace(value=value)

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """Each event's part of the likeness of every neighbour, times what the item counts for that neighbour.

        The neighbours are those of the whole history: a share says what an event gave to them, not who they would be
        without it.
        """
        rows, likeness = self.people(queries, self.config.n_neighbours)
        history, part = self._asked(queries), event_weights(queries, binary=True)
        shares = []
        for q in range(len(queries)):
            own = slice(queries.indptr[q], queries.indptr[q + 1])
            entries = slice(history.indptr[q], history.indptr[q + 1])
            near = rows[q][rows[q] != NOBODY]
            wanted = taken_at(near, self.taken, items[q])  # (n_near, n)
            in_common = taken_at(history.indices[entries], self.takers, near) * history.value[entries][:, None]
            whole = in_common.sum(axis=0)
            shrunk = likeness[q, : len(near)] / np.where(whole > 0, whole, 1)
            of_items = (in_common * shrunk) @ wanted  # (n_history, n)
            # A last row of zeros is for events that are not counted.
            of_items = np.concatenate([of_items, np.zeros((1, items.shape[1]), np.float32)])
            place = np.searchsorted(history.indices[entries], queries.item_ix[own])
            shares.append((of_items[place].T * part[own]).astype(np.float32))
        return shares

    def arrays(self) -> Arrays:
        """Both sides, what items count, and who is who."""
        return {
            "taken.indptr": self.taken.indptr,
            "taken.item": self.taken.indices,
            "taken.weight": self.taken.value,
            "takers.indptr": self.takers.indptr,
            "takers.user": self.takers.indices,
            "takers.value": self.takers.value,
            "rarity": self.rarity,
            "hashes": self.users.hashes,
        }


def unit_value(config: UserKnnConfig, x: Csr, rarity: Floats, owner: NDArray[np.int64]) -> Floats:
    """The entries of X (n_users, n_items) as rows of length 1; an item of rarity 0 counts nothing. Shape (nnz,).

    cosine: x_ui / |x_u|. tfidf: t_ui = sqrt(x_ui) ln(1 + n_users / n_i) with n_i the users who took item i, then the
    same: people are documents, items are terms. ``rarity`` holds that logarithm, or 1.
    """
    value = x.value.astype(np.float64)
    value = (np.sqrt(value) if config.similarity == "tfidf" else value) * rarity[x.indices]
    length = np.sqrt(np.bincount(owner, value**2, minlength=len(x.indptr) - 1))
    return np.asarray(value / np.where(length > 0, length, 1)[owner], np.float32)


def fit(config: UserKnnConfig, data: Dataset, rng: np.random.Generator) -> UserKnn:  # noqa: ARG001
    """Everybody's row, ready to be multiplied by a history."""
    claim(len(data) * 40 + data.n_users * 16, "user-knn", "train on fewer interactions")
    taken = taken_by(data, config.binary)
    n_taken = np.bincount(taken.indices, minlength=data.n_items)
    rare = np.log1p(data.n_users / np.maximum(n_taken, 1)) if config.similarity == "tfidf" else np.ones(data.n_items)
    rarity = np.where(n_taken > 0, rare, 0).astype(np.float32)
    owner = np.repeat(np.arange(data.n_users), np.diff(taken.indptr))
    unit = sparse.csr_array(
        (unit_value(config, taken, rarity, owner), taken.indices, taken.indptr), shape=(data.n_users, data.n_items)
    )
    return UserKnn(taken, Csr.of(unit.T.tocsr()), rarity, UserNames(data.users.hashes.copy()), config)


def restore(config: UserKnnConfig, arrays: Arrays) -> UserKnn:
    """The model that ``arrays`` was made of."""
    taken = Csr(arrays["taken.indptr"], arrays["taken.item"], arrays["taken.weight"])  # type: ignore[arg-type]
    takers = Csr(arrays["takers.indptr"], arrays["takers.user"], arrays["takers.value"])  # type: ignore[arg-type]
    return UserKnn(taken, takers, arrays["rarity"], UserNames(arrays["hashes"]), config)  # type: ignore[arg-type]


KIND = Kind("user-knn", UserKnnConfig, fit, restore, zero_is_silence=True)
