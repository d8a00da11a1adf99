"""The tables, and the revision of them that this version of the program reads and writes."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects import postgresql

REVISION = "0001"
"""The newest migration; a database of any other revision is not touched."""

Key = BigInteger().with_variant(Integer, "sqlite")
"""Row numbers that the database counts up; SQLite only does so for its own INTEGER."""
Id = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that is equal and ordered byte for byte, on both databases."""

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("key", Key, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    Column("name", Text),
    Column("attributes", Text),
    Column("search", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""``search`` is everything that a search looks at, case-folded by Python so that both databases agree on it."""

items = Table(
    "items",
    metadata,
    Column("key", Key, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    Column("catalogue", Id, nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("tags", Text),
    Column("image", Text),
    Column("url", Text),
    Column("attributes", Text),
    Column("available_from", BigInteger),
    Column("available_until", BigInteger),
    Column("hidden", Boolean, nullable=False),
    Column("search", Text, nullable=False),
    sqlite_autoincrement=True,
)

kinds = Table(
    "kinds",
    metadata,
    Column("code", SmallInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("name", Id, nullable=False, unique=True),
    Column("mode", Text, nullable=False),
    Column("weight", Double, nullable=False),
    Column("low", Double),
    Column("high", Double),
    Column("negative", Boolean, nullable=False),
    Column("hides", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

interactions = Table(
    "interactions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("user_key", Key, nullable=False),
    Column("item_key", Key, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("value", Double),
    Column("context", Text),
    Column("key", LargeBinary(16)),
    Column("slate", Text),
    sqlite_autoincrement=True,
)
"""One row an event, narrow on purpose. PostgreSQL also checks that user and item exist; on SQLite there is
one writer at a time, which looks them up itself, and the check would cost a fifth of the loading speed."""

by_user = Index("interactions_by_user", interactions.c.user_key, interactions.c.at)
by_item = Index("interactions_by_item", interactions.c.item_key)
by_moment = Index("interactions_by_moment", interactions.c.at)
by_key = Index(
    "interactions_by_key",
    interactions.c.key,
    unique=True,
    sqlite_where=interactions.c.key.is_not(None),
    postgresql_where=interactions.c.key.is_not(None),
)

relations = Table(
    "relations",
    metadata,
    Column("user_key", Key, ForeignKey("users.key", ondelete="CASCADE"), primary_key=True),
    Column("kind", Id, primary_key=True),
    Column("other_key", Key, ForeignKey("users.key", ondelete="CASCADE"), primary_key=True),
)
Index("relations_by_other", relations.c.other_key)

vectors = Table(
    "vectors",
    metadata,
    Column("name", Id, primary_key=True),
    Column("item_key", Key, ForeignKey("items.key", ondelete="CASCADE"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
"""``vector`` is little-endian float32."""
Index("vectors_by_item", vectors.c.item_key)

imports = Table(
    "imports",
    metadata,
    Column("source", Id, primary_key=True),
    Column("rows_done", BigInteger, nullable=False),
    Column("report", Text, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Id, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("manifest", Text, nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("scenario", Id, nullable=False),
    Column("version", Id, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text),
    Column("override", Boolean, nullable=False),
    Column("previous", Id),
    sqlite_autoincrement=True,
)
Index("promotions_by_scenario", promotions.c.scenario, promotions.c.id)

slates = Table(
    "slates",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scenario", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("user", Id),
    Column("known", Boolean, nullable=False),
    Column("exhausted", Boolean, nullable=False),
    Column("items", Text, nullable=False),
    Column("note", Text),
)
Index("slates_by_user", slates.c.user)

changes = Table(
    "changes",
    metadata,
    Column("topic", Id, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("n", BigInteger, nullable=False),
)
"""A topic's count is the sum over its shards, so that writers on PostgreSQL need not queue for one row."""

keys = Table(
    "keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("digest", Id, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("used_at", BigInteger),
)

links = Table(
    "links",
    metadata,
    Column("digest", Id, primary_key=True),
    Column("role", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Id, primary_key=True),
    Column("role", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
