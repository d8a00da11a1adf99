"""What was said with events, as vectors: with those that are learnt from and with those that are asked with alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.data import Column, Columns
from serendip.domain import Invalid
from serendip.flows.vectors import AT_ONCE, TEXT_SIZE, encoder_of, read_vectors, texts_of, write_vectors
from serendip.pipeline import PipelineConfig
from serendip.store import EventContext, Store

Progress = Callable[[int, int], None]

GIVEN = "an import"
"""What the store calls the maker of vectors that came from a file."""
MANY = 100_000
"""Above this many events all vectors of a name are read, and not those of each event."""


def said_by(configs: Iterable[PipelineConfig]) -> frozenset[str]:
    """Names of the vectors of what was said that the models of ``configs`` look at."""
    return frozenset(name for config in configs for name in config.said)


def said_with(store: Store, names: Iterable[str], events: NDArray[np.int64]) -> Columns | None:
    """The vectors called ``names`` of these events, by their row numbers; None where none of them has one."""
    told = {}
    for name in sorted(names):
        numbers, vectors = store.event_vectors(name) if len(events) > MANY else store.event_vectors_of(name, events)
        if len(numbers):
            place = np.minimum(np.searchsorted(numbers, events), len(numbers) - 1)
            there = numbers[place] == events
            told[name] = Column(vectors=np.where(there[:, None], vectors[place], np.float32(np.nan)))
    return Columns(len(events), told) if told else None


@dataclass(frozen=True)
class SaidMade:
    """What became of what was said with interactions."""

    name: str
    """What the store calls the vectors."""
    encoder: str
    """The model that made them."""
    size: int
    interactions: int
    """Those that have a vector now."""
    made: int
    """Of these, the ones that got it just now."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def make_said(
    store: Store,
    name: str,
    cache: Path,
    model: Path | None = None,
    size: int = TEXT_SIZE,
    progress: Progress = lambda _d, _t: None,
) -> SaidMade:
    """A vector of what was said with each interaction that has none called ``name`` yet, kept beside it.

    By the same encoders as items' vectors: where one is learnt, from what items are called and described as. Of what
    users write nothing is kept but in the store, so that it goes with them.
    """
    texts = list(texts_of(store).values())
    if not texts and model is None:
        raise Invalid("no item has a title or a text to learn words from; import items first, or name a --model")
    said, encoder = encoder_of(texts, cache, model, size, refit=False)
    made_by = store.event_vectors_by(name)
    if made_by not in (None, said):
        raise Invalid(
            f"the vectors {name!r} of interactions were made by {made_by}, and these would be by {said}; make them "
            f"under another name, or take the old ones out first: `serendip vectors remove {name} --of interactions`"
        )
    made, after = 0, 0
    while events := store.event_contexts(after, AT_ONCE, without=name):
        after = events[-1].id
        spoken = [event for event in events if event.said]
        vectors = encoder.encode([event.said for event in spoken]) if spoken else np.empty((0, encoder.size))
        made += store.load_event_vectors(name, said, spoken, np.asarray(vectors, np.float32))
        progress(made, made + len(events))
    n = store.count_event_vectors(name)
    if not n:
        raise Invalid("no interaction says anything: none has a text or a summary in its context")
    return SaidMade(name, said, encoder.size, n, made)


def export_said(store: Store, name: str, file: Path) -> int:
    """Write the vectors of interactions called ``name`` as rows of text and vector, each text once; how many."""
    if file.suffix != ".parquet":
        raise Invalid(f"{file} does not end in .parquet; vectors are written as Parquet", field="to")
    numbers, vectors = store.event_vectors(name)
    if not len(numbers):
        raise Invalid(
            f"no interaction has a vector called {name!r}; `serendip vectors make {name} --of interactions` makes some"
        )
    row = dict(zip(numbers.tolist(), range(len(numbers)), strict=True))
    found: dict[str, int] = {}
    for event in every_context(store):
        if event.id in row:
            found.setdefault(event.said, row[event.id])
    write_vectors(pl.DataFrame({"text": list(found), "vector": vectors[list(found.values())].tolist()}), file)
    return len(found)


def import_said(store: Store, name: str, file: Path) -> int:
    """Give interactions the vectors of what was said with them, by a file of text and vector; how many got one."""
    found = read_vectors(file, "text")
    if any(not isinstance(text, str) or not text.strip() for text in found):
        raise Invalid(f"{file}: the column text holds a row that says nothing; leave such rows out", field="text")
    known = [event for event in every_context(store) if event.said in found]
    for start in range(0, len(known), AT_ONCE):
        some = known[start : start + AT_ONCE]
        store.load_event_vectors(name, GIVEN, some, np.array([found[event.said] for event in some], np.float32))
    return len(known)


def every_context(store: Store) -> Iterable[EventContext]:
    """Every interaction that came with a context, by its number."""
    after = 0
    while events := store.event_contexts(after, AT_ONCE):
        after = events[-1].id
        yield from events
