"""Items: their records, one at a time or as a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, literal, not_, or_, select

from serendip.domain import Invalid, Item, checked_id
from serendip.store.engine import Part, Prepared, given, has, insert, listed, tried_again
from serendip.store.freshness import bump
from serendip.store.pages import Order, Stretch, in_bytes, stretch, with_attributes
from serendip.store.records import Changed, Records
from serendip.store.schema import interactions, items, matrices, matrix_rows, vectors
from serendip.store.values import (
    Page,
    aware_or_none,
    kept_json,
    kept_mapping,
    kept_moment,
    kept_text,
    mapping,
    searchable,
)

_RECORD = tuple(column for column in items.c if column.name not in ("key", "search"))
_CARDS = Prepared(select(items.c.id, items.c.title, items.c.image).where(items.c.id.in_(given("ids"))))
_ORDERS = {
    "id": Order((items.c.id,), (str,)),
    "title": Order((in_bytes(items.c.title), items.c.id), (str, str)),
    "created": Order((items.c.key,), (int,)),
}


class Catalogue(Part):
    """Items, by their text ids."""

    @tried_again
    def put_items(self, records: Sequence[Item]) -> int:
        """Keep these items, each whole; how many of them are new."""
        if not records:
            return 0
        with self._db.write() as c:
            created = len(ITEMS.write(c, records))
            bump(c, "items")
        return created

    @tried_again
    def change_item(self, item: str, change: Callable[[Item | None], Item]) -> tuple[Item | None, Item]:
        """Make a new record of the old one, while nobody else writes it; both. ``change`` refuses by raising."""
        checked_id(item, "item")
        with self._db.write() as c:
            before, after = ITEMS.change(c, item, change)
            if before != after:
                bump(c, "items")
        return before, after

    @tried_again
    def change_items(self, put: Sequence[Item], drop: Collection[str]) -> Changed:
        """Keep some items, each whole, and forget others with everything done to them, in one transaction."""
        with self._db.write() as c:
            created = len(ITEMS.write(c, put))
            deleted = _delete_items(c, drop)
            bump(c, "items", *(["data"] if deleted else []))
        return Changed(created, len({item.id for item in put}) - created, deleted, {})

    def item(self, item: str) -> Item | None:
        """The record of ``item``, if there is one."""
        return self.items_by_id([item]).get(item)

    def items_by_id(self, ids: Collection[str]) -> dict[str, Item]:
        """Records of those of ``ids`` that there are."""
        with self._db.read() as c:
            return ITEMS.by_id(c, ids)

    def cards(self, ids: Collection[str]) -> dict[str, Item]:
        """What a list shows of those of ``ids`` that there are: title and image, and nothing else of them."""
        with self._db.read() as c:
            return {row[0]: Item(row[0], title=row[1], image=row[2]) for row in _CARDS.rows(c, ids=listed(list(ids)))}

    def list_items(
        self,
        search: str | None = None,
        catalogue: str | None = None,
        tags: Collection[str] = (),
        after: str | None = None,
        limit: int = 50,
        *,
        without: Collection[str] = (),
        hidden: bool | None = None,
        attributes: Mapping[str, str] | None = None,
        sort: str = "id",
        count: bool = True,
    ) -> Page[Item]:
        """Items from behind ``after``, by id, title or the order in which they came.

        ``search`` is looked for in id, title and text, whatever its case. An item has all of ``tags`` and none of
        the tags ``without``; ``attributes`` are met exactly.
        """
        wanted = with_attributes(items.c.attributes, attributes or {})
        if search:
            wanted.append(has(items.c.search, searchable(kept_text(search, "search"))))
        if catalogue is not None:
            wanted.append(items.c.catalogue == catalogue)
        wanted += [tagged(tag) for tag in tags]
        wanted += [or_(items.c.tags.is_(None), not_(tagged(tag))) for tag in without]
        if hidden is not None:
            wanted.append(items.c.hidden.is_(hidden))
        with self._db.read() as c:
            rows, more, total = stretch(c, select(*_RECORD).where(*wanted), _ORDERS, Stretch(sort, after, limit, count))
        return Page([_item(row) for row in rows], more, total)

    @tried_again
    def delete_item(self, item: str, check: Callable[[Item], object] | None = None) -> bool:
        """Forget ``item`` with all its interactions and vectors; whether there was one.

        ``check`` looks at the record before, and keeps it by raising.
        """
        with self._db.write() as c:
            record = ITEMS.locked(c, item)
            if record is None:
                return False
            if check is not None:
                check(record)
            _delete_items(c, [item])
            bump(c, "items", "data")
        return True


def tagged(tag: str) -> ColumnElement[bool]:
    """Whether an item has a tag."""
    # Inside a JSON text a quote that ends a word before it is written \", so a comma and a quote begin a tag.
    tags = literal(",").concat(func.substr(items.c.tags, 2))
    return has(tags, "," + kept_json(kept_text(tag, "tag"), "tag"))


def _delete_items(c: Connection, ids: Collection[str]) -> int:
    """Delete items and everything of theirs; how many there were."""
    names = {"ids": listed(sorted(ids))}
    if not ITEMS.keys(c, ids):
        return 0
    own = select(items.c.key).where(items.c.id.in_(given("ids")))
    of_items = select(matrices.c.id).where(matrices.c.of == "items")
    c.execute(delete(interactions).where(interactions.c.item_key.in_(own)), names)
    c.execute(delete(vectors).where(vectors.c.item_key.in_(own)), names)
    c.execute(delete(matrix_rows).where(matrix_rows.c.row_key.in_(own) & matrix_rows.c.matrix.in_(of_items)), names)
    return c.execute(delete(items).where(items.c.id.in_(given("ids"))), names).rowcount


def _item_row(record: Item) -> dict[str, Any]:
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


def item_keys(c: Connection, ids: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Keys of items, within a writing transaction, and which of them had to be made, as bare rows."""
    found = ITEMS.keys(c, ids)
    missing = sorted(set(ids) - found.keys())
    if missing:
        c.execute(insert(c, items).on_conflict_do_nothing(), [_item_row(Item(item)) for item in missing])
        found.update(ITEMS.keys(c, missing))
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


ITEMS: Records[Item] = Records(items, _RECORD, _item_row, _item)
"""Records of items."""
