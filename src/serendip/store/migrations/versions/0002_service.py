"""Accounts, audit, scenarios, jobs, matrices, erasures.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
OPEN = "unique_key IS NOT NULL AND state IN ('queued', 'running')"


def upgrade() -> None:
    op.create_index("slates_by_moment", "slates", ["at"], unique=False)
    op.create_index(
        "interactions_by_slate",
        "interactions",
        ["slate"],
        unique=False,
        sqlite_where=sa.text("slate IS NOT NULL"),
        postgresql_where=sa.text("slate IS NOT NULL"),
    )
    op.add_column("sessions", sa.Column("account", ID, nullable=True))
    op.create_index("sessions_by_account", "sessions", ["account"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("user", ID, nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject"),
    )
    op.create_index("identities_by_account", "identities", ["account"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "scenarios",
        sa.Column("name", ID, nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("unique_key", ID, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("timetable", ID, nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_by_state", "jobs", ["state", "run_at"], unique=False)
    op.create_index("jobs_by_kind", "jobs", ["kind", "id"], unique=False)
    op.create_index(
        "jobs_by_unique_key",
        "jobs",
        ["unique_key"],
        unique=True,
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
    op.create_table(
        "timetable",
        sa.Column("name", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "matrices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "matrix_rows",
        sa.Column("matrix", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("row_key", KEY, nullable=False),
        sa.Column("columns", sa.LargeBinary(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["matrix"], ["matrices.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("matrix", "version", "row_key"),
    )
    op.create_table(
        "recommenders",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("user_matrix", KEY, nullable=True),
        sa.Column("item_matrix", KEY, nullable=True),
        sa.ForeignKeyConstraint(["item_matrix"], ["matrices.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_matrix"], ["matrices.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "erasures",
        sa.Column("digest", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
