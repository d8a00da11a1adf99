"""Scores in, the best out: what may be shown, and in what order."""

from serendip.ranking.top import NOTHING, Mask, Ranked, top

__all__ = ["NOTHING", "Mask", "Ranked", "top"]
