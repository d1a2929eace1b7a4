"""Types that only PostgreSQL has: arrays, ranges, and their friends."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .types import Colour, MoneyType


class Base(DeclarativeBase):
    pass


class PgSample(Base):
    __tablename__ = "pg_samples"

    id: Mapped[int] = mapped_column(primary_key=True)
    ints: Mapped[list[int] | None] = mapped_column(sa.ARRAY(sa.Integer))
    matrix: Mapped[list[list[int]] | None] = mapped_column(pg.ARRAY(sa.Integer, dimensions=2))
    texts: Mapped[tuple[str, ...] | None] = mapped_column(pg.ARRAY(sa.Text, as_tuple=True))
    numbers: Mapped[list[Any] | None] = mapped_column(pg.ARRAY(sa.Numeric(10, 2)))
    colours: Mapped[list[Colour] | None] = mapped_column(
        pg.ARRAY(sa.Enum(Colour, name="pg_colour"))
    )
    moneys: Mapped[list[Any] | None] = mapped_column(pg.ARRAY(MoneyType))
    uids: Mapped[list[Any] | None] = mapped_column(pg.ARRAY(sa.Uuid))
    mutable: Mapped[list[int] | None] = mapped_column(MutableList.as_mutable(pg.ARRAY(sa.Integer)))
    int_range: Mapped[Any] = mapped_column(pg.INT4RANGE, nullable=True)
    num_range: Mapped[Any] = mapped_column(pg.NUMRANGE, nullable=True)
    date_range: Mapped[Any] = mapped_column(pg.DATERANGE, nullable=True)
    tz_range: Mapped[Any] = mapped_column(pg.TSTZRANGE, nullable=True)
    multi_range: Mapped[Any] = mapped_column(pg.INT4MULTIRANGE, nullable=True)
    jsonb: Mapped[Any] = mapped_column(pg.JSONB, nullable=True)
    inet: Mapped[Any] = mapped_column(pg.INET, nullable=True)
    interval: Mapped[Any] = mapped_column(pg.INTERVAL, nullable=True)
    hstore_like: Mapped[Any] = mapped_column(sa.JSON().with_variant(pg.JSONB(), "postgresql"))
    bits: Mapped[Any] = mapped_column(pg.BYTEA, nullable=True)
    search: Mapped[Any] = mapped_column(pg.TSVECTOR, nullable=True)
