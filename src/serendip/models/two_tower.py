"""Two towers: what an asker did and is meets what an item is, by cosine.

Covington, Adams, Sargin 2016, and Yi et al. 2019. The asker is the pooled history and the profile, never an id, so that
newcomers are answered from either; an item is an embedding of its id and of what is known of it, so that one that
nobody took yet is answered from the latter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from scipy import sparse

from serendip.data import Arrays, Columns, Dataset, Floats, ItemRows, Queries
from serendip.models.answers import finish, inner_scores
from serendip.models.attributes import Names, item_columns, named, user_columns
from serendip.models.contract import Kind, ModelConfig
from serendip.models.memory import claim
from serendip.models.near import nearest, unit_rows
from serendip.models.neural.content import content_of
from serendip.models.neural.torch import import_torch
from serendip.models.neural.towers import Known, Plan, Taken, shares, train_towers
from serendip.models.parallel import one_blas_thread
from serendip.models.profiles import Encoder

BLOCK = 4096
"""Profiles that are spread out at once."""


class TwoTowerConfig(ModelConfig):
    """Size and training of the towers, and what they look at."""

    n_factors: PositiveInt = Field(64, le=4096)
    """Length of the vectors."""
    n_layers: NonNegativeInt = Field(0, le=4)
    """Layers between what was pooled and the asker's vector, each added to what it is given; 0: none."""
    shared: bool = True
    """An item has one vector, in histories and as a target; false: one for each."""
    vectors: str | None = None
    """The items' column of vectors that counts; none: no column does."""
    item_columns: Names = ()
    """The items' columns of texts, lists, numbers and booleans that count; none: all there are."""
    n_text: NonNegativeInt = Field(64, le=4096)
    """Directions that words are reduced to; 0: words do not count."""
    user_columns: Names = ()
    """The users' columns that count; none: all of numbers, texts, booleans and lists of texts."""
    binary: bool = True
    """Every item of a history counts 1; false: the summed weight of its events."""
    n_negatives: int = Field(4096, ge=256, le=1_000_000)
    """Draws of items that each target of a batch is told apart from; where there are no more items, all of them."""
    negatives_power: float = Field(0.5, ge=0, le=1)
    """Items are drawn by their number of takers to this power: 0: evenly, 1: as they are taken. It is corrected for."""
    temperature: float = Field(0.1, ge=0.01, le=10)
    """What cosines are divided by; the lower it is, the more the nearest negatives count."""
    target_share: float = Field(0.5, gt=0, lt=1)
    """Part of a history that is predicted from the rest, drawn anew every epoch."""
    id_dropout: float = Field(0.1, ge=0, le=0.9)
    """Part of the items whose ids are left out of a batch, so that what is known of them learns to stand alone."""
    regularization: float = Field(0.0, ge=0, le=10)
    """Weight decay, apart from the gradient (Loshchilov, Hutter 2019)."""
    learning_rate: PositiveFloat = Field(0.01, le=1)
    """Length of the first step; steps grow shorter in a straight line up to the last of ``n_epochs``."""
    batch_size: PositiveInt = 512
    """Users a step."""
    n_epochs: PositiveInt = 24
    """Times that everybody's history is gone through, at most."""
    patience: PositiveInt = 4
    """Epochs in a row that bring nothing better on what was held out before training ends."""


@dataclass(frozen=True)
class TwoTower:
    """Both towers, with all that does not depend on the asker computed."""

    history: Floats
    """What each item adds to who took it; shape (n_items, n_factors)."""
    items: Floats
    """Of length 1; 0 where nothing is known; shape (n_items, n_factors)."""
    known: NDArray[np.bool_]
    """Items that were learnt from, or that something is known of besides; shape (n_items,)."""
    encoder: Encoder
    """How a profile is read."""
    weights: dict[str, Floats]
    """``start``, ``profile`` and layers, by the names that ``train_towers`` gives."""
    config: TwoTowerConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """The cosine of the asker's vector and an item's."""
        vectors, items = self.factors(queries)
        return finish(inner_scores(vectors, items, among), np.isnan(vectors[:, 0]), among)

    def factors(self, queries: Queries) -> tuple[Floats, Floats]:
        """Vectors of length 1 of every asker (n_queries, n_factors) and item.

        A row is NaN of somebody with neither a known item in the history nor anything known in the profile.
        """
        indptr, item_ix, weight = queries.by_item
        use = self.known[item_ix]
        owner = np.repeat(np.arange(len(queries)), np.diff(indptr))[use]
        counts = np.ones_like(weight[use]) if self.config.binary else weight[use]
        ends = np.concatenate([[0], np.cumsum(use)])[indptr]
        mine = (shares(owner, counts, len(queries)), item_ix[use], ends)
        with one_blas_thread():
            x = sparse.csr_array(mine, shape=(len(queries), len(self.known))) @ self.history + self.weights["start"]
            silent = ends[1:] == ends[:-1]
            if "profile" in self.weights and queries.profile is not None:
                profile = self.encoder.vectors(queries.profile)
                silent &= ~profile.any(axis=1)
                x = x + profile @ self.weights["profile"]
            for place in range(self.config.n_layers):
                inner, bias, outer = (self.weights[f"layer.{place}.{name}"] for name in ("in", "bias", "out"))
                x = x + np.maximum(x @ inner + bias, 0) @ outer
        return finish(unit_rows(x), silent), self.items

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The items whose vectors point most nearly the same way; the likeness is the cosine."""
        return nearest(self.items[of], of, self.items, k)

    def arrays(self) -> Arrays:
        """The items' sides, how profiles are read, and the rest of the asker's tower."""
        told: Arrays = {"history": self.history, "items": self.items, "known": self.known}
        told |= {f"encoder.{name}": array for name, array in self.encoder.arrays().items()}
        return told | {f"weights.{name}": array for name, array in self.weights.items()}


def fit(config: TwoTowerConfig, data: Dataset, rng: np.random.Generator) -> TwoTower:
    """Both towers, learnt from everybody's history parted in asker and targets."""
    import_torch("two-tower")
    columns = item_columns(data, "two-tower") if config.vectors or config.item_columns else data.item_columns
    needed = data.n_items * (config.n_factors * 2 * 5 + config.n_text) * 4 + len(data) * 32
    claim(needed, f"two-tower over {data.n_items} items", "lower n_factors")
    content = content_of(columns, config.vectors, config.item_columns, config.n_text, "two-tower", rng)
    content = content if len(content) else np.empty((data.n_items, 0), np.float32)
    encoder, profiles = profiles_of(config, data)
    indptr, item_ix, weight = Queries.of_users(data, np.arange(data.n_users)).by_item
    taken = Taken(indptr, item_ix, np.ones_like(weight) if config.binary else weight)
    plan = Plan(**config.model_dump(include=set(Plan.__dataclass_fields__)))
    with one_blas_thread():
        weights, met = train_towers(plan, Known(taken, content, profiles), rng)
        items = side_of("items", weights, content, met)
        history = items if config.shared else side_of("history", weights, content, met)
    return TwoTower(history, unit_rows(items), met | content.any(axis=1), encoder, weights, config)


def side_of(side: str, weights: dict[str, Floats], content: Floats, met: NDArray[np.bool_]) -> Floats:
    """What ids, of items that were ``met`` (n_items,), and content give together, (n_items, n_factors)."""
    vectors = weights.pop(side) * met[:, None]
    return vectors + content @ weights.pop(f"content.{side}") if f"content.{side}" in weights else vectors


def profiles_of(config: TwoTowerConfig, data: Dataset) -> tuple[Encoder, sparse.csr_array]:
    """How profiles are read, and everybody's, (n_users, size)."""
    columns = user_columns(data, "two-tower") if config.user_columns else data.user_columns
    chosen = Columns(
        data.n_users, {} if columns is None else named(columns, config.user_columns, "two-tower", "user_columns")
    )
    encoder = Encoder.of(chosen.columns, data.n_users)
    if not encoder.size:
        return encoder, sparse.csr_array((data.n_users, 0), dtype=np.float32)
    parts = [
        sparse.csr_array(encoder.vectors(chosen.take(np.arange(start, min(start + BLOCK, data.n_users)))))
        for start in range(0, data.n_users, BLOCK)
    ]
    return encoder, sparse.vstack(parts, format="csr")


def restore(config: TwoTowerConfig, arrays: Arrays) -> TwoTower:
    """The model that ``arrays`` was made of."""
    rooms = {
        room: {name.removeprefix(f"{room}."): array for name, array in arrays.items() if name.startswith(f"{room}.")}
        for room in ("encoder", "weights")
    }
    own = {name: arrays[name] for name in ("history", "items", "known")}
    return TwoTower(**own, encoder=Encoder.restore(rooms["encoder"]), weights=rooms["weights"], config=config)  # type: ignore[arg-type]


KIND = Kind("two-tower", TwoTowerConfig, fit, restore, reads=("item_columns", "user_columns"))
