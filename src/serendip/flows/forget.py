"""Forgetting a person for good, and handing over everything that is kept of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serendip.data import Vocabulary
from serendip.domain import Interaction, NotFound, Relation, SerendipError, Slate, User, checked_id
from serendip.flows.scenarios import scenarios_of
from serendip.store import Artifacts, Erasure, Gone, LinkedAccount, Store, Stretch, forget_elsewhere

HASHES = "hashes"
"""What the array is called in which a model keeps the hashes of the ids of the people it learnt from."""
AT_ONCE = 1000


@dataclass(frozen=True)
class Forgotten:
    """What became of somebody who asked to be forgotten."""

    erasure: Erasure
    gone: Gone
    accounts: list[str]
    """Accounts that stood for the user; members' are gone, the others are signed out and stand for nobody."""
    versions_to_retrain: list[str]
    """Versions that hold what the user took, under a hash of the id, until they are trained again and dropped."""


@dataclass(frozen=True)
class Everything:
    """All that is kept of one user."""

    user: User
    interactions: list[tuple[int, Interaction]]
    """With their row numbers, oldest first."""
    relations: list[Relation]
    slates: list[Slate]
    accounts: list[LinkedAccount]
    vectors: list[tuple[int, str, list[float]]]
    """Of what was said with the interactions: row number, name, and the numbers."""
    at: datetime


def forget(store: Store, artifacts: Artifacts, user: str, now: datetime, save_url: str = "") -> Forgotten:
    """Delete everything of ``user`` and take in nothing of theirs again. An id that nobody had may be forgotten too.

    ``save_url``: the setting, where answers were saved for other programs; should that fail, nothing is deleted yet.
    """
    checked_id(user, "user")
    if save_url and not store.is_at(save_url):
        forget_elsewhere(save_url, [user])
    of_people = [name for name, one in scenarios_of(store).items() if one.config.recommend == "users"]
    erasure, gone, accounts = store.erase_user(user, now, of_people)
    return Forgotten(erasure, gone, accounts, versions_with(store, artifacts, user))


def versions_with(store: Store, artifacts: Artifacts, user: str) -> list[str]:
    """Versions of which a model keeps a row of ``user``, newest first.

    Models that keep people (neighbours among people) know them by a hash; all others keep of people only sums.
    """
    (wanted,) = Vocabulary((user,)).hashes
    return [one.id for one in store.versions() if _holds(artifacts, one.id, one.manifest, int(wanted))]


def _holds(artifacts: Artifacts, version: str, manifest: Mapping[str, Any], wanted: int) -> bool:
    files = manifest.get("files")
    if files is not None and not any(str(name).endswith(HASHES) for name in files):
        return False
    try:
        arrays = artifacts.load(version)[1]
    except SerendipError:
        # What cannot be read cannot be served either.
        return False
    return any((array == wanted).any() for name, array in arrays.items() if name.endswith(HASHES))


def everything_of(store: Store, user: str, now: datetime) -> Everything:
    """All that is kept of ``user``."""
    record = store.user(checked_id(user, "user"))
    if record is None:
        raise NotFound(f"no user {user!r}; nothing is kept")
    events: list[tuple[int, Interaction]] = []
    after: str | None = None
    while True:
        page = store.recent_interactions(AT_ONCE, user=user, before=after, sort="at")
        events += [(one.id, one.interaction) for one in page.records]
        after = page.next
        if after is None:
            break
    slates: list[Slate] = []
    while True:
        shown = store.list_slates(Stretch("at", after, AT_ONCE), user)
        slates += shown.records
        after = shown.next
        if after is None:
            break
    said = store.event_vectors_with([number for number, _ in events])
    return Everything(record, events, store.relations_about(user), slates, store.accounts_of(user), said, now)
