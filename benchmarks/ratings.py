"""Models of ratings beside scikit-surprise: the same folds and factors; time of a fit, error on what is left out.

    python benchmarks/ratings.py --datasets FOLDER       a folder that holds movietweetings/
    python benchmarks/ratings.py --made 1000000          ratings made from a seed, of 6,000 users and 4,000 items

Both get as many factors, and for svd as many epochs, else each its own defaults; both predict within the scale; a user
or an item that a fold does not know gets the mean and the other's bias. Fits take turns; the ratio is of medians.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import Dataset, Floats, Vocabulary
from serendip.evaluation import k_folds, measure_ratings, metrics
from serendip.evaluation.split import Split
from serendip.models import ModelConfig
from serendip.models.ratings import ratings_of

PEERS: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "svd": ("SVD", {"n_factors": 100, "n_epochs": 20}, {"n_factors": 100, "n_epochs": 20}),
    "nmf": ("NMF", {"n_factors": 15, "n_epochs": 50}, {"n_factors": 15, "n_epochs": 8}),
}
"""The peer's class and its default settings, and ours: nmf solves rows where the peer takes a step."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--datasets", type=Path)
    source.add_argument("--made", type=int, metavar="N")
    parser.add_argument("--folds", type=int, default=5, help="how many of the 5 are measured; default all")
    parser.add_argument("--kinds", nargs="+", default=[kind for kind in PEERS if kind in models.KINDS])
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    data = made(chosen.made, chosen.seed) if chosen.made else films(chosen.datasets)
    folds = list(k_folds(data, 5, chosen.seed))[: chosen.folds]
    names = ("numpy", "numba", "scikit-surprise")
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {version_of(name)}" for name in names))
    print(
        f"{len(data):,} ratings of {data.n_users:,} users and {data.n_items:,} items, fingerprint "
        f"{data.fingerprint()[:12]}; kfold:5:{chosen.seed}, {len(folds)} of the folds\n"
    )
    print("| model | RMSE | MAE | seconds a fit | peer | its RMSE | its seconds | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    configs = [(kind, config_of(kind)) for kind in chosen.kinds]
    for kind, config in configs:
        models.fit(kind, config, folds[0].train, chosen.seed)  # compiled before it is timed
    for row in measure_ratings(configs, folds, chosen.seed):
        cells = [row.name, f"{row.rmse:.4f}", f"{row.mae:.4f}"]
        if row.name in PEERS:
            cells += beside(row.name, folds, chosen.seed)
        print("| " + " | ".join(cells + [""] * (8 - len(cells))) + " |", flush=True)


def config_of(kind: str) -> ModelConfig:
    return models.kind_of(kind).config(**PEERS[kind][2])


def beside(kind: str, folds: list[Split], seed: int) -> list[str]:
    """The cells of a row from our seconds on."""
    name, settings, _ = PEERS[kind]
    ours: list[float] = []
    theirs: list[float] = []
    errors = []
    try:
        import surprise  # only this script needs it
    except ImportError:
        surprise = None
    for fold in folds:
        ours.append(seconds(lambda fold=fold: models.fit(kind, config_of(kind), fold.train, seed)))
        if surprise is None:
            continue
        train, test = ratings_of(fold.train, "a benchmark"), ratings_of(fold.test, "a benchmark")
        known = surprise.Dataset(surprise.Reader(rating_scale=(train.value.min(), train.value.max())))
        rows = zip(train.user_ix.tolist(), train.item_ix.tolist(), train.value.tolist(), strict=True)
        built = known.construct_trainset([(*row, None) for row in rows])
        algorithm = getattr(surprise, name)(**settings, random_state=seed)
        theirs.append(seconds(lambda algorithm=algorithm, built=built: algorithm.fit(built)))
        asked = zip(test.user_ix.tolist(), test.item_ix.tolist(), strict=True)
        errors.append(metrics.rmse(np.array([algorithm.predict(*pair).est for pair in asked]), test.value))
    own = statistics.median(ours)
    if surprise is None:
        return [f"{own:.3f}", "scikit-surprise is not installed"]
    other = statistics.median(theirs)
    return [f"{own:.3f}", f"Surprise {name}", f"{np.mean(errors):.4f}", f"{other:.2f}", f"{other / own:.1f}x"]


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def films(folder: Path) -> Dataset:
    """MovieTweetings: user::film::rating::seconds, ratings 0 to 10."""
    rows = [line.split("::") for line in (folder / "movietweetings" / "ratings.dat").read_text().splitlines()]
    users, items, values, at = zip(*rows, strict=True)
    return dataset(users, items, np.array(values, np.float32), np.array(at, np.int64) * 1_000_000)


def made(n: int, seed: int) -> Dataset:
    """Ratings 1 to 5 of 6,000 users and 4,000 items, some far more popular, by biases, three tastes and chance."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, 4_001) ** 0.7
    user, item = rng.integers(0, 6_000, n), rng.choice(4_000, n, p=share / share.sum())
    p, q = rng.normal(0, 0.6, (6_000, 3)), rng.normal(0, 0.6, (4_000, 3))
    taste = rng.normal(0, 0.4, 6_000)[user] + rng.normal(0, 0.5, 4_000)[item] + (p[user] * q[item]).sum(axis=1)
    value = np.clip(np.rint(3.5 + taste + rng.normal(0, 0.7, n)), 1, 5).astype(np.float32)
    return dataset([f"{u}" for u in user], [f"{i}" for i in item], value, np.arange(n))


def dataset(users: Sequence[str], items: Sequence[str], value: Floats, at: NDArray[np.int64]) -> Dataset:
    known_users, known_items = Vocabulary.of(users), Vocabulary.of(items)
    return Dataset.of(known_users.rows(users), known_items.rows(items), known_users, known_items, value=value, at=at)


if __name__ == "__main__":
    main()
