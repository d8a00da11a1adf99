"""What comes next, by a causal transformer over the history: SASRec and its kin.

Kang and McAuley 2018, "Self-attentive sequential recommendation", with what was found to help since (Klenitskiy and
Vasilev 2023, "Turning dross into gold loss"; Tikhonovich et al. 2025, "eSASRec"): norms before each half of a layer,
gated inner layers, and a softmax over many sampled items instead of one negative. Trained with PyTorch, answered by
numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import HISTORY_LIMIT, Invalid
from serendip.models.answers import finish, inner_scores
from serendip.models.contract import Kind, ModelConfig
from serendip.models.memory import claim
from serendip.models.near import nearest
from serendip.models.neural.lists import Lists
from serendip.models.neural.next_item import Plan, train
from serendip.models.neural.transformer import Parameters, Shape, answer
from serendip.models.parallel import in_chunks, one_blas_thread

BLOCK = 64
"""Histories that are answered at once: of about one length, since they stand shortest first."""


class SequenceConfig(ModelConfig):
    """Size of the transformer, and how it is trained."""

    n_factors: PositiveInt = Field(64, le=4096)
    """Length of the vectors; a multiple of ``n_heads``."""
    n_layers: PositiveInt = Field(2, le=64)
    """Layers, each of attention to earlier events and of an inner layer of an event's own."""
    n_heads: PositiveInt = Field(2, le=64)
    """Attentions side by side in a layer."""
    widening: PositiveInt = Field(2, le=16)
    """The inner layer is so many times ``n_factors`` wide."""
    max_length: PositiveInt = Field(50, le=HISTORY_LIMIT)
    """Latest events of a history that are looked at; training cuts longer ones into pieces."""
    dropout: float = Field(0.3, ge=0, le=0.95)
    """Part of the numbers between layers that training sets to 0 at random."""
    n_negatives: PositiveInt = 512
    """Items that an event's own is told from, drawn anew for each batch; as many as there are items: all of them."""
    temperature: float = Field(1.0, ge=1e-3, le=1e3)
    """Training divides scores by it: below 1, near misses count more against far ones."""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Length of a step of Adam."""
    regularization: float = Field(0.0, ge=0, le=10)
    """Weight decay, apart from the gradient (Loshchilov, Hutter 2019)."""
    batch_size: PositiveInt = 256
    """Histories, or pieces of them, a step."""
    n_epochs: PositiveInt = 30
    """Times that training goes through all histories, at most."""
    held_out: float = Field(0.05, ge=0, le=0.5)
    """Part of the users whose last event is not learnt from, to find the best epoch; 0: all epochs are taken."""
    patience: NonNegativeInt = 10
    """Training ends after so many epochs in a row without a better one; 0: all are taken, and nothing is held out."""

    @model_validator(mode="before")
    @classmethod
    def _versions_of_before(cls, given: Any) -> Any:
        """``weight_decay`` is what ``regularization`` was called, and versions kept since then must open."""
        if isinstance(given, Mapping) and "weight_decay" in given and "regularization" not in given:
            return {"regularization" if name == "weight_decay" else name: value for name, value in given.items()}
        return given

    @model_validator(mode="after")
    def _heads_share_factors(self) -> SequenceConfig:
        if self.n_factors % self.n_heads:
            raise ValueError(f"n_factors must be a multiple of n_heads, and {self.n_factors} is none of {self.n_heads}")
        return self

    def plan(self, n_items: int) -> Plan:
        """What training needs to know of it."""
        shape = Shape(n_items, self.max_length, self.n_factors, self.n_layers, self.n_heads, self.widening)
        return Plan(shape, **self.model_dump(include=set(Plan.__dataclass_fields__)))


@dataclass(frozen=True)
class Sequence:
    """Parameters of the transformer; what it makes of a history is held against the items' own vectors."""

    parameters: Parameters
    known: NDArray[np.bool_]
    """Items with events, (n_items,); others are like nothing, and have the mean of these for a vector."""
    config: SequenceConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """Inner products of what comes out at the latest event with the items' vectors."""
        vectors, items = self.factors(queries)
        scores = inner_scores(vectors, items, among)
        return finish(scores, np.isnan(vectors[:, 0]), among)

    def factors(self, queries: Queries) -> tuple[Floats, Floats]:
        """What comes out at the latest event of each history (n_queries, n_factors), and the items' vectors.

        A row is NaN where no item of the history is known; unknown ones and dislikes are passed over.
        """
        use = queries.counted & self.known[queries.item_ix]
        asked = Lists(queries.indptr, queries.item_ix, queries.weight).keep(use).latest(self.config.max_length)
        out = np.full((len(queries), self.config.n_factors), np.nan, np.float32)
        told = np.argsort(asked.sizes, kind="stable")
        told = told[asked.sizes[told] > 0]

        def part(start: int, stop: int) -> None:
            some = told[start:stop]
            out[some] = answer(self.parameters, self.config.n_heads, asked.take(some))

        if len(told):
            with one_blas_thread():
                in_chunks(part, [*range(0, len(told), BLOCK), len(told)])
        return out, self.parameters["items"]

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The items whose vectors point most nearly the same way; the likeness is the cosine."""
        items = np.where(self.known[:, None], self.parameters["items"], 0)
        return nearest(items[of], of, items, k)

    def arrays(self) -> Arrays:
        """The parameters, and which items are known."""
        return {**self.parameters, "known": self.known}


def fit(config: SequenceConfig, data: Dataset, rng: np.random.Generator) -> Sequence:
    """Parameters learnt from what followed what in the histories of ``data``.

    An event counts by its weight as something to be told, and once as something to tell from. Of each user, the latest
    ``HISTORY_LIMIT`` events are learnt from.
    """
    indptr, order = data.by_user
    use = (data.counted & (data.weight > 0))[order]
    lists = Lists(indptr, data.item_ix[order], data.weight[order]).keep(use)
    known = np.bincount(lists.item_ix, minlength=data.n_items) > 0
    lists = lists.latest(HISTORY_LIMIT)
    if not (lists.sizes > 1).any():
        raise Invalid(
            "sequence has nothing to learn from: in no history does one thing follow another; "
            "record or import more of each user, or choose another kind, such as popularity"
        )
    claim(
        needed_bytes(config, data.n_items, lists),
        f"sequence(n_factors={config.n_factors})",
        "fewer n_factors, n_negatives or a smaller batch_size need less",
    )
    model = restore(config, {**train(config.plan(data.n_items), lists, known, rng), "known": known})
    items = model.parameters["items"]
    items[~known] = items[known].mean(0)
    return model


def needed_bytes(config: SequenceConfig, n_items: int, lists: Lists) -> int:
    """Parameters, their gradients, what Adam remembers of these, the best so far; and what a step keeps of a batch."""
    wide = config.n_factors * config.widening
    a_layer = config.n_factors * (4 * config.n_factors + 3 * wide)
    parameters = (n_items + config.max_length) * config.n_factors + config.n_layers * a_layer
    longest = min(config.max_length, int(lists.sizes.max()))
    events = min(config.batch_size * longest, int(lists.indptr[-1]))
    an_event = config.n_layers * (16 * config.n_factors + 8 * wide + 3 * config.n_heads * longest)
    return 4 * (6 * parameters + events * (an_event + 4 * min(config.n_negatives, n_items)))


def restore(config: SequenceConfig, arrays: Arrays) -> Sequence:
    """The model that ``arrays`` was made of."""
    parameters = {name: np.asarray(array, np.float32) for name, array in arrays.items() if name != "known"}
    return Sequence(parameters, np.asarray(arrays["known"], np.bool_), config)


KIND = Kind("sequence", SequenceConfig, fit, restore)
