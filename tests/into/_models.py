"""Models, rows and a way to call ``into`` for the tests of rows in other classes."""

from __future__ import annotations

import datetime
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Connection, Enum, ForeignKey, Numeric, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    composite,
    mapped_column,
    relationship,
)

from naked_sqla import into


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    FINE = "fine"
    SAD = "sad"


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int, int]:
        return self.x, self.y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None  # type: ignore[assignment]


class Company(Base):
    __tablename__ = "company"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class User(Base):
    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    # the attribute and the column have different names
    name: Mapped[str] = mapped_column("user_name")
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    company: Mapped[Company | None] = relationship()
    boss: Mapped[User | None] = relationship(remote_side=id)
    posts: Mapped[list[Post]] = relationship(
        back_populates="author", foreign_keys="Post.author_id", lazy="selectin"
    )


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    editor_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    author: Mapped[User | None] = relationship(back_populates="posts", foreign_keys=author_id)
    editor: Mapped[User | None] = relationship(foreign_keys=editor_id)


class Typed(Base):
    """Column types whose values a driver gives in another form."""

    __tablename__ = "typed"

    id: Mapped[int] = mapped_column(primary_key=True)
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, native_enum=False))
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    day: Mapped[datetime.date]
    extra: Mapped[dict[str, Any]] = mapped_column(JSON)
    x: Mapped[int]
    y: Mapped[int]
    at: Mapped[Point] = composite("x", "y")


class Shape(Base):
    __tablename__ = "shape"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "shape"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    colour: Mapped[str]


class Circle(Shape):
    __tablename__ = "circle"
    __mapper_args__ = {"polymorphic_identity": "circle"}

    id: Mapped[int] = mapped_column(ForeignKey("shape.id"), primary_key=True)
    radius: Mapped[int]


class Owner(Base):
    __tablename__ = "owner"

    id: Mapped[int] = mapped_column(primary_key=True)
    shape_id: Mapped[int] = mapped_column(ForeignKey("shape.id"))
    shape: Mapped[Shape] = relationship()


ROWS: list[tuple[type[Base], list[dict[str, Any]]]] = [
    (Company, [{"id": 100, "title": "Acme"}]),
    (
        User,
        [
            {"id": 1, "user_name": "ada", "company_id": 100, "boss_id": None},
            {"id": 2, "user_name": "bob", "company_id": None, "boss_id": 1},
        ],
    ),
    (
        Post,
        [
            {"id": 1, "title": "one", "author_id": 1, "editor_id": 2},
            {"id": 2, "title": "two", "author_id": None, "editor_id": 1},
        ],
    ),
    (
        Typed,
        [
            {
                "id": 1,
                "mood": Mood.SAD,
                "price": Decimal("1.50"),
                "day": datetime.date(2026, 1, 2),
                "extra": {"a": [1]},
                "x": 3,
                "y": 4,
            }
        ],
    ),
    (Shape, [{"id": 1, "kind": "shape", "colour": "red"}]),
]


def fill(conn: Connection) -> None:
    """Create the tables, and the rows."""
    Base.metadata.create_all(conn)
    for model, rows in ROWS:
        conn.execute(insert(model.__table__), rows)  # type: ignore[arg-type]
    conn.execute(
        insert(Shape.__table__),  # type: ignore[arg-type]
        {"id": 2, "kind": "circle", "colour": "blue"},
    )
    conn.execute(insert(Circle.__table__), {"id": 2, "radius": 5})  # type: ignore[arg-type]
    conn.execute(insert(Owner.__table__), {"id": 1, "shape_id": 2})  # type: ignore[arg-type]


class Database:
    """A connection to a database with the rows above."""

    def __init__(self, conn: AsyncConnection) -> None:
        self.conn = conn

    async def into(self, cls: Any, statement: Any, parameters: Any = None, **more: Any) -> Any:
        """All objects of a statement, in a list."""
        return await self.conn.run_sync(
            lambda conn: into.execute(conn, cls, statement, parameters, **more).all()
        )

    async def stream_into(self, cls: Any, statement: Any, size: int, **more: Any) -> Any:
        """All objects of a statement, in lists of at most ``size``."""
        options = {"yield_per": size}
        return await self.conn.run_sync(
            lambda conn: [
                list(part)
                for part in into.stream(
                    conn, cls, statement, execution_options=options, **more
                ).partitions()
            ]
        )


@asynccontextmanager
async def filled(engine: AsyncEngine) -> AsyncIterator[Database]:
    async with engine.connect() as conn:
        await conn.run_sync(fill)
        yield Database(conn)
