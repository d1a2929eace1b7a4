"""Random writes by object in hierarchies, next to a dictionary of what is to be stored."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, Table, inspect, select, update

from naked_sqla import RowGone, VersionConflict
from naked_sqla.read import statement as statements
from naked_sqla.read.lookup import get
from naked_sqla.write import objects as writing

from .._examples import examples
from .._places import Place, open_place
from .._postgres import own_schema, url_in_schema
from ..conftest import ASYNC_BACKENDS
from .test_hierarchies import (
    Animal,
    Base,
    Bill,
    Boss,
    Cat,
    Chore,
    Director,
    Dog,
    Engineer,
    Errand,
    Feline,
    Letter,
    Lion,
    Manager,
    Person,
    Task,
)

# What each class stores besides its key, its kind and its version.
COLUMNS: dict[Any, dict[str, Any]] = {}
TEXTS, NUMBERS = st.none() | st.sampled_from("abc"), st.none() | st.integers(0, 9)
for models, columns in (
    ((Person, Animal, Feline, Cat, Dog, Task, Chore, Letter, Bill), {}),
    ((Engineer,), {"language": TEXTS}),
    ((Manager, Boss), {"budget": NUMBERS}),
    ((Director,), {"budget": NUMBERS, "car": TEXTS}),
    ((Lion,), {"mane": TEXTS}),
    ((Errand,), {"where": TEXTS}),
):
    COLUMNS.update({model: {"name": TEXTS, **columns} for model in models})
HIERARCHIES: list[list[Any]] = [
    [Person, Engineer, Manager, Director, Boss],
    [Animal, Feline, Cat, Dog, Lion],
    [Task, Chore, Errand],
    [Letter, Bill],
]
SIZE = 6

_Row = tuple[int, dict[str, Any], int | None]
"""A key, values, and a version that is expected."""


@pytest.fixture(scope="module", params=ASYNC_BACKENDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    backend = request.param
    if backend == "sqlite":
        path = tmp_path_factory.mktemp("hierarchies") / "test.sqlite"
        url = URL.create("sqlite+aiosqlite", database=str(path))
        with open_place(backend, url, Base.metadata) as place:
            yield place
        return
    with (
        own_schema(request.getfixturevalue("postgres_server")) as schema,
        open_place(
            backend,
            url_in_schema(request.getfixturevalue("postgres_server"), backend, schema),
            Base.metadata,
        ) as place,
    ):
        yield place


class Stored:
    """A row: its class, its values, its version."""

    def __init__(self, model: Any, values: dict[str, Any]) -> None:
        self.model = model
        self.values = {**dict.fromkeys(COLUMNS[model]), **values}
        self.version = 1


class World:
    """What is stored in the tables of one hierarchy."""

    def __init__(self, models: Sequence[Any], told: bool) -> None:
        self.models = models
        self.told = told
        # rows of concrete classes have nothing in common
        self.concrete = inspect(models[0]).concrete
        self.versioned = inspect(models[0]).version_id_col is not None
        self.rows: dict[Any, Stored] = {}

    def at(self, model: Any, key: int) -> Any:
        return (model, key) if self.concrete else key

    def find(self, model: Any, key: int) -> Stored | None:
        row = self.rows.get(self.at(model, key))
        return row if row is not None and issubclass(row.model, model) else None

    def problems(
        self, model: Any, wanted: Sequence[_Row], changes: bool
    ) -> tuple[list[int], list[int]]:
        gone, moved, seen = [], [], set()
        for key, _, version in wanted:
            row = self.find(model, key)
            if row is None:
                gone.append(key)
            elif version is not None and (version != row.version or (changes and key in seen)):
                moved.append(key)
            seen.add(key)
        return gone, moved

    def update(self, model: Any, wanted: Sequence[_Row], leave: bool = False) -> Any:
        gone, moved = self.problems(model, wanted, True)
        if (gone or moved) and not leave:
            return gone, moved
        for key, values, _ in wanted:
            row = self.find(model, key)
            if row is not None:
                row.values.update(values)
                row.version += self.versioned
        return [], []

    def delete(self, model: Any, wanted: Sequence[_Row], missing_ok: bool) -> Any:
        gone, moved = self.problems(model, wanted, False)
        gone = [] if missing_ok else gone
        if gone or moved:
            return gone, moved, 0
        found = {key for key, *_ in wanted if self.find(model, key) is not None}
        for key in found:
            del self.rows[self.at(model, key)]
        return [], [], len(found)

    def tables(self) -> dict[str, list[Any]]:
        """What the tables hold."""
        found: dict[str, list[Any]] = {t.name: [] for t in tables_of(self.models)}
        for at, row in self.rows.items():
            mapper = inspect(row.model)
            key = at[1] if self.concrete else at
            values = {**row.values, "kind": mapper.polymorphic_identity, "version": row.version}
            for table in mapper.tables:
                if isinstance(table, Table):
                    found[table.name].append(
                        repr(tuple(key if c.primary_key else values[c.key] for c in table.columns))
                    )
        return {name: sorted(rows) for name, rows in found.items()}


def tables_of(models: Sequence[Any]) -> list[Table]:
    tables = (t for model in models for t in inspect(model).tables if isinstance(t, Table))
    return list(dict.fromkeys(tables))


def key_name(model: Any) -> str:
    mapper = inspect(model)
    return mapper.get_property_by_column(mapper.primary_key[0]).key


@st.composite
def scenes(draw: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """A hierarchy, the classes of the rows 1 to 5 of it, and calls."""
    models = draw(st.sampled_from(HIERARCHIES))
    kept = st.sampled_from([model for model in models if model is not Feline])
    rows = [(draw(kept), draw(values_of(Person))) for _ in range(draw(st.integers(1, SIZE - 1)))]
    calls = []
    for _ in range(draw(st.integers(1, 4))):
        what = draw(st.sampled_from(CALLS))
        model = draw(kept if what == "insert" else st.sampled_from(models))
        single = what in ("update", "delete", "insert")
        wanted = [
            (
                draw(st.integers(1, SIZE)),
                draw(values_of(model)),
                draw(st.none() | st.integers(1, 3)),
            )
            for _ in range(draw(st.integers(1, 1 if single else 4)))
        ]
        calls.append((what, model, draw(st.booleans()), wanted))
    return models, rows, calls


def values_of(model: Any) -> Any:
    return st.fixed_dictionaries({}, optional=COLUMNS[model])


CALLS = [
    "insert",
    "update",
    "update_all",
    "instances",
    "loaded",
    "statement",
    "delete",
    "delete_all",
    "missing_ok",
    "delete loaded",
]

quick = examples(25)


@quick
@given(scene=scenes())
def test_writes_in_a_hierarchy(place: Place, scene: Any) -> None:
    models, rows, calls = scene
    told = place.backend != "asyncpg"
    place.run(lambda conn: check(conn, World(models, told), rows, calls))


def check(conn: Connection, world: World, rows: Sequence[Any], calls: Sequence[Any]) -> None:
    for key, (model, values) in enumerate(rows, 1):
        writing.insert(conn, {key_name(model): key, **values}, model=model)
        world.rows[world.at(model, key)] = Stored(model, values)
    # as they are before the first call: some of them are stale later on
    loaded = [
        get(conn, row.model, at[1] if world.concrete else at) for at, row in world.rows.items()
    ]
    for call in calls:
        try:
            with conn.begin_nested():
                perform(conn, world, loaded, *call)
        except _Undone:
            pass
        assert world.tables() == {
            table.name: sorted(repr(tuple(row)) for row in conn.execute(select(*table.columns)))
            for table in tables_of(world.models)
        }, call


class _Undone(Exception):
    """Both sides have refused: what was written is rolled back."""


def perform(
    conn: Connection,
    world: World,
    loaded: Sequence[Any],
    what: str,
    model: Any,
    returning: bool,
    wanted: list[_Row],
) -> None:
    if not world.versioned:
        wanted = [(key, values, None) for key, values, _ in wanted]
    if "loaded" in what:
        with_loaded(conn, world, loaded, what, returning, wanted)
        return
    deletes = what in ("delete", "delete_all", "missing_ok")
    rows: list[dict[str, Any]] = [
        {
            key_name(model): key,
            **({} if deletes else values),
            **({} if version is None else {"version": version}),
        }
        for key, values, version in wanted
    ]
    if what == "insert":
        key, values, _ = wanted[0]
        if world.at(model, key) not in world.rows:
            obj = writing.insert(conn, rows[0], model=model)
            assert obj.__class__ is model
            world.rows[world.at(model, key)] = Stored(model, values)
    elif deletes:
        gone, moved, count = world.delete(model, wanted, what == "missing_ok")
        with expected(gone, moved):
            if what == "delete":
                assert writing.delete(conn, rows[0], model=model) is True
            else:
                ok = what == "missing_ok"
                assert writing.delete_all(conn, rows, model=model, missing_ok=ok) == count
    elif what == "statement":
        with_statement(conn, world, model, rows, wanted)
    else:
        gone, moved = world.update(model, wanted)
        with expected(gone, moved):
            if what == "update":
                row = {k: v for k, v in rows[0].items() if k != key_name(model)}
                value = writing.update(conn, model, wanted[0][0], returning=returning, **row)
                value = [value] if returning else value
            elif what == "instances" and model is not Feline:
                objs = [model(**row) for row in rows]
                value = writing.update_all(conn, objs, returning=returning)
            else:
                value = writing.update_all(conn, rows, model=model, returning=returning)
            check_value(world, [(model, key) for key, *_ in wanted], value, returning)


def with_statement(
    conn: Connection, world: World, model: Any, rows: Sequence[Any], wanted: Sequence[_Row]
) -> None:
    """An UPDATE with dictionaries: without values there is none, as in the ORM."""
    every, _ = world.problems(model, wanted, True)
    wanted = [row for row in wanted if row[1] or world.versioned]
    gone, moved = world.problems(model, wanted, True)
    try:
        with conn.begin_nested():
            statements.execute(conn, update(model), rows)
    except (RowGone, VersionConflict) as error:
        assert gone or moved
        assert set(error.gone) <= set(every)  # noqa: PT017
        assert set(getattr(error, "moved", ())) == set(moved)  # noqa: PT017
    else:
        # on asyncpg a batch does not tell what it has matched: what is there is changed
        assert not moved
        assert not gone or not world.told
        world.update(model, wanted, leave=True)


def with_loaded(
    conn: Connection,
    world: World,
    loaded: Sequence[Any],
    what: str,
    returning: bool,
    wanted: list[_Row],
) -> None:
    """Write objects that were loaded before, of several classes, and stale ones among them."""
    chosen = []
    for key, values, _ in wanted:
        obj = loaded[key % len(loaded)]
        name = key_name(obj.__class__)
        for attribute, value in values.items():
            if attribute in COLUMNS[obj.__class__]:
                setattr(obj, attribute, value)
        held = {attribute: getattr(obj, attribute) for attribute in COLUMNS[obj.__class__]}
        version = obj.version if world.versioned else None
        chosen.append((obj, (getattr(obj, name), held, version)))
    if "delete" in what:
        unique = list({id(obj): (obj, row) for obj, row in chosen}.values())
        chosen = unique
    # objects of one class after another are one batch; the first that fails ends the call
    gone, moved, count = [], [], 0
    before = copy.deepcopy(world.rows)
    groups = [list(same) for _, same in groupby(chosen, key=lambda pair: type(pair[0]))]
    for same in groups:
        # of an object that comes twice the values are those that it has in the end
        rows = [
            (row[0], {a: getattr(obj, a) for a in COLUMNS[obj.__class__]}, row[2])
            for obj, row in same
        ]
        model = same[0][0].__class__
        if "delete" in what:
            gone, moved, found = world.delete(model, rows, False)
            count += found
        else:
            gone, moved = world.update(model, rows)
        if gone or moved:
            world.rows = before
            break
    objs = [obj for obj, _ in chosen]
    with expected(gone, moved):
        if "delete" in what:
            assert writing.delete_all(conn, objs) == count
        else:
            value = writing.update_all(conn, objs, returning=returning)
            keys = [(obj.__class__, row[0]) for obj, row in chosen]
            check_value(world, keys, value, returning)


def check_value(world: World, keys: Sequence[Any], value: Any, returning: bool) -> None:
    if not returning:
        assert value in (len(keys), 1)
        return
    for (model, key), obj in zip(keys, value, strict=True):
        row = world.find(model, key)
        assert row is not None
        assert obj.__class__ is row.model
        assert getattr(obj, key_name(model)) == key
        for name in COLUMNS[model]:
            assert getattr(obj, name) == row.values[name]
        assert not world.versioned or obj.version == row.version


class expected:  # noqa: N801 - read as a phrase
    """The call inside fails for just these rows, and is undone; or it does not fail."""

    def __init__(self, gone: Sequence[int], moved: Sequence[int]) -> None:
        self.gone, self.moved = gone, moved

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, RowGone | VersionConflict):
            found = sorted(error.gone), sorted(getattr(error, "moved", ()))
            assert found == (sorted(set(self.gone)), sorted(set(self.moved)))
            assert isinstance(error, VersionConflict) is bool(self.moved)
            raise _Undone from error
        if error is None:
            assert not self.gone, self.gone
            assert not self.moved, self.moved
