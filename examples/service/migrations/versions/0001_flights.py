"""Airlines, airports, planes and flights."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "airlines",
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("carrier"),
    )
    op.create_table(
        "airports",
        sa.Column("faa", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("alt", sa.Integer(), nullable=False),
        sa.Column("tz", sa.Integer(), nullable=False),
        sa.Column("dst", sa.String(), nullable=False),
        sa.Column("tzone", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("faa"),
    )
    op.create_table(
        "planes",
        sa.Column("tailnum", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("manufacturer", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("engines", sa.Integer(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("speed", sa.Integer(), nullable=True),
        sa.Column("engine", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tailnum"),
    )
    op.create_table(
        "flights",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sched_dep_time", sa.Integer(), nullable=False),
        sa.Column("dep_time", sa.Integer(), nullable=True),
        sa.Column("dep_delay", sa.Integer(), nullable=True),
        sa.Column("sched_arr_time", sa.Integer(), nullable=False),
        sa.Column("arr_time", sa.Integer(), nullable=True),
        sa.Column("arr_delay", sa.Integer(), nullable=True),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("flight", sa.Integer(), nullable=False),
        sa.Column("tailnum", sa.String(), nullable=True),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("dest", sa.String(), nullable=False),
        sa.Column("air_time", sa.Integer(), nullable=True),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["carrier"], ["airlines.carrier"]),
        sa.ForeignKeyConstraint(["origin"], ["airports.faa"]),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    for table in ("flights", "planes", "airports", "airlines"):
        op.drop_table(table)
