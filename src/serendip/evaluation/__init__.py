"""Slates against what happened: splits, replay, metrics, comparison and the gate."""

from serendip.evaluation.bootstrap import Estimate, paired_interval
from serendip.evaluation.comparison import allows_repeats, compare
from serendip.evaluation.gate import Verdict, judge
from serendip.evaluation.measure import Fits, Outcome, measure
from serendip.evaluation.rounds import Round, frozen, replayed
from serendip.evaluation.split import Split, SplitName, last_out_split, parse_split, random_split, time_split
from serendip.evaluation.table import Difference, Protocol, Row, Slice, Table

__all__ = [
    "Difference",
    "Estimate",
    "Fits",
    "Outcome",
    "Protocol",
    "Round",
    "Row",
    "Slice",
    "Split",
    "SplitName",
    "Table",
    "Verdict",
    "allows_repeats",
    "compare",
    "frozen",
    "judge",
    "last_out_split",
    "measure",
    "paired_interval",
    "parse_split",
    "random_split",
    "replayed",
    "time_split",
]
