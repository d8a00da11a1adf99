"""Which model to serve: the network on text vectors and price against ALS, beside popularity, by AUC and by the top 5.

The first 80% of time are learnt from, the next 10% choose, the last 10% judge what was chosen (learnt from 90%).
AUC: does a review that will have five stars score above one that will not, told from what its writer did strictly
before; over reviews whose writer had praised something and whose product was known. Top 5: everybody who was known at
the cut is asked there, over the whole catalogue; hidden is what they reviewed; to be found is what they praise later.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import pipeline as pipelines
from serendip.data import Dataset, Queries
from serendip.domain import NotReady, SerendipError
from serendip.evaluation import Estimate, Fits, Split, compare
from serendip.evaluation.bootstrap import estimate_of
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.settings import read_settings
from serendip.store import Store

MOST_STARS = 5.0
DRAWS = 500
TORCH = 'the network (mlp) is left out: it is trained with PyTorch; pip install "serendip[neural]"'

MODELS = {
    "network": "mlp(vectors={vectors}, said={said}, price=price, positive=5, n_text=0)",
    "network-items": "mlp(vectors={vectors}, price=price, positive=5, n_text=0)",
    "als": "als(n_factors=32)",
    "words": "content-knn(vectors={vectors})",
    "popular-30-days": "popular-30-days",
    "popular": "popular",
}
"""What is compared, and as what; ``network-items`` is the network without the writer's own reviews."""
WITHOUT_REVIEWS = "no review has a vector, so that the network looks at products only"


@dataclass(frozen=True)
class Row:
    """One model in one period."""

    name: str
    auc: Estimate
    n_reviews: int
    hit_rate: Estimate
    ndcg: Estimate
    n_users: int
    seconds: float
    """To fit."""
    megabytes: float | None
    """What fitting took at its highest beyond what was held before; none where the system does not tell."""


def configs(vectors: str = "words", priced: bool = True, said: str | None = "reviews") -> list[PipelineConfig]:
    """The models that can be fitted here: with the products' vectors of this name, with prices where there are some,
    and with the vectors of reviews called ``said``, if any."""
    specs = {name: spec.format(vectors=vectors, said=said) for name, spec in MODELS.items()}
    if not priced:
        specs = {name: spec.replace("price=price, ", "") for name, spec in specs.items()}
    if said is None:
        specs["network"] = specs.pop("network-items")
    if not find_spec("torch"):
        specs = {name: spec for name, spec in specs.items() if not name.startswith("network")}
    return [PipelineConfig.parse(spec).model_copy(update={"name": name}) for name, spec in specs.items()]


def read(store: Store, vectors: str = "words", said: str = "reviews") -> Dataset:
    """All reviews with their vectors called ``said``, if any, and what is known of the products, in order of time."""
    found = gather(store, said=[said])
    if not len(found) or found.at is None:
        raise NotReady("there are no reviews; `serendip datasets load product-reviews --from FILE` first")
    data = with_attributes(store, found, configs(vectors))
    assert data.at is not None
    return data.take(np.argsort(data.at, kind="stable"))


def priced(data: Dataset) -> bool:
    """Whether any product has a price."""
    column = None if data.item_columns is None else data.item_columns.columns.get("price")
    return column is not None and column.numbers is not None


def cut_at(data: Dataset, share: float) -> int:
    """The moment before which lies this part of the reviews, in microseconds."""
    assert data.at is not None
    return int(data.at[int(share * len(data))])


def measured(data: Dataset, cut: int, seed: int = 0, vectors: str = "words", said: str = "reviews") -> list[Row]:
    """Every model learnt from what was before ``cut`` and asked about the rest of ``data``."""
    assert data.at is not None
    models = configs(vectors, priced(data), said if data.event_columns is not None else None)
    parts = Split("time", data.before(cut), data.take(data.at >= cut), cut)
    fits, rows = Fits(), []
    fitted: dict[str, tuple[Pipeline, float, float | None]] = {}
    for config in models:
        before, begun = _forget_peak(), perf_counter()
        made = pipelines.fit(config, parts.train, seed, fits.model)
        seconds, peak = perf_counter() - begun, _memory("VmHWM")
        fitted[config.name] = made, seconds, None if before is None or peak is None else peak - before
    aucs, n_reviews = auc_of({name: one[0] for name, one in fitted.items()}, data, parts, seed)
    table = compare(models, data, "frozen", parts, k=5, metrics=("hit-rate@5", "ndcg@5"), fits=fits, seed=seed)
    by_name = {row.name: row.metrics for row in table.rows}
    for name, (_, seconds, megabytes) in fitted.items():
        top = by_name[name]
        rows.append(
            Row(
                name, aucs[name], n_reviews, top["hit-rate@5"], top["ndcg@5"], table.n_users,
                round(seconds, 2), None if megabytes is None else round(megabytes, 1),
            )
        )  # fmt: skip
    return rows


def auc_of(models: dict[str, Pipeline], data: Dataset, parts: Split, seed: int) -> tuple[dict[str, Estimate], int]:
    """The AUC of every model over the same reviews after the cut, with intervals over users; and how many there are."""
    test = parts.test
    assert test.at is not None
    queries = Queries.of_users(data, test.user_ix, test.at)
    known = np.bincount(parts.train.item_ix, minlength=data.n_items) > 0
    use = np.flatnonzero((np.diff(queries.by_item[0]) > 0) & known[test.item_ix])
    queries, item_ix = queries.take(use), test.item_ix[use]
    liked, user_ix = test.value[use] >= MOST_STARS, test.user_ix[use]
    found = {}
    for name, made in models.items():
        parts_of_rows = np.array_split(np.arange(len(use)), max(1, len(use) // 2000))
        score = made.sources[0].model.score
        scores = np.concatenate([score(queries.take(some), item_ix[some][:, None])[:, 0] for some in parts_of_rows])
        found[name] = auc_interval(np.nan_to_num(scores, nan=-np.inf), liked, user_ix, seed)
    return found, len(use)


def auc_interval(
    scores: NDArray[np.floating], liked: NDArray[np.bool_], users: NDArray[np.integer], seed: int
) -> Estimate:
    """The part of pairs of a liked and another review in which the liked one scores higher, ties by half.

    The interval draws users again; whoever is drawn twice counts twice.
    """
    _, tie = np.unique(scores, return_inverse=True)
    n = int(tie.max(initial=-1)) + 1

    def auc(times: NDArray[np.float64]) -> float:
        yes, no = (np.bincount(tie[one], times[one], n) for one in (liked, ~liked))
        below = np.cumsum(no) - no / 2
        return float((yes * below).sum() / max(yes.sum() * no.sum(), 1e-300))

    rng = np.random.default_rng(seed)
    _, who = np.unique(users, return_inverse=True)
    n_users = int(who.max(initial=-1)) + 1
    draws = [
        auc(np.bincount(rng.integers(n_users, size=n_users), minlength=n_users)[who].astype(float))
        for _ in range(DRAWS)
    ]
    return estimate_of(auc(np.ones(len(scores))), np.array(draws))


def _memory(what: str) -> float | None:
    """``VmRSS`` (held now) or ``VmHWM`` (at the highest), in MB, where the system tells."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))
    except (OSError, StopIteration):
        return None


def _forget_peak() -> float | None:
    """Let the highest begin at what is held now, which is given."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _memory("VmRSS")


def shown(rows: Sequence[Row]) -> str:
    """The rows as a table."""

    def told(one: Estimate) -> str:
        return f"{one.mean:.3f} ± {(one.high - one.low) / 2:.3f}"

    lines = [
        f"| {'model':<16} | {'AUC':<13} | {'hit rate@5':<13} | {'nDCG@5':<13} | seconds | MB |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: -row.ndcg.mean):
        memory = "" if row.megabytes is None else f"{row.megabytes:.0f}"
        lines.append(
            f"| {row.name:<16} | {told(row.auc)} | {told(row.hit_rate)} | {told(row.ndcg)} | {row.seconds} | {memory} |"
        )
    return "\n".join(lines)


def chosen(rows: Sequence[dict[str, Any]], what: str) -> str:
    """The model with the highest mean; ``none`` where all are equal."""
    best = max(rows, key=lambda row: row[what]["mean"])
    return str(best["name"]) if any(row[what]["mean"] < best[what]["mean"] for row in rows) else "none"


def main() -> None:
    """Both tables of the data in the store; with ``--to`` also as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--to", type=Path, default=None, help="a JSON file")
    asked.add_argument("--vectors", default="words", help="as `serendip vectors make` called them")
    asked.add_argument("--said", default="reviews", help="as `serendip vectors make --of interactions` called them")
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    store = Store.open(read_settings().database_url)
    try:
        data = read(store, given.vectors, given.said)
    finally:
        store.close()
    if not find_spec("torch"):
        print(TORCH)
    if data.event_columns is None:
        print(WITHOUT_REVIEWS)
    last = cut_at(data, 0.9)
    told: dict[str, Any] = {}
    for period, some, cut in (
        ("choosing", data.before(last), cut_at(data, 0.8)),
        ("judging", data, last),
    ):
        rows = measured(some, cut, given.seed, given.vectors, given.said)
        print(f"\n{period}: {rows[0].n_reviews:,} reviews, {rows[0].n_users:,} users; 95% intervals\n{shown(rows)}")
        told[period] = [asdict(row) for row in rows]
    best = {what: chosen(told["choosing"], what) for what in ("auc", "ndcg")}
    print(f"\nchosen by AUC: {best['auc']}; by the top 5: {best['ndcg']}")
    if given.to is not None:
        given.to.write_text(json.dumps({**told, "chosen": best}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except SerendipError as error:
        sys.exit(str(error))
