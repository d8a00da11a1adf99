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

REVISION = "0003"
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
by_slate = Index(
    "interactions_by_slate",
    interactions.c.slate,
    sqlite_where=interactions.c.slate.is_not(None),
    postgresql_where=interactions.c.slate.is_not(None),
)
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

event_vectors = Table(
    "event_vectors",
    metadata,
    Column("name", Id, primary_key=True),
    Column("interaction", Key, ForeignKey("interactions.id", ondelete="CASCADE"), primary_key=True),
    Column("made_by", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
"""Of what was said with an interaction: ``vector`` is little-endian float32, ``made_by`` the encoder. It goes with the
interaction, whoever deletes that."""
Index("event_vectors_by_interaction", event_vectors.c.interaction)

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
Index("slates_by_moment", slates.c.at)

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
    Column("account", Id),
)
"""``account`` is none for a session that came in by a one-time link or a key."""
Index("sessions_by_account", sessions.c.account)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Id, nullable=False, unique=True),
    Column("email", Text),
    Column("role", Text, nullable=False),
    Column("user", Id),
    Column("password", Text),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("signed_in_at", BigInteger),
)
"""``name`` is what somebody signs in with, case-folded; ``user`` whose history the account reads and writes;
``password`` an argon2 hash, none where only a provider lets the account in."""

identities = Table(
    "identities",
    metadata,
    Column("issuer", Id, primary_key=True),
    Column("subject", Id, primary_key=True),
    Column("account", Id, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
)
"""Who an OpenID provider says somebody is."""
Index("identities_by_account", identities.c.account)

audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("detail", Text),
    Column("request_id", Text),
    sqlite_autoincrement=True,
)
"""Every administrative act: who, when, what, to what."""

scenarios = Table(
    "scenarios",
    metadata,
    Column("name", Id, primary_key=True),
    Column("config", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""``origin``: file, where serendip.toml declares it, or api."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Id, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("unique_key", Id),
    Column("state", Text, nullable=False),
    Column("run_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("worker", Text),
    Column("lease", Text),
    Column("lease_until", BigInteger),
    Column("stage", Text),
    Column("done", BigInteger),
    Column("total", BigInteger),
    Column("message", Text),
    Column("cancel", Boolean, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Column("fingerprint", Text),
    Column("timetable", Id),
    Column("created_by", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    sqlite_autoincrement=True,
)
"""``state``: queued, running, done, skipped, failed, cancelled. ``lease`` is a random word that only the worker knows
that holds the job now; whatever a worker writes of a job, it writes under its lease."""
Index("jobs_by_state", jobs.c.state, jobs.c.run_at)
Index("jobs_by_kind", jobs.c.kind, jobs.c.id)
Index(
    "jobs_by_unique_key",
    jobs.c.unique_key,
    unique=True,
    sqlite_where=jobs.c.unique_key.is_not(None) & jobs.c.state.in_(("queued", "running")),
    postgresql_where=jobs.c.unique_key.is_not(None) & jobs.c.state.in_(("queued", "running")),
)

timetable = Table(
    "timetable",
    metadata,
    Column("name", Id, primary_key=True),
    Column("kind", Id, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("schedule", Text, nullable=False),
    Column("next_at", BigInteger),
    Column("enabled", Boolean, nullable=False),
    Column("origin", Text, nullable=False),
)
"""``schedule``: a cron line or ``every 15m``; ``next_at`` when it is due."""

matrices = Table(
    "matrices",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Id, nullable=False, unique=True),
    Column("of", Text, nullable=False),
    Column("description", Text),
    Column("version", Integer, nullable=False),
    sqlite_autoincrement=True,
)
"""Likeness of users or of items (``of``); ``version`` is the one that readers see, 0 before there is any."""

matrix_rows = Table(
    "matrix_rows",
    metadata,
    Column("matrix", Key, ForeignKey("matrices.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("row_key", Key, primary_key=True),
    Column("columns", LargeBinary, nullable=False),
    Column("values", LargeBinary, nullable=False),
)
"""One row's neighbours, best first: keys as little-endian int64, likenesses as little-endian float64."""

recommenders = Table(
    "recommenders",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Id, nullable=False, unique=True),
    Column("description", Text),
    Column("user_matrix", Key, ForeignKey("matrices.id", ondelete="SET NULL")),
    Column("item_matrix", Key, ForeignKey("matrices.id", ondelete="SET NULL")),
    sqlite_autoincrement=True,
)
"""A row of recommendations made from a pair of matrices."""

erasures = Table(
    "erasures",
    metadata,
    Column("digest", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
)
"""Users who asked to be forgotten, as digests of their ids: nothing of them is taken in again."""
