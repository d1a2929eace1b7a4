"""Scenes of eager loading: parents with their children."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import joinedload, selectinload

from benchmarks import data
from benchmarks.contenders import BASELINE, Contender, Operation
from benchmarks.models import Author, Book
from benchmarks.readers import Read, nested
from benchmarks.scenes import Scene, Site, contender
from benchmarks.shapes import USER, objects

BOOK = ("id", "author_id", "title", "score")
OBJECTS = nested("obj", objects(USER), "obj.books", objects(BOOK, "child"))

_authors, _books = Author.__table__, Book.__table__


def scenes() -> list[Scene]:
    """The scenes of this module."""
    amount = f"{data.AUTHORS} parents with {data.BOOKS} children each"
    return [
        Scene(
            "selectin",
            f"selectinload of {amount}",
            _selectin,
            statements={"core": 2, "orm": 2, "naked": 2},
        ),
        Scene(
            "joined",
            f"joinedload of {amount}",
            _joined,
            statements={"core": 1, "orm": 1, "naked": 1},
        ),
    ]


def _rows(offset: int = 0) -> Any:
    """Read rows by position, those of the children from an offset."""
    inner = [f"child[{i + offset}]" for i in range(len(BOOK))]
    return nested("row, children", [f"row[{i}]" for i in range(len(USER))], "children", inner)


def _two_statements(engine: AsyncEngine) -> Operation:
    parents = select(_authors).order_by(_authors.c.id)
    children = select(_books).order_by(_books.c.author_id, _books.c.id)

    async def operation(read: Read, n: int) -> Any:
        async with engine.begin() as conn:
            found = (await conn.execute(parents)).all()
            of: dict[int, list[Any]] = {row[0]: [] for row in found}
            keys = children.where(_books.c.author_id.in_(list(of)))
            for child in (await conn.execute(keys)).all():
                of[child[1]].append(child)
            return read([(row, of[row[0]]) for row in found])

    return operation


def _one_statement(engine: AsyncEngine) -> Operation:
    joined = (
        select(_authors, *(column.label(f"book_{column.name}") for column in _books.c))
        .outerjoin(_books, _books.c.author_id == _authors.c.id)
        .order_by(_authors.c.id, _books.c.id)
    )

    async def operation(read: Read, n: int) -> Any:
        async with engine.begin() as conn:
            of: dict[int, tuple[Any, list[Any]]] = {}
            for row in (await conn.execute(joined)).all():
                parent = of.get(row[0])
                if parent is None:
                    parent = of[row[0]] = (row, [])
                if row[4] is not None:
                    parent[1].append(row)
            return read(of.values())

    return operation


def _session(begin: Any, statement: Any, unique: bool) -> Operation:
    async def operation(read: Read, n: int) -> Any:
        async with begin() as session:
            result = await session.scalars(statement)
            return read((result.unique() if unique else result).all())

    return operation


def _both(site: Site, statement: Any, unique: bool) -> list[Contender]:
    from naked_sqla import AsyncSessionFactory

    orm = async_sessionmaker(site.engine(), expire_on_commit=False)
    naked = AsyncSessionFactory(site.engine())
    return [
        contender("orm", "ORM AsyncSession", _session(orm.begin, statement, unique), OBJECTS),
        contender("naked", "naked_sqla", _session(naked.begin, statement, unique), OBJECTS),
    ]


def _selectin(site: Site) -> list[Contender]:
    statement = select(Author).order_by(Author.id).options(selectinload(Author.books))
    return [
        contender(BASELINE, "Core, grouped by hand", _two_statements(site.engine()), _rows()),
        contender("core_again", "the same, again", _two_statements(site.engine()), _rows()),
        *_both(site, statement, unique=False),
    ]


def _joined(site: Site) -> list[Contender]:
    statement = select(Author).order_by(Author.id).options(joinedload(Author.books))
    return [
        contender(BASELINE, "Core, grouped by hand", _one_statement(site.engine()), _rows(4)),
        contender("core_again", "the same, again", _one_statement(site.engine()), _rows(4)),
        *_both(site, statement, unique=True),
    ]
