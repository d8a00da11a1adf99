"""Scores in, the best out: what may be shown, and in what order."""

from serendip.ranking.bounded import Catalogue
from serendip.ranking.filters import mask
from serendip.ranking.grammar import Filter, parse
from serendip.ranking.top import NOTHING, Mask, Ranked, top

__all__ = ["NOTHING", "Catalogue", "Filter", "Mask", "Ranked", "mask", "parse", "top"]
