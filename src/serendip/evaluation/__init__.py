"""Slates against what happened: splits, replay, metrics, comparison and the gate."""

from serendip.evaluation.bootstrap import Estimate
from serendip.evaluation.comparison import allows_repeats, compare
from serendip.evaluation.evaluate import evaluate, rates
from serendip.evaluation.gate import Verdict, judge
from serendip.evaluation.measure import Fits, Outcome, measure
from serendip.evaluation.rating_table import RatingRow, RatingTable
from serendip.evaluation.ratings import compare_ratings, measure_ratings
from serendip.evaluation.rounds import Round, frozen, replayed
from serendip.evaluation.split import (
    Split,
    SplitName,
    given_split,
    k_folds,
    last_out_split,
    parse_folds,
    random_split,
    split_of,
    splits_of,
    time_split,
)
from serendip.evaluation.table import Difference, Protocol, Row, Slice, Table
from serendip.evaluation.wanted import Metric, parse_metrics

__all__ = [
    "Difference",
    "Estimate",
    "Fits",
    "Metric",
    "Outcome",
    "Protocol",
    "RatingRow",
    "RatingTable",
    "Round",
    "Row",
    "Slice",
    "Split",
    "SplitName",
    "Table",
    "Verdict",
    "allows_repeats",
    "compare",
    "compare_ratings",
    "evaluate",
    "frozen",
    "given_split",
    "judge",
    "k_folds",
    "last_out_split",
    "measure",
    "measure_ratings",
    "parse_folds",
    "parse_metrics",
    "random_split",
    "rates",
    "replayed",
    "split_of",
    "splits_of",
    "time_split",
]
