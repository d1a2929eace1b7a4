"""What only reads is told from the statement; what can't be seen through counts as writing."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Sequence,
    case,
    create_engine,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    union,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    column_property,
    mapped_column,
    relationship,
    selectinload,
)

from naked_sqla._cache import BoundedCache
from naked_sqla.read.facts import facts_of
from naked_sqla.read.lookup import get
from naked_sqla.read.statement import execute


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    posts: Mapped[list[Post]] = relationship()


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Shouting(Base):
    __tablename__ = "shouting"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column()
    loud: Mapped[str] = column_property(func.upper(name))


class Own(ColumnElement[int]):
    inherit_cache = True


@compiles(Own)
def _own(element: Any, compiler: Any, **kw: Any) -> str:
    return "nextval('numbers')"


READS = {
    "entity": select(User),
    "columns": select(User.id).where(User.name == "x").order_by(User.id).limit(3),
    "alias": select(aliased(User)),
    "join": select(User, Post).outerjoin(User.posts),
    "eager": select(User).options(selectinload(User.posts)),
    "compound": union(select(User.id), select(Post.id)),
    "subquery": select(User).where(User.id.in_(select(Post.user_id))),
    "cte": select(select(User.id).cte()),
    "case": select(case((User.id > 1, 1), else_=2)),
    "exists": select(User).where(exists().where(Post.user_id == User.id)),
    "core": select(User.__table__),
}

WRITES = {
    "for update": select(User).with_for_update(),
    "for update in a subquery": select(select(User.id).with_for_update().subquery()),
    "function": select(func.count()),
    "function in a criterion": select(User).where(User.id.in_(select(func.max(Post.id)))),
    "function in a column property": select(Shouting),
    "sequence": select(Sequence("numbers").next_value()),
    "text": text("SELECT 1"),
    "text in a criterion": select(User).where(text("1 = 1")),
    "literal column": select(literal_column("nextval('numbers')")),
    "hint": select(User).with_hint(User, "x"),
    "statement hint": select(User).with_statement_hint("x"),
    "prefix": select(User).prefix_with("x"),
    "suffix": select(User).suffix_with("x"),
    "a construct of one's own": select(Own()),
    "writing CTE": select(insert(User).values(name="x").returning(User.id).cte()),
    "from a text": select(User).from_statement(text("SELECT * FROM users")),
    "insert": insert(User),
    "update": update(User).values(name="x"),
    "delete": delete(User),
}


@pytest.mark.parametrize("name", READS)
def test_reads(name: str) -> None:
    assert facts_of(READS[name]).only_reads
    assert facts_of(READS[name]).only_reads


@pytest.mark.parametrize("name", WRITES)
def test_what_may_write(name: str) -> None:
    assert not facts_of(WRITES[name]).only_reads
    assert not facts_of(WRITES[name]).only_reads


def test_what_is_kept_for_a_mapped_class_goes_with_it() -> None:
    def use() -> weakref.ref[type]:
        class Local(DeclarativeBase):
            pass

        class Thing(Local):
            __tablename__ = "thing"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]

        engine = create_engine("sqlite://")
        with engine.connect() as conn:
            Local.metadata.create_all(conn)
            execute(conn, insert(Thing), [{"name": "a"}, {"name": "b"}])
            assert execute(conn, select(Thing)).scalars().first().name == "a"
            assert get(conn, Thing, 2).name == "b"
        engine.dispose()
        return weakref.ref(Thing)

    dropped = use()
    gc.collect()
    gc.collect()
    assert dropped() is None


def test_a_full_cache_drops_the_oldest() -> None:
    cache: BoundedCache[int, str] = BoundedCache(3)
    for number in range(4):
        cache[number] = "x"
    assert list(cache) == [1, 2, 3]
    cache[1] = "y"
    assert list(cache) == [1, 2, 3]
    assert cache.get(1) == "y"
    assert cache.get(0) is None


def test_a_cache_that_threads_fill_at_once_stays_small() -> None:
    cache: BoundedCache[int, int] = BoundedCache(50)

    def fill(start: int) -> None:
        for number in range(start, start + 20_000):
            cache[number] = number

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fill, range(0, 400_000, 100_000)))
    # each thread may add one item that the others do not see yet
    assert len(cache) <= 54
