"""The names that others give to our fields."""

from __future__ import annotations

import re
from typing import Literal

As = Literal["users", "items", "interactions", "relations", "vectors"]

USER = """user user_id userid uid customer customerid customer_id client client_id clientid session session_id sessionid
visitor visitorid visitor_id member member_id account account_id person person_id reviewerid reviewer_id author_id
player_id reader_id username login owneruserid"""
ITEM = """item item_id itemid iid product product_id productid stockcode stock_code sku article article_id movie movieid
movie_id film film_id book book_id bookid asin aid track track_id song song_id artist_id event event_id eventid
content_id contentid post post_id postid question_id video_id anime_id game_id recipe_id business_id place_id poi
location_id partnumber parent_asin isbn offer_id ad_id"""
VALUE = """value rating score stars star overall rate points grade quantity qty count weight plays playcount
strength preference"""
AT = """at timestamp time ts datetime date_time moment created_at createdat created creationdate creation_date date
event_time eventtime invoicedate invoice_date unixreviewtime unix_time when occurred_at timestamp_local order_date
purchase_date rated_at"""
KIND = """kind event_type eventtype event type action action_type behavior behaviour behavior_type interaction
interaction_type"""

FIELDS: dict[As, dict[str, str]] = {
    "interactions": {
        "user": USER,
        "item": ITEM,
        "value": VALUE,
        "at": AT,
        "kind": KIND,
        "context": "context properties",
    },
    "users": {"id": f"id {USER}", "name": "name full_name fullname display_name displayname username nickname"},
    "items": {
        "id": f"id {ITEM}",
        "title": "title name item_name product_name productname movie_title headline label",
        "text": "text description body summary overview plot content abstract synopsis",
        "tags": "tags tag genres genre categories category keywords",
        "image": "image image_url imageurl img picture poster poster_url thumbnail cover image_path",
        "url": "url link href permalink page",
        "catalogue": "catalogue catalog collection item_type",
        "available_from": "available_from availablefrom start starts_at valid_from publish_at published_at",
        "available_until": "available_until availableuntil end ends_at valid_until expires_at unpublish_at",
        "hidden": "hidden is_hidden disabled deleted inactive",
    },
    "relations": {
        "user": f"follower follower_id from source source_id {USER}",
        "other": """other followee followee_id followed followed_id followed_user to target target_id friend friend_id
friendid""",
        "kind": f"relation relation_type relationship {KIND}",
    },
    "vectors": {"item": f"id {ITEM}", "vector": "vector embedding embeddings emb features"},
}
"""For every way to read a source: our fields, each with the names it goes by elsewhere, likeliest first."""

REQUIRED: dict[As, list[str]] = {
    "interactions": ["user", "item"],
    "users": ["id"],
    "items": ["id"],
    "relations": ["user", "other"],
    "vectors": ["item"],
}

POSITIONS: dict[As, list[str]] = {
    "interactions": ["user", "item", "value", "at"],
    "users": ["id", "name"],
    "items": ["id", "title", "tags"],
    "relations": ["user", "other", "kind"],
    "vectors": ["item"],
}
"""What the columns of a file without names are taken for, from the left."""


def plain(name: str) -> str:
    """A column's name without what differs from writer to writer: case, spaces, dashes, dots, a namespace."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().rsplit(":", 1)[0] if ":" in name else name.strip())
    return re.sub(r"[\s.\-/]+", "_", snake).strip("_").lower()


def names_of(as_: As, field: str) -> list[str]:
    """The names a field goes by, likeliest first."""
    return FIELDS[as_][field].split()


def matches(column: str, word: str) -> bool:
    """Whether a column's name is this word, however it is written."""
    return plain(column) == word or plain(column).replace("_", "") == word.replace("_", "")


def is_known(column: str) -> bool:
    """Whether a column's name is one of the words for any field."""
    return any(
        matches(column, word) for fields in FIELDS.values() for words in fields.values() for word in words.split()
    )
