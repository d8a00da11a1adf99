"""What a demonstration needs to know of its data: somebody to be, something to do."""

from __future__ import annotations

from collections import Counter

from serendip.domain import NotReady
from serendip.store import Store

LATEST = 1000


def regular_user(store: Store) -> str:
    """One of those who did most of the latest interactions."""
    page = store.recent_interactions(limit=LATEST)
    if not page.records:
        raise NotReady("there are no interactions; import some first")
    counted = Counter(one.interaction.user for one in page.records)
    best: str = max(counted, key=lambda user: (counted[user], user))
    return best


def some_kind(store: Store) -> tuple[str, float | None]:
    """The commonest kind of the latest interactions, and a high value where it needs one."""
    page = store.recent_interactions(limit=LATEST)
    name = Counter(one.interaction.kind for one in page.records).most_common(1)[0][0]
    scale = store.kinds()[name].scale
    return name, None if scale is None else scale[1]
