"""Keys that the database finds equal and Python does not: what a statement found is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    CHAR,
    URL,
    Connection,
    Enum,
    ForeignKey,
    MetaData,
    String,
    Text,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import RowGone, VersionConflict
from naked_sqla.read import statement as statements
from naked_sqla.write import objects as writing

from .._examples import examples
from .._places import Place, open_place
from .._postgres import own_schema, url_in_schema
from ..conftest import ASYNC_BACKENDS


class OnSqlite(DeclarativeBase):
    metadata = MetaData()


class OnPostgresql(DeclarativeBase):
    metadata = MetaData()


class Word:
    """What each class stores besides its key."""

    name: Mapped[str | None]
    # goes by batch, never by arrays
    mood: Mapped[str | None] = mapped_column(Enum("good", "bad", native_enum=False))


class Nocase(Word, OnSqlite):
    __tablename__ = "eq_nocase"
    id: Mapped[str] = mapped_column(String(collation="NOCASE"), primary_key=True)


class NocaseVersioned(Word, OnSqlite):
    __tablename__ = "eq_nocase_versioned"
    id: Mapped[str] = mapped_column(String(collation="NOCASE"), primary_key=True)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Number(Word, OnSqlite):
    """Takes ``"5"`` for 5."""

    __tablename__ = "eq_number"
    id: Mapped[int] = mapped_column(primary_key=True)


class Trimmed(Word, OnSqlite):
    __tablename__ = "eq_trimmed"
    id: Mapped[str] = mapped_column(String(collation="RTRIM"), primary_key=True)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Pair(Word, OnSqlite):
    __tablename__ = "eq_pair"
    id: Mapped[str] = mapped_column(String(collation="NOCASE"), primary_key=True)
    other: Mapped[int] = mapped_column(primary_key=True)


class Parent(Word, OnSqlite):
    __tablename__ = "eq_parent"
    id: Mapped[str] = mapped_column(String(collation="NOCASE"), primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "parent"}


class Child(Parent):
    __tablename__ = "eq_child"
    child_id: Mapped[str] = mapped_column(
        String(collation="NOCASE"), ForeignKey(Parent.id), primary_key=True
    )
    toy: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "child"}


class Single(Parent):
    __mapper_args__ = {"polymorphic_identity": "single"}


class Padded(Word, OnPostgresql):
    __tablename__ = "eq_padded"
    id: Mapped[str] = mapped_column(CHAR(5), primary_key=True)


class PaddedVersioned(Word, OnPostgresql):
    __tablename__ = "eq_padded_versioned"
    id: Mapped[str] = mapped_column(CHAR(5), primary_key=True)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class PaddedPair(Word, OnPostgresql):
    __tablename__ = "eq_padded_pair"
    id: Mapped[str] = mapped_column(CHAR(5), primary_key=True)
    other: Mapped[int] = mapped_column(primary_key=True)


class PaddedParent(Word, OnPostgresql):
    __tablename__ = "eq_padded_parent"
    id: Mapped[str] = mapped_column(CHAR(5), primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "parent"}


class PaddedChild(PaddedParent):
    __tablename__ = "eq_padded_child"
    child_id: Mapped[str] = mapped_column(CHAR(5), ForeignKey(PaddedParent.id), primary_key=True)
    toy: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "child"}


class PaddedSingle(PaddedParent):
    __mapper_args__ = {"polymorphic_identity": "single"}


class Collated(Word, OnPostgresql):
    """Of a collation that finds other letters equal, of which the model says nothing."""

    __tablename__ = "eq_collated"
    id: Mapped[str] = mapped_column(primary_key=True)


class CollatedVersioned(Word, OnPostgresql):
    __tablename__ = "eq_collated_versioned"
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Mixed(Word, OnPostgresql):
    """Of the type citext."""

    __tablename__ = "eq_mixed"
    id: Mapped[str] = mapped_column(
        Text().with_variant(postgresql.CITEXT(), "postgresql"), primary_key=True
    )


class Network(Word, OnPostgresql):
    __tablename__ = "eq_network"
    id: Mapped[str] = mapped_column(postgresql.MACADDR(), primary_key=True)


class Address(Word, OnPostgresql):
    """``010.0.0.1`` is no text, and has several spellings."""

    __tablename__ = "eq_address"
    id: Mapped[Any] = mapped_column(
        String().with_variant(postgresql.INET(), "postgresql"), primary_key=True
    )


def folded(key: str) -> str:
    return key.lower()


def trimmed(key: str) -> str:
    return key.rstrip(" ")


def as_network(key: str) -> str:
    digits = key.replace("-", "").replace(":", "").replace(".", "").lower()
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def as_text(key: Any) -> str:
    return str(key)


def as_address(key: str) -> str:
    return key.removesuffix("/32").lower()


WORDS = st.sampled_from(["a", "A", "ab", "aB", "AB", "Ab", "b", "B", "c"])
SPACED = st.sampled_from(["a", "a ", "a  ", "ab", "ab ", "b", "b   ", "c"])
NUMBERS = st.sampled_from([1, "1", 2, "2", 3, "3", "03", 4])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.1/32", "::A", "::a", "10.0.0.2", "::b"])
NETWORKS = st.sampled_from(
    [f"{a}:bb:0{i}:ee:ff:00" for a in ("aa", "AA") for i in "123"]
    + ["aa-bb-01-ee-ff-00", "AABB.02EE.FF00", "aabb03:eeff00"]
)
# What is stored of a class at first, what is drawn as a key of it, and which of these are one.
KINDS: dict[Any, tuple[Sequence[Any], Any, Any]] = {
    Nocase: (["a", "AB", "c"], WORDS, folded),
    NocaseVersioned: (["a", "AB", "c"], WORDS, folded),
    Number: ([1, 2], NUMBERS, int),
    Trimmed: (["a ", "ab"], SPACED, trimmed),
    Pair: (["a", "AB", "c"], WORDS, folded),
    Child: (["a", "AB", "c"], WORDS, folded),
    Single: (["a", "AB", "c"], WORDS, folded),
    Padded: (["a", "ab"], SPACED, trimmed),
    PaddedVersioned: (["a", "ab"], SPACED, trimmed),
    PaddedPair: (["a", "ab"], SPACED, trimmed),
    PaddedChild: (["a", "ab"], SPACED, trimmed),
    PaddedSingle: (["a", "ab"], SPACED, trimmed),
    Collated: (["a", "AB", "c"], WORDS, folded),
    CollatedVersioned: (["a", "AB", "c"], WORDS, folded),
    Mixed: (["a", "AB", "c"], WORDS, folded),
    Network: (["aa:bb:01:ee:ff:00", "aa:bb:02:ee:ff:00"], NETWORKS, as_network),
    Address: (["10.0.0.1", "::a"], ADDRESSES, as_address),
}


@pytest.fixture(scope="module", params=ASYNC_BACKENDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A database with the classes that it has, on each backend."""
    backend = request.param
    if backend == "sqlite":
        path = tmp_path_factory.mktemp("equal") / "equal.sqlite"
        url = URL.create("sqlite+aiosqlite", database=str(path))
        with open_place(backend, url, OnSqlite.metadata) as place:
            place.models = [model for model in KINDS if issubclass(model, OnSqlite)]
            yield place
        return
    server = request.getfixturevalue("postgres_server")
    with (
        own_schema(server) as schema,
        open_place(backend, url_in_schema(server, backend, schema), MetaData()) as place,
    ):
        prepare(place)
        yield place


# What a server may have been built without, and the classes that need it.
OPTIONAL = {
    "CREATE COLLATION eq_no_case "
    "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)": [
        Collated,
        CollatedVersioned,
    ],
    "CREATE EXTENSION citext": [Mixed],
}


def prepare(place: Place) -> None:
    """Create the tables of the classes that the server has room for."""
    place.models = [m for m in KINDS if issubclass(m, OnPostgresql)]
    for statement, models in OPTIONAL.items():
        try:
            place.run(lambda conn, sql=statement: conn.execute(text(sql)) and None, keep=True)
        except DBAPIError:
            place.models = [model for model in place.models if model not in models]
    tables = [table for m in place.models for table in inspect(m).tables]
    place.run(
        lambda conn: OnPostgresql.metadata.create_all(conn, list(dict.fromkeys(tables))), keep=True
    )
    for model in OPTIONAL[next(iter(OPTIONAL))]:
        if model in place.models:
            sql = f"ALTER TABLE {model.__tablename__} ALTER id TYPE varchar COLLATE eq_no_case"
            place.run(lambda conn, sql=sql: conn.execute(text(sql)) and None, keep=True)


def key_of(model: Any, key: Any) -> dict[str, Any]:
    """The key of a row of a class; the other part of a key of two is always the same."""
    return {"id": key, **({"other": 7} if "other" in inspect(model).columns else {})}


class Rows:
    """What is stored, by what the database finds equal: the model that ours is held against."""

    def __init__(self, model: Any) -> None:
        stored, _, self.same = KINDS[model]
        self.versioned = inspect(model).version_id_col is not None
        self.rows: dict[Any, list[Any]] = {self.same(key): [None, 1] for key in stored}

    def update(self, wanted: Sequence[tuple[Any, Any, Any]]) -> tuple[list[Any], list[Any]]:
        """Change rows: key, name, version or None.  The keys that are gone, and that have moved."""
        gone = [key for key, *_ in wanted if self.same(key) not in self.rows]
        moved = []
        seen = set()
        for key, _, version in wanted:
            row = self.rows.get(self.same(key))
            # an earlier change of the call moves it on
            stale = row is not None and (version != row[1] or self.same(key) in seen)
            if version is not None and stale:
                moved.append(key)
            seen.add(self.same(key))
        if not gone and not moved:
            for key, name, _ in wanted:
                row = self.rows[self.same(key)]
                row[0], row[1] = name, row[1] + self.versioned
        return gone, moved

    def delete(
        self, wanted: Sequence[tuple[Any, Any, Any]], missing_ok: bool
    ) -> tuple[list[Any], list[Any], int]:
        gone, moved = [], []
        for key, _, version in dict.fromkeys((key, None, version) for key, _, version in wanted):
            row = self.rows.get(self.same(key))
            if row is None:
                gone.append(key)
            elif version is not None and version != row[1]:
                moved.append(key)
        gone = [] if missing_ok else gone
        count = 0
        if not gone and not moved:
            keys = {self.same(key) for key, *_ in wanted}
            count = sum(self.rows.pop(key, None) is not None for key in keys)
        return gone, moved, count


def contents(conn: Connection, model: Any, same: Any) -> dict[Any, list[Any]]:
    """The rows of all tables of a class; a row of one table alone is a mistake."""
    mapper = inspect(model)
    version = mapper.version_id_col
    table = mapper.base_mapper.local_table
    read = [table.c.id, table.c.name, *([] if version is None else [version])]
    found = {
        same(as_text(row[0])): [row[1], row[2] if version is not None else 1]
        for row in conn.execute(select(*read))
    }
    for part in mapper.tables:
        assert conn.scalar(select(func.count()).select_from(part)) == len(found)
    return found


OPERATIONS = st.sampled_from(
    ["update", "update_all", "loaded", "by batch", "delete", "delete_all", "missing"]
)


@st.composite
def calls(draw: Any, keys: Any) -> tuple[str, bool, list[tuple[Any, Any, Any]]]:
    what = draw(OPERATIONS)
    size = 1 if what in ("update", "delete") else 6
    versions = st.none() | st.integers(1, 3)
    wanted = [
        (draw(keys), draw(st.sampled_from("xyz")), draw(versions))
        for _ in range(draw(st.integers(1, size)))
    ]
    return what, draw(st.booleans()), wanted


def perform(
    conn: Connection, model: Any, what: str, returning: bool, wanted: Sequence[tuple[Any, Any, Any]]
) -> Any:
    versioned = inspect(model).version_id_col is not None
    rows = [
        {
            **key_of(model, key),
            **({"version": version} if versioned and version is not None else {}),
            **({} if what.startswith(("delete", "missing")) else {"name": name}),
        }
        for key, name, version in wanted
    ]
    if what == "update":
        row = dict(rows[0])
        key = tuple(row.pop(name) for name in key_of(model, 0))
        return writing.update(conn, model, key, returning=returning, **row)
    if what in ("loaded", "by batch"):
        template = statements.execute(conn, select(model)).scalars().first()
        objs = []
        for row in rows:
            obj = object.__new__(type(template))
            for name, value in {**vars(template), **row}.items():
                setattr(obj, name, row["id"] if name.endswith("_id") else value)
            if versioned and "version" not in row:
                obj.version = None
            objs.append(obj)
        fields = ("name", "mood") if what == "by batch" else ("name",)
        return writing.update_all(conn, objs, *fields, returning=returning)
    if what == "update_all":
        return writing.update_all(conn, rows, model=model, returning=returning)
    if what == "delete":
        return writing.delete(conn, rows[0], model=model)
    return writing.delete_all(conn, rows, model=model, missing_ok=what == "missing")


quick = examples(25)


# Two keys are one row, which is deleted, with one version that is right and one that is not.
CONFLICT: Any = [
    ("update", False, [("a", "x", None)]),
    ("missing", False, [("A", "x", 1), ("a", "y", 2)]),
]


def test_one_row_by_two_keys_with_two_versions(place: Place) -> None:
    for model in place.models:
        if inspect(model).version_id_col is not None and KINDS[model][1] is WORDS:
            place.run(lambda conn, model=model: check(conn, model, CONFLICT))


@quick
@given(data=st.data())
def test_what_the_database_finds_is_found(place: Place, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(place.models))
    keys = KINDS[model][1]
    drawn = data.draw(st.lists(calls(keys), min_size=1, max_size=3))
    place.run(lambda conn: check(conn, model, drawn))


def check(conn: Connection, model: Any, drawn: Sequence[tuple[str, bool, Any]]) -> None:
    rows = Rows(model)
    for key in KINDS[model][0]:
        writing.insert(conn, key_of(model, key), model=model)
    for what, returning, given_ in drawn:
        wanted = given_ if rows.versioned else [(key, name, None) for key, name, _ in given_]
        if what in ("loaded", "by batch") and not rows.rows:
            continue
        deletes = what.startswith(("delete", "missing"))
        gone, moved, count = (
            rows.delete(wanted, what == "missing") if deletes else (*rows.update(wanted), 0)
        )
        try:
            with conn.begin_nested():
                value = perform(conn, model, what, returning, wanted)
        except (RowGone, VersionConflict) as error:
            found = [key if not isinstance(key, tuple) else key[0] for key in error.gone]
            moves = [k if not isinstance(k, tuple) else k[0] for k in getattr(error, "moved", ())]
            assert (set(found), set(moves)) == (set(gone), set(moved))
            assert isinstance(error, RowGone) is not bool(moved)  # noqa: PT017
        else:
            assert not gone
            assert not moved
            check_value(model, rows, what, returning, wanted, value, count)
        assert contents(conn, model, rows.same) == rows.rows


def check_value(
    model: Any, rows: Rows, what: str, returning: bool, wanted: Any, value: Any, count: int
) -> None:
    if what == "delete":
        assert value is True
    elif what in ("delete_all", "missing"):
        assert value == count
    elif not returning:
        assert value == len(wanted)
    else:
        objs = [value] if what == "update" else value
        assert [rows.same(as_text(obj.id)) for obj in objs] == [rows.same(k) for k, *_ in wanted]
        for obj in objs:
            row = rows.rows[rows.same(as_text(obj.id))]
            assert obj.name == row[0]
            assert not rows.versioned or obj.version == row[1]
