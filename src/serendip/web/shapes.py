"""From the domain's words to the JSON that the API answers and that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from serendip.domain import Interaction, Item, Relation, Slate, SlateItem, User
from serendip.store import Promotion, Store, VersionRecord


def image_address(item: Item) -> str | None:
    """Where a browser finds the item's image; a drawing kept as text is served by us."""
    if item.image is not None and item.image.lstrip().startswith("<svg"):
        return f"/posters/{quote(item.id, safe='')}.svg"
    return item.image


def user_json(user: User) -> dict[str, Any]:
    """A user as it is kept."""
    return {"id": user.id, "name": user.name, "attributes": dict(user.attributes)}


def item_json(item: Item) -> dict[str, Any]:
    """An item as it is kept, its image as an address."""
    return {
        "id": item.id,
        "catalogue": item.catalogue,
        "title": item.title,
        "text": item.text,
        "tags": list(item.tags),
        "image": image_address(item),
        "url": item.url,
        "attributes": dict(item.attributes),
        "available_from": item.available_from,
        "available_until": item.available_until,
        "hidden": item.hidden,
    }


def interaction_json(event: Interaction) -> dict[str, Any]:
    """An interaction; its idempotency key is kept only as a digest and not shown."""
    return {
        "user": event.user,
        "item": event.item,
        "kind": event.kind,
        "value": event.value,
        "at": event.at,
        "context": None if event.context is None else dict(event.context),
        "slate": event.slate,
    }


def relation_json(relation: Relation) -> dict[str, Any]:
    """That a user points at another."""
    return {"user": relation.user, "other": relation.other, "kind": relation.kind}


CARD = frozenset({"title", "image"})
"""What every place shows of its item."""


def slates_json(store: Store, slates: Sequence[Slate], fields: Collection[str] = ()) -> list[dict[str, Any]]:
    """Slates with the records of all their items looked up at once; people stand there by their names."""
    of_people = [slate for slate in slates if slate.recommends == "users"]
    items: dict[str, Item] = {}
    people: dict[str, Item] = {}
    if of_people:
        found = store.users_by_id({place.item for slate in of_people for place in slate.items})
        people = {user: Item(user, "people", record.name) for user, record in found.items()}
    if len(of_people) < len(slates):
        of_items = [slate for slate in slates if slate.recommends == "items"]
        named = {place.item for slate in of_items for place in slate.items}
        named |= {reason.item for slate in of_items for place in slate.items for reason in place.reasons}
        items = store.items_by_id(list(named)) if set(fields) - CARD else store.cards(list(named))
    return [
        slate_json(slate, items, fields) if slate.recommends == "items" else slate_json(slate, people)
        for slate in slates
    ]


def slate_json(slate: Slate, items: Mapping[str, Item], fields: Collection[str] = ()) -> dict[str, Any]:
    """A slate with titles and images from ``items``, and the items' further ``fields`` that were asked for."""
    extra = [name for name in fields if name not in CARD]
    return {
        "slate": slate.id,
        "scenario": slate.scenario,
        "version": slate.version,
        "at": slate.at,
        "user": slate.user,
        "known": slate.known,
        "exhausted": slate.exhausted,
        "note": slate.note,
        "relaxed": list(slate.relaxed),
        "interests": [{"name": one.name, "count": one.count, "expected": one.expected} for one in slate.interests],
        "items": [_place(place, items, extra) for place in slate.items],
    }


def _place(place: SlateItem, items: Mapping[str, Item], extra: Sequence[str]) -> dict[str, Any]:
    item = items.get(place.item) or Item(place.item)
    shown = {
        "item": place.item,
        "score": place.score,
        "source": place.source,
        "reasons": [
            {
                "item": reason.item,
                "title": items[reason.item].title if reason.item in items else None,
                "share": reason.share,
                "kind": reason.kind,
                "at": reason.at,
            }
            for reason in place.reasons
        ],
        "parts": None if place.parts is None else dict(place.parts),
        "title": item.title,
        "image": image_address(item),
    }
    if place.values is not None:
        shown["values"] = dict(place.values)
    if extra:
        whole = item_json(item)
        shown.update((name, whole[name]) for name in extra)
    return shown


def neighbours_json(
    item: str, source: str, found: Sequence[tuple[str, float]], items: Mapping[str, Item]
) -> dict[str, Any]:
    """Items alike, with titles and images from ``items``."""
    shown = []
    for other, likeness in found:
        record = items.get(other) or Item(other)
        shown.append({"item": other, "likeness": likeness, "title": record.title, "image": image_address(record)})
    return {"item": item, "source": source, "items": shown}


def alike_json(
    user: str, source: str, found: Sequence[tuple[str, float]], people: Mapping[str, User]
) -> dict[str, Any]:
    """Users alike, with names from ``people``."""
    shown = [{"user": other, "likeness": likeness, "name": people[other].name} for other, likeness in found]
    return {"user": user, "source": source, "users": shown}


def version_json(record: VersionRecord, live: Mapping[str, Promotion]) -> dict[str, Any]:
    """A version, where it is live, and its own row of every measured table."""
    manifest = record.manifest
    name = manifest["pipeline"]["name"]
    protocols = (manifest.get("measured") or {}).get("protocols", {})
    gate = manifest.get("gate")
    return {
        "id": record.id,
        "name": record.name,
        "created_at": record.created_at,
        "live": sorted(scenario for scenario, one in live.items() if one.version == record.id),
        "personal": bool(manifest.get("personal")),
        "gate": None if gate is None else gate["sentence"],
        "metrics": {protocol: _metrics(table, name) for protocol, table in protocols.items()},
    }


def _metrics(table: Mapping[str, Any], name: str) -> dict[str, dict[str, float]]:
    return {
        metric: {"mean": value["mean"], "low": value["low"], "high": value["high"]}
        for row in table["rows"]
        if row["name"] == name
        for metric, value in row["metrics"].items()
    }


def promotion_json(promotion: Promotion) -> dict[str, Any]:
    """Which version went live, and why."""
    return {
        "scenario": promotion.scenario,
        "version": promotion.version,
        "at": promotion.at,
        "reason": promotion.reason,
        "override": promotion.override,
        "previous": promotion.previous,
    }
