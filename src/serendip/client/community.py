"""The names that programs of older community sites call, over the wire format under ``/api``."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from serendip.client.call import Answer, Call, parsed
from serendip.client.errors import Unexpected
from serendip.client.retries import Retries
from serendip.client.sending import Sender

MOST_ROWS = 10_000
"""Longer lists are sent in parts."""


Dto = Mapping[str, Any]
"""A record as it is sent."""


class SimilarityMatrixType(Enum):
    """Whose likeness a matrix holds."""

    USER_TO_USER = 1
    ITEM_TO_ITEM = 2


class Record(dict[str, Any]):
    """A mapping whose fields can be read as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no field {name!r}; there are {', '.join(self)}") from None


@dataclass(frozen=True)
class Reply:
    """What the server answered: its status, and its body as records."""

    status: int
    body: Any

    def __str__(self) -> str:
        return json.dumps({"status": self.status, "body": self.body}, indent=4)


@dataclass(frozen=True)
class Rows(Reply):
    """A page: ``body.count``, ``body.next``, ``body.previous``, ``body.results``; iterated, it goes on to the next."""

    api: RecSysApi
    call: Call[Reply]

    def __iter__(self) -> Iterator[Record]:
        page: Rows | None = self
        while page is not None:
            yield from page.body.results
            page = page.following()

    def following(self) -> Rows | None:
        """The page after this one."""
        if not self.body.next:
            return None
        # Only the place is taken from the server's address; who is asked, and with which key, stays as it is.
        said = dict(parse_qsl(urlsplit(self.body.next).query))
        place = {name: said[name] for name in ("offset", "limit") if name in said}
        return self.api.page(replace(self.call, query={**self.call.query, **place}))


class RecSysApi(Sender):
    """Users, items, interactions, similarity matrices and recommenders, one page or one change a call."""

    def __init__(
        self,
        token: str,
        host: str = "http://localhost:8000",
        timeout: float = 500.0,
        *,
        retries: Retries | None = None,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``token``: an API key. ``timeout``: seconds that a call may take with its retries."""
        headers = {"Authorization": f"Token {token}"}
        super().__init__(host, headers, retries or Retries(), timeout, timeout, clock, chance)
        self.host = self.url
        self._http = http or httpx2.Client()
        self._sleep = sleep

    def users(self, offset: int = 0, limit: int = 10, username: str = "", email: str = "") -> Rows:
        """Users, from ``offset``."""
        return self._list("users", offset, limit, username=username, email=email)

    def user(self, id: str | int) -> Reply:
        """One user."""
        return self._one("GET", "users/{user}", user=id)

    def add_user(self, dto: Dto) -> Reply:
        """A new user ``{username, email}``; without an ``id`` it gets the next free number."""
        return self._one("POST", "users", dto)

    def update_user(self, dto: Dto) -> Reply:
        """Replace the user ``dto["id"]``."""
        return self._one("PUT", "users/{user}", dto, user=dto["id"])

    def remove_user(self, id: str | int) -> Reply:
        """Forget a user with all ratings."""
        return self._one("DELETE", "users/{user}", user=id)

    def items(
        self, offset: int = 0, limit: int = 10, name: str = "", description: str = "", tags: Sequence[str] = ()
    ) -> Rows:
        """Items, from ``offset``; with several ``tags``, those that have them all."""
        return self._list("items", offset, limit, name=name, description=description, tag=list(tags) or "")

    def item(self, id: str | int) -> Reply:
        """One item."""
        return self._one("GET", "items/{item}", item=id)

    def add_item(self, dto: Dto) -> Reply:
        """A new item ``{name, description, tags}``; without an ``id`` it gets the next free number."""
        return self._one("POST", "items", dto)

    def update_item(self, dto: Dto) -> Reply:
        """Replace the item ``dto["id"]``."""
        return self._one("PUT", "items/{item}", dto, item=dto["id"])

    def remove_item(self, id: str | int) -> Reply:
        """Forget an item with all its ratings."""
        return self._one("DELETE", "items/{item}", item=id)

    def interactions(self, offset: int = 0, limit: int = 10, user: str | int = "", item: str | int = "") -> Rows:
        """Ratings, from ``offset``."""
        return self._list("interactions", offset, limit, user=user, item=item)

    def bulk_add_interactions(self, body: Iterable[Dto]) -> Reply:
        """Record ratings ``{user, item, rating}``: of each part of 10,000 all, or none where one cannot be kept."""
        return self._add_all("interactions", body, harmless=False)

    def similarity_matrix(
        self,
        offset: int = 0,
        limit: int = 10,
        name: str = "",
        type: SimilarityMatrixType | int | str = "",
        description: str = "",
        version: int | str = "",
    ) -> Rows:
        """Matrices, from ``offset``."""
        told = {"name": name, "type": _number(type), "description": description, "version": version}
        return self._list("similarity-matrix", offset, limit, **told)

    def add_similarity_matrix(
        self, name: str, type: SimilarityMatrixType | int, description: str = "", version: int = 0
    ) -> Reply:
        """A new matrix."""
        dto = {"name": name, "type": _number(type), "description": description, "version": version}
        return self._one("POST", "similarity-matrix", dto)

    def update_similarity_matrix(self, dto: Dto) -> Reply:
        """Replace the matrix ``dto["id"]``; another ``version`` is what readers see from then on."""
        return self._one("PUT", "similarity-matrix/{number}", dto, number=dto["id"])

    def remove_similarity_matrix(self, id: int) -> Reply:
        """Delete a matrix with all its versions."""
        return self._one("DELETE", "similarity-matrix/{number}", number=id)

    def versions(self, id: int) -> Reply:
        """The versions of a matrix."""
        return self._one("GET", "similarity-matrix/{number}/versions", number=id)

    def remove_version(self, id: int, version: int) -> Reply:
        """Delete one version of a matrix."""
        return self._one("DELETE", "similarity-matrix/{number}/versions/{version}", number=id, version=version)

    # Some releases of the older client called them so.
    similarity_matrix_versions = versions
    remove_similarity_version = remove_version

    def similarity_cells(
        self, offset: int = 0, limit: int = 10, row: str | int = "", column: str | int = "", matrix: str | int = ""
    ) -> Rows:
        """Cells, from ``offset``. ``matrix``: its number or its address."""
        where = matrix.replace("$BASE_URL", self.host) if isinstance(matrix, str) else matrix
        return self._list("similarity-matrix-cells", offset, limit, row=row, column=column, matrix=where)

    def bulk_add_similarity_cells(self, body: Iterable[Dto]) -> Reply:
        """Keep cells ``{row, column, value, matrix, version}``; one that is kept already is replaced."""
        return self._add_all("similarity-matrix-cells", body, harmless=True)

    def recommenders(self, offset: int = 0, limit: int = 10, name: str = "") -> Rows:
        """Recommenders, from ``offset``."""
        return self._list("recommenders", offset, limit, name=name)

    def add_recommender(self, dto: Dto) -> Reply:
        """A new recommender ``{name, user_similarity_matrix, item_similarity_matrix}``."""
        return self._one("POST", "recommenders", dto)

    def update_recommender(self, dto: Dto) -> Reply:
        """Replace the recommender ``dto["id"]``."""
        return self._one("PUT", "recommenders/{number}", dto, number=dto["id"])

    def remove_recommender(self, id: int) -> Reply:
        """Delete a recommender, not its matrices."""
        return self._one("DELETE", "recommenders/{number}", number=id)

    def page(self, call: Call[Reply]) -> Rows:
        """One page of a list."""
        reply = self.ask(call)
        if not isinstance(reply.body, Record) or not isinstance(reply.body.get("results"), list):
            raise Unexpected("the answer is no page with results; does the server speak the wire format community?")
        return Rows(reply.status, reply.body, self, call)

    def _list(self, room: str, offset: int, limit: int, /, **told: object) -> Rows:
        filters = {field: value for field, value in told.items() if value != ""}
        query = {"offset": offset, "limit": limit, **filters}
        return self.page(Call(f"list {room}", "GET", f"/api/{room}/", _reply, query=query))

    def _one(self, method: str, place: str, dto: Dto | None = None, **parts: object) -> Reply:
        named = {name: str(value) for name, value in parts.items()}
        body = None if dto is None else dict(dto)
        return self.ask(Call(f"{method} {place}", method, f"/api/{place}/", _reply, named, body=body))

    def _add_all(self, room: str, rows: Iterable[Dto], harmless: bool) -> Reply:
        """Send ``rows`` in parts; the answers' bodies one after the other."""
        told, status = [dict(row) for row in rows], 201
        kept: list[Any] = []
        for start in range(0, max(len(told), 1), MOST_ROWS):
            part = told[start : start + MOST_ROWS]
            reply = self.ask(Call(f"add {room}", "POST", f"/api/{room}/", _reply, body=part, harmless=harmless))
            status = reply.status
            kept.extend(reply.body if isinstance(reply.body, list) else [reply.body])
        return Reply(status, kept)


def _number(type: SimilarityMatrixType | int | str) -> int | str:
    return type.value if isinstance(type, SimilarityMatrixType) else type


def _reply(answer: Answer) -> Reply:
    return Reply(answer.status, _records(parsed(answer)) if answer.content else None)


def _records(content: Any) -> Any:
    if isinstance(content, dict):
        return Record({name: _records(value) for name, value in content.items()})
    return [_records(value) for value in content] if isinstance(content, list) else content
