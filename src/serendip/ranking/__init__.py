"""Scores in, the best out: what may be shown, and in what order."""

from serendip.ranking.bounded import Catalogue
from serendip.ranking.diversity import Likeness, diversified, mmr, taken_in
from serendip.ranking.filters import Masks, mask, uses_now
from serendip.ranking.grammar import Compare, Filter, parse
from serendip.ranking.rules import NO_RULES, Rules, RulesConfig, lifted
from serendip.ranking.top import NOTHING, Mask, Ranked, top

__all__ = [
    "NOTHING",
    "NO_RULES",
    "Catalogue",
    "Compare",
    "Filter",
    "Likeness",
    "Mask",
    "Masks",
    "Ranked",
    "Rules",
    "RulesConfig",
    "diversified",
    "lifted",
    "mask",
    "mmr",
    "parse",
    "taken_in",
    "top",
    "uses_now",
]
