"""Trees grown by LightGBM, and taken over as plain arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from serendip.models.parallel import n_threads
from serendip.models.rankers.contract import Groups
from serendip.models.rankers.growing import TOP, Growing, Grown, library_of
from serendip.models.rankers.trees import Trees

LOSSES = {"lambdarank": "lambdarank", "querysoftmax": "rank_xendcg", "logloss": "binary"}


def grow(growing: Growing) -> Grown:
    """Trees until the later questions are ordered no better, or as many as are asked for."""
    lightgbm = library_of("lightgbm")

    def columns(groups: Groups, **besides: Any) -> Any:
        return lightgbm.Dataset(
            groups.features, groups.taken.astype(np.float32), group=np.diff(groups.indptr), **besides
        )

    learn = columns(growing.learn)
    told: dict[str, dict[str, list[float]]] = {}
    stopping = [lightgbm.early_stopping(growing.patience, first_metric_only=True, verbose=False)]
    stopping = [] if growing.all_trees or growing.check is None else stopping
    check = None if growing.check is None else columns(growing.check, reference=learn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lightgbm.train(
            {
                "objective": LOSSES[growing.objective],
                "metric": ["ndcg", "auc"],
                "eval_at": [TOP],
                "learning_rate": growing.learning_rate,
                "max_depth": growing.depth,
                "num_leaves": min(31, 1 << growing.depth),
                "min_data_in_leaf": max(1, min(50, len(growing.learn.taken) // 40)),
                "feature_fraction": 0.6,
                "bagging_fraction": 0.8,
                "bagging_freq": 1,
                "lambda_l2": growing.l2,
                "seed": growing.seed,
                "objective_seed": growing.seed,
                "deterministic": True,
                "force_row_wise": True,
                "num_threads": n_threads(),
                "verbosity": -1,
            },
            learn,
            num_boost_round=growing.n_trees,
            valid_sets=None if check is None else [check],
            valid_names=None if check is None else ["check"],
            callbacks=[*stopping, lightgbm.record_evaluation(told)],
        )
    curves = {name: [float(one) for one in values] for name, values in told.get("check", {}).items()}
    return Grown(trees_of(model), curves, f"lightgbm {lightgbm.__version__}")


def trees_of(model: Any) -> Trees:
    """The trees of a fitted LightGBM model of numbers alone, as far as its best iteration."""
    told = model.dump_model(num_iteration=max(0, model.best_iteration) or None)
    found = [tree["tree_structure"] for tree in told["tree_info"]]
    trees = Trees.empty(len(found), max(map(_depth, found), default=1) or 1)
    for t, root in enumerate(found):
        _fill(trees, t, 0, 0, root)
    return trees


def _depth(node: dict[str, Any]) -> int:
    return 0 if "leaf_value" in node else 1 + max(_depth(node["left_child"]), _depth(node["right_child"]))


def _fill(trees: Trees, t: int, place: int, level: int, node: dict[str, Any]) -> None:
    if "leaf_value" in node:
        # Everything goes to the left below, down to one leaf.
        leaf = ((place + 1) << (trees.depth - level)) - 1 - trees.feature.shape[1]
        trees.leaf[t, leaf] = node["leaf_value"]
        trees.cover[t, leaf] = node.get("leaf_count", 1)
        return
    with np.errstate(over="ignore"):
        bound = np.float32(node["threshold"])
    if float(bound) > node["threshold"]:
        # Values are single precision: the largest one that goes left there is the one below.
        bound = np.nextafter(bound, np.float32(-np.inf))
    trees.feature[t, place], trees.threshold[t, place] = node["split_feature"], bound
    # Where no value was missing in training, a missing one counts as 0.
    trees.nan_right[t, place] = not (node["default_left"] if node["missing_type"] == "NaN" else bound >= 0)
    _fill(trees, t, 2 * place + 1, level + 1, node["left_child"])
    _fill(trees, t, 2 * place + 2, level + 1, node["right_child"])
