"""The oracle: one statement, run by SQLAlchemy's ORM session and by ours, compared item by item.

``oracle`` (a fixture of conftest.py) is an ``Oracle`` on each backend in turn, whose database holds
the zoo of ``tests.models``.  Each run of a statement gets a transaction of its own, which is rolled
back: the database is the same for every test.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Delete, Insert, Result, Row, RowMapping, Table, Update, event, text
from sqlalchemy import inspect as sa_inspect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.descriptor_props import ConcreteInheritedProperty, SynonymProperty
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla.exception import NotLoadedError
from naked_sqla.om.asession import AsyncSession as NakedSession

from .models import data

T = TypeVar("T")
FIRST_GENERATED_KEY = 1000


# --- what an object has loaded ---


def mapper_of(item: object) -> Mapper[Any] | None:
    """Give the mapper of a mapped instance, and None for everything else."""
    found = sa_inspect(item.__class__, raiseerr=False)
    return found if isinstance(found, Mapper) else None


def orm_loaded(item: Any) -> dict[str, Any]:
    """Give what the ORM put into an object."""
    return {
        key: value for key, value in sa_inspect(item).dict.items() if key != "_sa_instance_state"
    }


def is_unset(item: Any, attribute: Any) -> bool:
    """Whether it is a query_expression() without an expression, which is None and not loaded."""
    of_expression = ("query_expression", True) in getattr(attribute, "strategy_key", ())
    return of_expression and getattr(item, attribute.key) is None


def naked_differences(item: Any, mapper: Mapper[Any], loaded: set[str], path: str) -> Iterator[str]:
    """Tell which attributes of our object say something else than "loaded" or "not loaded"."""
    if item.__class__ is not mapper.class_:
        yield f"{path}: __class__ is {item.__class__}, not {mapper.class_}"
    if not isinstance(item, mapper.class_):
        yield f"{path}: not an instance of {mapper.class_}"
    if "_sa_instance_state" in vars(item):
        yield f"{path}: has an instance state"
    for key, attribute in mapper.attrs.items():
        if isinstance(attribute, ConcreteInheritedProperty | SynonymProperty):
            continue
        try:
            getattr(item, key)
        except NotLoadedError as error:
            if key in loaded:
                yield f"{path}.{key}: not loaded, but the ORM loaded it"
            elif key not in str(error) or mapper.class_.__name__ not in str(error):
                yield f"{path}.{key}: the error does not name it: {error}"
        except Exception as error:  # noqa: BLE001 - whatever else it raises is the finding
            yield f"{path}.{key}: reading it raises {error!r}"
        else:
            if key in loaded or is_unset(item, attribute):
                continue
            yield f"{path}.{key}: loaded, but the ORM did not load it"


class Comparison:
    """Compares what the ORM gave with what we gave, object by object.

    The ORM has one object for all places where a row turns up, which holds what any of these
    places loaded.  We have one object for each place: for those that the ORM has in several
    places, ours may have loaded less.
    """

    def __init__(self, theirs: Any = None, hidden: bool = False, again: bool = False) -> None:
        """Note where the ORM's objects are.

        :param hidden: the objects are in places that are not shown: ours may have loaded less.
        :param again: several ways lead to one row, to which the ORM does not add what a later one
            loads: what both have loaded is compared.
        """
        self.hidden = hidden
        self.again = again
        self.places: dict[int, set[str]] = {}
        self.seen: set[tuple[int, int]] = set()
        if not again:
            self._note_places(theirs, "", ())

    def _note_places(self, item: Any, place: str, above: tuple[int, ...]) -> None:
        if isinstance(item, list | tuple | set | Row):
            for n, part in enumerate(item):
                inner = f"{place}[{n}]" if isinstance(item, tuple | Row) else place
                self._note_places(part, inner, above)
        elif isinstance(item, dict):
            for part in item.values():
                self._note_places(part, place, above)
        elif item is not None and (mapper := mapper_of(item)):
            self.places.setdefault(id(item), set()).add(place)
            if id(item) in above:
                return
            for key in mapper.relationships.keys() & orm_loaded(item).keys():
                self._note_places(orm_loaded(item)[key], f"{place}.{key}", (*above, id(item)))

    def differences(self, theirs: Any, ours: Any, path: str = "result") -> Iterator[str]:
        """Tell where they differ, in value, in type, or in what is loaded."""
        mapper = None if theirs is None else mapper_of(theirs)
        if mapper is not None:
            yield from self._entities(theirs, ours, mapper, path)
        elif type(theirs) is not type(ours):
            yield f"{path}: {type(theirs)} {theirs!r} is not {type(ours)} {ours!r}"
        elif isinstance(theirs, Row):
            if theirs._fields != ours._fields:
                yield f"{path}: fields {theirs._fields} are not {ours._fields}"
            elif list(theirs._mapping) != list(ours._mapping):
                yield f"{path}: keys {list(theirs._mapping)} are not {list(ours._mapping)}"
            else:
                yield from self._sequences(tuple(theirs), tuple(ours), path)
        elif isinstance(theirs, Mapping | RowMapping):
            yield from self._mappings(theirs, ours, path)
        elif isinstance(theirs, list | tuple):
            yield from self._sequences(theirs, ours, path)
        elif isinstance(theirs, float) and math.isnan(theirs) and math.isnan(ours):
            return
        elif theirs != ours:
            yield f"{path}: {theirs!r} is not {ours!r}"

    def _entities(self, theirs: Any, ours: Any, mapper: Mapper[Any], path: str) -> Iterator[str]:
        if ours is None or mapper_of(ours) is None:
            yield f"{path}: {theirs!r} is not {ours!r}"
            return
        if (id(theirs), id(ours)) in self.seen:
            return
        self.seen.add((id(theirs), id(ours)))
        expected = orm_loaded(theirs)
        if self.hidden or len(self.places.get(id(theirs), ())) > 1:
            expected = {key: value for key, value in expected.items() if key in vars(ours)}
        if self.again:
            yield from naked_differences(ours, mapper, set(vars(ours)), path)
        elif set(expected) != set(vars(ours)):
            yield f"{path}: loaded {sorted(expected)}, ours {sorted(vars(ours))}"
        if not self.again:
            yield from naked_differences(ours, mapper, set(expected), path)
        for key in set(expected) & set(vars(ours)):
            value = vars(ours)[key]
            if key in mapper.relationships:
                yield from self._related(expected[key], value, f"{path}.{key}")
            else:
                yield from self.differences(expected[key], value, f"{path}.{key}")
            if value is not getattr(ours, key):
                yield f"{path}.{key}: vars() and the attribute disagree"

    def _related(self, theirs: Any, ours: Any, path: str) -> Iterator[str]:
        """Compare what a relationship holds: None, an object, or a collection of objects."""
        if theirs is None or mapper_of(theirs) is not None:
            yield from self.differences(theirs, ours, path)
            return
        builtin = next((kind for kind in (list, set, dict) if isinstance(theirs, kind)), None)
        if builtin is None:
            yield from self._sequences(list(theirs), list(ours), path)
        elif not isinstance(ours, builtin):
            yield f"{path}: {type(ours)} is no {builtin}"
        elif builtin is dict:
            yield from self._mappings(theirs, ours, path)
        elif builtin is set:
            yield from self._sequences(
                sorted(theirs, key=_sort_key), sorted(ours, key=_sort_key), path
            )
        else:
            yield from self._sequences(theirs, ours, path)

    def _mappings(self, theirs: Any, ours: Any, path: str) -> Iterator[str]:
        if list(theirs) != list(ours):
            yield f"{path}: keys {list(theirs)} are not {list(ours)}"
        else:
            yield from self._sequences(list(theirs.values()), list(ours.values()), path)

    def _sequences(self, theirs: Sequence[Any], ours: Sequence[Any], path: str) -> Iterator[str]:
        if len(theirs) != len(ours):
            yield f"{path}: {len(theirs)} items, ours {len(ours)}: {theirs!r} {ours!r}"
            return
        for n, (left, right) in enumerate(zip(theirs, ours, strict=True)):
            yield from self.differences(left, right, f"{path}[{n}]")


def loaded_paths(item: Any, path: str = "", above: tuple[int, ...] = ()) -> set[str]:
    """Give the relationships that are loaded in objects of ours, by the path that leads there."""
    found: set[str] = set()
    if isinstance(item, list | tuple | set | Row):
        for n, part in enumerate(item):
            inner = f"{path}[{n}]" if isinstance(item, tuple | Row) else path
            found |= loaded_paths(part, inner, above)
    elif isinstance(item, dict):
        for part in item.values():
            found |= loaded_paths(part, path, above)
    elif item is not None and (mapper := mapper_of(item)) and id(item) not in above:
        for key in mapper.relationships.keys() & vars(item).keys():
            found.add(f"{path}.{key}")
            found |= loaded_paths(vars(item)[key], f"{path}.{key}", (*above, id(item)))
    return found


# --- what a run gave ---


@dataclasses.dataclass
class Outcome:
    """What one of the two made of a statement: a value, or an error."""

    value: Any = None
    error: Exception | None = None
    stored: Any = None
    executed: list[str] = dataclasses.field(default_factory=list)


def all_rows(result: Result[Any]) -> Any:
    """Read the whole of a result; of one without rows, what it says about itself."""
    if not getattr(result, "returns_rows", True):
        return {"rowcount": result.rowcount}  # type: ignore[attr-defined]
    return {"keys": list(result.keys()), "rows": result.all()}


def unique_rows(result: Any) -> Any:
    """Read the whole of a result whose joined collections repeat its objects."""
    return {"keys": list(result.keys()), "rows": result.unique().all()}


def class_of(error: Any) -> type:
    """The class of an error, as the ORM knows it: ours tell two kinds of stale data apart."""
    return StaleDataError if isinstance(error, StaleDataError) else type(error)


class Oracle:
    """Runs things on one backend, through the ORM session and through ours."""

    def __init__(self, backend: str, engine: AsyncEngine, runner: asyncio.Runner) -> None:
        self.backend = backend
        self.engine = engine
        self.runner = runner
        self.executed = 0

    def run(self, work: Awaitable[T]) -> T:
        """Run a coroutine in the event loop of the module."""

        async def main() -> T:
            return await work

        return self.runner.run(main())

    @property
    def postgresql(self) -> bool:
        """Whether it is PostgreSQL, through either driver."""
        return self.backend != "sqlite"

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """Collect the SQL of every cursor execution on the engine inside the block."""
        seen: list[str] = []

        def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
            seen.append(statement)

        event.listen(self.engine.sync_engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.engine.sync_engine, "before_cursor_execute", note)

    def naked(self, work: Callable[[NakedSession], Awaitable[T]]) -> T:
        """Run ``work`` with one of our sessions; what it wrote is rolled back."""

        async def main() -> T:
            async with self.engine.connect() as conn:
                await conn.begin()
                return await work(NakedSession(conn))

        return self.run(main())

    def rows(
        self, statement: Any, parameters: Any = None, *, unique: bool = False, **options: Any
    ) -> list[Any]:
        """Give the rows of a statement as our session sees them."""

        async def work(session: NakedSession) -> list[Any]:
            result = await session.execute(statement, parameters, **options)
            return list((result.unique() if unique else result).all())

        return self.naked(work)

    def one(self, statement: Any, parameters: Any = None) -> Any:
        """Give the first item of the first row of a statement, as our session sees it."""
        return self.rows(statement, parameters)[0][0]

    def outcome(
        self,
        make_session: Callable[[AsyncConnection], Any],
        statement: Any,
        parameters: Any,
        options: Mapping[str, Any] | None,
        read: Callable[[Any], Any],
        then: Sequence[Any],
        before: Sequence[Any] = (),
        method: str = "execute",
    ) -> Outcome:
        """Run a statement in a session and a transaction of its own, read it, and roll back."""

        async def main() -> Outcome:
            outcome = Outcome()
            async with self.engine.connect() as conn:
                await conn.begin()
                for preparation in before:
                    await conn.execute(preparation)
                session = make_session(conn)
                try:
                    with self.recorded() as executed:
                        result = await getattr(session, method)(
                            statement,
                            parameters,
                            **({"execution_options": options} if options else {}),
                        )
                    outcome.executed = executed
                    outcome.value = read(result)
                except Exception as error:  # noqa: BLE001 - the error is what is compared
                    outcome.error = error
                else:
                    outcome.stored = [(await conn.execute(look)).all() for look in then]
                if isinstance(session, OrmSession):
                    session.expunge_all()
            return outcome

        return self.run(main())

    def both(
        self,
        statement: Any,
        parameters: Any = None,
        *,
        execution_options: Mapping[str, Any] | None = None,
        orm: Any = None,
        read: Callable[[Any], Any] = all_rows,
        orm_read: Callable[[Any], Any] | None = None,
        then: Sequence[Any] | None = None,
        before: Sequence[Any] = (),
        method: str = "execute",
    ) -> tuple[Outcome, Outcome]:
        """Run a statement through the ORM session and through ours.

        :param orm: the statement for the ORM, where it must be another one.
        :param then: selects whose rows tell what a statement stored; by default all rows of the
            table that an INSERT, UPDATE or DELETE is about.
        :param before: statements of Core that run first, in the same transaction.
        :param method: the method of the sessions that runs the statement.
        """
        tables = [statement.table] if isinstance(statement, Insert | Update | Delete) else []
        if then is None:
            then = [table.select().order_by(*table.primary_key) for table in tables]
        before = [*before, *self.generated_keys_start(tables)]
        theirs = self.outcome(
            lambda conn: OrmSession(bind=conn, expire_on_commit=False),
            statement if orm is None else orm,
            parameters,
            execution_options,
            orm_read or read,
            then,
            before,
            method,
        )
        ours = self.outcome(
            NakedSession, statement, parameters, execution_options, read, then, before, method
        )
        return theirs, ours

    def generated_keys_start(self, tables: Sequence[Any]) -> list[Any]:
        """Give what makes the sequences of tables start at a known key: they never roll back."""
        if not self.postgresql:
            return []
        return [
            text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'),"
                f" {FIRST_GENERATED_KEY}, false)"
            )
            for table in tables
            if isinstance(table, Table) and (column := table.autoincrement_column) is not None
        ]

    def compare(self, statement: Any, parameters: Any = None, **both: Any) -> Any:
        """Run a statement on both sides; fail where they differ, else give our value.

        An error is compared by its class.  A statement that returns rows is to reach the database
        once, as it is, with at most one further statement for each relationship that it loads;
        ``executed`` is the number of them.

        :param hidden: see :class:`Comparison`; so for ``again``.
        """
        ordered = both.pop("ordered", True)
        places = {name: both.pop(name, False) for name in ("hidden", "again")}
        theirs, ours = self.both(statement, parameters, **both)
        if theirs.error is not None or ours.error is not None:
            if class_of(theirs.error) is not class_of(ours.error):
                raise AssertionError(
                    f"the ORM: {theirs.error!r} {theirs.value!r}; ours: {ours.error!r} "
                    f"{ours.value!r}"
                ) from ours.error
            return ours.error
        found = list(self._outcome_differences(theirs, ours, ordered, **places))
        rows = ours.value["rows"] if isinstance(ours.value, dict) and "rows" in ours.value else ()
        allowed = max(1 + len(loaded_paths(list(rows))), len(theirs.executed))
        if len(ours.executed) > allowed:
            found.append(f"{len(ours.executed)} executions: {ours.executed}")
        assert not found, "\n".join(found[:20])
        self.executed = len(ours.executed)
        return ours.value

    def _outcome_differences(
        self, theirs: Outcome, ours: Outcome, ordered: bool, **places: bool
    ) -> Iterator[str]:
        if isinstance(theirs.value, dict) and "rows" in theirs.value:
            if not ordered:
                theirs.value["rows"].sort(key=_sort_key)
                ours.value["rows"].sort(key=_sort_key)
            if not loaded_paths(ours.value["rows"]):
                yield from self._identity_differences(ours.value["rows"])
            comparison = Comparison(theirs.value["rows"], **places)
        else:
            comparison = Comparison(theirs.value, **places)
        yield from comparison.differences(theirs.value, ours.value)
        yield from Comparison().differences(theirs.stored, ours.stored, "stored")

    def _identity_differences(self, rows: Sequence[Any]) -> Iterator[str]:
        """Tell about objects of ours that are in more than one row."""
        seen = Counter(
            key
            for row in rows
            for key in {id(item) for item in row if item is not None and mapper_of(item)}
        )
        if any(count > 1 for count in seen.values()):
            yield "an object is in more than one of our rows"


def _sort_key(row: Any) -> Any:
    def of(item: Any) -> Any:
        mapper = None if item is None else mapper_of(item)
        if mapper is None:
            return repr(item)
        keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        return repr([vars(item)[key] for key in keys])

    return tuple(of(item) for item in row) if isinstance(row, tuple | Row) else of(row)


# --- databases ---


def create_zoo(url: URL) -> None:
    """Create the tables of all models in an empty database, with their rows."""

    async def create() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as conn:
            await conn.run_sync(data.create)
            await conn.run_sync(data.fill)
        await engine.dispose()

    asyncio.run(create())


@contextlib.contextmanager
def open_oracle(backend: str, url: URL) -> Iterator[Oracle]:
    """Give an ``Oracle`` on a database that ``create_zoo()`` has filled."""
    # Cartesian products are among the statements that are compared, and warnings are errors.
    engine = create_async_engine(url, enable_from_linting=False)
    with asyncio.Runner() as runner:
        try:
            yield Oracle(backend, engine, runner)
        finally:
            runner.run(engine.dispose())
