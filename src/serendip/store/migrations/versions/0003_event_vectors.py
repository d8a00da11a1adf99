"""Vectors of what was said with interactions.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "event_vectors",
        sa.Column("name", ID, nullable=False),
        sa.Column("interaction", KEY, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["interaction"], ["interactions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "interaction"),
    )
    op.create_index("event_vectors_by_interaction", "event_vectors", ["interaction"], unique=False)
