"""Spaces of settings, random draws from them, and halving: what to try, never what it is tried on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, exp, log, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data import Dataset
from serendip.domain import Invalid
from serendip.evaluation.split import Split
from serendip.pipeline import PipelineConfig

HALVING = 3
"""Of the trials of a rung, one in so many goes on, to as many times more users."""

ATTEMPTS = 20
"""Draws for each trial before a space counts as exhausted."""

MOST_TRIALS = 10_000
"""The largest grid."""

SPACES: Mapping[str, Mapping[str, str]] = {
    "als": {
        "n_factors": "32..128:log",
        "n_epochs": "5..20",
        "regularization": "1..200:log",
        "confidence": "1..64:log",
        "popularity_discount": "0..0.5",
    },
    "ease": {"regularization": "10..3000:log"},
    "item-knn": {
        "similarity": "cosine|tfidf|bm25",
        "n_neighbours": "10..500:log",
        "shrinkage": "0..50",
    },
    "user-knn": {"similarity": "cosine|tfidf", "n_neighbours": "10..500:log", "shrinkage": "0..50"},
    "content-knn": {"n_factors": "8..256:log", "n_neighbours": "10..500:log"},
    "profile-knn": {"n_neighbours": "10..500:log"},
    "svd": {"n_factors": "8..128:log", "n_epochs": "5..40", "regularization": "0.005..0.2:log", "ridge": "1..30:log"},
    "nmf": {"n_factors": "4..40:log", "n_epochs": "4..30", "ridge": "1..30:log"},
    "two-tower": {
        "temperature": "0.05..0.3:log",
        "target_share": "0.2..0.8",
        "learning_rate": "0.002..0.03:log",
        "n_epochs": "8..32",
    },
    "mlp": {"hidden": "64|128|256", "dropout": "0..0.5", "learning_rate": "0.0003..0.01:log"},
    "sequence": {
        "n_factors": "32|64|128",
        "n_layers": "1..3",
        "dropout": "0.1..0.6",
        "learning_rate": "0.0003..0.003:log",
    },
    "popularity": {"half_life_days": "1..365:log"},
}
"""Where each kind is searched unless somebody says otherwise."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole ones where both are written whole."""

    low: float
    high: float
    whole: bool
    log: bool

    def draw(self, rng: np.random.Generator) -> float:
        """One of them, evenly, or evenly in the logarithm."""
        value = exp(rng.uniform(log(self.low), log(self.high))) if self.log else float(rng.uniform(self.low, self.high))
        return min(max(round(value), int(self.low)), int(self.high)) if self.whole else float(f"{value:.4g}")


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[str, ...]

    def draw(self, rng: np.random.Generator) -> str:
        """Any of them."""
        return self.values[int(rng.integers(len(self.values)))]


Space = Mapping[str, Range | Choice]

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"(?P<low>{NUMBER})\.\.(?P<high>{NUMBER})(?P<log>:log)?")


def parse_range(name: str, text: str) -> Range | Choice:
    """``16..128``, ``1..200:log``, or ``cosine|tfidf``; one value alone is tried always."""
    found = RANGE.fullmatch(text.strip())
    if found is None:
        values = tuple(value.strip() for value in text.split("|"))
        if not all(values) or ".." in text:
            raise Invalid(f"{name}={text} is no range; write {name}=16..128, {name}=1..200:log or {name}=a|b", name)
        return Choice(values)
    low, high = float(found["low"]), float(found["high"])
    if not low < high or (found["log"] and low <= 0):
        raise Invalid(f"{name}={text}: the lower end comes first, and a range :log begins above 0", field=name)
    whole = all(re.fullmatch(r"[+-]?\d+", found[end]) for end in ("low", "high"))
    return Range(low, high, whole, bool(found["log"]))


def space_of(pipeline: str, said: Mapping[str, str]) -> Space:
    """Where ``pipeline`` is searched: what is said of settings that it has, else what its kinds are given.

    What the pipeline says itself, as in ``als(n_factors=64)``, is not searched. A range of whole numbers for a setting
    that need not be whole is drawn from as it is written: whole.
    """
    from serendip.models import kind_of

    sources = PipelineConfig.parse(pipeline).sources
    kinds = [kind_of(source.model) for source in sources]
    known = {
        name
        for kind, own in zip(kinds, sources, strict=True)
        for name in kind.config.model_fields.keys() - own.settings
    }
    usual = {name: text for kind in kinds for name, text in SPACES.get(kind.name, {}).items()}
    space = {name: parse_range(name, text) for name, text in {**usual, **said}.items() if name in known}
    if not space:
        named = ", ".join(sorted(known)) or "none"
        raise Invalid(f"{pipeline} has no settings to search; its settings are {named}; say --space NAME=1..10")
    return space


def draw(space: Space, seed: int, pipeline: str, n: int) -> list[dict[str, Any]]:
    """``n`` different settings, the same for the same seed; more of them begin with the same ones.

    Fewer where the space holds no more, or hardly.
    """
    rng = np.random.default_rng([seed, *pipeline.encode()])
    drawn: list[dict[str, Any]] = []
    for _ in range(ATTEMPTS * n):
        one = {name: space[name].draw(rng) for name in sorted(space)}
        if one not in drawn:
            drawn.append(one)
        if len(drawn) == n:
            break
    return drawn


def grid(space: Space, said: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every combination of the values that are ``said`` of ``space``; what nobody says is left as it is."""
    space = {name: span for name, span in space.items() if name in said}
    if not space:
        raise Invalid("a grid needs values to combine; say --space NAME=a|b|c", field="space")
    names, lists = sorted(space), []
    for name in names:
        span = space[name]
        if not isinstance(span, Choice):
            raise Invalid(f"{name} has a range, and a grid takes values; say --space {name}=a|b|c", field=name)
        lists.append(span.values)
    n = prod(map(len, lists))
    if n > MOST_TRIALS:
        raise Invalid(f"the grid has {n:,} combinations; name fewer values, or search at random", field="space")
    return [dict(zip(names, values, strict=True)) for values in product(*lists)]


@dataclass(frozen=True)
class Rung:
    """A step of halving: how many trials, on what share of the users."""

    n_trials: int
    share: float


def rungs(n_trials: int, halving: bool) -> list[Rung]:
    """All trials on everybody, or (successive halving, Jamieson and Talwalkar 2016) ever fewer on ever more users.

    The first rung has ``n_trials``, each later one the best third of it on three times the share, up to everybody.
    """
    if n_trials < 1:
        raise Invalid(f"{n_trials} trials find nothing; give 1 or more", field="trials")
    sizes = [n_trials]
    while halving and sizes[-1] >= HALVING:
        sizes.append(ceil(sizes[-1] / HALVING))
    return [Rung(size, HALVING ** -float(len(sizes) - 1 - step)) for step, size in enumerate(sizes)]


def some_users(split: Split, share: float, seed: int) -> Split:
    """The same split for a random ``share`` of the users of its training part; the catalogue stays whole."""
    if share >= 1:
        return split
    known = np.unique(split.train.user_ix)
    n = max(1, round(share * len(known)))
    kept = np.zeros(split.train.n_users, np.bool_)
    kept[np.random.default_rng(seed).permutation(known)[:n]] = True
    return replace(split, train=_of(split.train, kept), test=_of(split.test, kept))


def _of(data: Dataset, kept: NDArray[np.bool_]) -> Dataset:
    return data.take(kept[data.user_ix])


def best(values: Sequence[tuple[int, float]], n: int) -> list[int]:
    """The trials of the ``n`` highest values, best first; the earlier of two equal ones."""
    return [trial for trial, _ in sorted(values, key=lambda one: (-one[1], one[0]))[:n]]
