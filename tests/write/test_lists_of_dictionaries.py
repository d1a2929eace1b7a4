"""Lists of dictionaries, each drawn by itself: what is stored is what each dictionary said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, composite, mapped_column

from naked_sqla import InvalidStatement, UnknownAttribute
from naked_sqla.read import statement as statements
from naked_sqla.write import objects as writing

from .._examples import examples
from ..models.columns import Point
from ..oracle import Oracle
from ._writing import instance_of, outcome


class Base(DeclarativeBase):
    pass


class Crossed(Base):
    """What one calls ``a`` the other calls ``b``; half of the columns have values of their own."""

    __tablename__ = "crossed"

    key: Mapped[int] = mapped_column("id", primary_key=True, autoincrement=False)
    a: Mapped[str | None] = mapped_column("b")
    b: Mapped[str | None] = mapped_column("a")
    c: Mapped[str | None] = mapped_column("d", default="C")
    d: Mapped[str | None] = mapped_column("c", server_default="D")
    e: Mapped[str | None] = mapped_column("f", default=lambda: "E")
    f: Mapped[str | None] = mapped_column(
        "e", default=lambda context: f"F{context.get_current_parameters()['id']}"
    )
    g: Mapped[str | None] = mapped_column(default=func.lower("G"))
    h: Mapped[str | None] = mapped_column("klass", onupdate="H")
    klass: Mapped[str | None] = mapped_column("class")
    x: Mapped[int | None] = mapped_column("y")
    y: Mapped[int | None] = mapped_column("x")
    at: Mapped[Point] = composite("x", "y")


COLUMNS = {attribute.key: attribute.columns[0].key for attribute in Crossed.__mapper__.column_attrs}
DEFAULTS = {"c": "C", "d": "D", "e": "E", "g": "g"}

_texts = st.sampled_from([None, None, "p", "q"])
_said = _texts | st.builds(lambda n: func.lower(f"E{n}"), st.integers(0, 2)) | st.builds(null)
_numbers = st.none() | st.integers(0, 2)
_points = st.none() | st.builds(Point, _numbers, _numbers)
_loose = {**dict.fromkeys("abcdefgh", _said), "klass": _said, "x": _numbers, "y": _numbers}
_plain = {**dict.fromkeys("abcdefgh", _texts), "klass": _texts, "x": _numbers, "y": _numbers}
_ours = {"class": _texts, "at": _points}

quick = examples(25)


def _lists(optional: Mapping[str, Any], strange: bool = True) -> Any:
    """Draw dictionaries, independent of each other; a few with a key that names nothing."""
    row = st.fixed_dictionaries({}, optional=optional)
    if strange:
        lost = st.sampled_from([*[{}] * 19, {"nope": "p"}])
        row = st.builds(lambda one, other: {**one, **other}, row, lost)
    return st.lists(row, min_size=1, max_size=6)


def _value(said: Any) -> Any:
    """What the database makes of a value."""
    if said is None or isinstance(said, str | int):
        return said
    return next((bind.value.lower() for bind in getattr(said, "clauses", ())), None)


class _Refused(Exception):
    def __init__(self, error: type[Exception]) -> None:
        self.error = error


def by_attribute(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a dictionary says, or the error that it deserves."""
    if "nope" in row:
        raise _Refused(UnknownAttribute)
    found: dict[str, Any] = {}
    for key, value in row.items():
        parts = {{"class": "klass", "id": "key"}.get(key, key): value}
        if key == "at":
            parts = {"x": None, "y": None} if value is None else {"x": value.x, "y": value.y}
        for name, part in parts.items():
            if name in found and found[name] is not part and (found[name] == part) is not True:
                raise _Refused(InvalidStatement)
            found[name] = part
    return found


def inserted(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the row of the table that an INSERT of a dictionary makes."""
    said = by_attribute(row)
    stored = dict.fromkeys(COLUMNS) | DEFAULTS | {"f": f"F{said['key']}"}
    own = {*DEFAULTS, "f"}
    return stored | {k: _value(v) for k, v in said.items() if v is not None or k not in own}


def updated(stored: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in row.items() if key != "which"}
    return {**stored, "h": "H"} | {k: _value(v) for k, v in by_attribute(said).items()}


def rows_of(conn: Connection) -> list[dict[str, Any]]:
    table = Crossed.__table__
    found = conn.execute(select(table).order_by(table.c.id)).mappings()
    return [{key: row[column] for key, column in COLUMNS.items()} for row in found]


@pytest.fixture
def crossed(oracle: Oracle) -> Oracle:
    async def create() -> None:
        async with oracle.engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)

    oracle.run(create())
    return oracle


def checked(crossed: Oracle, expected: Any, work: Any) -> None:
    """Compare what is stored with what was to be stored, or the errors."""
    try:
        wanted = expected()
    except _Refused as refused:
        wanted = refused.error
    value, _ = outcome(crossed, Crossed, lambda conn: (work(conn), rows_of(conn)))
    if isinstance(wanted, type):
        assert type(value) is wanted, repr(value)
        return
    if isinstance(value, Exception):
        raise value
    assert value[1] == wanted


def keyed(rows: list[dict[str, Any]], name: str = "key") -> list[dict[str, Any]]:
    return [{name: n + 1, **row} for n, row in enumerate(rows)]


# the first one loses a value, the second crosses two, the third stores NULL, and so on
@example(rows=[{"c": None, "a": "p"}, {"c": "q", "b": "p"}], returning=False)
@example(rows=[{"a": "p", "c": None}, {"b": "q", "c": None}], returning=False)
@example(rows=[{"c": "p"}, {"g": None}, {"c": None}], returning=True)
@example(rows=[{"a": func.lower("E")}, {"nope": "p"}], returning=False)
@example(rows=[{"at": Point(1, 2), "c": None}, {"a": "p", "c": None}], returning=False)
@quick
@given(rows=_lists({**_loose, **_ours}), returning=st.booleans())
def test_insert(crossed: Oracle, rows: list[dict[str, Any]], returning: bool) -> None:
    rows = keyed(rows)
    before = [dict(row) for row in rows]

    def work(conn: Connection) -> None:
        statement: Any = insert(Crossed)
        if returning:
            statement = statement.returning(Crossed)
        result = statements.execute(conn, statement, rows)
        if returning:
            objects = sorted(result.scalars().all(), key=lambda o: o.key)
            assert [{k: getattr(o, k) for k in COLUMNS} for o in objects] == rows_of(conn)

    checked(crossed, lambda: list(map(inserted, rows)), work)
    assert list(map(repr, rows)) == list(map(repr, before))


@quick
@given(rows=_lists({**_plain, "at": _points.filter(bool)}, strange=False))
def test_insert_as_the_orm_does(crossed: Oracle, rows: list[dict[str, Any]]) -> None:
    # the ORM has neither SQL expressions nor composites that are None here, and of a composite
    # beside its columns it takes one
    rows = keyed([{k: v for k, v in r.items() if k not in "xy" or "at" not in r} for r in rows])

    def theirs(conn: Connection) -> None:
        with Session(conn) as session:
            session.execute(insert(Crossed), [dict(row) for row in rows])

    expected, their_tables = outcome(crossed, Crossed, theirs)
    value, our_tables = outcome(
        crossed, Crossed, lambda c: statements.execute(c, insert(Crossed), rows) and None
    )
    assert (expected, their_tables) == (value, our_tables)


@quick
@given(rows=_lists(dict.fromkeys(("a", "b", "c", "d", "klass", "class"), _said)))
def test_insert_into_a_table(crossed: Oracle, rows: list[dict[str, Any]]) -> None:
    """The names are those of the columns, and None is NULL."""
    rows = keyed(rows, "id")
    attributes = {column: key for key, column in COLUMNS.items()}

    def expected() -> list[dict[str, Any]]:
        if any("nope" in row for row in rows):
            raise _Refused(UnknownAttribute)
        return [
            dict.fromkeys(COLUMNS)
            | DEFAULTS
            | {"f": f"F{row['id']}"}
            | {attributes[k]: _value(v) for k, v in row.items()}
            for row in rows
        ]

    checked(
        crossed, expected, lambda conn: statements.execute(conn, insert(Crossed.__table__), rows)
    )


def _stored_rows(conn: Connection) -> list[dict[str, Any]]:
    rows = [{"key": n, "a": "A", "b": "B", "x": 7, "c": "c"} for n in range(1, 5)]
    conn.execute(insert(Crossed.__table__), [{COLUMNS[k]: v for k, v in r.items()} for r in rows])
    return rows_of(conn)


_which = st.integers(1, 4)


@pytest.mark.parametrize("name", ["which", "key", "id"])
@example(rows=[{"which": 1, "a": func.lower("E1")}, {"which": 2, "b": "q"}])
@quick
@given(
    rows=st.lists(
        st.builds(
            lambda key, row: {"which": key, **row},
            _which,
            st.fixed_dictionaries({}, optional={**_loose, **_ours}).filter(bool),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_update(crossed: Oracle, name: str, rows: list[dict[str, Any]]) -> None:
    """By a parameter of the caller's own, and by the primary key, under either of its names."""
    params = [{(name if k == "which" else k): v for k, v in row.items()} for row in rows]
    statement: Any = update(Crossed)
    if name == "which":
        statement = statement.where(Crossed.key == bindparam("which"))
    stored: list[dict[str, Any]] = []

    def expected() -> list[dict[str, Any]]:
        now = {n: inserted({"key": n, "a": "A", "b": "B", "x": 7, "c": "c"}) for n in range(1, 5)}
        for row in rows:
            now[row["which"]] = updated(now[row["which"]], row)
        return list(now.values())

    def work(conn: Connection) -> None:
        stored.extend(_stored_rows(conn))
        result: Any = statements.execute(conn, statement, params)
        assert result.rowcount in (-1, len(rows))

    checked(crossed, expected, work)


def test_a_bound_parameter_named_as_an_attribute(crossed: Oracle) -> None:
    """The parameter is what the caller has put into the statement."""

    def work(conn: Connection) -> None:
        _stored_rows(conn)
        statement = update(Crossed).where(Crossed.key == bindparam("key", 9))
        statements.execute(conn, statement.values(a="new"), [{"key": 1}, {"key": 2}])
        assert [row["a"] for row in rows_of(conn)] == ["new", "new", "A", "A"]
        gone = delete(Crossed).where(Crossed.key == bindparam("key"))
        statements.execute(conn, gone, [{"key": 1}, {"key": 2}])
        assert [row["key"] for row in rows_of(conn)] == [3, 4]
        with pytest.raises(UnknownAttribute, match="'which'"):
            statements.execute(conn, gone, [{"key": 3}, {"which": 4}])

    value, _ = outcome(crossed, Crossed, work)
    assert value is None, value


def test_an_expression_late_in_a_long_list(crossed: Oracle) -> None:
    rows: list[dict[str, Any]] = [{"key": n, "a": "x"} for n in range(1500)]
    rows[1400]["a"] = func.lower("LATE")
    rows[1450] = {"key": 1450, "b": "other"}

    def work(conn: Connection) -> None:
        statements.execute(conn, insert(Crossed), rows)
        found = rows_of(conn)
        assert [row["a"] for row in found[1399:1402]] == ["x", "late", "x"]
        assert (found[1450]["a"], found[1450]["b"]) == (None, "other")

    value, _ = outcome(crossed, Crossed, work)
    assert value is None, value


def test_dictionaries_that_make_what_they_lack(crossed: Oracle) -> None:
    rows = [defaultdict(lambda: "made", {"key": 1, "a": "x"}), {"key": 2, "b": "y"}]
    swapped = [rows[1], defaultdict(lambda: "made", {"key": 3, "a": "x"})]

    def work(conn: Connection) -> None:
        for given_rows in (rows, [swapped[1], {"key": 4, "b": "y"}]):
            statements.execute(conn, insert(Crossed), given_rows)
        assert [(row["a"], row["b"]) for row in rows_of(conn)] == [("x", None), (None, "y")] * 2
        assert dict(rows[0]) == {"key": 1, "a": "x"}

    value, _ = outcome(crossed, Crossed, work)
    assert value is None, value


@pytest.mark.parametrize("single", [False, True])
@example(rows=[{"which": 1, "c": None}, {"which": 2, "c": "p"}, {"which": 9, "c": None, "d": None}])
@quick
@given(
    rows=st.lists(
        st.builds(
            lambda key, row: {"which": key, **row},
            st.integers(1, 7),
            st.fixed_dictionaries({}, optional={**_loose, **_ours}),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_upsert(crossed: Oracle, single: bool, rows: list[dict[str, Any]]) -> None:
    """None is the default of a new row, and NULL in one that is there, as in ``merge()``."""
    params = [{("key" if k == "which" else k): v for k, v in row.items()} for row in rows]

    def expected() -> list[dict[str, Any]]:
        now = {n: inserted({"key": n, "a": "A", "b": "B", "x": 7, "c": "c"}) for n in range(1, 5)}
        for key, row in zip([row["which"] for row in rows], params, strict=True):
            said = {k: v for k, v in row.items() if k != "key"}
            new = updated(now[key], said) if key in now and said else now.get(key)
            now[key] = inserted(row) if new is None else new
        return [now[key] for key in sorted(now)]

    def work(conn: Connection) -> None:
        _stored_rows(conn)
        if single:
            for row in params:
                writing.upsert(conn, row, model=Crossed)
            return
        found = writing.upsert_all(conn, params, model=Crossed)
        assert [obj.key for obj in found] == [row["which"] for row in rows]

    checked(crossed, expected, work)


@quick
@given(
    rows=st.lists(
        st.builds(
            lambda key, row: {"key": key, **row},
            st.integers(1, 7),
            st.fixed_dictionaries({}, optional=_plain),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_upsert_as_merge_does(crossed: Oracle, rows: list[dict[str, Any]]) -> None:
    def stored(conn: Connection) -> list[dict[str, Any]]:
        # merge() sets what onupdate says only where something changes
        return [{k: v for k, v in row.items() if k != "h"} for row in rows_of(conn)]

    rows = [{k: v for k, v in row.items() if k != "h"} for row in rows]

    def theirs(conn: Connection) -> Any:
        _stored_rows(conn)
        for row in rows:
            with Session(conn) as session:
                session.merge(instance_of(Crossed, row))
                session.flush()
        return stored(conn)

    def ours(conn: Connection) -> Any:
        _stored_rows(conn)
        writing.upsert_all(conn, [instance_of(Crossed, row) for row in rows])
        return stored(conn)

    assert outcome(crossed, Crossed, theirs)[0] == outcome(crossed, Crossed, ours)[0]


def test_two_values_for_a_column(crossed: Oracle) -> None:
    def work(conn: Connection) -> None:
        for row in ({"klass": "p", "class": "q"}, {"at": Point(1, 2), "y": 3}):
            with pytest.raises(InvalidStatement, match="two values for"):
                statements.execute(conn, insert(Crossed), [{"key": 1, **row}])
            with pytest.raises(InvalidStatement, match="two values for"):
                writing.insert_all(conn, [{"key": 1, **row}], model=Crossed)
        statements.execute(conn, insert(Crossed), [{"key": 1, "at": Point(1, 2), "y": 2}])
        with pytest.raises(InvalidStatement, match="Point"):
            statements.execute(conn, insert(Crossed), [{"key": 2, "at": "1,2"}])

    value, _ = outcome(crossed, Crossed, work)
    assert value is None, value


def test_values_and_parameters(crossed: Oracle) -> None:
    """A dictionary of its own beats what all rows have."""

    def work(conn: Connection) -> None:
        for key, common in enumerate(("all", func.lower("ALL"), literal("all"))):
            statement = insert(Crossed).values(a=common)
            rows = [{"key": 2 * key, "a": "own"}, {"key": 2 * key + 1, "b": "own"}]
            statements.execute(conn, statement, rows)
        assert [(row["a"], row["b"]) for row in rows_of(conn)] == [
            ("own", None),
            ("all", "own"),
        ] * 3

    value, _ = outcome(crossed, Crossed, work)
    assert value is None, value
