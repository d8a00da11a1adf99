"""A history that nobody has seen before, answered whole and in process, beside implicit's recalculate_user.

    python benchmarks/fold_in.py [--items 27000] [--askers 400] [--length 100]

ALS, 64 factors, three epochs over a made-up world of two million interactions; both sides have the same factors of
items, confidences and lambda. Ours: a list of item ids becomes rows, the factors are solved for, what the history
holds and a twentieth of the catalogue is left out, the ten best are found and become ids again. implicit:
``recommend(recalculate_user=True, filter_items=...)`` of a sparse row that is ready before the clock starts, rows out.
One thread each, in turns of 20 askers, each timed alone.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from made import SEED, heading, missing
from scipy import sparse

from serendip import pipeline as pipelines
from serendip.data import Dataset, ItemLists, Vocabulary
from serendip.models.als import Als, extra_confidence
from serendip.models.parallel import one_blas_thread
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.ranking import Mask
from serendip.sources.world import generate_events

N, TURN, FILTERED = 10, 20, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--askers", type=int, default=400)
    parser.add_argument("--length", type=int, default=100, help="items of a history")
    chosen = parser.parse_args()
    try:
        import implicit  # noqa: F401
    except ImportError:
        missing("implicit")
    heading("implicit")
    pipeline = trained(chosen.items)
    rng = np.random.default_rng(SEED)
    popular = np.bincount(generate_events(50_000, chosen.items, 200_000, seed=SEED)[0].item_ix, minlength=chosen.items)
    chance = (popular + 1) / (popular + 1).sum()
    histories = [rng.choice(chosen.items, chosen.length, replace=False, p=chance) for _ in range(chosen.askers)]
    allowed = rng.random(chosen.items) >= FILTERED
    took, same = measured(pipeline, histories, allowed)
    middle, high = np.percentile(took, 50, axis=1) * 1e3, np.percentile(took, 99, axis=1) * 1e3
    print("| items | history | ours p50 ms | ours p99 ms | implicit p50 ms | implicit p99 ms | ratio | same items |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {chosen.items:,} | {chosen.length} | {middle[0]:.3f} | {high[0]:.3f} | {middle[1]:.3f} | {high[1]:.3f} "
        f"| {middle[1] / middle[0]:.1f} | {same:.4f} |"
    )


def trained(n_items: int) -> Pipeline:
    """ALS over the world's interactions."""
    n_users, n = 50_000, 2_000_000
    events, _ = generate_events(n_users, n_items, n, seed=SEED)
    users, items = (
        Vocabulary(tuple(f"{what}-{row}" for row in range(size)))
        for what, size in (("user", n_users), ("item", n_items))
    )
    ones, size = np.ones(len(events), np.float32), len(events)
    data = Dataset(
        events.user_ix, events.item_ix, users, items, ones, np.zeros(size, np.int16), np.full(size, np.nan, np.float32)
    )
    return pipelines.fit(PipelineConfig.parse("als(n_epochs=3, solver=cg)"), data, SEED)


def measured(pipeline: Pipeline, histories: list[np.ndarray], allowed: Mask) -> tuple[np.ndarray, float]:
    """Seconds of each side and asker, (2, n_askers), and the share of places where both show the same item."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = pipeline.sources[0].model
    assert isinstance(model, Als)
    with warnings.catch_warnings(action="ignore"):
        peer = AlternatingLeastSquares(model.items.shape[1], model.config.regularization, 1.0, num_threads=1)
    peer.item_factors, peer.user_factors = model.items.copy(), np.zeros((1, model.items.shape[1]), np.float32)
    sure = np.float32(1 + extra_confidence(np.ones(1, np.float32), model.config)[0])
    left_out, ids = np.flatnonzero(~allowed), pipeline.items.ids
    named = [[ids[row] for row in history] for history in histories]
    rows = [
        sparse.csr_matrix((np.full(len(one), sure), np.sort(one).astype(np.int32), [0, len(one)]), (1, len(ids)))
        for one in histories
    ]

    def ours(q: int) -> list[str]:
        queries = pipeline.bare_queries(named[q])
        answers = pipeline.answer(queries, N, ItemLists(queries.indptr, queries.item_ix), allowed)
        return [ids[row] for row in answers.rows[0]]

    def theirs(q: int) -> list[str]:
        found, _ = peer.recommend(0, rows[q], N, recalculate_user=True, filter_items=left_out)
        return [ids[row] for row in found]

    took, shown = np.empty((2, len(histories))), np.empty((2, len(histories), N), object)
    with one_blas_thread():
        for start in range(0, len(histories), TURN):
            for side, answer in enumerate((ours, theirs)):
                answer(start)
                for q in range(start, min(start + TURN, len(histories))):
                    begin = time.perf_counter()
                    shown[side, q] = answer(q)
                    took[side, q] = time.perf_counter() - begin
    return took, float((shown[0] == shown[1]).mean())


if __name__ == "__main__":
    main()
