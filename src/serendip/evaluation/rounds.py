"""Everybody asked at once, at the cut; asked window by window they are in ``pipeline.rounds``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from serendip.data import Dataset, ItemLists
from serendip.evaluation.split import Split
from serendip.pipeline.rounds import Round, first_meetings, replayed, round_of, starts


def frozen(split: Split, candidates: Dataset | None = None) -> Iterator[Round]:
    """One round: everybody known is asked at the cut for what they take in the whole test period.

    Where the parts are not cut in time, items that nobody had met are to be found too, as papers count them: misses
    for whatever cannot know them. With ``candidates``, users and items over the same vocabularies, only users who have
    some are asked, and only theirs are ranked.
    """
    # Such parts have no moment at which an item could be closed.
    known = replace(split.train, item_open=None) if split.parity_only else split.train
    met = np.bincount(split.train.item_ix[first_meetings(split.train)], minlength=split.train.n_items)
    takes = split.test
    if candidates is not None:
        takes = takes.take((np.bincount(candidates.user_ix, minlength=candidates.n_users) > 0)[takes.user_ix])
    for one in round_of(known, takes, met, new_too=split.parity_only):
        yield one if candidates is None else replace(one, candidates=_lists_of(candidates, one.user_ix))


def _lists_of(pairs: Dataset, user_ix: NDArray[np.int32]) -> ItemLists:
    """The items of each of these users."""
    indptr, order = pairs.by_user
    return ItemLists.of([pairs.item_ix[order[indptr[user] : indptr[user + 1]]] for user in user_ix])


__all__ = ["Round", "first_meetings", "frozen", "replayed", "round_of", "starts"]
