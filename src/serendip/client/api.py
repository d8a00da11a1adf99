"""The client: every call of the API, for programs that wait and for those that do not."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import httpx2

from serendip.client import calls
from serendip.client.asked import Asked, Listed
from serendip.client.retries import Retries
from serendip.client.sending import AsyncSender, Sender


class Calls:
    """What can be asked; each is described once, in the module it is taken from."""

    recommend = Asked(calls.recommendations.recommend)
    recommend_many = Asked(calls.recommendations.recommend_many)
    recommend_session = Asked(calls.recommendations.recommend_session)
    similar_items = Asked(calls.recommendations.similar_items)

    record = Asked(calls.interactions.record)
    record_many = Asked(calls.interactions.record_many)
    interactions = Listed(calls.interactions.interactions)
    interaction = Asked(calls.interactions.interaction)
    replace_interaction = Asked(calls.interactions.replace_interaction)
    update_interaction = Asked(calls.interactions.update_interaction)
    delete_interaction = Asked(calls.interactions.delete_interaction)
    delete_interactions = Asked(calls.interactions.delete_interactions)

    users = Listed(calls.records.users)
    user = Asked(calls.records.user)
    create_user = Asked(calls.records.create_user)
    replace_user = Asked(calls.records.replace_user)
    update_user = Asked(calls.records.update_user)
    delete_user = Asked(calls.records.delete_user)
    change_users = Asked(calls.records.change_users)

    items = Listed(calls.records.items)
    item = Asked(calls.records.item)
    create_item = Asked(calls.records.create_item)
    replace_item = Asked(calls.records.replace_item)
    update_item = Asked(calls.records.update_item)
    delete_item = Asked(calls.records.delete_item)
    change_items = Asked(calls.records.change_items)

    relations = Listed(calls.relations.relations)
    relation = Asked(calls.relations.relation)
    create_relation = Asked(calls.relations.create_relation)
    put_relation = Asked(calls.relations.put_relation)
    delete_relation = Asked(calls.relations.delete_relation)
    change_relations = Asked(calls.relations.change_relations)

    slates = Listed(calls.slates.slates)
    slate = Asked(calls.slates.slate)
    slate_interactions = Listed(calls.slates.slate_interactions)

    export_user = Asked(calls.erasures.export_user)
    erase_user = Asked(calls.erasures.erase_user)
    erasures = Listed(calls.erasures.erasures)
    lift_erasure = Asked(calls.erasures.lift_erasure)

    models = Asked(calls.versions.models)
    model = Asked(calls.versions.model)
    delete_model = Asked(calls.versions.delete_model)
    scenarios = Asked(calls.versions.scenarios)
    scenario = Asked(calls.versions.scenario)
    put_scenario = Asked(calls.versions.put_scenario)
    patch_scenario = Asked(calls.versions.patch_scenario)
    delete_scenario = Asked(calls.versions.delete_scenario)
    promote = Asked(calls.versions.promote)
    rollback = Asked(calls.versions.rollback)

    jobs = Listed(calls.running.jobs)
    job = Asked(calls.running.job)
    job_kinds = Asked(calls.running.job_kinds)
    create_job = Asked(calls.running.create_job)
    cancel_job = Asked(calls.running.cancel_job)
    wait_for_job = Asked(calls.running.wait_for_job)
    timetable = Asked(calls.running.timetable)
    put_timetable_row = Asked(calls.running.put_timetable_row)
    delete_timetable_row = Asked(calls.running.delete_timetable_row)

    matrices = Asked(calls.matrices.matrices)
    matrix = Asked(calls.matrices.matrix)
    create_matrix = Asked(calls.matrices.create_matrix)
    update_matrix = Asked(calls.matrices.update_matrix)
    delete_matrix = Asked(calls.matrices.delete_matrix)
    matrix_versions = Asked(calls.matrices.matrix_versions)
    delete_matrix_version = Asked(calls.matrices.delete_matrix_version)
    matrix_row = Asked(calls.matrices.matrix_row)
    recommenders = Asked(calls.matrices.recommenders)
    replace_recommender = Asked(calls.matrices.replace_recommender)
    delete_recommender = Asked(calls.matrices.delete_recommender)
    recommend_by_matrices = Asked(calls.matrices.recommend_by_matrices)

    health = Asked(calls.versions.health)
    ready = Asked(calls.versions.ready)
    metrics = Asked(calls.versions.metrics)


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
