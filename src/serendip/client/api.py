"""The client: every call of the API, for programs that wait and for those that do not."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import httpx2

from serendip.client import interactions, recommendations, records, versions
from serendip.client.asked import Asked, Listed
from serendip.client.retries import Retries
from serendip.client.sending import AsyncSender, Sender


class Calls:
    """What can be asked; each is described once, in the module it is taken from."""

    recommend = Asked(recommendations.recommend)
    recommend_many = Asked(recommendations.recommend_many)
    recommend_session = Asked(recommendations.recommend_session)
    similar_items = Asked(recommendations.similar_items)

    record = Asked(interactions.record)
    record_many = Asked(interactions.record_many)
    interactions = Listed(interactions.interactions)

    users = Listed(records.users)
    user = Asked(records.user)
    create_user = Asked(records.create_user)
    replace_user = Asked(records.replace_user)
    update_user = Asked(records.update_user)
    delete_user = Asked(records.delete_user)

    items = Listed(records.items)
    item = Asked(records.item)
    create_item = Asked(records.create_item)
    replace_item = Asked(records.replace_item)
    update_item = Asked(records.update_item)
    delete_item = Asked(records.delete_item)

    models = Asked(versions.models)
    model = Asked(versions.model)
    scenarios = Asked(versions.scenarios)
    promote = Asked(versions.promote)
    rollback = Asked(versions.rollback)

    health = Asked(versions.health)
    ready = Asked(versions.ready)
    metrics = Asked(versions.metrics)


class Client(Calls, Sender):
    """The API for programs that wait for each answer; may be shared by threads."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: Retries | None = None,
        attempt_seconds: float = 10.0,
        deadline_seconds: float = 60.0,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """A client of the server at ``url``, with an API ``key``.

        One attempt may take ``attempt_seconds``, a call with all its retries and pauses ``deadline_seconds``.
        ``http``: connections of your own, with proxies, certificates or limits; closed with the client.
        """
        headers = {"X-API-Key": key} if key else {}
        super().__init__(url, headers, retries or Retries(), attempt_seconds, deadline_seconds, clock, chance)
        self._http = http or httpx2.Client()
        self._sleep = sleep


class AsyncClient(Calls, AsyncSender):
    """The same calls, to be awaited; lists are walked with ``async for``."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: Retries | None = None,
        attempt_seconds: float = 10.0,
        deadline_seconds: float = 60.0,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """See ``Client``."""
        headers = {"X-API-Key": key} if key else {}
        super().__init__(url, headers, retries or Retries(), attempt_seconds, deadline_seconds, clock, chance)
        self._http = http or httpx2.AsyncClient()
        self._sleep = sleep
