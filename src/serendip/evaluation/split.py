"""What may be learnt from, and what is asked: interactions in two parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serendip.data import Dataset
from serendip.domain import Invalid

SplitName = Literal["time", "leave-last-out", "random", "kfold", "given"]


@dataclass(frozen=True)
class Split:
    """Interactions to learn from and interactions to be found."""

    name: SplitName
    train: Dataset
    test: Dataset
    cut: int | None = None
    """Microseconds; train is strictly before, test is the rest. None where the parts are not cut in time."""

    @property
    def parity_only(self) -> bool:
        """True for splits that let a model see the future of others: for comparing with papers, not for deciding."""
        return self.name != "time"


def split_of(data: Dataset, spec: str, fraction: float = 0.1, seed: int = 0) -> Split:
    """The parts that ``spec`` names: ``time:0.1``, ``last-out``, ``random:0.2`` or, with a seed, ``random:0.2:7``.

    ``fraction`` and ``seed`` are for what it leaves open.
    """
    name, *more = spec.split(":")
    try:
        share = float(more[0]) if more else fraction
        drawn = int(more[1]) if len(more) > 1 else seed
    except ValueError:
        share, drawn = -1.0, -1
    most = {"time": 1, "random": 2, "last-out": 0, "leave-last-out": 0}.get(name, -1)
    if name == "kfold":
        raise Invalid(
            f"{spec} makes several parts, and one is needed here; write time:0.1, last-out or random:0.2", "split"
        )
    if len(more) > most or not 0 < share < 1 or drawn < 0:
        raise Invalid(
            f"{spec!r} is no split; write time:0.1, last-out, random:0.2, random:0.2:SEED or kfold:5:SEED",
            field="split",
        )
    if name == "time":
        return time_split(data, share)
    return random_split(data, share, drawn) if name == "random" else last_out_split(data)


def splits_of(data: Dataset, split: str | Split | Sequence[Split], fraction: float = 0.1, seed: int = 0) -> list[Split]:
    """The split that a text names (see ``split_of``), the folds of ``kfold:5`` or, with a seed, ``kfold:5:7``; or those
    already made.
    """
    if isinstance(split, Split):
        return [split]
    if not isinstance(split, str):
        return list(split)
    if split.partition(":")[0] == "kfold":
        return list(k_folds(data, *parse_folds(split, seed)))
    return [split_of(data, split, fraction, seed)]


def given_split(train: Dataset, test: Dataset) -> Split:
    """Parts that somebody else made, over the same vocabularies."""
    if not len(train) or not len(test):
        raise Invalid(
            "one of the parts is empty; give interactions to learn from and interactions to be found", "split"
        )
    return Split("given", train, test)


def time_split(data: Dataset, fraction: float = 0.1) -> Split:
    """One cut for everybody: the moment of row floor((1 - fraction) n) in time order; train is strictly before it."""
    _check(data, fraction)
    if data.at is None:
        raise Invalid(
            "this data has no moments, so it cannot be cut in time; import the column that holds them, "
            "or choose the split leave-last-out or random, which only serve for comparing with papers",
            field="split",
        )
    row = int((1 - fraction) * len(data))
    cut = int(np.partition(data.at, row)[row])
    train = data.before(cut)
    if not len(train):
        raise Invalid(
            f"the first {1 - fraction:.0%} of the {len(data)} interactions happened at one moment, "
            "so there is nothing before the cut to learn from; check the column of moments",
            field="split",
        )
    return Split("time", train, data.take(data.at >= cut), cut)


def last_out_split(data: Dataset) -> Split:
    """The last event of every user who has two or more is to be found; in row order where there are no moments.

    Users stand at different moments, so models see the future of others: for comparing with papers only.
    """
    _check(data, 0.5)
    indptr, order = data.by_user
    several = np.diff(indptr) > 1
    out = np.zeros(len(data), np.bool_)
    out[order[indptr[1:][several] - 1]] = True
    if not out.any():
        raise Invalid("no user has two interactions, so none can be left out; import more of them", field="split")
    return Split("leave-last-out", data.take(~out), data.take(out))


def random_split(data: Dataset, fraction: float = 0.1, seed: int = 0) -> Split:
    """A random ``fraction`` of the events is to be found; it mixes past and future: for comparing with papers only."""
    _check(data, fraction)
    out = np.zeros(len(data), np.bool_)
    out[np.random.default_rng(seed).permutation(len(data))[: max(1, round(fraction * len(data)))]] = True
    return Split("random", data.take(~out), data.take(out))


def parse_folds(text: str, seed: int = 0) -> tuple[int, int]:
    """``kfold:5:7`` as the number of folds and the seed; 5 and ``seed`` where they are left out."""
    word, *rest = text.split(":")
    numbers = [int(part) if part.isdecimal() else -1 for part in rest]
    if word != "kfold" or len(rest) > 2 or min(numbers, default=0) < 0:
        raise Invalid(
            f"{text!r} is no split into folds; write kfold:5 or kfold:5:0, the second number the seed", "split"
        )
    n_folds, drawn = [*numbers, *(5, seed)[len(numbers) :]]
    return n_folds, drawn


def k_folds(data: Dataset, n_folds: int = 5, seed: int = 0) -> Iterator[Split]:
    """Every event is to be found once, in one of ``n_folds`` random parts of about the same size.

    The parts mix past and future: for comparing with papers only.
    """
    _check(data, 0.5)
    if not 2 <= n_folds <= len(data):
        raise Invalid(f"{len(data)} interactions cannot be dealt into {n_folds} folds; take 2 or more", field="split")
    fold = np.random.default_rng(seed).permutation(len(data)) % n_folds
    return (Split("kfold", data.take(fold != part), data.take(fold == part)) for part in range(n_folds))


def _check(data: Dataset, fraction: float) -> None:
    if not 0 < fraction < 1:
        raise Invalid(f"the fraction to be tested on is {fraction}; it must be between 0 and 1", field="fraction")
    if len(data) < 2:
        raise Invalid(f"{len(data)} interactions cannot be split; import some first", field="split")
