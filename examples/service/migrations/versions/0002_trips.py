"""Trips of tenants, and their flights."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "trips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("part_of_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("part_of_id <> id", name="no_part_of_itself"),
        sa.ForeignKeyConstraint(["part_of_id"], ["trips.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    there = sa.text("deleted_at IS NULL")
    op.create_index(
        "one_trip_of_a_title",
        "trips",
        ["tenant", "title"],
        unique=True,
        postgresql_where=there,
        sqlite_where=there,
    )
    op.create_table(
        "trip_flights",
        sa.Column("trip_id", sa.Integer(), nullable=False),
        sa.Column("flight_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["flight_id"], ["flights.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trip_id", "flight_id"),
    )


def downgrade() -> None:
    op.drop_table("trip_flights")
    op.drop_index("one_trip_of_a_title", "trips")
    op.drop_table("trips")
