"""Models of ratings beside scikit-surprise and cornac: the same folds; time of a fit, memory, error on the rest.

    python benchmarks/ratings.py --datasets FOLDER       a folder that holds movietweetings/
    python benchmarks/ratings.py --made 1000000          ratings made from a seed, 6,000 users and 4,000 items or more
    python benchmarks/ratings.py --alike                 fit and the 50 nearest of all users and of all items

All get as many factors, else each its own defaults; svd is also measured with as many epochs as the peers, and a step
as much shorter. All predict within the scale; a user or an item that a fold does not know gets the mean and the other's
bias. Fits take turns, on all threads each side can use; the ratio is the median of those of the turns, of wall time
and of processor time. Memory is the most that numpy held during one more fit. An error's interval is that of the mean
of its folds' differences from ours, by Student's t.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from made import heading
from numpy.typing import NDArray
from scipy import stats

from serendip import models
from serendip.data import Dataset, Floats, Queries, Vocabulary
from serendip.evaluation import k_folds, measure_ratings, metrics
from serendip.evaluation.split import Split
from serendip.models import HasNeighbours, HasUserNeighbours
from serendip.models.ratings import Ratings, ratings_of

FACTORS = {"svd": 100, "nmf": 15}
EPOCHS = {"svd": 20, "nmf": 50}
"""What the peers do by default."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--datasets", type=Path)
    source.add_argument("--made", type=int, metavar="N")
    source.add_argument("--alike", action="store_true")
    parser.add_argument("--folds", type=int, default=5, help="how many of the 5 are measured; default all")
    parser.add_argument("--turns", type=int, default=5, help="fits of each side, over the folds; default 5")
    parser.add_argument("--kinds", nargs="+", choices=sorted(FACTORS), default=list(FACTORS))
    parser.add_argument("--peers", nargs="*", choices=["surprise", "cornac"], default=["surprise", "cornac"])
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    heading("scikit-surprise", "cornac")
    if chosen.alike:
        alike(chosen.seed)
        return
    data = made(chosen.made, chosen.seed) if chosen.made else films(chosen.datasets)
    folds = list(k_folds(data, 5, chosen.seed))[: chosen.folds]
    print(
        f"{len(data):,} ratings of {data.n_users:,} users and {data.n_items:,} items, fingerprint "
        f"{data.fingerprint()[:12]}; kfold:5:{chosen.seed}, {len(folds)} of the folds\n"
    )
    for row in measure_ratings([], folds):
        print(f"{row.name}: RMSE {row.rmse:.4f}, MAE {row.mae:.4f}")
    print("\n| model | RMSE | s a fit | MB | peer | its RMSE | less ours | its s | its MB | ratio | cpu |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for kind in chosen.kinds:
        for more in [{}, {"n_epochs": EPOCHS["svd"], "learning_rate": 0.02}][: 1 + (kind == "svd")]:
            beside(kind, more, folds, chosen.peers, chosen.turns, chosen.seed)


def beside(kind: str, more: dict[str, Any], folds: list[Split], peers: Sequence[str], turns: int, seed: int) -> None:
    """A row a peer: ours and the peer's fits in turn, and both errors over all folds."""
    config = models.kind_of(kind).config(n_factors=FACTORS[kind], **more)

    def ours(fold: Split) -> Callable[[], object]:
        return lambda: models.fit(kind, config, fold.train, seed)

    ours(folds[0])()  # compiled before it is timed
    row = measure_ratings([(kind, config)], folds, seed)[-1]
    name = f"{kind}, {config.model_dump()['n_epochs']} epochs"
    for peer in peers:
        sides = [(ours(fold), PEERS[peer](kind, fold, seed)) for fold in folds]
        spent: list[tuple[tuple[float, float], tuple[float, float]]] = []
        errors: dict[int, float] = {}
        for turn in range(max(turns, len(folds))):
            at = turn % len(folds)
            own, (fit, predict) = sides[at]
            spent.append((seconds(own), seconds(fit)))
            if at not in errors:
                errors[at] = metrics.rmse(predict(), ratings_of(folds[at].test, "a benchmark").value)
        theirs = [errors[at] for at in range(len(folds))]
        apart = np.array(theirs) - row.rmse_of_folds
        reach = stats.t.ppf(0.975, len(apart) - 1) * stats.sem(apart) if len(apart) > 1 else float("nan")
        (own_s, _), (peer_s, _) = np.median(spent, axis=0)
        wall, cpu = np.median([np.divide(its, own) for own, its in spent], axis=0)
        cells = [name, f"{row.rmse:.4f}", f"{own_s:.3f}", f"{held(sides[0][0]):.0f}", peer]
        cells += [f"{np.mean(theirs):.4f}", f"{apart.mean():+.4f} ± {reach:.4f}", f"{peer_s:.2f}"]
        print(
            "| " + " | ".join([*cells, f"{held(sides[0][1][0]):.0f}", f"{wall:.1f}x", f"{cpu:.1f}x"]) + " |", flush=True
        )


Peer = tuple[Callable[[], object], Callable[[], NDArray[Any]]]


def surprise(kind: str, fold: Split, seed: int) -> Peer:
    """Surprise's fit, and what it predicts for the test of ``fold``."""
    import surprise as library  # only this script needs it

    train, test = both(fold)
    known = library.Dataset(library.Reader(rating_scale=(train.value.min(), train.value.max())))
    built = known.construct_trainset([(*row, None) for row in triples(train)])
    algorithm = {"svd": library.SVD, "nmf": library.NMF}[kind](
        n_factors=FACTORS[kind], n_epochs=EPOCHS[kind], random_state=seed
    )
    return (
        lambda: algorithm.fit(built),
        lambda: np.array([algorithm.predict(user, item).est for user, item, _ in triples(test)]),
    )


def cornac(kind: str, fold: Split, _: int) -> Peer:
    """Cornac's MF, or NMF: its fit on all cores, without a seed, for with one it takes one core."""
    import cornac as library  # only this script needs it

    train, test = both(fold)
    built = library.data.Dataset.from_uir(triples(train))
    make = {"svd": library.models.MF, "nmf": library.models.NMF}[kind]
    algorithm = make(k=FACTORS[kind], max_iter=EPOCHS[kind], verbose=False, use_bias=True)

    def predict() -> NDArray[Any]:
        rows = ((built.uid_map.get(user), built.iid_map.get(item)) for user, item, _ in triples(test))
        known = [(-1 if user is None else user, -1 if item is None else item) for user, item in rows]
        return np.array([algorithm.rate(user, item) for user, item in known])

    return lambda: algorithm.fit(built), predict


PEERS = {"surprise": surprise, "cornac": cornac}


def both(fold: Split) -> tuple[Ratings, Ratings]:
    return ratings_of(fold.train, "a benchmark"), ratings_of(fold.test, "a benchmark")


def triples(ratings: Ratings) -> list[tuple[int, int, float]]:
    return list(zip(*(column.tolist() for column in ratings), strict=True))


def alike(seed: int) -> None:
    """Fit, and the 50 nearest of every user and of every item, of 96,605 ratings by 1,098 users of 3,139 items."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, 3_140) ** 0.8
    pairs = np.unique(
        np.stack([rng.integers(0, 1_098, 140_000), rng.choice(3_139, 140_000, p=share / share.sum())], 1), axis=0
    )
    user, item = pairs[rng.permutation(len(pairs))[:96_605]].T
    data = dataset(
        [str(u) for u in user],
        [str(i) for i in item],
        rng.integers(1, 6, len(user)).astype(np.float32),
        np.arange(len(user)),
    )
    everybody = Queries.of_users(data, np.arange(data.n_users))
    everything = np.arange(data.n_items, dtype=np.int32)
    print(f"{len(data):,} ratings of {data.n_users:,} users and {data.n_items:,} items\n")
    print("| model | s, median of 5: fit | users | items | whole |\n|---|---|---|---|---|")
    for kind in FACTORS:
        config, spent = models.kind_of(kind).config(), []
        for _ in range(6):  # the first compiles
            began = time.perf_counter()
            model = models.fit(kind, config, data, seed)
            assert isinstance(model, HasUserNeighbours)
            assert isinstance(model, HasNeighbours)
            fitted = time.perf_counter()
            model.user_neighbours(everybody, everybody, 50)
            users = time.perf_counter()
            model.neighbours(everything, 50)
            spent.append(np.diff([began, fitted, users, time.perf_counter()]))
        parts = np.median(spent[1:], axis=0)
        print(
            f"| {kind} | " + " | ".join(f"{part:.2f}" for part in [*parts, np.median(np.sum(spent[1:], axis=1))]) + " |"
        )


def held(work: Callable[[], object]) -> float:
    """The most that was allocated at once in Python's and numpy's sight, in MB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """On the wall, and of all processors."""
    began, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - busy


def films(folder: Path) -> Dataset:
    """MovieTweetings: user::film::rating::seconds, ratings 0 to 10."""
    rows = [line.split("::") for line in (folder / "movietweetings" / "ratings.dat").read_text().splitlines()]
    users, items, values, at = zip(*rows, strict=True)
    return dataset(users, items, np.array(values, np.float32), np.array(at, np.int64) * 1_000_000)


def made(n: int, seed: int) -> Dataset:
    """Ratings 1 to 5 of n // 400 users and n // 1000 items, at least 6,000 and 4,000, some items far more popular.

    By biases, three tastes and chance.
    """
    rng = np.random.default_rng(seed)
    n_users, n_items = max(6_000, n // 400), max(4_000, n // 1_000)
    share = 1 / np.arange(1, n_items + 1) ** 0.7
    user, item = rng.integers(0, n_users, n), rng.choice(n_items, n, p=share / share.sum())
    p, q = rng.normal(0, 0.6, (n_users, 3)), rng.normal(0, 0.6, (n_items, 3))
    taste = rng.normal(0, 0.4, n_users)[user] + rng.normal(0, 0.5, n_items)[item] + (p[user] * q[item]).sum(axis=1)
    value = np.clip(np.rint(3.5 + taste + rng.normal(0, 0.7, n)), 1, 5).astype(np.float32)
    return dataset([f"{u}" for u in user], [f"{i}" for i in item], value, np.arange(n))


def dataset(users: Sequence[str], items: Sequence[str], value: Floats, at: NDArray[np.int64]) -> Dataset:
    known_users, known_items = Vocabulary.of(users), Vocabulary.of(items)
    return Dataset.of(known_users.rows(users), known_items.rows(items), known_users, known_items, value=value, at=at)


if __name__ == "__main__":
    main()
