"""INSERT, UPDATE and DELETE: what they store and what they return, next to the ORM session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, exc, func, insert, literal, select, text, update
from sqlalchemy.orm import Bundle, aliased, load_only
from sqlalchemy.orm import exc as orm_exc

from naked_sqla.exception import InvalidStatement, NotLoadedError, UnknownAttribute

from ..models.blog import Post, Stamped, Tag, User, Versioned, post_tags
from ..models.columns import Doubled, Invoice, Pair, Point, PrefixedColumns, Renamed, Segment
from ..models.data import full_sample
from ..models.inheritance import Animal, AnimalKind, Cat, DataBook, House, Person
from ..models.styles import DataPoint, Imperative, KwOnly, PostInit
from ..models.types import Colour, Keyed, Money, Mutables, Sample
from ..oracle import FIRST_GENERATED_KEY, Oracle

# The ORM looks for the objects of its session with a RETURNING of its own, unless told not to.
NO_SYNC = {"synchronize_session": False}

# (statement, parameters)
Case = Callable[[], tuple[Any, Any]]


def new_users(*ids: int) -> list[dict[str, Any]]:
    return [{"id": key, "name": f"user {key}", "age": key} for key in ids]


INSERTS: dict[str, Case] = {
    "values": lambda: (insert(User).values(id=50, name="x", nickname="n", age=1), None),
    "values, NULLs by default": lambda: (insert(User).values(id=50, name="x"), None),
    "values, positional": lambda: (insert(Tag).values((50, "fifty")), None),
    "values, dictionary": lambda: (insert(Tag).values({"id": 50, "label": "fifty"}), None),
    "values, by attribute": lambda: (insert(Tag).values({Tag.id: 50, Tag.label: "fifty"}), None),
    "values, several rows": lambda: (
        insert(Tag).values([{"id": 50, "label": "a"}, {"id": 51, "label": "b"}]),
        None,
    ),
    "values, an expression": lambda: (
        insert(Tag).values(
            id=select(func.max(Tag.id) + 1).scalar_subquery(), label=func.lower("A")
        ),
        None,
    ),
    "one dictionary": lambda: (insert(User), new_users(50)[0]),
    "one dictionary and values": lambda: (insert(User).values(nickname="all"), new_users(50)[0]),
    "a list of one": lambda: (insert(User), new_users(50)),
    "a list": lambda: (insert(User), new_users(50, 51, 52)),
    "a list and values": lambda: (insert(User).values(nickname="all"), new_users(50, 51)),
    "a list and an expression": lambda: (
        insert(User).values(nickname=func.upper("all")),
        new_users(50, 51),
    ),
    "a list and a named bind": lambda: (
        insert(User).values(nickname=func.upper(bindparam("nick"))),
        [{**row, "nick": f"n{row['id']}"} for row in new_users(50, 51)],
    ),
    "from select": lambda: (
        insert(Tag).from_select(["id", "label"], select(User.id + 100, User.name)),
        None,
    ),
    "a table": lambda: (post_tags.insert(), [{"post_id": 4, "tag_id": 1, "weight": 1}]),
    "a model's table": lambda: (insert(User.__table__), new_users(50, 51)),
    "a model's table, one": lambda: (insert(User.__table__).values(id=50, name="t"), None),
    "attribute names": lambda: (
        insert(Renamed),
        [{"key": 50, "name": "n", "a": "A", "b": "B", "klass": "K", "percent": 1, "keyed": "Y"}],
    ),
    "attribute names, one": lambda: (
        insert(Renamed),
        {"key": 50, "name": "n", "a": "A", "b": "B", "klass": "K", "percent": 1, "keyed": "Y"},
    ),
    "attribute names in values": lambda: (
        insert(Renamed).values(key=50, name="n", a="A", b="B", klass="K", keyed="Y"),
        None,
    ),
    "attribute names in several values": lambda: (
        insert(Renamed).values([{"key": 50, "a": "A", "b": "B"}, {"key": 51, "a": "C", "b": "D"}]),
        None,
    ),
    "attributes in values": lambda: (
        insert(Renamed).values({Renamed.key: 50, Renamed.a: "A", Renamed.b: "B"}),
        None,
    ),
    "prefixed columns": lambda: (insert(PrefixedColumns), [{"c_id": 50, "c_name": "p"}]),
    "synonym": lambda: (insert(Invoice).values(id=50, net=1, tax=2), None),
    "composite key": lambda: (insert(Pair), [{"left": 9, "right": "z", "value": None}]),
    "composite attribute": lambda: (insert(Segment).values(id=50, start=Point(1, 2)), None),
    "composite attribute, a list": lambda: (
        insert(Segment),
        [{"id": 50, "start": Point(1, 2), "low": 1}, {"id": 51, "start": Point(3, 4), "low": 2}],
    ),
    "all types": lambda: (insert(Sample), [{"id": 50, **full_sample()}]),
    "all types, values": lambda: (insert(Sample).values(id=50, **full_sample()), None),
    "typed key": lambda: (insert(Keyed), [{"key": ("z", 9), "name": "n"}]),
    "mutables": lambda: (insert(Mutables), [{"id": 50, "mapping": {"a": 1}, "sequence": [1]}]),
    "imperative": lambda: (insert(Imperative), [{"id": 50, "title": "t", "remark": "r"}]),
    "dataclass": lambda: (insert(DataPoint), [{"id": 50, "x": 1}]),
    "dataclass, kw_only": lambda: (insert(KwOnly), [{"id": 50}]),
    "defaults": lambda: (insert(Stamped), [{"id": 50, "label": "x"}]),
    "defaults, a list": lambda: (
        insert(Stamped),
        [{"id": 50, "label": "x"}, {"id": 51, "label": "y"}],
    ),
    "defaults, values": lambda: (insert(Stamped).values(id=50, label="x"), None),
    "defaults, several values": lambda: (
        insert(Stamped).values([{"id": 50, "label": "x"}, {"id": 51, "label": "y"}]),
        None,
    ),
    "generated key": lambda: (insert(User), [{"name": "x"}]),
    "generated keys": lambda: (insert(User), [{"name": "x"}, {"name": "y"}, {"name": "z"}]),
    "generated key, one": lambda: (insert(User), {"name": "x"}),
    "generated key, values": lambda: (insert(User).values(name="x"), None),
    "single-table subclass": lambda: (
        insert(Cat),
        [{"id": 50, "name": "c", "kind": AnimalKind.CAT, "lives": 3}],
    ),
    "single-table subclass, discriminator left out": lambda: (
        insert(Cat),
        [{"id": 50, "name": "c", "lives": 3}],
    ),
    "dataclass subclass": lambda: (insert(DataBook), [{"id": 50, "name": "b", "pages": 1}]),
    "joined subclass's table": lambda: (
        insert(House.__table__),
        [{"asset_id": 1, "rooms": 2}],
    ),
    "duplicate key": lambda: (insert(Tag), [{"id": 1, "label": "again"}]),
    "missing column": lambda: (insert(Tag), [{"id": 50}]),
    "wrong type": lambda: (insert(Sample), [{"id": 50, "money": "no money"}]),
}

UPDATES: dict[str, Case] = {
    "all": lambda: (update(User).values(age=1), None),
    "where": lambda: (update(User).where(User.id == 1).values(age=User.age + 1), None),
    "nobody": lambda: (update(User).where(User.id == 99).values(age=1), None),
    "parameters as values": lambda: (update(User).where(User.id == 1), {"age": 77}),
    "by attribute": lambda: (update(Renamed).values({Renamed.a: "x", Renamed.b: Renamed.a}), None),
    "attribute names": lambda: (update(Renamed).values(a="x", b="y", klass="z", keyed="k"), None),
    "ordered values": lambda: (update(Renamed).ordered_values((Renamed.a, "x"), ("b", "y")), None),
    "column objects": lambda: (update(Renamed).values({Renamed.__table__.c.b: "x"}), None),
    "composite": lambda: (update(Segment).values({Segment.start: Point(8, 9)}), None),
    "composite by name": lambda: (update(Segment).values(start=Point(8, 9)), None),
    "synonym": lambda: (update(Invoice).values(tax=9), None),
    "typed": lambda: (
        update(Sample).values(
            money=Money(9), colour=Colour.GREEN, uid=None, moment=dt.datetime(1, 1, 1)
        ),
        None,
    ),
    "onupdate": lambda: (update(Stamped).values(label="z"), None),
    "bind in where": lambda: (
        update(User).where(User.id == bindparam("key")).values(age=bindparam("years")),
        {"key": 2, "years": 5},
    ),
    "bind in where, attribute as parameter": lambda: (
        update(User).where(User.id == bindparam("key")),
        {"key": 2, "age": 5},
    ),
    "by primary key": lambda: (
        update(User),
        [{"id": 1, "age": 5}, {"id": 2, "age": 6}, {"id": 3, "age": None}],
    ),
    "by primary key, renamed": lambda: (
        update(Renamed),
        [{"key": 1, "a": "1a", "b": "1b"}, {"key": 2, "a": "2a", "b": None}],
    ),
    "by primary key, composite": lambda: (
        update(Pair),
        [{"left": 1, "right": "a", "value": "x"}, {"left": 0, "right": "", "value": None}],
    ),
    "by primary key, typed": lambda: (update(Keyed), [{"key": ("a", 1), "name": "x"}]),
    "by primary key, one": lambda: (update(User), [{"id": 1, "age": 5, "nickname": "five"}]),
    "by primary key, different keys": lambda: (
        update(User),
        [{"id": 1, "age": 5}, {"id": 2, "nickname": "two"}, {"id": 3, "age": 6}],
    ),
    "by primary key, onupdate": lambda: (update(Stamped), [{"id": 1, "label": "z"}]),
    "by primary key, nobody": lambda: (update(User), [{"id": 99, "age": 5}]),
    "by primary key, key left out": lambda: (update(User), [{"age": 5}]),
    "from another table": lambda: (
        update(Post)
        .where(Post.author_id == User.id, User.name == "ann")
        .values(body=User.name)
        .execution_options(**NO_SYNC),
        None,
    ),
    "subquery": lambda: (
        update(User).values(
            age=select(func.count(Post.id)).where(Post.author_id == User.id).scalar_subquery()
        ),
        None,
    ),
    "single-table subclass": lambda: (update(Cat).values(lives=1), None),
    "single-table base": lambda: (update(Animal).values(name="all"), None),
    "joined base": lambda: (update(Person).values(name="all"), None),
    "a table": lambda: (update(post_tags).values(weight=0), None),
    "a table, a list": lambda: (
        update(post_tags).where(post_tags.c.post_id == bindparam("post")),
        [{"post": 1, "weight": 7}, {"post": 3, "weight": 8}],
    ),
    "version counter": lambda: (update(Versioned).values(name="v"), None),
    "no synchronisation": lambda: (
        update(User).values(age=0).execution_options(synchronize_session=False),
        None,
    ),
    "violation": lambda: (update(Tag).values(label="same"), None),
}

DELETES: dict[str, Case] = {
    "where": lambda: (delete(Tag).where(Tag.id == 3), None),
    "nobody": lambda: (delete(Tag).where(Tag.id == 99), None),
    "bind": lambda: (delete(Tag).where(Tag.id == bindparam("key")), {"key": 3}),
    "in list": lambda: (delete(Tag).where(Tag.id.in_([3, 99])), None),
    "subquery": lambda: (
        delete(Tag).where(Tag.id.not_in(select(post_tags.c.tag_id))).execution_options(**NO_SYNC),
        None,
    ),
    "a table": lambda: (delete(post_tags), None),
    "single-table subclass": lambda: (delete(Cat), None),
    "violation": lambda: (delete(User).where(User.id == 1), None),
}

RETURNING: dict[str, Case] = {
    "insert, model": lambda: (insert(User).values(id=50, name="x").returning(User), None),
    "insert, model, one": lambda: (insert(User).returning(User), new_users(50)[0]),
    "insert, model, a list": lambda: (insert(User).returning(User), new_users(50, 51, 52)),
    "insert, model, in order": lambda: (
        insert(User).returning(User, sort_by_parameter_order=True),
        new_users(52, 50, 51),
    ),
    "insert, generated keys in order": lambda: (
        insert(User).returning(User, sort_by_parameter_order=True),
        [{"name": "c"}, {"name": "a"}, {"name": "b"}],
    ),
    "insert, column in order": lambda: (
        insert(User).returning(User.id, User.name, sort_by_parameter_order=True),
        [{"name": "c"}, {"name": "a"}, {"name": "b"}],
    ),
    "insert, columns": lambda: (insert(User).returning(User.id, User.name), new_users(50, 51)),
    "insert, model and column": lambda: (insert(User).returning(User, User.id), new_users(50, 51)),
    "insert, model and function": lambda: (
        insert(User).returning(User, func.upper(User.name).label("up")),
        new_users(50, 51),
    ),
    "insert, column and model": lambda: (insert(User).returning(User.name, User), new_users(50)),
    "insert, table": lambda: (insert(User).returning(User.__table__), new_users(50)),
    "insert, table into table": lambda: (
        insert(User.__table__).returning(User.__table__.c.id),
        new_users(50, 51),
    ),
    "insert, table and model": lambda: (insert(User.__table__).returning(User), new_users(50)),
    "insert, bundle": lambda: (
        insert(User).returning(Bundle("b", User.id, User.name)),
        new_users(50),
    ),
    "insert, several values": lambda: (
        insert(Tag).values([{"id": 50, "label": "a"}, {"id": 51, "label": "b"}]).returning(Tag),
        None,
    ),
    "insert, from select": lambda: (
        insert(Tag).from_select(["id", "label"], select(User.id + 100, User.name)).returning(Tag),
        None,
    ),
    "insert, defaults": lambda: (insert(Stamped).returning(Stamped), [{"id": 50, "label": "x"}]),
    "insert, renamed": lambda: (
        insert(Renamed).returning(Renamed),
        [{"key": 50, "a": "A", "b": "B"}],
    ),
    "insert, all types": lambda: (insert(Sample).returning(Sample), [{"id": 50, **full_sample()}]),
    "insert, composites": lambda: (
        insert(Segment).returning(Segment),
        [{"id": 50, "start_x": 1, "start_y": 2}],
    ),
    "insert, composite column": lambda: (
        insert(Segment).returning(Segment.start, Segment.id),
        [{"id": 50, "start_x": 1, "start_y": 2}],
    ),
    "insert, dataclass": lambda: (insert(DataPoint).returning(DataPoint), [{"x": 1}]),
    "insert, deferred columns": lambda: (insert(PostInit).returning(PostInit), [{"id": 50}]),
    "insert, mutables": lambda: (
        insert(Mutables).returning(Mutables),
        [{"id": 50, "mapping": {"a": 1}, "sequence": [1]}],
    ),
    "insert, subclass": lambda: (
        insert(Cat).returning(Cat),
        [{"id": 50, "kind": AnimalKind.CAT, "lives": 3}],
    ),
    "insert, base of subclasses": lambda: (
        insert(Animal).returning(Animal),
        [{"id": 50, "kind": AnimalKind.CAT}, {"id": 51, "kind": AnimalKind.DOG}],
    ),
    "insert, column property": lambda: (
        insert(Invoice).returning(Invoice.id, Invoice.gross, Invoice.double),
        [{"id": 50, "net": 1, "vat": 2}],
    ),
    "insert, literal": lambda: (insert(Tag).returning(literal(1), Tag), [{"id": 50, "label": "x"}]),
    "insert, load_only": lambda: (
        insert(User).returning(User).options(load_only(User.name)),
        new_users(50),
    ),
    "update, model": lambda: (update(User).values(age=1).returning(User), None),
    "update, model and column": lambda: (
        update(User).where(User.id < 3).values(age=1).returning(User, User.name.label("n")),
        None,
    ),
    "update, columns": lambda: (
        update(User).values(age=User.id).returning(User.id, User.age),
        None,
    ),
    "update, nobody": lambda: (
        update(User).where(User.id > 90).values(age=1).returning(User),
        None,
    ),
    "update, parameters": lambda: (update(User).where(User.id == 1).returning(User), {"age": 5}),
    "update, typed": lambda: (update(Sample).values(money=Money(1)).returning(Sample), None),
    "update, subclass": lambda: (update(Cat).values(lives=1).returning(Cat), None),
    "update, base of subclasses": lambda: (update(Animal).values(name="x").returning(Animal), None),
    "update, renamed": lambda: (update(Renamed).values(a=Renamed.b).returning(Renamed), None),
    "update, composite": lambda: (
        update(Segment).values({Segment.start: Point(1, 1)}).returning(Segment),
        None,
    ),
    "update, load_only": lambda: (
        update(User).values(age=1).returning(User).options(load_only(User.name)),
        None,
    ),
    "update, onupdate": lambda: (update(Stamped).values(label="z").returning(Stamped), None),
    "delete, model": lambda: (delete(Tag).where(Tag.id == 3).returning(Tag), None),
    "delete, columns": lambda: (delete(Tag).where(Tag.id == 3).returning(Tag.label), None),
    "delete, mixed": lambda: (delete(Tag).where(Tag.id == 3).returning(Tag, literal("gone")), None),
    "delete, table": lambda: (delete(post_tags).returning(post_tags), None),
}


@pytest.mark.parametrize("name", INSERTS)
def test_insert(oracle: Oracle, name: str) -> None:
    """What is stored is what the ORM stores."""
    statement, parameters = INSERTS[name]()
    for _ in range(2):
        oracle.compare(statement, parameters, read=lambda result: None)


@pytest.mark.parametrize("name", UPDATES)
def test_update(oracle: Oracle, name: str) -> None:
    statement, parameters = UPDATES[name]()
    for _ in range(2):
        oracle.compare(statement, parameters, read=rows_only)


@pytest.mark.parametrize("name", DELETES)
def test_delete(oracle: Oracle, name: str) -> None:
    statement, parameters = DELETES[name]()
    for _ in range(2):
        oracle.compare(statement, parameters)


@pytest.mark.parametrize("name", RETURNING)
def test_returning(oracle: Oracle, name: str) -> None:
    statement, parameters = RETURNING[name]()
    for _ in range(2):
        oracle.compare(statement, parameters)


@pytest.mark.parametrize("name", [name for name in RETURNING if not name.startswith("delete")])
def test_returning_again_with_scalars(oracle: Oracle, name: str) -> None:
    statement, parameters = RETURNING[name]()
    oracle.compare(statement, parameters, read=lambda result: result.scalars().all())


def rows_only(result: Any) -> Any:
    """Nothing: a result without rows has a row count, which the ORM's bulk statements lack."""
    return None if not getattr(result, "returns_rows", False) else result.all()


def test_rowcount(oracle: Oracle) -> None:
    """The number of rows that a statement matched, lists of parameters included."""

    def read(statement: Any, parameters: Any = None) -> Any:
        async def work(session: Any) -> Any:
            return (await session.execute(statement, parameters)).rowcount

        return oracle.naked(work)

    assert read(update(User).where(User.id < 3).values(age=0)) == 2
    assert read(update(User).where(User.id > 90).values(age=0)) == 0
    assert read(delete(Tag).where(Tag.id == 3)) == 1
    # asyncpg does not tell how many rows a list of parameters matched.
    two = -1 if oracle.backend == "asyncpg" else 2
    assert read(update(User), [{"id": 1, "age": 0}, {"id": 2, "age": 0}]) == two
    assert read(update(User), [{"id": 1, "age": 0}, {"id": 2, "nickname": "x"}]) == 2


def test_result_without_rows(oracle: Oracle) -> None:
    """``scalars()`` and ``all()`` of a statement without RETURNING are SQLAlchemy's error."""
    for statement, parameters in (
        (update(User).values(age=0), None),
        (insert(User), new_users(50)),
        (delete(Tag).where(Tag.id == 3), None),
    ):
        for read in (
            lambda result: result.all(),
            lambda result: result.scalars().all(),
            lambda result: result.first(),
            lambda result: result.scalar(),
            lambda result: result.mappings().all(),
        ):

            async def work(
                session: Any,
                statement: Any = statement,
                parameters: Any = parameters,
                read: Any = read,
            ) -> Any:
                return read(await session.execute(statement, parameters))

            with pytest.raises(exc.ResourceClosedError):
                oracle.naked(work)


def test_inserted_primary_key(oracle: Oracle) -> None:
    async def work(session: Any) -> Any:
        result = await session.execute(insert(User).values(id=60, name="x"))
        return result.inserted_primary_key

    assert tuple(oracle.naked(work)) == (60,)


def stored(oracle: Oracle, statement: Any, parameters: Any, look: Any) -> list[Any]:
    """Run a statement, and give the rows of ``look`` afterwards."""

    async def work(session: Any) -> list[Any]:
        await session.execute(statement, parameters)
        return [tuple(row) for row in (await session.execute(look)).all()]

    return oracle.naked(work)


def test_different_keys(oracle: Oracle) -> None:
    """Each row gets what its own dictionary said, in the order of the list."""
    look = (
        select(User.id, User.name, User.nickname, User.age).where(User.id >= 50).order_by(User.id)
    )
    rows = [
        {"id": 50, "name": "a"},
        {"id": 51, "name": "b", "age": 1},
        {"id": 52, "name": "c", "nickname": "n"},
        {"name": "d", "id": 53, "nickname": "n", "age": None},
        {"id": 54, "name": "e"},
    ]
    assert stored(oracle, insert(User), rows, look) == [
        (50, "a", None, None),
        (51, "b", None, 1),
        (52, "c", "n", None),
        (53, "d", "n", None),
        (54, "e", None, None),
    ]
    made = oracle.rows(insert(User).returning(User, sort_by_parameter_order=True), rows)
    assert [(u.id, u.nickname, u.age) for (u,) in made] == [
        (50, None, None), (51, None, 1), (52, "n", None), (53, "n", None), (54, None, None),
    ]  # fmt: skip


def test_different_keys_get_their_defaults(oracle: Oracle) -> None:
    """A key that a dictionary leaves out gets its default; one that says None gets NULL."""
    look = select(Post.id, Post.stars, Post.body).where(Post.id >= 50).order_by(Post.id)
    rows = [
        {"id": 50, "title": "a", "stars": 9},
        {"id": 51, "title": "b"},
        {"id": 52, "title": "c", "body": None},
    ]
    assert stored(oracle, insert(Post), rows, look) == [(50, 9, None), (51, 3, None), (52, 3, None)]
    stamped = [{"id": 50, "by_server": "own"}, {"id": 51}]
    look = select(Stamped.by_server).where(Stamped.id >= 50).order_by(Stamped.id)
    assert stored(oracle, insert(Stamped), stamped, look) == [("own",), ("server",)]


def test_attribute_names_beat_column_names(oracle: Oracle) -> None:
    """Where the one's attribute is the other's column, a key means the attribute."""
    look = select(Renamed.a, Renamed.b, Renamed.keyed).where(Renamed.key == 1)
    new = {"a": "x", "b": "y", "keyed": "k"}
    assert stored(oracle, update(Renamed), new, look) == [("x", "y", "k")]
    assert stored(oracle, update(Renamed).values(**new), None, look) == [("x", "y", "k")]
    assert stored(oracle, update(Renamed), [{"key": 1, **new}], look) == [("x", "y", "k")]
    look = select(Doubled.name, Doubled.again).where(Doubled.id == 50)
    assert stored(oracle, insert(Doubled), [{"id": 50, "name": "n"}], look) == [("n", "n")]


def test_column_names_where_no_attribute_has_them(oracle: Oracle) -> None:
    look = select(Renamed.name, Renamed.klass).where(Renamed.key == 50)
    row = {"id": 50, "full name": "f", "class": "c"}
    assert stored(oracle, insert(Renamed), [row], look) == [("f", "c")]


def test_explicit_null_is_stored(oracle: Oracle) -> None:
    look = select(DataPoint.label, DataPoint.note).where(DataPoint.id == 50)
    rows = [{"id": 50, "x": 1, "label": "l", "note": None}]
    assert stored(oracle, insert(DataPoint), rows, look) == [("l", None)]


@pytest.mark.parametrize("returning", [(), (User,), (User, User.id), (User.id,)])
def test_empty_list_inserts_nothing(oracle: Oracle, returning: Any) -> None:
    statement = insert(User).returning(*returning) if returning else insert(User)

    async def work(session: Any) -> Any:
        with oracle.recorded() as executed:
            result = await session.execute(statement, [])
        assert executed == []
        if returning:
            assert result.all() == []
            expected = [getattr(item, "__name__", None) or item.key for item in returning]
            assert list(result.keys()) == expected
        return (await session.execute(select(func.count()).select_from(User))).scalar_one()

    assert oracle.naked(work) == 5


def test_empty_list_updates_and_deletes_nothing(oracle: Oracle) -> None:
    async def work(session: Any) -> Any:
        with oracle.recorded() as executed:
            await session.execute(update(User), [])
            await session.execute(update(User).values(age=1), [])
            await session.execute(delete(Tag), [])
            await session.execute(insert(User.__table__), [])
        return executed

    assert oracle.naked(work) == []


def test_many_rows(oracle: Oracle) -> None:
    """More rows than one INSERT of ``insertmanyvalues`` holds, in the order they were given."""
    rows = [{"name": f"n{n % 7}", "age": n} for n in range(2500)]
    made = oracle.rows(insert(User).returning(User, sort_by_parameter_order=True), rows)
    assert [(u.name, u.age) for (u,) in made] == [(row["name"], row["age"]) for row in rows]
    if oracle.postgresql:
        assert len({u.id for (u,) in made}) == 2500


def test_parameters_are_not_changed(oracle: Oracle) -> None:
    rows = [{"key": 50, "a": "A", "b": "B"}, {"key": 51, "a": "A", "b": "B"}]
    before = [dict(row) for row in rows]
    oracle.rows(insert(Renamed).returning(Renamed), rows)
    oracle.rows(insert(Renamed).returning(Renamed), rows[0])
    segment = {"id": 50, "start": Point(1, 2)}
    oracle.rows(insert(Segment).returning(Segment), [segment])
    assert rows == before
    assert segment == {"id": 50, "start": Point(1, 2)}


# --- what is refused ---

UNKNOWN: dict[str, tuple[Any, Any, str, str]] = {
    "insert, a list": (insert(User), [{"id": 50, "name": "x", "colour": 1}], "colour", "User"),
    "insert, one": (insert(User), {"id": 50, "name": "x", "colour": 1}, "colour", "User"),
    "insert, later in a list": (
        insert(User),
        [{"id": 50, "name": "x"}, {"id": 51, "name": "y", "colour": 1}],
        "colour",
        "User",
    ),
    "insert, a relationship": (
        insert(User),
        [{"id": 50, "name": "x", "posts": []}],
        "posts",
        "User",
    ),
    "insert, a method": (
        insert(User),
        [{"id": 50, "name": "x", "greeting": 1}],
        "greeting",
        "User",
    ),
    "insert, an attribute of another": (insert(User), [{"id": 50, "title": "x"}], "title", "User"),
    "insert, not a string": (insert(User), [{"id": 50, "name": "x", 7: 1}], "7", "User"),
    "insert, returning": (insert(User).returning(User), [{"id": 5, "colour": 1}], "colour", "User"),
    "insert, values": (insert(User).values(id=50, name="x", colour=1), None, "colour", "User"),
    "insert, several values": (
        insert(User).values([{"id": 50, "name": "x", "colour": 1}]),
        None,
        "colour",
        "User",
    ),
    "insert, a table": (insert(post_tags), [{"post_id": 4, "tag_id": 3, "c": 1}], "c", "post_tags"),
    "insert, a hybrid": (insert(Invoice), [{"id": 50, "net": 1, "double": 2}], "double", "Invoice"),
    "insert, a column property": (
        insert(Invoice),
        [{"id": 50, "net": 1, "gross": 2}],
        "gross",
        "Invoice",
    ),
    "update, parameters": (update(User), {"colour": 1}, "colour", "User"),
    "update, one known": (update(User), {"age": 1, "colour": 1}, "colour", "User"),
    "update, values": (update(User).values(colour=1), None, "colour", "User"),
    "update, a list": (update(User), [{"id": 1, "colour": 1}], "colour", "User"),
    "update, a table": (update(post_tags), {"c": 1}, "c", "post_tags"),
    "delete": (delete(Tag).where(Tag.id == bindparam("key")), {"key": 1, "kee": 2}, "kee", "Tag"),
    "delete, no binds": (delete(Tag).where(Tag.id == 3), {"id": 3}, "id", "Tag"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_key(oracle: Oracle, name: str) -> None:
    """An unknown key is an error that names it and the model; nothing reaches the database."""
    statement, parameters, key, model = UNKNOWN[name]

    async def work(session: Any) -> Any:
        with oracle.recorded() as executed, pytest.raises(UnknownAttribute) as caught:
            await session.execute(statement, parameters)
        assert executed == []
        return str(caught.value)

    message = oracle.naked(work)
    assert key in message
    assert model in message


def test_joined_base_with_inline_subclasses(oracle: Oracle) -> None:
    """The ORM's bulk INSERT stumbles over the join that such a class is queried by."""

    async def work(session: Any) -> list[Any]:
        made = await session.execute(
            insert(Person).returning(Person), [{"id": 50, "name": "p"}, {"id": 49, "name": "q"}]
        )
        return made.scalars().all()

    assert [(p.id, p.name, p.kind) for p in oracle.naked(work)] == [
        (50, "p", "person"),
        (49, "q", "person"),
    ]


def test_joined_subclass_is_stored_whole(oracle: Oracle) -> None:
    """A class of two tables has a row in each of them."""

    async def work(session: Any) -> list[Any]:
        await session.execute(insert(House), [{"id": 50, "label": "x", "rooms": 2}])
        return (await session.execute(select(House).where(House.id == 50))).scalars().all()

    (house,) = oracle.naked(work)
    assert (house.id, house.house_id, house.label, house.rooms) == (50, 50, "x", 2)


def test_bulk_update_with_returning(oracle: Oracle) -> None:
    """Databases run one UPDATE for each dictionary: there are no rows to return."""
    with pytest.raises(InvalidStatement, match="returning"):
        oracle.rows(update(User).returning(User), [{"id": 1, "age": 2}])


def test_bulk_update_that_misses(oracle: Oracle) -> None:
    """Where the driver tells how many rows were matched, a row that is not there is an error."""
    error = oracle.compare(
        update(User), [{"id": 1, "age": 2}, {"id": 99, "age": 2}], read=rows_only
    )
    if oracle.backend != "asyncpg":
        assert isinstance(error, orm_exc.StaleDataError)


@pytest.mark.parametrize(
    "parameters", ["x", 7, ("x",), [1], object()], ids=lambda p: type(p).__name__
)
def test_bad_parameters(oracle: Oracle, parameters: Any) -> None:
    """What is no dictionary, or no list of dictionaries, is SQLAlchemy's error."""
    for statement in (
        insert(User),
        insert(User).returning(User),
        insert(User.__table__),
        update(User).values(age=1),
        update(User),
        delete(Tag),
        select(User),
        select(User.id),
        text("SELECT 1"),
    ):
        with pytest.raises((exc.ArgumentError, exc.StatementError)):
            oracle.rows(statement, parameters)


def test_dictionary_that_lacks_a_needed_key(oracle: Oracle) -> None:
    statement = insert(User).values(nickname=func.upper(bindparam("nick")))
    with pytest.raises(exc.StatementError):
        oracle.rows(statement, [{"id": 50, "name": "a", "nick": "x"}, {"id": 51, "name": "b"}])


def test_returned_objects_are_naked(oracle: Oracle) -> None:
    user = oracle.rows(insert(User).returning(User), new_users(50))[0][0]
    assert user.__class__ is User
    assert user.greeting() == "Hello user 50"
    with pytest.raises(NotLoadedError, match="posts"):
        user.posts  # noqa: B018 - reading it is the test
    user.name = "other"
    assert user.name == "other"


def test_generated_keys(oracle: Oracle) -> None:
    start = FIRST_GENERATED_KEY if oracle.postgresql else 6

    async def work(session: Any) -> Any:
        for statement in oracle.generated_keys_start([User.__table__]):
            await session.execute(statement)
        made = await session.execute(
            insert(User).returning(User.id, sort_by_parameter_order=True),
            [{"name": "a"}, {"name": "b"}],
        )
        return made.scalars().all()

    assert oracle.naked(work) == [start, start + 1]


def test_upsert(oracle: Oracle) -> None:
    """``ON CONFLICT`` of each dialect returns objects."""
    if oracle.postgresql:
        from sqlalchemy.dialects.postgresql import insert as dialect_insert
    else:
        from sqlalchemy.dialects.sqlite import insert as dialect_insert  # type: ignore[assignment]
    statement = dialect_insert(Tag)
    statement = statement.on_conflict_do_update(
        index_elements=[Tag.id], set_={"label": statement.excluded.label + "!"}
    ).returning(Tag)
    rows = [{"id": 1, "label": "one"}, {"id": 50, "label": "fifty"}]
    oracle.compare(statement, rows)
    assert {(t.id, t.label) for (t,) in oracle.rows(statement, rows)} == {
        (1, "one!"),
        (50, "fifty"),
    }
    nothing = dialect_insert(Tag).on_conflict_do_nothing().returning(Tag)
    oracle.compare(nothing, rows)
    assert [t.id for (t,) in oracle.rows(nothing, rows)] == [50]


def test_update_through_an_alias_reads_the_same(oracle: Oracle) -> None:
    other = aliased(User)
    statement = (
        update(User)
        .where(User.boss_id == other.id, other.name == "ann")
        .values(age=1)
        .returning(User)
    )
    oracle.compare(statement, ordered=False)


def test_text_dml(oracle: Oracle) -> None:
    """SQL text that writes works as it is, with one dictionary and with a list."""
    statement = text("INSERT INTO tags (id, label) VALUES (:id, :label)")
    look = select(Tag.id).where(Tag.id >= 50).order_by(Tag.id)
    assert stored(oracle, statement, {"id": 50, "label": "a"}, look) == [(50,)]
    rows = [{"id": 50, "label": "a"}, {"id": 51, "label": "b"}]
    assert stored(oracle, statement, rows, look) == [(50,), (51,)]
