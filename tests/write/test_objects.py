"""Rows by object: what comes back, what is checked, what is refused."""

from __future__ import annotations

import dataclasses
import random
from collections import namedtuple
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Connection, event, exc, func, inspect, null, select, text, update
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla.backends.base import Backend
from naked_sqla.exception import InvalidStatement, NotLoadedError, UnknownAttribute
from naked_sqla.objects.convert import to_naked, to_orm
from naked_sqla.read import statement as statements
from naked_sqla.read.lookup import get
from naked_sqla.write import objects as writing
from naked_sqla.write import ordering

from ..models.blog import Hub, Post, Stamped, Tag, User, Versioned
from ..models.columns import Invoice, Pair, Point, Renamed, Segment
from ..models.inheritance import AnimalKind, Cat, Director, Engineer, House, Manager, Person
from ..models.styles import DataPoint
from ..models.types import Mutables, Sample
from ..oracle import Oracle
from ._writing import outcome


def run(oracle: Oracle, work: Any, model: Any = Tag, empty: bool = True) -> Any:
    """Run ``work`` in a transaction that is rolled back; its error comes out."""
    value, _ = outcome(oracle, model, work, empty)
    if isinstance(value, Exception):
        raise value
    return value


def rows_of(conn: Connection, model: Any) -> list[tuple[Any, ...]]:
    table = model.__table__
    return [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]


@dataclasses.dataclass
class NewTag:
    label: str
    id: int | None = None


class TagModel(BaseModel):
    label: str
    id: int | None = None


LabelOnly = namedtuple("LabelOnly", ["label"])


def test_insert_leaves_the_object_alone(oracle: Oracle) -> None:
    """What was not set is left out; keys and defaults come back in a new naked object."""

    def work(conn: Connection) -> None:
        given = Stamped(label="x")
        before = dict(vars(given))
        stored = writing.insert(conn, given)
        assert {k: v for k, v in vars(given).items() if k[0] != "_"} == {"label": "x"}
        assert vars(given) == before
        assert inspect(given).transient
        assert stored is not given
        assert (stored.label, stored.by_client, stored.by_server) == ("x", "client", "server")
        assert stored.by_context == "from x"
        assert stored.by_expression == 4
        assert get(conn, Stamped, stored.id).changed == "new"

    run(oracle, work, Stamped)


@pytest.mark.parametrize(
    "given",
    [
        lambda: {"label": "a"},
        lambda: NewTag("a"),
        lambda: TagModel(label="a"),
        lambda: LabelOnly("a"),
        lambda: Tag(label="a"),
    ],
)
def test_kinds_of_objects(oracle: Oracle, given: Any) -> None:
    obj = given()
    model = None if isinstance(obj, Tag) else Tag

    def work(conn: Connection) -> None:
        one = writing.insert(conn, obj, model=model)
        assert one.label == "a"
        writing.delete(conn, one)
        (many,) = writing.insert_all(conn, [obj], model=model)
        assert many.__class__ is Tag
        many.label = "b"
        assert writing.update(conn, many).label == "b"

    run(oracle, work)


def test_loaded_objects_are_written_without_their_relationships(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        options = selectinload(User.posts)
        ann = statements.execute(
            conn, select(User).where(User.id == 1).options(options)
        ).scalar_one()
        assert ann.posts
        ann.name = "Ann"
        stored = writing.update(conn, ann)
        assert stored.name == "Ann"
        with pytest.raises(NotLoadedError):
            stored.posts  # noqa: B018
        copy = writing.insert(conn, {**vars(ann), "id": 77, "posts": None}, model=User)
        assert copy.id == 77

    with pytest.raises(UnknownAttribute, match="posts"):
        run(oracle, work, Tag)


def test_order_of_many(oracle: Oracle) -> None:
    """One statement for a thousand rows, in their order, on each driver."""
    labels = [f"label {i}" for i in range(1500)]
    random.Random(7).shuffle(labels)

    def work(conn: Connection) -> None:
        executed: list[str] = []
        event.listen(conn, "before_execute", lambda c, s, *rest: executed.append(str(type(s))))
        stored = writing.insert_all(conn, [Tag(label=label) for label in labels])
        assert [tag.label for tag in stored] == labels
        assert len(executed) == 1
        keys = [tag.id for tag in stored]
        assert keys == sorted(keys)
        assert rows_of(conn, Tag) == [(tag.id, tag.label) for tag in stored]

    run(oracle, work)


def returned_as(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    """Have the rows of an INSERT come back in another order, on SQLite."""
    proof = ordering._Proof

    def changed(conn: Any, table: Any, returned: Any) -> Any:
        return proof(conn, table, returned._replace(found=change(returned.found)))

    monkeypatch.setattr(ordering, "_Proof", changed)


@pytest.mark.parametrize("oracle", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(5))
def test_order_is_proven(oracle: Oracle, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says that the rows of RETURNING come in any order; here they do."""
    chance = random.Random(seed)
    returned_as(monkeypatch, lambda rows: chance.sample(rows, len(rows)))
    given = [Stamped(label=chance.choice("abc"), by_callable=i % 4) for i in range(50)]

    def work(conn: Connection) -> None:
        # the second time the direct way
        for _ in range(2):
            stored = writing.insert_all(conn, given)
            assert [(s.label, s.by_callable) for s in stored] == [
                (g.label, g.by_callable) for g in given
            ]
            assert len({s.id for s in stored}) == len(stored)
            for obj in stored:
                assert vars(get(conn, Stamped, obj.id)) == vars(obj)

    run(oracle, work, Stamped)


@pytest.mark.parametrize("oracle", ["sqlite"], indirect=True)
def test_order_where_values_change_their_form(oracle: Oracle) -> None:
    """Columns whose values do not come back as they were given can't tell rows apart."""

    def work(conn: Connection) -> None:
        rows = [{"upper": "abc"[i % 3], "integer": i} for i in range(9)]
        stored = writing.insert_all(conn, rows, model=Sample)
        assert [s.integer for s in stored] == list(range(9))
        rows = [{"upper": "abc"[i % 3]} for i in range(9)]
        stored = writing.insert_all(conn, rows, model=Sample)
        assert [s.upper.lower() for s in stored] == ["abc"[i % 3] for i in range(9)]

    run(oracle, work, Sample)


@pytest.mark.parametrize("oracle", ["sqlite"], indirect=True)
def test_order_that_nothing_proves(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"upper": letter} for letter in "abc"]

    def refused(conn: Connection) -> None:
        with monkeypatch.context() as patch:
            returned_as(patch, lambda rows: rows[::-1])
            with pytest.raises(InvalidStatement, match="batch_size=1"):
                writing.insert_all(conn, rows, model=Sample)

    def work(conn: Connection) -> None:
        refused(conn)
        writing.insert_all(conn, rows, model=Sample)
        # by the direct way, which is known now
        refused(conn)
        stored = writing.insert_all(conn, rows, model=Sample, batch_size=1)
        assert [s.upper.lower() for s in stored] == ["a", "b", "c"]

    run(oracle, work, Sample)


@pytest.mark.parametrize("oracle", ["sqlite"], indirect=True)
def test_rows_that_a_trigger_leaves_out(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        conn.execute(
            text(
                "CREATE TRIGGER no_b BEFORE INSERT ON tags WHEN NEW.label = 'b' "
                "BEGIN SELECT RAISE(IGNORE); END"
            )
        )
        with pytest.raises(InvalidStatement, match="3 rows were given and 2 came back"):
            writing.insert_all(conn, [Tag(label=label) for label in "abc"])

    run(oracle, work)


def test_batches(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        sizes: list[int] = []
        event.listen(conn, "before_execute", lambda c, s, m, p, o: sizes.append(len(m) or 1))
        stored = writing.insert_all(conn, [Tag(label=str(i)) for i in range(10)], batch_size=4)
        assert sizes == [4, 4, 2]
        assert [tag.label for tag in stored] == [str(i) for i in range(10)]
        assert writing.insert_all(conn, []) == []

    run(oracle, work)


def test_classes_and_columns_mixed(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        given = [
            Engineer(name="e", language="py"),
            Manager(name="m", budget=3),
            Person(name="p"),
            Director(name="d", budget=1, car="c"),
            Engineer(name="f"),
        ]
        stored = writing.insert_all(conn, given)
        assert [s.__class__ for s in stored] == [type(g) for g in given]
        assert [s.name for s in stored] == ["e", "m", "p", "d", "f"]
        assert stored[3].manager_id == stored[3].id
        assert stored[0].kind == "engineer"
        house = writing.insert(conn, House(id=50, label="h", rooms=2))
        assert (house.house_id, house.rooms, house.label) == (house.id, 2, "h")
        house.rooms, house.label = 3, "i"
        assert vars(writing.update(conn, house)) == vars(house)
        assert writing.update(conn, House, house.id, rooms=House.rooms + 1).rooms == 4
        before = len(rows_of(conn, Person))
        assert writing.delete_all(conn, [house, *stored]) == 6
        assert len(rows_of(conn, Person)) == before - 5

    run(oracle, work, Person, empty=False)


def test_expressions_and_nulls(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        post = writing.insert(conn, Post(title=func.upper("x"), stars=None))
        assert (post.title, post.stars) == ("X", 3)
        many = writing.insert_all(
            conn, [Post(title="a"), Post(title=func.lower("B")), Post(title="c")]
        )
        assert [p.title for p in many] == ["a", "b", "c"]
        stored = writing.update(conn, Post, post.id, stars=Post.stars + 4, body="new")
        assert (stored.stars, stored.body) == (7, "new")
        assert writing.update(conn, Post, {"id": post.id}, body=null()).body is None
        assert writing.update(conn, Post, post.id, body="x", returning=False) == 1

    run(oracle, work, Post)


def test_update_fields(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        ann = get(conn, User, 1)
        ann.name, ann.age = "Ann", 99
        stored = writing.update(conn, ann, "age")
        assert (stored.name, stored.age) == ("ann", 99)
        assert writing.update(conn, ann, User.name).name == "Ann"
        users = [get(conn, User, key) for key in (3, 1, 2)]
        for user in users:
            user.age = user.id * 10
        found = writing.update_all(conn, users, "age")
        assert [(u.id, u.age) for u in found] == [(3, 30), (1, 10), (2, 20)]
        assert writing.update_all(conn, users, returning=False) == 3
        partial = {"id": 2, "nickname": "b"}
        assert writing.update(conn, partial, model=User).nickname == "b"
        assert get(conn, User, 2).age == 20
        segment = writing.insert(conn, Segment(start=Point(1, 2), end=Point(3, 4)))
        segment.start = Point(8, 9)
        assert writing.update(conn, segment).start == Point(8, 9)
        pair = writing.insert(conn, Pair(left=50, right="z", value="v"))
        assert writing.update(conn, Pair, (50, "z"), value="w").value == "w"
        assert writing.delete(conn, Pair, (50, "z"))
        renamed = writing.insert(conn, Renamed(key=50, a="A", b="B", keyed="k"))
        renamed.a = "C"
        assert (writing.update(conn, renamed).a, renamed.b) == ("C", "B")
        assert pair.left == 50

    run(oracle, work, Segment)


def test_rows_that_are_gone(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        tags = writing.insert_all(conn, [Tag(label=label) for label in "abc"])
        keys = [tag.id for tag in tags]
        writing.delete(conn, Tag, keys[1])
        for tag in tags:
            tag.label *= 2
        gone = pytest.raises(StaleDataError, match=f"Tag: .*primary key {keys[1]} is gone")
        with gone:
            writing.update(conn, tags[1])
        with gone:
            writing.update_all(conn, tags)
        with gone:
            writing.update_all(conn, tags, returning=False)
        with gone:
            writing.update(conn, Tag, keys[1], label="x")
        with gone:
            writing.delete(conn, tags[1])
        with gone:
            writing.delete_all(conn, tags)
        assert writing.delete(conn, tags[1], missing_ok=True) is False
        assert writing.delete(conn, Tag, keys[1], missing_ok=True) is False
        (again,) = writing.insert_all(conn, [Tag(label="z")])
        assert writing.delete_all(conn, [*tags, again], missing_ok=True) == 1
        with pytest.raises(StaleDataError, match="gone"):
            writing.update(conn, {"id": 12345}, model=Tag)

    run(oracle, work)


def test_one_batch(oracle: Oracle) -> None:
    """Loaded objects of one kind: one executemany, seen by the events of the cursor; of a row that
    is named twice the last values stay."""

    def work(conn: Connection) -> None:
        tags = writing.insert_all(conn, [Tag(label=label) for label in "abc"])
        seen: list[tuple[str, int]] = []

        @event.listens_for(conn, "before_cursor_execute")
        def note(conn: Any, cursor: Any, sql: str, parameters: Any, *rest: Any) -> None:
            if rest[-1]:
                seen.append((sql.split()[0], len(parameters)))

        again = get(conn, Tag, tags[0].id)
        for tag in tags:
            tag.label *= 2
        again.label = "last"
        stored = writing.update_all(conn, [*tags, again], "label")
        assert [tag.label for tag in stored] == ["last", "bb", "cc", "last"]
        assert len({id(tag) for tag in stored}) == 4
        assert seen == [("UPDATE", 4)]
        assert writing.update_all(conn, tags[1:2], returning=False) == 1

    run(oracle, work)


def test_a_value_that_can_not_be_converted(oracle: Oracle) -> None:
    """The error is SQLAlchemy's, with and without a listener for statements."""

    def work(conn: Connection) -> None:
        samples = writing.insert_all(
            conn, [{"uid": None, "integer": i} for i in (1, 2)], model=Sample
        )
        for sample in samples:
            sample.uid = "no uuid"
        for _ in range(2):
            with (
                pytest.raises(exc.StatementError, match=r"UUID|hex|replace") as raised,
                conn.begin_nested(),
            ):
                writing.update_all(conn, samples, "uid")
            assert "UPDATE samples" in str(raised.value.statement)
            event.listen(conn, "before_execute", lambda *args: None)

    run(oracle, work, Sample)


@pytest.mark.parametrize("size", [2, 500])
def test_many_keys(oracle: Oracle, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Of one column or two, numbers or texts, in several statements."""
    monkeypatch.setattr(Backend, "keys_per_statement", size)
    monkeypatch.setattr(Backend, "keys_per_array", size)

    def work(conn: Connection) -> None:
        tags = writing.insert_all(conn, [Tag(label=label) for label in "abcde"])
        assert [t.label for t in writing.update_all(conn, tags[::-1])] == list("edcba")
        pairs = [Pair(left=i, right=r, value="v") for i in (50, 51) for r in "xyz"]
        stored = writing.update_all(conn, writing.insert_all(conn, pairs))
        assert [(p.left, p.right) for p in stored] == [(p.left, p.right) for p in pairs]
        writing.delete(conn, Tag, tags[3].id)
        with pytest.raises(StaleDataError, match=f"key {tags[3].id} is gone"):
            writing.update_all(conn, tags)

    run(oracle, work)


def test_keys_in_another_form(oracle: Oracle) -> None:
    """A key that the database takes for another form of itself is found, as by an UPDATE."""

    def work(conn: Connection) -> None:
        (tag,) = writing.insert_all(conn, [Tag(label="a")])
        other = writing.insert(conn, Tag(label="b"))
        if not oracle.postgresql:
            tag.id = str(tag.id)
        tag.label = "x"
        assert [t.label for t in writing.update_all(conn, [tag, other])] == ["x", "b"]

    run(oracle, work)


def test_versions(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        one, two = writing.insert_all(conn, [Versioned(name="a"), Versioned(name="b")])
        assert (one.version, two.version) == (1, 1)
        one.name = "A"
        newer = writing.update(conn, one)
        assert newer.version == 2
        moved = pytest.raises(StaleDataError, match=f"primary key {one.id} has another version")
        for attempt in (
            lambda: writing.update(conn, one),
            lambda: writing.update_all(conn, [two, one]),
            lambda: writing.update_all(conn, [two, one], returning=False),
            lambda: writing.delete(conn, one),
            lambda: writing.delete_all(conn, [one]),
            lambda: writing.delete(conn, one, missing_ok=True),
            lambda: statements.execute(
                conn,
                update(Versioned),
                [
                    {"id": two.id, "name": "x", "version": two.version},
                    {"id": one.id, "name": "x", "version": one.version},
                ],
            ),
        ):
            with moved, conn.begin_nested():
                attempt()
        assert [v.version for v in writing.update_all(conn, [two, newer])] == [2, 3]
        assert writing.update(conn, Versioned, one.id, name="z").version == 4
        assert writing.update(conn, {"id": one.id, "name": "y"}, model=Versioned).version == 5
        assert writing.delete(conn, Versioned, one.id)

    run(oracle, work, Versioned)


def test_upserts(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        first = writing.upsert(conn, Tag(id=50, label="a"))
        assert (first.id, first.label) == (50, "a")
        assert writing.upsert(conn, Tag(id=50, label="b")).label == "b"
        given = [Tag(label="c"), Tag(id=50, label="d"), Tag(id=51, label="e"), Tag(label="f")]
        stored = writing.upsert_all(conn, given)
        assert [t.label for t in stored] == ["c", "d", "e", "f"]
        assert [t.id for t in stored[1:3]] == [50, 51]
        again = writing.upsert_all(conn, [Tag(label="d"), Tag(label="new")], on=["label"])
        assert again[0].id == 50
        assert again[1].label == "new"
        kept = writing.upsert(conn, Tag(id=50, label="zzz"), update=[])
        assert kept.label == "d"
        twice = writing.upsert_all(
            conn, [Tag(id=60, label="x"), Tag(id=61, label="y"), Tag(id=60, label="z")]
        )
        assert [t.label for t in twice] == ["x", "y", "z"]
        assert writing.upsert_all(conn, []) == []

    run(oracle, work)


def test_upserts_of_some_columns(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        writing.upsert(conn, Post(id=50, title="t", body="b", stars=9))
        stored = writing.upsert(conn, Post(id=50, title="u", body="c", stars=1), update=["body"])
        assert (stored.title, stored.body, stored.stars) == ("t", "c", 9)
        stored = writing.upsert(conn, Post(id=50, title="u", body=None))
        assert (stored.title, stored.body, stored.stars) == ("u", None, 9)
        version = writing.insert(conn, Versioned(id=50, name="a"))
        assert writing.upsert(conn, version).version == 2
        stamped = writing.insert(conn, Stamped(id=50, label="a"))
        assert writing.upsert(conn, {"id": 50, "label": "b"}, model=Stamped).changed == "changed"
        assert stamped.changed == "new"

    run(oracle, work, Post)


def test_fields_by_any_name(oracle: Oracle) -> None:
    """Names, attributes, columns of the table, inherited ones, composites."""

    def work(conn: Connection) -> None:
        segment = writing.insert(conn, Segment(id=50, start=Point(1, 2), end=Point(3, 4)))
        for n, field in enumerate((Segment.start, "start", "start_x", Segment.start_x)):
            segment.start, segment.end = Point(n + 10, 2), Point(9, 9)
            stored = writing.update(conn, segment, field)
            assert (stored.start, stored.end) == (Point(n + 10, 2), Point(3, 4))
            (stored,) = writing.update_all(conn, [segment], field)
            assert (stored.start, stored.end) == (Point(n + 10, 2), Point(3, 4))
        stored = writing.upsert(conn, segment, update=[Segment.end])
        assert (stored.start, stored.end) == (Point(13, 2), Point(9, 9))
        renamed = writing.insert(conn, Renamed(key=50, a="A", b="B"))
        renamed.a, renamed.b = "X", "Y"
        stored = writing.update(conn, renamed, Renamed.__table__.c.a)
        assert (stored.a, stored.b) == ("A", "Y")
        (stored,) = writing.update_all(conn, [renamed], Renamed.a)
        assert (stored.a, stored.b) == ("X", "Y")
        engineer = writing.insert(conn, Engineer(name="e", language="py"))
        engineer.name, engineer.language = "f", "c"
        stored = writing.update(conn, engineer, Person.name)
        assert (stored.name, stored.language) == ("f", "py")

    run(oracle, work, Segment)


async def never() -> AsyncIterator[Tag]:
    yield Tag()


REFUSALS: dict[str, tuple[Any, type[Exception], str]] = {
    "a dictionary without model": (
        lambda c: writing.insert(c, {"a": 1}),
        InvalidStatement,
        "model",
    ),
    "an object": (lambda c: writing.insert(c, object()), InvalidStatement, "object"),
    "a class": (lambda c: writing.insert(c, Tag), InvalidStatement, "given a class"),
    "a list": (lambda c: writing.upsert(c, [Tag()]), InvalidStatement, r"write upsert_all\("),
    "an async iterable": (
        lambda c: writing.insert_all(c, never()),
        InvalidStatement,
        "async for obj in",
    ),
    "None": (lambda c: writing.insert_all(c, [None]), InvalidStatement, "columns of None"),
    "no list": (lambda c: writing.insert_all(c, Tag(label="x")), InvalidStatement, "iterable"),
    "a dictionary of rows": (lambda c: writing.insert_all(c, {}), InvalidStatement, "iterable"),
    "an unknown key": (
        lambda c: writing.insert_all(c, [{"label": "x"}, {"lable": "y"}], model=Tag),
        UnknownAttribute,
        "lable.*'label'",
    ),
    "another class": (
        lambda c: writing.insert(c, Tag(label="x"), model=User),
        InvalidStatement,
        "Leave model out",
    ),
    "an unmapped model": (lambda c: writing.insert(c, {}, model=int), InvalidStatement, "int"),
    "a batch of none": (
        lambda c: writing.insert_all(c, [], batch_size=0),
        InvalidStatement,
        "batch_size=0",
    ),
    "update, unknown field": (
        lambda c: writing.update(c, Tag(id=1, label="x"), "lable"),
        UnknownAttribute,
        "lable",
    ),
    "update, a field that is not set": (
        lambda c: writing.update(c, Tag(id=1), "label"),
        UnknownAttribute,
        "no value for label",
    ),
    "update, the key": (
        lambda c: writing.update(c, Tag(id=1, label="x"), "id"),
        InvalidStatement,
        "primary key",
    ),
    "update, the key by value": (
        lambda c: writing.update(c, Tag, 1, id=2),
        InvalidStatement,
        "primary key",
    ),
    "update without a key": (
        lambda c: writing.update(c, Tag(label="x")),
        exc.InvalidRequestError,
        "No primary key value",
    ),
    "update, an object and values": (
        lambda c: writing.update(c, Tag(id=1), label="x"),
        InvalidStatement,
        "values come from the object",
    ),
    "update, no identity": (
        lambda c: writing.update(c, Tag, label="x"),
        exc.InvalidRequestError,
        "primary key",
    ),
    "update, half an identity": (
        lambda c: writing.update(c, Pair, 1, value="x"),
        exc.InvalidRequestError,
        "left, right",
    ),
    "update, unknown value": (
        lambda c: writing.update(c, Tag, 1, colour="x"),
        UnknownAttribute,
        "colour",
    ),
    "update, an attribute of another class": (
        lambda c: writing.update(c, Tag(id=1, label="x"), User.id),
        UnknownAttribute,
        "User.id is no attribute of Tag",
    ),
    "update, a column of another class": (
        lambda c: writing.update(c, Tag(id=1, label="x"), User.__table__.c.name),
        UnknownAttribute,
        "users.name is no column",
    ),
    "update, a relationship": (
        lambda c: writing.update(c, User(id=1, name="x"), User.posts),
        UnknownAttribute,
        "'posts' that could be stored",
    ),
    "update, a list of names": (
        lambda c: writing.update(c, Tag(id=1, label="x"), ["label"]),
        InvalidStatement,
        "one after the other",
    ),
    "update_all, a list of names": (
        lambda c: writing.update_all(c, [Tag(id=1, label="x")], ["label"]),
        InvalidStatement,
        "one after the other",
    ),
    "upsert, on a number": (
        lambda c: writing.upsert(c, Tag(id=1, label="x"), on=3),
        InvalidStatement,
        "3 names no attribute",
    ),
    "delete without a key": (
        lambda c: writing.delete(c, Tag(label="x")),
        exc.InvalidRequestError,
        "No primary key value",
    ),
    "delete, an object and a key": (
        lambda c: writing.delete(c, Tag(id=1), 1),
        InvalidStatement,
        "delete",
    ),
    "upsert, several tables": (
        lambda c: writing.upsert(c, Engineer(id=1)),
        InvalidStatement,
        "persons, engineers",
    ),
    "upsert, unknown on": (
        lambda c: writing.upsert(c, Tag(label="x"), on="name"),
        UnknownAttribute,
        "name",
    ),
    "upsert, on nothing": (
        lambda c: writing.upsert(c, Tag(label="x"), on=()),
        InvalidStatement,
        "unique constraint",
    ),
    "upsert, unknown update": (
        lambda c: writing.upsert(c, Tag(label="x"), update=["name"]),
        UnknownAttribute,
        "name",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(oracle: Oracle, name: str) -> None:
    """Before anything reaches the database."""
    attempt, kind, message = REFUSALS[name]

    def work(conn: Connection) -> None:
        executed: list[Any] = []
        event.listen(conn, "before_execute", lambda *args: executed.append(args))
        with pytest.raises(kind, match=message):
            attempt(conn)
        assert executed == []

    run(oracle, work)


def test_upsert_elsewhere(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle.engine.dialect, "name", "mysql")
    with pytest.raises(InvalidStatement, match="mysql has no INSERT"):
        run_plain(oracle, lambda conn: writing.upsert(conn, Tag(label="x")))


def run_plain(oracle: Oracle, work: Any) -> Any:
    async def main() -> Any:
        async with oracle.engine.connect() as conn:
            return await conn.run_sync(work)

    return oracle.run(main())


def test_to_orm_and_back(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        statement = select(User).where(User.id == 1).options(selectinload(User.posts))
        ann = statements.execute(conn, statement).scalar_one()
        instance = to_orm(ann)
        assert type(instance) is User
        assert inspect(instance).detached
        assert inspect(instance).unloaded >= {"posts", "boss"}
        instance.name = "changed"
        with Session(conn) as session:
            merged = session.merge(instance)
            session.flush()
            assert get(conn, User, 1).name == "changed"
            _ = merged.posts
            naked = to_naked(merged)
            assert naked.__class__ is User
            assert naked.name == "changed"
            assert [post.title for post in naked.posts] == [p.title for p in merged.posts]
            with pytest.raises(NotLoadedError):
                naked.boss  # noqa: B018
        mutable = statements.execute(conn, select(Mutables)).scalars().first()
        orm = to_orm(mutable)
        orm.mapping["new"] = 1
        assert inspect(orm).modified
        made = to_naked(User(name="x"))
        assert vars(made) == {"name": "x"}
        segment = to_naked(Segment(id=1, start_x=1, start_y=2))
        assert segment.start == Point(1, 2)

    run(oracle, work, Tag, empty=False)
    with pytest.raises(TypeError, match="naked_sqla"):
        to_orm(User(name="x"))
    for wrong in (User, object(), None, 7):
        with pytest.raises(TypeError, match="is not an instance of a mapped class"):
            to_naked(wrong)


def test_pydantic_says_what_was_set(oracle: Oracle) -> None:
    """An UPDATE takes what the caller has set; an INSERT the defaults of the model too."""

    class PostIn(BaseModel):
        id: int
        title: str = "untitled"
        stars: int = 2
        body: str | None = None

    def work(conn: Connection) -> None:
        stored = writing.insert(conn, PostIn(id=50), model=Post)
        assert (stored.title, stored.stars) == ("untitled", 2)
        stored = writing.update(conn, PostIn(id=50, body="b"), model=Post)
        assert (stored.title, stored.body) == ("untitled", "b")
        writing.update(conn, Post, 50, title="t", stars=5)
        assert writing.update(conn, PostIn(id=50, body=None), model=Post).title == "t"

    run(oracle, work, Post)


def test_dataclasses(oracle: Oracle) -> None:
    def work(conn: Connection) -> None:
        stored = writing.insert(conn, DataPoint(x=3))
        assert stored.x == 3
        assert isinstance(writing.insert(conn, Cat(id=50, name="c")).kind, AnimalKind)
        hub = writing.insert(conn, Hub(id=50, name="h"))
        with pytest.raises(NotLoadedError):
            hub.joined  # noqa: B018
        with pytest.raises(NotLoadedError):
            writing.insert(conn, Invoice(id=50, net=1, vat=2)).gross  # noqa: B018

    run(oracle, work, DataPoint)
