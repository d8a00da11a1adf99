"""Profile-kNN: what people took whose profiles are most like the asker's; and who these people are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.answers import finish
from serendip.models.attributes import Names, named, user_columns
from serendip.models.contract import Kind, ModelConfig
from serendip.models.kernels.item_item import Csr
from serendip.models.memory import claim
from serendip.models.parallel import in_chunks
from serendip.models.people import NOBODY, People, UserNames, chunks, nearest_by_vectors, scores_of, taken_by
from serendip.models.profiles import Encoder


class ProfileKnnConfig(ModelConfig):
    """What profiles are compared by, and how many people are asked."""

    columns: Names = ()
    """The users' columns that count; none: all of numbers, texts, booleans and lists of texts."""
    n_neighbours: PositiveInt = 50
    """The most alike people whose items are summed."""
    binary: bool = True
    """Every item of a person counts 1; false: the summed weight of its events."""


@dataclass(frozen=True)
class ProfileKnn:
    """Everybody's profile as a vector, and what they took."""

    encoder: Encoder
    unit: Floats
    """Of length 1, or 0 where nothing is known; shape (n_users, encoder.size)."""
    taken: Csr
    """What each item counts for its user, (n_users, n_items)."""
    n_items: int
    users: UserNames
    """By which an asker is found among those learnt from."""
    config: ProfileKnnConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """For every item the likenesses of the people most like the asker who took something, times what it counts."""
        near = self._near(queries, self.config.n_neighbours, np.diff(self.taken.indptr) > 0)
        return finish(scores_of(near, self.taken, self.n_items, among), near[0][:, 0] == NOBODY, among)

    def people(self, queries: Queries, k: int) -> People:
        """The ``k`` users whose profiles are most like the asker's, never the asker; likeness is the cosine."""
        return self._near(queries, k, np.ones(len(self.unit), np.bool_))

    def _near(self, queries: Queries, k: int, may: NDArray[np.bool_]) -> People:
        """The same among users that ``may`` be neighbours (n_users,)."""
        rows = np.full((len(queries), min(k, len(self.unit))), NOBODY, np.int32)
        values = np.zeros(rows.shape, np.float32)
        if queries.profile is None:
            return rows, values
        asked, own = self.encoder.vectors(queries.profile), self.users.own_rows(queries)

        def near(start: int, stop: int) -> None:
            nearest_by_vectors(asked, self.unit, may, own, rows, values, start, stop)

        in_chunks(near, chunks(len(queries)))
        return rows, values

    def arrays(self) -> Arrays:
        """The vectors and what they mean, what was taken, and who is who."""
        own: Arrays = {
            "unit": self.unit,
            "taken.indptr": self.taken.indptr,
            "taken.item": self.taken.indices,
            "taken.weight": self.taken.value,
            "n_items": np.array([self.n_items]),
            "hashes": self.users.hashes,
        }
        return own | {f"encoder.{name}": array for name, array in self.encoder.arrays().items()}


def fit(config: ProfileKnnConfig, data: Dataset, rng: np.random.Generator) -> ProfileKnn:  # noqa: ARG001
    """Everybody's vector."""
    columns = user_columns(data, "profile-knn")
    wanted = named(columns, config.columns, "profile-knn", "columns")
    encoder = Encoder.of(wanted, data.n_users)
    if not encoder.size:
        raise Invalid(
            "profile-knn found nothing that two people could have in common: no numbers, and no text, boolean or list "
            "entry that two of them share; name other columns",
            field="columns",
        )
    claim(data.n_users * encoder.size * 12 + len(data) * 24, "profile-knn", "name fewer columns")
    users = UserNames(data.users.hashes.copy())
    return ProfileKnn(encoder, encoder.vectors(columns), taken_by(data, config.binary), data.n_items, users, config)


def restore(config: ProfileKnnConfig, arrays: Arrays) -> ProfileKnn:
    """The model that ``arrays`` was made of."""
    mark = "encoder."
    encoder = Encoder.restore({name.removeprefix(mark): array for name, array in arrays.items() if mark in name})
    taken = Csr(arrays["taken.indptr"], arrays["taken.item"], arrays["taken.weight"])  # type: ignore[arg-type]
    n_items = int(arrays["n_items"][0])
    return ProfileKnn(encoder, arrays["unit"], taken, n_items, UserNames(arrays["hashes"]), config)  # type: ignore[arg-type]


KIND = Kind(
    "profile-knn", ProfileKnnConfig, fit, restore, zero_is_silence=True, by_profile=True, reads=("user_columns",)
)
