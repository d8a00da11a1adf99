"""Oblivious trees grown by CatBoost, and taken over as plain arrays."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from serendip.models.parallel import n_threads
from serendip.models.rankers.contract import Groups
from serendip.models.rankers.growing import TOP, Growing, Grown, library_of
from serendip.models.rankers.trees import Trees

LOSSES = {"yetirank": "YetiRank", "querysoftmax": "QuerySoftMax", "logloss": "Logloss"}

NDCG = f"NDCG:top={TOP};type=Base"


def grow(growing: Growing) -> Grown:
    """Trees until the later questions are ordered no better, or as many as are asked for."""
    catboost = library_of("catboost")
    stops = growing.check is not None and not growing.all_trees

    def pool(groups: Groups) -> Any:
        return catboost.Pool(groups.features, groups.taken.astype(np.float32), group_id=groups.question)

    model = catboost.CatBoost(
        {
            "loss_function": LOSSES[growing.objective],
            "eval_metric": f"{NDCG};hints=skip_train~true",
            "custom_metric": ["AUC:type=Classic;hints=skip_train~true"],
            "iterations": growing.n_trees,
            "depth": growing.depth,
            "learning_rate": growing.learning_rate,
            "l2_leaf_reg": growing.l2,
            "random_seed": growing.seed,
            "od_type": "Iter",
            "od_wait": growing.patience if stops else growing.n_trees,
            "use_best_model": stops,
            "thread_count": n_threads(),
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
    )
    model.fit(pool(growing.learn), eval_set=None if growing.check is None else pool(growing.check))
    told = model.get_evals_result().get("validation", {})
    curves = {
        "ndcg@10" if name.startswith("NDCG") else "auc": [float(one) for one in values]
        for name, values in told.items()
        if name.startswith(("NDCG", "AUC"))
    }
    return Grown(trees_of(model), curves, f"catboost {catboost.__version__}")


def trees_of(model: Any) -> Trees:
    """The trees of a fitted CatBoost model of numbers alone."""
    with tempfile.TemporaryDirectory(prefix="serendip-") as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        told = json.loads(path.read_text())
    missing = {
        one["flat_feature_index"]: one.get("nan_value_treatment") == "AsTrue"
        for one in told["features_info"]["float_features"]
    }
    column = {one["feature_index"]: one["flat_feature_index"] for one in told["features_info"]["float_features"]}
    found = told["oblivious_trees"]
    depth = max([len(tree["splits"] or ()) for tree in found] + [1])
    scale, bias = told["scale_and_bias"]
    trees = Trees.empty(len(found), depth, bias[0] if bias else 0.0)
    for t, tree in enumerate(found):
        # The first split is the lowest bit of a leaf's number: the last question on the way down.
        splits = list(reversed(tree["splits"] or ()))
        for level, split in enumerate(splits, depth - len(splits)):
            nodes = slice((1 << level) - 1, (2 << level) - 1)
            asked = column[split["float_feature_index"]]
            trees.feature[t, nodes], trees.threshold[t, nodes] = asked, split["border"]
            trees.nan_right[t, nodes] = missing[asked]
        n = len(tree["leaf_values"])
        trees.leaf[t, :n] = np.array(tree["leaf_values"]) * scale
        trees.cover[t, :n] = tree["leaf_weights"]
    return trees
