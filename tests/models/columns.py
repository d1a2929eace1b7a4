"""Attributes that are not simply "a column of the same name"."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    case,
    func,
    select,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    composite,
    deferred,
    mapped_column,
    query_expression,
    relationship,
    synonym,
)


class Base(DeclarativeBase):
    pass


class Renamed(Base):
    """Attribute names and column names cross: what one calls ``a`` the other calls ``b``."""

    __tablename__ = "renamed"

    key: Mapped[int] = mapped_column("id", primary_key=True)
    name: Mapped[str | None] = mapped_column("full name")
    a: Mapped[str | None] = mapped_column("b")
    b: Mapped[str | None] = mapped_column("a")
    klass: Mapped[str | None] = mapped_column("class")
    percent: Mapped[int | None] = mapped_column("percent %")
    keyed: Mapped[str | None] = mapped_column("keyed_col", key="table_key")


class Reserved(Base):
    """Names that a careless code generator would stumble over."""

    __tablename__ = "reserved"

    id: Mapped[int] = mapped_column(primary_key=True)
    self: Mapped[str | None]
    row: Mapped[str | None]
    rows: Mapped[str | None]
    result: Mapped[str | None]
    cls: Mapped[str | None]
    obj: Mapped[str | None]
    new: Mapped[str | None]
    append: Mapped[str | None]
    values: Mapped[str | None]
    items: Mapped[str | None]
    keys: Mapped[str | None]
    count: Mapped[int | None]
    index: Mapped[int | None]
    type: Mapped[str | None]
    object: Mapped[str | None]
    list: Mapped[str | None]
    dict: Mapped[str | None]
    make: Mapped[str | None]
    store: Mapped[str | None]
    loaded: Mapped[str | None]
    model: Mapped[str | None]
    slots: Mapped[str | None]
    a: Mapped[str | None]
    b: Mapped[str | None]
    naïve: Mapped[str | None]
    _private: Mapped[str | None]
    _p0: Mapped[str | None]
    __mangled: Mapped[str | None]


class Spaced:
    """Attribute names that are no identifiers, or are keywords."""

    id: int


Base.registry.map_imperatively(
    Spaced,
    Table(
        "spaced",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("klass", String(20)),
        Column("two words", String(20)),
        Column("quote'\"{}", String(20)),
    ),
    properties={"class": Base.metadata.tables["spaced"].c.klass},
)


class Pair(Base):
    """A composite primary key, whose second half may be NULL in an outer join's row."""

    __tablename__ = "pairs"

    left: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    right: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str | None]


class PairChild(Base):
    __tablename__ = "pair_children"

    id: Mapped[int] = mapped_column(primary_key=True)
    pair_left: Mapped[int | None]
    pair_right: Mapped[str | None]
    pair: Mapped[Pair | None] = relationship()
    __table_args__ = (
        ForeignKeyConstraint(["pair_left", "pair_right"], ["pairs.left", "pairs.right"]),
    )


@dataclasses.dataclass
class Point:
    x: int | None
    y: int | None


@dataclasses.dataclass(frozen=True)
class Range:
    low: int
    high: int

    @classmethod
    def of(cls, low: int | None, high: int | None) -> Range | None:
        return None if low is None or high is None else cls(low, high)

    def __composite_values__(self) -> tuple[int, int]:
        return self.low, self.high


class Segment(Base):
    """Two composites, one of whose attributes have other names than its columns."""

    __tablename__ = "segments"

    id: Mapped[int] = mapped_column(primary_key=True)
    start_x: Mapped[int | None] = mapped_column("x1")
    start_y: Mapped[int | None] = mapped_column("y1")
    start: Mapped[Point] = composite("start_x", "start_y")
    end: Mapped[Point] = composite(mapped_column("x2"), mapped_column("y2"))
    low: Mapped[int | None]
    high: Mapped[int | None]
    range: Mapped[Range | None] = composite(Range.of, "low", "high")


class Invoice(Base):
    """SQL expressions as attributes, synonyms, hybrids, deferred columns and groups."""

    __tablename__ = "column_invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    net: Mapped[int] = mapped_column()
    vat: Mapped[int | None] = mapped_column("vat_amount")
    memo: Mapped[str | None] = mapped_column(deferred=True)
    scan: Mapped[bytes | None] = mapped_column(deferred=True, deferred_group="papers")
    scan_name: Mapped[str | None] = mapped_column(
        "scan_file", deferred=True, deferred_group="papers"
    )
    forbidden: Mapped[str | None] = mapped_column(deferred=True, deferred_raiseload=True)

    gross: Mapped[int | None] = column_property(net + vat)
    late_gross: Mapped[int | None] = deferred(column_property(net + vat + 1).expression)
    extra: Mapped[int | None] = query_expression()

    tax = synonym("vat")
    both = synonym("gross")
    lines: Mapped[list[InvoiceLine]] = relationship(
        back_populates="invoice", order_by="InvoiceLine.id"
    )
    articles: AssociationProxy[list[str]] = association_proxy("lines", "article")

    @hybrid_property
    def double(self) -> int:
        return self.net * 2

    @double.inplace.setter
    def _set_double(self, value: int) -> None:
        self.net = value // 2

    @hybrid_property
    def size(self) -> str:
        return "big" if self.net > 100 else "small"

    @size.inplace.expression
    @classmethod
    def _size(cls) -> ColumnElement[str]:
        return case((cls.net > 100, "big"), else_="small")

    @hybrid_method
    def above(self, limit: int) -> Any:
        return self.net > limit


class InvoiceLine(Base):
    __tablename__ = "column_invoice_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("column_invoices.id"))
    article: Mapped[str | None]
    amount: Mapped[int | None]
    invoice: Mapped[Invoice] = relationship(back_populates="lines")


Invoice.line_count = column_property(
    select(func.count(InvoiceLine.id))
    .where(InvoiceLine.invoice_id == Invoice.id)
    .correlate_except(InvoiceLine)
    .scalar_subquery()
)


class Doubled(Base):
    """One column under two attributes."""

    __tablename__ = "doubled"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    hidden: Mapped[str | None] = mapped_column("hidden_col", default="h")


Doubled.again = column_property(Doubled.__table__.c.name)


class PrefixedColumns(Base):
    __tablename__ = "prefixed"
    __mapper_args__ = {"column_prefix": "c_"}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class DeferredKey(Base):
    """Nothing but the key is loaded by default."""

    __tablename__ = "deferred_all"

    id: Mapped[int] = mapped_column(primary_key=True)
    one: Mapped[str | None] = mapped_column(deferred=True)
    two: Mapped[str | None] = mapped_column(deferred=True, deferred_group="g")
