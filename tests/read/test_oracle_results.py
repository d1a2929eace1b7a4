"""What a ``Result`` can do, for rows with objects in them, next to the ORM session."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Row,
    RowMapping,
    false,
    func,
    insert,
    literal,
    orm,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.orm import Bundle, aliased

from naked_sqla._sqlalchemy.tuples import TupleRow, as_tuples

from ..models.blog import Comment, Post, Tag, User
from ..models.columns import Pair, Segment
from ..models.inheritance import Animal, Person
from ..models.types import Sample
from ..oracle import Oracle

# new in SQLAlchemy 2.1
DictBundle = getattr(orm, "DictBundle", None)

U2 = aliased(User, name="u2")

STATEMENTS: dict[str, Callable[[], Any]] = {
    "entity": lambda: select(User).order_by(User.id),
    "one entity": lambda: select(User).where(User.id == 2),
    "no entity": lambda: select(User).where(false()),
    "repeated entities": lambda: select(User).join(Post, true()).order_by(User.id, Post.id),
    "two entities": lambda: select(User, Post).outerjoin(User.posts).order_by(User.id, Post.id),
    "one pair": lambda: select(User, Post).join(User.posts).where(Post.id == 3),
    "no pair": lambda: select(User, Post).join(User.posts).where(false()),
    "missed first": lambda: select(Post, User).outerjoin(User.posts).order_by(User.id, Post.id),
    "missed alone": lambda: (
        select(Post).select_from(User).outerjoin(User.posts).order_by(User.id, Post.id)
    ),
    "mixed": lambda: (
        select(User, Post.title, func.lower(User.name).label("low"))
        .join(User.posts)
        .order_by(Post.id)
    ),
    "column first": lambda: select(User.id, User).order_by(User.id),
    "entity twice": lambda: select(User, User).order_by(User.id),
    "aliases": lambda: select(User, U2).join(U2, U2.id == User.boss_id).order_by(User.id, U2.id),
    "columns": lambda: select(User.id, User.name).order_by(User.id),
    "columns twice": lambda: select(User.id, User.id).order_by(User.id),
    "one column": lambda: select(User.name).order_by(User.id),
    "repeated column": lambda: select(Post.title).order_by(Post.id),
    "unhashable column": lambda: select(Sample.json).order_by(Sample.id),
    "unhashable columns": lambda: select(Sample.id, Sample.json).order_by(Sample.id),
    "bundle": lambda: select(Bundle("b", User.id, User.name), User).order_by(User.id),
    "single bundle": lambda: select(Bundle("b", User.id, User.name)).order_by(User.id),
    **(
        {}
        if DictBundle is None
        else {
            "dict bundle": lambda: select(DictBundle("b", User.id, User.name), User).order_by(
                User.id
            ),
            "single dict bundle": lambda: select(DictBundle("b", User.id, User.name)).order_by(
                User.id
            ),
        }
    ),
    "composite": lambda: select(Segment.start, Segment).order_by(Segment.id),
    "polymorphic": lambda: select(Person).order_by(Person.id),
    "polymorphic and column": lambda: select(Animal.id, Animal).order_by(Animal.id),
    "composite key": lambda: select(Pair).order_by(Pair.left, Pair.right),
    "table": lambda: select(Tag.__table__).order_by(Tag.id),
    "text": lambda: text("SELECT id, label FROM tags ORDER BY id"),
    "literal": lambda: select(literal(1).label("one")),
    "union": lambda: union_all(select(Tag.id), select(Tag.id)),
    "from_statement": lambda: select(User).from_statement(select(User).order_by(User.id)),
}

Read = Callable[[Any], Any]


def _in_context(result: Any) -> Any:
    with result as inner:
        return inner.all()


READS: dict[str, Read] = {
    "all": lambda r: r.all(),
    "fetchall": lambda r: r.fetchall(),
    "iterate": list,
    "next": lambda r: [next(r), next(r)],
    "fetchone": lambda r: [r.fetchone(), r.fetchone()],
    "fetchmany": lambda r: [r.fetchmany(2), r.fetchmany(2), r.fetchmany(99), r.fetchmany(2)],
    "first": lambda r: r.first(),
    "first, then all": lambda r: [r.first(), r.all()],
    "one": lambda r: r.one(),
    "one_or_none": lambda r: r.one_or_none(),
    "scalar": lambda r: r.scalar(),
    "scalar_one": lambda r: r.scalar_one(),
    "scalar_one_or_none": lambda r: r.scalar_one_or_none(),
    "keys": lambda r: list(r.keys()),
    "key membership": lambda r: [name in set(r.keys()) for name in ("User", "id", "x", "title")],
    "all twice": lambda r: [r.all(), r.all()],
    "after close": lambda r: [r.close(), r.all()],
    "closed": lambda r: [r.closed, r.all(), r.closed],
    "scalars": lambda r: r.scalars().all(),
    "scalars, second": lambda r: r.scalars(1).all(),
    "scalars by name": lambda r: r.scalars("id").all(),
    "scalars by entity name": lambda r: r.scalars("User").all(),
    "scalars by entity": lambda r: r.scalars(User).all(),
    "scalars by column": lambda r: r.scalars(User.id).all(),
    "scalars, unknown": lambda r: r.scalars("nope").all(),
    "scalars first": lambda r: r.scalars().first(),
    "scalars one": lambda r: r.scalars().one(),
    "scalars one_or_none": lambda r: r.scalars().one_or_none(),
    "scalars iterate": lambda r: list(r.scalars()),
    "scalars fetchmany": lambda r: [(s := r.scalars()).fetchmany(2), s.fetchall()],
    "scalars partitions": lambda r: list(r.scalars().partitions(2)),
    "mappings": lambda r: [dict(row) for row in r.mappings().all()],
    "mapping rows": lambda r: r.mappings().all(),
    "mappings first": lambda r: r.mappings().first(),
    "mappings one": lambda r: r.mappings().one(),
    "mappings columns": lambda r: r.mappings().columns(0).all(),
    "mappings partitions": lambda r: list(r.mappings().partitions(3)),
    "mappings keys": lambda r: list(r.mappings().keys()),
    "columns": lambda r: r.columns(0).all(),
    "columns, swapped": lambda r: r.columns(1, 0).all(),
    "columns by name": lambda r: r.columns("id").all(),
    "columns by entity": lambda r: r.columns(User).all(),
    "columns, then scalars": lambda r: r.columns(1, 0).scalars().all(),
    "columns, then keys": lambda r: list(r.columns(0).keys()),
    "partitions": lambda r: list(r.partitions(2)),
    "partitions of all": lambda r: [row for part in r.partitions() for row in part],
    "yield_per": lambda r: list(r.yield_per(2).partitions()),
    "yield_per and iterate": lambda r: list(r.yield_per(2)),
    "tuples": lambda r: r.tuples().all(),
    "tuples first": lambda r: r.tuples().first(),
    "freeze": lambda r: (f := r.freeze())().all() + f().all(),
    "freeze scalars": lambda r: r.scalars().freeze()().all(),
    "freeze with rows": lambda r: r.freeze().with_new_rows([])().all(),
    "freeze, then unique": lambda r: r.freeze()().unique().all(),
    "merge": lambda r: r.merge(r.freeze()()).all(),
    "pickled rows": lambda r: pickle.loads(pickle.dumps(r.all())),
    "pickled frozen": lambda r: pickle.loads(pickle.dumps(r.freeze()))().all(),
    "pickled mappings": lambda r: pickle.loads(pickle.dumps(r.mappings().all())),
    "deep copied rows": lambda r: copy.deepcopy(r.all()),
    "context manager": _in_context,
    "row as dict": lambda r: [row._asdict() for row in r],
    "row index": lambda r: [row[0] for row in r],
    "row slice": lambda r: [row[0:2] for row in r],
    "row by name": lambda r: [row.User for row in r],
    "row by id": lambda r: [row.id for row in r],
    "row by unknown name": lambda r: [row.nope for row in r],
    "row len": lambda r: [len(row) for row in r],
    "row count and index": lambda r: [(row.count(None), row.index(row[0])) for row in r],
    "row mapping by key": lambda r: [row._mapping["User"] for row in r],
    "row mapping by entity": lambda r: [row._mapping[User] for row in r],
    "row mapping by column": lambda r: [row._mapping[User.id] for row in r],
    "row mapping by table column": lambda r: [row._mapping[User.__table__.c.id] for row in r],
    "row mapping by alias": lambda r: [row._mapping[U2] for row in r],
    "row mapping by alias column": lambda r: [row._mapping[U2.id] for row in r],
    "row mapping by other entity": lambda r: [row._mapping[Comment] for row in r],
    "row mapping membership": lambda r: [
        [
            key in row._mapping
            for key in ("User", "id", User, User.id, Post, Post.title, U2, Comment)
        ]
        for row in r
    ],
    "row fields": lambda r: [row._fields for row in r],
    "row tuple": lambda r: [row._tuple() for row in r],
    "row t": lambda r: [row.t for row in r],
    "row equals tuple": lambda r: [row == tuple(row) for row in r],
    "row iterates": lambda r: [list(row) for row in r],
    "row hash": lambda r: [hash(row) == hash(tuple(row)) for row in r],
    "row add": lambda r: [operator.add(row, (1,)) for row in r],
    "row contains": lambda r: [row[0] in row for row in r],
    "row unpack": lambda r: [(first, rest) for first, *rest in r],
    "row immutable": lambda r: [setattr(row, "User", 1) for row in r],
    "mapping values": lambda r: [list(row._mapping.values()) for row in r],
    "mapping items": lambda r: [list(row._mapping.items()) for row in r],
}


# A result hardly knows its driver any more: PostgreSQL's drivers read some of the statements.
ON_POSTGRESQL = {"entity", "two entities", "mixed", "unhashable columns", "text", "polymorphic"}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_reads(oracle: Oracle, statement: str) -> None:
    """Each way to read a result gives what the ORM gives, or raises what it raises."""
    if oracle.postgresql and statement not in ON_POSTGRESQL:
        oracle.compare(STATEMENTS[statement]())
        return
    found = []
    for name, read in READS.items():
        try:
            oracle.compare(STATEMENTS[statement](), read=read)
        except AssertionError as error:
            found.append(f"{name}: {error}")
    assert not found, "\n".join(found)


UNIQUE_READS: dict[str, Read] = {
    "unique": lambda r: r.unique().all(),
    "unique first": lambda r: r.unique().first(),
    "unique one": lambda r: r.unique().one(),
    "unique scalars": lambda r: r.unique().scalars().all(),
    "scalars unique": lambda r: r.scalars().unique().all(),
    "unique mappings": lambda r: r.unique().mappings().all(),
    "unique columns": lambda r: r.columns(0).unique().all(),
    "unique partitions": lambda r: list(r.unique().partitions(2)),
    "unique with a strategy": lambda r: r.unique(lambda row: 1).all(),
    "unique fetchmany": lambda r: [(u := r.unique()).fetchmany(2), u.fetchmany(2), u.all()],
    "unique tuples": lambda r: r.unique().tuples().all(),
    "unique scalar": lambda r: r.unique().scalar(),
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_unique(oracle: Oracle, statement: str) -> None:
    """Rows are unique by what the ORM takes for the same object: class and primary key."""
    if oracle.postgresql and statement not in ON_POSTGRESQL:
        oracle.compare(STATEMENTS[statement]())
        return
    found = []
    for name, read in UNIQUE_READS.items():
        try:
            oracle.compare(STATEMENTS[statement](), read=read)
        except AssertionError as error:
            found.append(f"{name}: {error}")
    assert not found, "\n".join(found)


SCALAR_READS: dict[str, Read] = {
    "all": lambda r: r.all(),
    "first": lambda r: r.first(),
    "one": lambda r: r.one(),
    "one_or_none": lambda r: r.one_or_none(),
    "unique": lambda r: r.unique().all(),
    "iterate": list,
    "fetchmany": lambda r: [r.fetchmany(2), r.fetchmany(2)],
    "partitions": lambda r: list(r.partitions(2)),
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_scalars_of_the_session(oracle: Oracle, statement: str) -> None:
    """``session.scalars()`` gives the first item of each row, as the ORM session does."""
    for read in SCALAR_READS.values():
        oracle.compare(STATEMENTS[statement](), read=read, method="scalars")


def _as_rows(value: Any) -> Any:
    """What was read, with a ``Row`` for each row that is a tuple."""
    if isinstance(value, TupleRow):
        row = value._as_row(value)
        assert type(row) is Row
        return row
    return [_as_rows(item) for item in value] if isinstance(value, list) else value


# An entity alone, items of several kinds, one name twice, rows that SQLAlchemy reads.
AS_TUPLES = ("entity", "mixed", "columns twice", "table")


@pytest.mark.parametrize("statement", AS_TUPLES)
def test_rows_that_are_tuples(oracle: Oracle, statement: str) -> None:
    """The result of ``tuples()`` can do all that the one of ``execute()`` can."""
    reads = {"all": READS["all"]} if oracle.postgresql else READS | UNIQUE_READS
    found = []
    for name, read in reads.items():

        def ours(result: Any, read: Read = read) -> Any:
            return _as_rows(read(as_tuples(result)))

        # a Row can't be added to a tuple
        theirs = (lambda r: [(*row, 1) for row in r]) if name == "row add" else read
        try:
            oracle.compare(STATEMENTS[statement](), read=ours, orm_read=theirs)
        except AssertionError as error:
            found.append(f"{name}: {error}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_tuples_of_the_session(oracle: Oracle, statement: str) -> None:
    """``session.tuples()`` gives real tuples, with the attributes of the rows of ``execute()``."""

    async def work(session: Any) -> Any:
        for _ in range(2):  # the second time may go another way
            rows = (await session.tuples(STATEMENTS[statement]())).all()
            again = (await session.execute(STATEMENTS[statement]())).all()
            assert len(rows) == len(again)
            for row, other in zip(rows, again, strict=True):
                assert isinstance(row, tuple)
                assert row._fields == other._fields
                assert [type(item) for item in row] == [type(item) for item in other]
                for name in row._fields:
                    # a Row has methods, such as count()
                    assert hasattr(Row, name) or getattr(row, name) is row._mapping[name]

    oracle.naked(work)


def test_results_that_are_no_tuples(oracle: Oracle) -> None:
    """What gives no rows, or gives them in another form, is what it is in ``execute()``."""

    async def work(session: Any) -> None:
        stored = await session.tuples(update(Tag).where(Tag.id == 1).values(label="one"))
        assert (stored.returns_rows, stored.rowcount) == (False, 1)
        with pytest.raises(ResourceClosedError):
            stored.all()
        returned = await session.tuples(
            insert(Tag).values(id=92, label="two").returning(Tag.label, Tag.id)
        )
        (row,) = returned
        assert isinstance(row, tuple)
        assert (row.label, row[0]) == ("two", "two")
        found = await session.tuples(select(Tag.id, Tag.label).where(Tag.label == "two"))
        assert [type(item) for item in found.mappings()] == [RowMapping]
        nothing = (await session.tuples(select(Tag.id, Tag.label).where(false()))).first()
        assert nothing is None

    oracle.naked(work)
