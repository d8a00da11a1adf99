"""Records under ids of their own, users and items: created, read, replaced, changed and forgotten on conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from serendip.domain import Conflict, Item, NotFound, User, checked_id
from serendip.store import Store
from serendip.web import shapes
from serendip.web.api.records import Tags, answered, merged, must_be, must_not_be, read

R = TypeVar("R", User, Item)


@dataclass(frozen=True)
class ById(Generic[R]):
    """What is done to one record, whatever it is of."""

    noun: str
    json: Callable[[R], dict[str, Any]]
    find: Callable[[Store, str], R | None]
    change: Callable[[Store, str, Callable[[R | None], R]], tuple[R | None, R]]
    drop: Callable[[Store, str, Callable[[R], object]], bool]

    def create(self, store: Store, id: str, record: R, key: str | None) -> Response:
        """A new record; with a key, the very same that is there already is no conflict."""

        def create(old: R | None) -> R:
            if old is not None and (key is None or old != record):
                where = f"/v1/{self.noun}s/{{{self.noun}}}"
                raise Conflict(f"the {self.noun} {id!r} exists; PUT {where} replaces it")
            return record

        return self._made(*self.change(store, id, create))

    def read(self, store: Store, id: str, known: Tags) -> Response:
        """The record, or that the asker has it."""
        record = self.find(store, checked_id(id, self.noun))
        if record is None:
            raise self._not_found(id)
        return read(self.json(record), known)

    def replace(self, store: Store, id: str, record: R, same: Tags, other: Tags) -> Response:
        """The record as it is now, whether or not there was one."""

        def put(old: R | None) -> R:
            must_be(same, self._shown(old))
            must_not_be(other, self._shown(old))
            return record

        return self._made(*self.change(store, id, put))

    def update(self, store: Store, id: str, body: BaseModel, same: Tags) -> Response:
        """The record with the fields that were sent; of its attributes those that are named."""

        def patch(old: R | None) -> R:
            if old is None:
                raise self._not_found(id)
            must_be(same, self._shown(old))
            fields = ((name, getattr(body, name)) for name in body.model_fields_set)
            sent: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in fields}
            if "attributes" in sent:
                sent["attributes"] = merged(old.attributes, sent["attributes"])
            return replace(old, **sent)

        return answered(self.json(self.change(store, id, patch)[1]))

    def delete(self, store: Store, id: str, same: Tags) -> Response:
        """Nothing, once there is no such record."""
        if not self.drop(store, checked_id(id, self.noun), lambda old: must_be(same, self._shown(old))):
            raise self._not_found(id)
        return Response(status_code=204)

    def _made(self, before: R | None, after: R) -> Response:
        return answered(self.json(after), 201 if before is None else 200)

    def _shown(self, record: R | None) -> dict[str, Any] | None:
        return None if record is None else self.json(record)

    def _not_found(self, id: str) -> NotFound:
        return NotFound(f"no {self.noun} {id!r}; GET /v1/{self.noun}s lists them")


USERS: ById[User] = ById("user", shapes.user_json, Store.user, Store.change_user, Store.delete_user)
ITEMS: ById[Item] = ById("item", shapes.item_json, Store.item, Store.change_item, Store.delete_item)
