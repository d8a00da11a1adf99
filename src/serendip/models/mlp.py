"""MLP: a network that judges a pair by what the item is made of and what the asker's items were made of.

It knows no item by its id, so that an item that nobody took yet is judged like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from serendip.data import Arrays, Column, Columns, Dataset, Floats, ItemRows, Queries
from serendip.data.dataset import newest_only
from serendip.domain import Invalid
from serendip.models.answers import finish
from serendip.models.attributes import Names, item_columns, named
from serendip.models.contract import Kind, ModelConfig
from serendip.models.memory import claim
from serendip.models.neural.content import content_of
from serendip.models.neural.examples import Examples, Said, asker_features, examples_of, telling, unmet
from serendip.models.neural.network import Plan, Sides, popularity, train_network
from serendip.models.neural.torch import import_torch
from serendip.models.parallel import in_chunks, one_blas_thread

BLOCK = 2048
"""Items that are judged at once: their hidden units stay in the cache."""

HELD_OUT = 0.1
"""Part of the examples, the latest, by which training is stopped."""


def _sizes(given: Any) -> Any:
    return tuple(given.split("|")) if isinstance(given, str) else (given,) if isinstance(given, int) else given


class MlpConfig(ModelConfig):
    """What both sides are made of, what counts as liked, and the size of the network."""

    vectors: str | None = None
    """The items' column of vectors, such as embeddings of their texts; none: words alone."""
    said: str | None = None
    """The events' column of vectors of what was said with them, such as reviews: the mean of one's own counts; none:
    what was said does not."""
    item_columns: Names = ()
    """The items' columns of texts, lists, numbers and booleans that count; none: all there are."""
    n_text: NonNegativeInt = Field(64, le=4096)
    """Directions that words are reduced to; 0: words do not count."""
    price: str | None = None
    """A column of numbers that counts by its logarithm, beside whether an item has one; none: no column does."""
    popularity: bool = True
    """How many events an item has is one of its features, the event that is predicted left out."""
    positive: FiniteFloat | None = None
    """The rating from which an event is liked, such as 5; lower ones are learnt from too, even of kinds that weigh 0.
    None: every event is liked, whatever its value."""
    unmet: NonNegativeFloat = Field(1.0, le=100)
    """Pairs that never met that are drawn for each liked one, and taken for not liked; 0: only rated ones are."""
    balanced: bool = True
    """Every epoch learns from as many liked examples as others, drawn anew; false: from all."""
    hidden: Annotated[tuple[PositiveInt, ...], BeforeValidator(_sizes), Field(min_length=1, max_length=4)] = (128, 64)
    """Units of each layer; in a line they are joined by ``|``."""
    n_factors: NonNegativeInt = Field(32, le=1024)
    """Length of two vectors, one of each side, whose inner product is added to what the layers say; 0: none is."""
    dropout: float = Field(0.2, ge=0, le=0.9)
    """Part of the hidden units that each step of training leaves out."""
    regularization: float = Field(1e-4, ge=0, le=10)
    """Weight decay, apart from the gradient (Loshchilov, Hutter 2019)."""
    learning_rate: PositiveFloat = Field(1e-3, le=1)
    """Length of a step."""
    batch_size: PositiveInt = 1024
    """Examples a step."""
    n_epochs: PositiveInt = 20
    """Times that the examples are gone through, at most."""
    patience: PositiveInt = 3
    """Epochs in a row that bring nothing better on what was held out before training ends."""


@dataclass(frozen=True)
class Mlp:
    """The network, and its items' part of the first layer, which is the same whoever asks."""

    content: Floats
    """What histories are pooled of; shape (n_items, size)."""
    hidden: Floats
    """B y + b_1 of every item; shape (n_items, hidden[0])."""
    inner: Floats
    """Q'y of every item; shape (n_items, n_factors)."""
    weights: dict[str, Floats]
    """The rest of the network, by the names that ``train_network`` gives."""
    config: MlpConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """The logarithm of the odds that the asker likes an item."""
        x = self._asked(queries)
        with one_blas_thread():
            hidden, factors = x @ self.weights["asker"], x @ self.weights["asker_factors"]
            n = len(self.content) if among is None else among.shape[-1]
            scores = np.empty((len(queries), n), np.float32)
            n_blocks = -(-n // BLOCK)

            def judge(start: int, stop: int) -> None:
                for task in range(start, stop):
                    q, block = divmod(task, n_blocks)
                    some = slice(block * BLOCK, (block + 1) * BLOCK)
                    rows = some if among is None else np.maximum(among[some] if among.ndim == 1 else among[q, some], 0)
                    scores[q, some] = self._judged(hidden[q], factors[q], rows)

            in_chunks(judge, list(range(len(queries) * n_blocks + 1)))
        return finish(scores, queries.by_item[0][1:] == queries.by_item[0][:-1], among)

    def _asked(self, queries: Queries) -> Floats:
        """The features of every asker."""
        newest = newest_only(queries.asker, queries.item_ix, queries.kind, queries.at, queries.kinds)
        use, weights = telling(newest, queries.weight, queries.value, self.config.positive)
        indptr = np.concatenate([[0], np.cumsum(use)])[queries.indptr].astype(np.int64)
        item_ix, weight, value = queries.item_ix[use], weights[use], queries.value[use]
        below = None if self.config.positive is None else value < self.config.positive
        said = self._said(queries)
        return asker_features(self.content, indptr, item_ix, weight, below, said and said.take(use))

    def _said(self, queries: Queries) -> Said | None:
        """What was said with the events, as far as there are vectors of the length that was learnt from."""
        if self.config.said is None:
            return None
        size = len(self.weights["asker"]) // (1 if self.config.positive is None else 2) - self.content.shape[1] - 2
        columns = queries.event_columns
        column = None if columns is None else columns.columns.get(self.config.said)
        if column is None or column.vectors is None or column.vectors.shape[1] != size:
            return Said(np.zeros((0, size), np.float32), np.full(len(queries.item_ix), -1))
        return Said.of(column.vectors)

    def _judged(self, hidden: Floats, factors: Floats, rows: Any) -> Floats:
        """One asker's scores of some items."""
        h = self.hidden[rows] + hidden
        np.maximum(h, 0, out=h)
        for place in range(1, len(self.config.hidden)):
            h = h @ self.weights[f"layer.{place}"]
            h += self.weights[f"bias.{place}"]
            np.maximum(h, 0, out=h)
        scores = h @ self.weights["last"] + self.weights["constant"]
        return np.asarray(scores + self.inner[rows] @ factors if self.config.n_factors else scores)

    def arrays(self) -> Arrays:
        """What items are made of, their part of the first layer, and the rest of the network."""
        told: Arrays = {"content": self.content, "hidden": self.hidden, "inner": self.inner}
        return told | {f"weights.{name}": array for name, array in self.weights.items()}


def fit(config: MlpConfig, data: Dataset, rng: np.random.Generator) -> Mlp:
    """A network learnt from pairs that were liked or not, each with the history before it."""
    columns = item_columns(data, "mlp")
    import_torch("mlp")
    content, items = item_features(config, columns, rng)
    size = data.n_items * (content.shape[1] * 2 + config.hidden[0] + config.n_factors) * 4
    # Parameters, their gradients, what the descent remembers of these, and the best so far; then what a step keeps.
    said = said_with(data, config.said)
    told = content.shape[1] + (0 if said is None else said.shape[1])
    layers = sum(a * b for a, b in pairwise((2 * (2 * told + 4), *config.hidden, 1)))
    step = config.batch_size * sum(config.hidden) * 3
    size += 4 * (5 * layers + step)
    claim(size + len(data) * 64 * (2 + int(config.unmet)), "mlp", "lower n_text, unmet, hidden or batch_size")
    counts = None
    past, examples = examples_of(data, config.positive, said)
    if not len(examples):
        raise Invalid(
            f"mlp with positive={config.positive:g} learns from ratings, and no interaction carries a value; "
            "import ratings, or leave positive out",
            field="positive",
        )
    if config.popularity:
        counts = np.bincount(past.item_ix, minlength=data.n_items).astype(np.float32)
        items = np.concatenate([items, popularity(counts)[:, None]], axis=1)
    if not examples.liked.any():
        raise Invalid(
            f"mlp has nothing to aim at: no rating reaches positive={config.positive:g}, the highest is "
            f"{np.nanmax(data.value):g}; lower positive",
            field="positive",
        )
    if not config.unmet and len(np.unique(examples.liked)) < 2:
        raise Invalid(
            "mlp has nothing to tell apart: all examples are liked or none is, and unmet is 0; "
            "raise unmet, or set positive to a rating that some events reach and others do not",
            field="unmet",
        )
    sides = Sides(content, items, counts, past, config.positive is not None)
    late = np.argsort(examples.at, kind="stable") if data.at is not None else rng.permutation(len(examples))
    cut = len(examples) - int(HELD_OUT * len(examples))
    learnt, judged = examples.take(late[:cut]), examples.take(late[cut:])
    plan = Plan(**config.model_dump(include=set(Plan.__dataclass_fields__)))
    draw = partial(drawn, config, data, sides, rng=rng)
    with one_blas_thread():
        weights = train_network(plan, sides, partial(draw, learnt), draw(judged, balanced=False), rng)
        hidden = items @ weights.pop("item") + weights.pop("bias.0")
        factors = items @ weights.pop("item_factors")
    return Mlp(content, hidden, factors, weights, config)


def said_with(data: Dataset, name: str | None) -> Floats | None:
    """The events' vectors called ``name``, (n, size); refused where there are none, and none where no name is given."""
    if name is None:
        return None
    column = None if data.event_columns is None else data.event_columns.columns.get(name)
    if column is None or column.vectors is None:
        raise Invalid(
            f"mlp: no event has a vector called {name!r} of what was said with it; "
            f"`serendip vectors make {name} --of interactions` makes them, or leave said out",
            field="said",
        )
    return column.vectors


def drawn(
    config: MlpConfig,
    data: Dataset,
    sides: Sides,
    examples: Examples,
    rng: np.random.Generator,
    balanced: bool | None = None,
) -> Examples:
    """The examples of an epoch in random order: pairs that never met beside them, and as many of either sort."""
    if config.unmet:
        liked = examples.take(examples.liked > 0)
        examples = examples.and_(unmet(data, sides.past, liked, config.unmet, rng, config.positive))
    rows = rng.permutation(len(examples))
    if config.balanced if balanced is None else balanced:
        yes, no = rows[examples.liked[rows] > 0], rows[examples.liked[rows] == 0]
        n = min(len(yes), len(no)) or len(rows)
        rows = rng.permutation(np.concatenate([yes[:n], no[:n]]))
    return examples.take(rows)


def item_features(config: MlpConfig, columns: Columns, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """What histories are pooled of, (n_items, size), and with the price beside it, (n_items, size or size + 2)."""
    if config.price is None:
        content = content_of(columns, config.vectors, config.item_columns, config.n_text, "mlp", rng)
        return content, content
    column = named(columns, (config.price,), "mlp", "price")[config.price]
    others = Columns(columns.n_rows, {name: one for name, one in columns.columns.items() if name != config.price})
    names = tuple(name for name in config.item_columns if name != config.price)
    content = content_of(others, config.vectors, names, config.n_text, "mlp", rng)
    return content, np.concatenate([content, price_of(column, config.price)], axis=1)


def price_of(column: Column, name: str) -> Floats:
    """ln(1 + price), scaled, and whether there is one, (n_items, 2); a price below 0 or not finite is none."""
    if column.numbers is None:
        raise Invalid(f"mlp: the attribute {name!r} is {column.what or 'empty'}, not a number", field="price")
    known = np.isfinite(column.numbers) & (column.numbers >= 0)
    price = np.log1p(np.where(known, column.numbers, 0))
    mean, spread = (float(price[known].mean()), float(price[known].std())) if known.any() else (0.0, 0.0)
    scaled = np.where(known, price - mean, 0) / (spread if spread > 1e-9 else 1.0)
    return np.stack([scaled, known], axis=1).astype(np.float32)


def restore(config: MlpConfig, arrays: Arrays) -> Mlp:
    """The model that ``arrays`` was made of."""
    own = {name: arrays[name] for name in ("content", "hidden", "inner")}
    weights = {name.removeprefix("weights."): array for name, array in arrays.items() if name not in own}
    return Mlp(**own, weights=weights, config=config)  # type: ignore[arg-type]


KIND = Kind("mlp", MlpConfig, fit, restore, reads=("item_columns",))
