"""From the domain's words to the API's JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from serendip.domain import Interaction, Item, Slate, User
from serendip.store import Store, VersionRecord


def image_address(item: Item) -> str | None:
    """Where a browser finds the item's image; a drawing kept as text is served by us."""
    if item.image is not None and item.image.lstrip().startswith("<svg"):
        return f"/posters/{quote(item.id, safe='')}.svg"
    return item.image


def user(record: User) -> dict[str, Any]:
    """A user."""
    return {"id": record.id, "name": record.name, "attributes": dict(record.attributes)}


def item(record: Item) -> dict[str, Any]:
    """An item."""
    return {
        "id": record.id,
        "catalogue": record.catalogue,
        "title": record.title,
        "text": record.text,
        "tags": list(record.tags),
        "image": image_address(record),
        "url": record.url,
        "attributes": dict(record.attributes),
        "available_from": record.available_from,
        "available_until": record.available_until,
        "hidden": record.hidden,
    }


def interaction(event: Interaction) -> dict[str, Any]:
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


def slates(store: Store, answers: Sequence[Slate], fields: Collection[str] = ()) -> list[dict[str, Any]]:
    """Slates with the titles and images of their items, and those of the items' ``fields`` that were asked for."""
    ids = {place.item for slate in answers for place in slate.items}
    ids |= {reason.item for slate in answers for place in slate.items for reason in place.reasons}
    records = store.items_by_id(list(ids))
    extra = [name for name in fields if name not in ("title", "image")]
    return [_slate(slate, records, extra) for slate in answers]


def _slate(slate: Slate, records: Mapping[str, Item], extra: Sequence[str]) -> dict[str, Any]:
    places = []
    for place in slate.items:
        record = records.get(place.item) or Item(place.item)
        shown = {
            "item": place.item,
            "score": place.score,
            "source": place.source,
            "reasons": [
                {
                    "item": reason.item,
                    "title": records[reason.item].title if reason.item in records else None,
                    "share": reason.share,
                    "kind": reason.kind,
                    "at": reason.at,
                }
                for reason in place.reasons
            ],
            "parts": None if place.parts is None else dict(place.parts),
            "title": record.title,
            "image": image_address(record),
        }
        if extra:
            whole = item(record)
            shown.update((name, whole[name]) for name in extra)
        places.append(shown)
    return {
        "slate": slate.id,
        "scenario": slate.scenario,
        "version": slate.version,
        "at": slate.at,
        "user": slate.user,
        "known": slate.known,
        "exhausted": slate.exhausted,
        "note": slate.note,
        "items": places,
    }


def version(record: VersionRecord, live: Collection[str]) -> dict[str, Any]:
    """A version with its own row of every measured table."""
    manifest = record.manifest
    name = manifest["pipeline"]["name"]
    protocols = (manifest.get("measured") or {}).get("protocols", {})
    metrics = {
        protocol: {
            metric: {"mean": value["mean"], "low": value["low"], "high": value["high"]}
            for row in table["rows"]
            if row["name"] == name
            for metric, value in row["metrics"].items()
        }
        for protocol, table in protocols.items()
    }
    gate = manifest.get("gate")
    return {
        "id": record.id,
        "name": record.name,
        "created_at": record.created_at,
        "live": sorted(live),
        "personal": bool(manifest.get("personal")),
        "gate": None if gate is None else gate["sentence"],
        "metrics": metrics,
    }
