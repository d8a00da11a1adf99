"""Answers saved with their scores and moments, where other programs read them."""

from __future__ import annotations

from collections.abc import Sequence

from serendip.domain import Slate
from serendip.store import SavedTable, Store, save_elsewhere


def save(store: Store, url: str, table: SavedTable, slates: Sequence[Slate]) -> int:
    """Append every place of ``slates`` to ``table``, all or none; how many there were.

    ``url`` is the setting ``save_url``: another database, or nothing for our own. A place counts at the moment that
    its slate was asked about.
    """
    answers = [(slate.user or "", place.item, place.score, slate.at) for slate in slates for place in slate.items]
    if not url or store.is_at(url):
        store.save_answers(table, answers)
    else:
        save_elsewhere(url, table, answers)
    return len(answers)
