"""Only what enough people rated well: the others are taken out of the store."""

from __future__ import annotations

from dataclasses import dataclass

from serendip.domain import Invalid
from serendip.store import Store

AT_ONCE = 2000
"""Items that are forgotten in one transaction."""


@dataclass(frozen=True)
class Kept:
    """What became of the items."""

    kept: int
    dropped: int


def keep_popular(store: Store, above: float, kind: str = "rating") -> Kept:
    """Forget every item whose popularity is not above ``above``, with everything done to it.

    Popularity is minmax(mean rating x minmax(number of votes)), from 0 to 1, of all items with votes; those without
    any go too. It is counted once, before anything is dropped.
    """
    if not 0 <= above < 1:
        raise Invalid(f"a popularity is from 0 to 1, and {above:g} leaves nothing above it; take 0.12", field="above")
    votes = store.votes(kind)
    if not len(votes.keys):
        raise Invalid(f"no item has a {kind}, so none is popular; import ratings first", field="above")
    good = set(votes.keys[votes.popularity > above].tolist())
    keys, ids = store.item_ids()
    drop = [item for key, item in zip(keys.tolist(), ids, strict=True) if key not in good]
    for start in range(0, len(drop), AT_ONCE):
        store.change_items([], drop[start : start + AT_ONCE])
    return Kept(len(ids) - len(drop), len(drop))
