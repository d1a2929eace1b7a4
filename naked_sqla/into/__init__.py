"""Rows into the caller's own classes: dataclasses, pydantic models, msgspec Structs, attrs classes,
named tuples, ``TypedDict`` and classes with keyword arguments, with no mapped object in between.

What others build on, all on a synchronous ``Connection``::

    execute(conn, cls, statement, parameters=None, *, validate=True, execution_options=None)
        -> sqlalchemy.ScalarResult[cls], buffered
    stream(conn, cls, statement, parameters=None, *, validate=True, execution_options=None)
        -> sqlalchemy.ScalarResult[cls], read from a server-side cursor chunk by chunk

and for callers that read a cursor result of their own::

    loader_for(result, statement, cls, validate=True) -> function(rows) -> list[cls]

where ``rows`` are the driver's (``results.raw_chunk(result, size, raw)`` with
``raw = results.is_raw_readable(result)``).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import CompoundSelect, Result, Select
from sqlalchemy.orm import lazyload

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import compile_states, dml, results, statements
from naked_sqla._sqlalchemy.unopened import opened
from naked_sqla.exception import RowMismatch
from naked_sqla.into import nested
from naked_sqla.into.emitting import Fill, filler
from naked_sqla.into.fields import Form
from naked_sqla.into.filling import Record
from naked_sqla.into.matching import match
from naked_sqla.into.nested import Nested
from naked_sqla.into.row_reader import orm_row_shape, plain_row_shape
from naked_sqla.into.row_shape import RowShape
from naked_sqla.into.targets import target_of
from naked_sqla.read import statement as _statement
from naked_sqla.read.facts import facts_of, loads_eagerly
from naked_sqla.read.kept import KeptLoader, KeptMaker
from naked_sqla.read.loader import Loader
from naked_sqla.read.turns import in_turns, row_by_row

if TYPE_CHECKING:
    from sqlalchemy import Connection, ScalarResult
    from sqlalchemy.engine import CursorResult

    from naked_sqla.read.loading import Loading

__all__ = ("Fit", "as_matched", "execute", "fit_of", "loader_for", "stream")

T = TypeVar("T")

# of one compiled statement: classes it is read into, and column types that a driver tells
_FILLERS_PER_STATEMENT = 16
# statements and classes that are known to fit
_KNOWN_FITS = 1000


def execute(
    conn: Connection,
    cls: type[T],
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> ScalarResult[T]:
    """Run a statement, and fill an object of a class from each of its rows.

    :param conn: a synchronous connection (in an async session: within its greenlet).
    :param cls: the class to fill.
    :param statement: any statement that ``session.execute()`` takes and that returns rows.
    :param parameters: as ``session.execute()`` takes them.
    :param validate: False makes pydantic models without validation, as ``model_construct()`` does.
    :param execution_options: as ``Connection.execute`` takes them.
    :return: a buffered result, one object for each row.
    :raises RowMismatch: the class and the statement do not fit.  Before the statement runs where it
        knows its columns (not a ``text()`` without ``columns()``), and always before a row is read.
    :raises UnsupportedOption: it has an option that can't be honoured.
    :raises ConversionError: a stored value can't be converted by the type of its column.

    Errors of the class itself (pydantic's ``ValidationError``) and of ``session.execute()`` pass
    through.
    """
    found = fit_of(conn, cls, statement, parameters, validate).nested
    if found is not None:
        return nested.execute(opened(conn), found, statement, parameters, execution_options)
    run = _statement.execute
    return _objects(run, conn, cls, statement, parameters, validate, execution_options)


def stream(
    conn: Connection,
    cls: type[T],
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> ScalarResult[T]:
    """As :func:`execute`, with a server-side cursor that is read chunk by chunk.

    :return: a result that reads from the connection while it is read.
    """
    found = fit_of(conn, cls, statement, parameters, validate).nested
    if found is not None:
        return nested.stream(conn, found, statement, parameters, execution_options)
    run = _statement.stream
    return _objects(run, conn, cls, statement, parameters, validate, execution_options)


def _objects(
    run: Callable[..., Result[Any]],
    conn: Connection,
    cls: Any,
    statement: Any,
    parameters: Any,
    validate: bool,
    options: Mapping[str, Any] | None,
) -> ScalarResult[Any]:
    eager, make_loader = not _loads_eagerly(statement), _Maker(cls, validate)
    result = run(conn, statement, parameters, options, eager=eager, make_loader=make_loader)
    if not isinstance(result, Result):
        raise RowMismatch(_no_rows(cls, statement))
    return result.scalars()


class _Maker(KeptMaker):
    """Makes loaders that fill a class."""

    __slots__ = ("cls", "key", "validate")

    def __init__(self, cls: Any, validate: bool) -> None:
        self.cls = cls
        self.validate = validate
        self.key = cls, validate

    def __call__(self, result: CursorResult[Any]) -> Loader:
        load = loader_for(result, result.context.invoked_statement, self.cls, self.validate)
        return Loader(load, nested.METADATA, True, False, results.is_raw_readable(result))

    def known(self, result: CursorResult[Any]) -> KeptLoader | None:
        fillers = _fillers.get(result.context.compiled)
        recent = None if fillers is None else fillers.recent.get(self.key)
        if fillers is None or recent is None or recent[0] is not results.metadata_of(result):
            return None
        raw, sentinels, *sizes = recent[1]
        if not raw or sentinels:
            return None
        return _KnownFill(recent[2], fillers.polymorphic, sizes)


class _KnownFill:
    """A loader that fills a class, while no other subclass is mapped."""

    __slots__ = ("_loader", "_polymorphic", "_sizes")

    def __init__(self, fill: Fill, polymorphic: list[Any], sizes: list[int]) -> None:
        self._loader = Loader(fill, nested.METADATA, True, False, True)
        self._polymorphic = polymorphic
        self._sizes = sizes

    def of(self, statement: Any, loading: Callable[[], Loading]) -> Loader | None:
        return self._loader if [*map(len, self._polymorphic)] == self._sizes else None


def _loads_eagerly(statement: Any) -> bool:
    """True when mappings have relationships that are loaded with their class: not with records."""
    if isinstance(statement, Select | CompoundSelect):
        return facts_of(statement).loads_by_mapping
    return loads_eagerly(statements.mappers_of(statement))


def loader_for(
    result: CursorResult[Any], statement: Any, cls: type[T], validate: bool
) -> Callable[[Iterable[Any]], list[T]]:
    """The function that fills objects from chunks of rows of an open result.

    :param result: the fresh cursor result of ``statement``; nothing is read from it.
    :return: takes rows as the driver gives them (as SQLAlchemy converts them where
        ``results.is_raw_readable(result)`` is False), gives a list of objects.
    :raises RowMismatch: the class and the statement do not fit.
    """
    if not result.returns_rows:
        raise RowMismatch(_no_rows(cls, statement))
    compiled = result.context.compiled
    fillers = _fillers.get(compiled)
    if fillers is None:
        fillers = _fillers[compiled] = _Fillers(compiled)
    return fillers.find(result, cls, validate)


class _Fillers:
    """The functions that read the rows of one compiled statement; kept as long as that."""

    __slots__ = ("by_shape", "polymorphic", "recent", "state")

    def __init__(self, compiled: Any) -> None:
        found = compile_states.entity_state(compiled)
        self.state = None if found is None else found[0]
        self.polymorphic = [
            entity.mapper.polymorphic_map
            for entity in (compile_states.entities_of(self.state) if self.state is not None else ())
            if isinstance(entity, compile_states.MapperEntity) and entity.mapper.polymorphic_map
        ]
        self.recent: BoundedCache[Any, tuple[Any, tuple[Any, ...], Fill]]
        self.recent = BoundedCache(_FILLERS_PER_STATEMENT)
        self.by_shape: BoundedCache[Any, Fill] = BoundedCache(_FILLERS_PER_STATEMENT)

    def find(self, result: CursorResult[Any], cls: Any, validate: bool) -> Fill:
        """The function for a class and the columns of a result, which SQLAlchemy mostly caches."""
        metadata = results.metadata_of(result)
        raw = results.is_raw_readable(result)
        # a subclass mapped after the statement was compiled has columns that are not known yet
        sentinels = results.sentinels_of(result)
        stamp = (raw, sentinels, *map(len, self.polymorphic))
        recent = self.recent.get((cls, validate))
        if recent is not None and recent[0] is metadata and recent[1] == stamp:
            return recent[2]
        shape = (cls, validate, stamp, tuple(metadata.keys), results.processors_of(metadata))
        fill = self.by_shape.get(shape)
        if fill is None:
            row_shape = _row_shape(result.context.compiled, self.state, metadata, raw, sentinels)
            fill = filler(match(cls, row_shape, validate), row_shape.width)
            if isinstance(cls, Form):
                fill = _finished(fill, cls)
            fill = (in_turns if result.dialect.is_async else row_by_row)(fill, row_shape.width)
            self.by_shape[shape] = fill
        self.recent[cls, validate] = metadata, stamp, fill
        return fill


def _finished(fill: Fill, form: Form) -> Fill:
    return lambda rows: form.finished(fill(rows))


_fillers: weakref.WeakKeyDictionary[Any, _Fillers] = weakref.WeakKeyDictionary()


def _row_shape(
    compiled: Any, state: Any, metadata: Any, raw: bool = True, sentinels: int = 0
) -> RowShape:
    if state is None:
        return plain_row_shape(metadata, compiled.statement, raw, sentinels)
    return orm_row_shape(state, metadata, raw, sentinels)


# ---------------------------------------------------------------- before the statement runs


class Fit(NamedTuple):
    """What is known before a statement runs of how it fills a class.

    :ivar nested: what fills the objects, where relationships are loaded beside the rows.
    :ivar record: how each row fills an object, where it does; None as well where only the database
        knows the columns.
    :ivar row_shape: the shape of these rows.
    """

    nested: Nested | None = None
    record: Record | None = None
    row_shape: RowShape | None = None


_UNKNOWN = Fit()
_fits: BoundedCache[Any, Fit] = BoundedCache(_KNOWN_FITS)


def fit_of(conn: Connection, cls: Any, statement: Any, parameters: Any, validate: bool) -> Fit:
    """Refuse a class and a statement that do not fit, as far as the statement tells."""
    if not statements.is_executable(statement) or statements.is_empty_select(statement):
        # read.statement refuses it with the fitting message
        return _UNKNOWN
    statement = statements.resolved(statement)
    is_dml = getattr(statement, "is_dml", False)
    if is_dml and not dml.returning_columns(statement):
        raise RowMismatch(_no_rows(cls, statement))
    key = statements.cache_key_of(statement)
    if key is None and not is_dml and not statements.is_orm_statement(statement):
        # compiled anew for each execution; once is enough, the columns are checked with the rows
        _check_class(cls, validate)
        return _UNKNOWN
    fit = (cls, validate, key)
    found = None if key is None else _fits.get(fit)
    if found is None:
        _check_class(cls, validate)
        found = fit_anew(conn, cls, statement, parameters, validate)
        if key is not None:
            _fits[fit] = found
    return found


def _check_class(cls: Any, validate: bool) -> None:
    if not isinstance(cls, Form):
        target_of(cls, validate)
    elif cls.cls is not None:
        target_of(cls.cls, validate)


def fit_anew(conn: Connection, cls: Any, statement: Any, parameters: Any, validate: bool) -> Fit:
    """Match a class with a statement, unless only the database knows its columns."""
    statement = as_matched(statement)
    try:
        compiled = statement.compile(dialect=conn.dialect)
    except Exception:  # noqa: BLE001 - running it raises the same error
        return _UNKNOWN
    state = (compile_states.entity_state(compiled) or (None,))[0]
    metadata = compile_states.CompiledMetadata(compiled)
    if None in metadata.keys or not metadata.keys:
        return _UNKNOWN
    if state is not None:
        found = nested.nested(cls, validate, compiled, state, statement, parameters)
        if found is not None:
            return Fit(found)
    row_shape = _row_shape(compiled, state, metadata)
    return Fit(None, match(cls, row_shape, validate), row_shape)


def as_matched(statement: Any) -> Any:
    """A statement as classes are matched with it: without what only mappings load."""
    if getattr(statement, "is_insert", False) and statements.is_orm_statement(statement):
        statement = dml.as_orm_insert(statement)
    return statement.options(lazyload("*")) if _loads_eagerly(statement) else statement


def _no_rows(cls: Any, statement: Any) -> str:
    cls = cls.cls if isinstance(cls, Form) else cls
    name = "json()" if cls is None else getattr(cls, "__name__", cls)
    if getattr(statement, "is_dml", False):
        return (
            f"{name} can't be filled: the {statement.__visit_name__.upper()} returns no rows. "
            f"Next: add returning(...) with the columns for the fields of {name}."
        )
    return (
        f"{name} can't be filled: the statement returns no rows ({statement}). Next: run it with "
        f"execute()."
    )
