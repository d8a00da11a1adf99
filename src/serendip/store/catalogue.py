"""Items: their records, one at a time or as a list."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, literal, select

from serendip.domain import Invalid, Item, checked_id
from serendip.store.engine import Part, Prepared, given, has, insert, listed, tried_again
from serendip.store.freshness import bump
from serendip.store.schema import interactions, items, vectors
from serendip.store.values import (
    Page,
    aware_or_none,
    cursor,
    kept_json,
    kept_mapping,
    kept_moment,
    kept_text,
    mapping,
    place,
    searchable,
)

_RECORD = [column for column in items.c if column.name not in ("key", "search")]
_BY_ID = Prepared(select(*_RECORD).where(items.c.id.in_(given("ids"))))
_KEYS = Prepared(select(items.c.id, items.c.key).where(items.c.id.in_(given("ids"))))
_KEY = Prepared(select(items.c.key).where(items.c.id == bindparam("item")))


class Catalogue(Part):
    """Items, by their text ids."""

    @tried_again
    def put_items(self, records: Sequence[Item]) -> int:
        """Keep these items, each whole; how many of them are new."""
        rows = [item_row(record) for record in records]
        if not rows:
            return 0
        with self._db.write() as c:
            created = write_items(c, rows)
            bump(c, "items")
        return created

    def item(self, item: str) -> Item | None:
        """The record of ``item``, if there is one."""
        return self.items_by_id([item]).get(item)

    def items_by_id(self, ids: Collection[str]) -> dict[str, Item]:
        """Records of those of ``ids`` that there are."""
        with self._db.read() as c:
            return items_by_id(c, ids)

    def list_items(
        self,
        search: str | None = None,
        catalogue: str | None = None,
        tag: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Item]:
        """Items by id, from behind ``after``; ``search`` is looked for in id, title and text, whatever its case."""
        wanted = []
        if search:
            wanted.append(has(items.c.search, searchable(kept_text(search, "search"))))
        if catalogue is not None:
            wanted.append(items.c.catalogue == catalogue)
        if tag is not None:
            # Inside a JSON text a quote that ends a word before it is written \", so a comma and a quote begin a tag.
            tags = literal(",").concat(func.substr(items.c.tags, 2))
            wanted.append(has(tags, "," + kept_json(tag, "tag")))
        shown = select(*_RECORD).where(*wanted)
        if after is not None:
            shown = shown.where(items.c.id > place(after, str)[0])
        with self._db.read() as c:
            rows = c.execute(shown.order_by(items.c.id).limit(limit + 1)).all()
            total = c.execute(select(func.count()).select_from(items).where(*wanted)).scalar_one()
        more = cursor(rows[limit - 1].id) if len(rows) > limit else None
        return Page([_item(row) for row in rows[:limit]], more, total)

    def delete_item(self, item: str) -> bool:
        """Forget ``item`` with all its interactions and vectors; whether there was one."""
        with self._db.write() as c:
            keys = _KEY.rows(c, item=item)
            if keys:
                ((key,),) = keys
                c.execute(delete(interactions).where(interactions.c.item_key == key))
                c.execute(delete(vectors).where(vectors.c.item_key == key))
                c.execute(delete(items).where(items.c.key == key))
                bump(c, "items", "data")
        return bool(keys)


def item_row(record: Item) -> dict[str, Any]:
    """A record as it is kept, checked."""
    checked_id(record.id, "item")
    title, text = kept_text(record.title, "title"), kept_text(record.text, "text")
    if not all(isinstance(tag, str) and "\0" not in tag for tag in record.tags):
        raise Invalid(f"the tags {record.tags!r} are not all plain text; send a list of strings", field="tags")
    return {
        "id": record.id,
        "catalogue": checked_id(record.catalogue, "catalogue"),
        "title": title,
        "text": text,
        "tags": kept_json(list(record.tags), "tags") if record.tags else None,
        "image": kept_text(record.image, "image"),
        "url": kept_text(record.url, "url"),
        "attributes": kept_mapping(record.attributes, "attributes"),
        "available_from": kept_moment(record.available_from, "available_from"),
        "available_until": kept_moment(record.available_until, "available_until"),
        "hidden": bool(record.hidden),
        "search": searchable(record.id, title, text),
    }


def items_by_id(c: Connection, ids: Collection[str]) -> dict[str, Item]:
    """Records of those of ``ids`` that there are."""
    return {row[0]: _item(row) for row in _BY_ID.rows(c, ids=listed(list(ids)))}


def write_items(c: Connection, rows: list[dict[str, Any]]) -> int:
    """Insert or replace whole rows; how many ids are new. Of several rows with one id the last is kept."""
    latest = {row["id"]: row for row in rows}
    known = len(_KEYS.rows(c, ids=listed(list(latest))))
    statement = insert(c, items)
    changed = {column: statement.excluded[column] for column in rows[0] if column != "id"}
    statement = statement.on_conflict_do_update(index_elements=["id"], set_=changed)
    c.execute(statement, [latest[item] for item in sorted(latest)])
    return len(latest) - known


def item_keys(c: Connection, ids: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Keys of items, within a writing transaction, and which of them had to be made, as bare rows."""
    found: dict[str, int] = dict(_KEYS.rows(c, ids=listed(ids)))
    missing = sorted(set(ids) - found.keys())
    if missing:
        c.execute(insert(c, items).on_conflict_do_nothing(), [item_row(Item(item)) for item in missing])
        found.update(_KEYS.rows(c, ids=listed(missing)))
    return found, missing


def _item(row: Sequence[Any]) -> Item:
    item, catalogue, title, text, tags, image, url, attributes, start, end, hidden = row
    return Item(
        id=item,
        catalogue=catalogue,
        title=title,
        text=text,
        tags=tuple(json.loads(tags)) if tags else (),
        image=image,
        url=url,
        attributes=mapping(attributes),
        available_from=aware_or_none(start),
        available_until=aware_or_none(end),
        hidden=bool(hidden),
    )
