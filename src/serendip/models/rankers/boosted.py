"""Boosted: trees over what is known of asker, item and moment, grown by CatBoost or LightGBM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveInt

from serendip.data import Arrays, Floats
from serendip.domain import Invalid
from serendip.models.rankers import with_catboost, with_lightgbm
from serendip.models.rankers.contract import Groups, Practice, RankerKind, RankerSettings, joined
from serendip.models.rankers.growing import EXTRA_OF, Growing, Grown
from serendip.models.rankers.trees import MAX_DEPTH, Trees

Library = Literal["catboost", "lightgbm"]

GROWS: dict[Library, Callable[[Growing], Grown]] = {"catboost": with_catboost.grow, "lightgbm": with_lightgbm.grow}
LOSSES: dict[Library, Mapping[str, str]] = {"catboost": with_catboost.LOSSES, "lightgbm": with_lightgbm.LOSSES}
USUAL: dict[Library, str] = {"catboost": "yetirank", "lightgbm": "lambdarank"}

HIT_RATE = "hit-rate@5"
HITS = 5
STEP = 25
"""Hit rates are looked at after every so many trees."""

MOST_WORDS = 32
"""Of a feature of words, so many of the most frequent are told apart."""

EXPLAINED_ROWS = 2000
"""Rows of the later questions whose shares are averaged into the features' importances."""


class BoostedConfig(RankerSettings):
    """How trees are grown, and by which library."""

    library: Literal["auto", "catboost", "lightgbm"] = "auto"
    """auto: CatBoost where it is installed, else LightGBM, as far as they know the objective."""
    objective: Literal["auto", "yetirank", "querysoftmax", "logloss", "lambdarank"] = "auto"
    """What is learnt: the order (yetirank of CatBoost, lambdarank of LightGBM), which one is taken (querysoftmax), or
    whether each is taken (logloss). auto: the library's own order."""
    n_trees: PositiveInt = Field(500, le=10_000)
    """At most; fewer where the later questions are ordered no better."""
    depth: int = Field(6, ge=1, le=MAX_DEPTH)
    """Questions on the way to a leaf, at most."""
    learning_rate: float = Field(0.05, gt=0, le=1)
    """What part of each tree is added."""
    l2: NonNegativeFloat = 3.0
    """How strongly leaves are pulled to 0."""
    patience: PositiveInt = 50
    """After so many trees that do not help, no more are grown."""
    stop_by: Literal["ndcg@10", "hit-rate@5"] = "ndcg@10"
    """What of the later questions says when to stop: how they are ordered, or, looked at every 25 trees, how many have
    something that was taken among the first five."""
    learn_all: bool = True
    """Once it is known how many trees help, so many are grown over all questions, the later ones too."""
    drop: float = Field(0.0, ge=0, lt=1)
    """Features whose part of all shares over the later questions is below this are left out and the rest fitted
    again."""


@dataclass(frozen=True)
class Boosted:
    """Trees, and which words of which features they tell apart."""

    trees: Trees
    n_features: int
    words: NDArray[np.int32]
    """A row for each column of 0 and 1 that follows the features: the feature and the code that it stands for."""
    coded: NDArray[np.int32]
    """Positions of the features that are codes; the trees see them in those columns alone."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Library, curves, importances, features that were left out: for the manifest."""

    def score(self, features: Floats) -> Floats:
        """The sum of the trees."""
        return np.asarray(self.trees.score(spread(features, self.words, self.coded)), np.float32)

    def shares(self, features: Floats) -> tuple[float, Floats]:
        """Shapley shares; those of a feature's words are one."""
        each = self.trees.shares(spread(features, self.words, self.coded))
        out = each[:, : self.n_features].copy()
        for place, (of, _) in enumerate(self.words, self.n_features):
            out[:, of] += each[:, place]
        return self.trees.base, out.astype(np.float32)

    def arrays(self) -> Arrays:
        """The trees, and the columns they were grown over."""
        told: Arrays = {f"trees.{name}": array for name, array in self.trees.arrays().items()}
        return told | {
            "words": self.words, "coded": self.coded, "n_features": np.array([self.n_features], np.int32)
        }  # fmt: skip


def spread(features: Floats, words: NDArray[np.int32], coded: NDArray[np.int32]) -> Floats:
    """``features`` (n_rows, n_features) with a column of 0 and 1 for each word behind them, codes themselves 0."""
    if not len(coded):
        return features
    out = np.zeros((len(features), features.shape[1] + len(words)), np.float32)
    out[:, : features.shape[1]] = features
    out[:, coded] = 0
    if len(words):
        out[:, features.shape[1] :] = features[:, words[:, 0]] == words[:, 1]
    return out


def told_apart(practice: Practice) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The words that are told apart (n_words, 2), and the features that are codes."""
    coded = np.array(sorted(practice.categories), np.int32)
    words: list[tuple[int, int]] = []
    for position in coded.tolist():
        column = practice.learn.features[:, position]
        codes, met = np.unique(column[column >= 0].astype(np.int64), return_counts=True)
        order = np.argsort(-met, kind="stable")[:MOST_WORDS]
        words += [(position, int(code)) for code in np.sort(codes[order])]
    return np.array(words, np.int32).reshape(-1, 2), coded


def library_for(config: BoostedConfig) -> tuple[Library, str]:
    """The library and the objective that a config means on this machine."""
    names: tuple[Library, ...] = ("catboost", "lightgbm") if config.library == "auto" else (config.library,)
    able = [name for name in names if config.objective == "auto" or config.objective in LOSSES[name]]
    if not able:
        known = ", ".join(LOSSES[names[0]])
        raise Invalid(f"{names[0]} knows no objective {config.objective!r}; it knows {known}", field="objective")
    here = [name for name in able if find_spec(name) is not None]
    if not here:
        extra = EXTRA_OF[able[0]]
        raise Invalid(f'boosted needs the extra {extra}: pip install "serendip[{extra}]"', field="library")
    return here[0], USUAL[here[0]] if config.objective == "auto" else config.objective


def fit(config: BoostedConfig, practice: Practice, rng: np.random.Generator) -> Boosted:
    """Trees grown on the earlier questions as long as they help on the later ones, and then so many on all."""
    library, objective = library_for(config)
    words, coded = told_apart(practice)
    learn, check = (_spread(groups, words, coded) for groups in (practice.learn, practice.check))
    growing = Growing(
        learn, check, objective, config.n_trees, config.depth, config.learning_rate, config.l2, config.patience,
        int(rng.integers(2**31 - 1)), config.stop_by == HIT_RATE,
    )  # fmt: skip
    some = practice.check.features[np.sort(rng.permutation(len(check.taken))[:EXPLAINED_ROWS])]
    found = _boosted(_grown(library, growing), practice, words, coded)
    parts = _importances(found, some)
    weak = parts < config.drop
    weak &= not weak.all()
    if weak.any():
        without = [replace(groups, features=_without(groups.features, weak, words)) for groups in (learn, check)]
        growing = replace(growing, learn=without[0], check=without[1])
        found = _boosted(_grown(library, growing), practice, words, coded)
    if config.learn_all and len(found.trees) and growing.check is not None:
        every = joined(growing.learn, growing.check.thinned(growing.learn.most_negatives, rng))
        last = GROWS[library](replace(growing, learn=every, check=None, n_trees=len(found.trees)))
        found = _boosted(replace(last, curves=found.about["curves"]), practice, words, coded)
    parts = np.where(weak, 0, _importances(found, some))
    order = np.argsort(-parts, kind="stable")
    best = max(found.about["curves"].get(config.stop_by, [0.0]), default=0.0)
    about = dict(found.about) | {
        "objective": objective,
        "best": {config.stop_by: best},
        "importances": {practice.names[j]: round(float(parts[j]), 6) for j in order},
        "dropped": [practice.names[j] for j in np.flatnonzero(weak)],
    }
    return replace(found, about=about)


def _grown(library: Library, growing: Growing) -> Grown:
    """Trees as the library grows them, cut where the hit rate is best if that is what says when to stop."""
    found = GROWS[library](growing)
    if not growing.all_trees or growing.check is None:
        return found
    curve, best = hit_rates(found.trees, growing.check, growing.patience)
    return replace(found, trees=found.trees.taken(0, best), curves={**found.curves, HIT_RATE: curve})


def hit_rates(trees: Trees, check: Groups, patience: int) -> tuple[list[float], int]:
    """The share of questions with something taken among the best after every ``STEP`` trees, and how many trees
    gave the best one; looked at until there was none better for ``patience`` trees.
    """
    score, curve, best = np.zeros(len(check.taken)), [], 0
    for start in range(0, max(1, len(trees)), STEP):
        score += trees.taken(start, start + STEP).score(check.features)
        order = np.lexsort((-score, check.question))
        place = np.arange(len(order)) - np.repeat(check.indptr[:-1], np.diff(check.indptr))
        hit = check.question[order][check.taken[order] & (place < HITS)]
        curve.append(len(np.unique(hit)) / max(1, len(check)))
        if curve[-1] > curve[best]:
            best = len(curve) - 1
        if (len(curve) - 1 - best) * STEP >= patience:
            break
    return curve, min(len(trees), (best + 1) * STEP)


def _spread(groups: Groups, words: NDArray[np.int32], coded: NDArray[np.int32]) -> Groups:
    return replace(groups, features=spread(groups.features, words, coded))


def _boosted(grown: Grown, practice: Practice, words: NDArray[np.int32], coded: NDArray[np.int32]) -> Boosted:
    curves = {name: [round(float(one), 6) for one in values] for name, values in grown.curves.items()}
    about = {"library": grown.library, "n_trees": len(grown.trees), "curves": curves}
    return Boosted(grown.trees, len(practice.names), words, coded, about)


def _importances(found: Boosted, features: Floats) -> NDArray[np.float64]:
    """Each feature's part of the shares' whole size; shape (n_features,)."""
    size = np.abs(found.shares(features)[1]).mean(axis=0, dtype=np.float64)
    return np.asarray(size / max(float(size.sum()), 1e-12))


def _without(spread_out: Floats, weak: NDArray[np.bool_], words: NDArray[np.int32]) -> Floats:
    """Columns of weak features made constant, so that nothing can be learnt from them."""
    out = spread_out.copy()
    gone = np.concatenate([weak, weak[words[:, 0]] if len(words) else np.empty(0, np.bool_)])
    out[:, gone] = 0
    return out


def restore(config: BoostedConfig, arrays: Arrays) -> Boosted:  # noqa: ARG001
    """The ranker that ``arrays`` was made of."""
    own = {name.removeprefix("trees."): array for name, array in arrays.items() if name.startswith("trees.")}
    n_features = int(np.asarray(arrays["n_features"])[0])
    words, coded = (np.asarray(arrays[name], np.int32) for name in ("words", "coded"))
    return Boosted(Trees.restore(own), n_features, words, coded)


KIND = RankerKind("boosted", BoostedConfig, fit, restore)
