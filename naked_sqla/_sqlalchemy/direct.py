"""What SQLAlchemy has kept of a statement that ran before: its SQL, and where its values come from.

Whoever sends such a statement to the driver does what ``Connection.execute()`` does where nobody
listens: no event, no log, no option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

__all__ = (
    "Kept",
    "begin",
    "cache_of",
    "find",
    "has_usual_options",
    "is_constant",
    "is_listened_to",
    "is_unobserved",
    "is_usual",
    "known",
    "names_of",
    "raise_as_sqlalchemy",
)

# Options of a connection that say nothing about how a statement is run.
_OF_TRANSACTIONS = frozenset({"isolation_level", "postgresql_readonly", "postgresql_deferrable"})


def has_usual_options(bind: Any, seen: frozenset[str] = frozenset()) -> bool:
    """True where no option of an engine or a connection says how statements are run.

    :param seen: options that the caller has looked at.
    """
    options = bind._execution_options
    return not options or options.keys() <= _OF_TRANSACTIONS | seen


def is_unobserved(conn: Any, statement: Any, seen: frozenset[str] = frozenset()) -> bool:
    """True while nobody listens or logs, no option is set, and the transaction is as usual.

    :param seen: options of the connection that the caller has looked at.
    """
    if conn._echo or (
        (conn._has_events or conn.engine._has_events or conn.dialect._has_events)
        and (is_listened_to(conn) or is_listened_to(conn.dialect))
    ):
        return False
    if statement._execution_options or conn._dbapi_connection is None:
        return False
    if conn._execution_options and not has_usual_options(conn, seen):
        return False
    transaction, nested = conn._transaction, conn._nested_transaction
    return (
        conn._trans_context_manager is None
        and (transaction is None or transaction.is_active)
        and (nested is None or nested.is_active)
    )


# SQLAlchemy notes that somebody has begun to listen, and never that the last one has ended.
def is_listened_to(target: Any) -> bool:
    """True while somebody listens to a connection, an engine or a dialect."""
    dispatch = target.dispatch
    return any(getattr(dispatch, name) for name in type(target).dispatch._event_names)


def find(conn: Any, statement: Any, parameters: Any) -> tuple[Any, Sequence[Any]] | None:
    """The compiled form of a statement, from SQLAlchemy's cache, and the values in the statement.

    :param parameters: a dictionary, or None.
    """
    found, names = known(conn, statement), names_of(parameters)
    if found is None or names is None:
        return None
    cache, key, values = found
    compiled = cache.get((conn.dialect, key, names, False, False))
    return None if compiled is None else (compiled, values)


def known(conn: Any, statement: Any) -> tuple[Any, Any, Sequence[Any]] | None:
    """SQLAlchemy's cache of compiled statements, and a statement's key and values there.

    :return: None for a connection without a cache, and a statement without a key.
    """
    cache = conn.engine._compiled_cache
    key = None if cache is None else statement._generate_cache_key()
    # 2.1 keeps the values of statement.params() beside the key
    if cache is None or key is None or (len(key) > 2 and key[2]):
        return None
    return cache, key[0], key[1]


def cache_of(conn: Any) -> Any:
    """SQLAlchemy's cache of compiled statements, or None."""
    return conn.engine._compiled_cache


def names_of(parameters: Any) -> tuple[str, ...] | None:
    """The names of some parameters, as a compiled statement is kept by them.

    :return: None unless they are a dictionary, or None, as the caller may pass them.
    """
    if not parameters:
        return ()
    if type(parameters) is not dict:
        return None
    if len(parameters) == 1:
        return tuple(parameters)
    try:
        return tuple(sorted(parameters))
    except TypeError:
        return None


def is_constant(compiled: Any, own: bool = False) -> bool:
    """True when each execution of a compiled statement sends the same SQL, with other values.

    :param own: as in :func:`is_usual`.
    """
    return not (compiled.literal_execute_params or compiled.post_compile_params) and (
        is_usual(compiled, own)
    )


def is_usual(compiled: Any, own: bool = False) -> bool:
    """True when the values of a compiled statement can be found by its cache key.

    :param own: it is the compiled form of one statement only, which has its values itself.
    """
    keyed = compiled.cache_key is not None and compiled._cache_key_bind_match is not None
    return (keyed or own) and not (
        compiled.escaped_bind_names or compiled.schema_translate_map or compiled.isplaintext
    )


class Kept:
    """A compiled SELECT, and how the values that it is sent with are found.

    :ivar names: of its parameters, in the order of their positions.
    :ivar sql: as it is sent.
    """

    __slots__ = ("_all_given", "_by_position", "_steps", "names", "sql")

    def __init__(self, compiled: Any, without: str | None = None) -> None:
        """Find out what is kept.

        :param without: the name of a parameter that is left out.
        """
        self.sql: str = compiled.string
        matched = compiled._cache_key_bind_match[0]
        index = {
            bind: i for i, known in enumerate(compiled.cache_key[1]) for bind in matched[known]
        }
        # name, parameter (which has its value itself where no statement has another one), where the
        # statement in hand has it, conversion
        self._steps: list[tuple[str, Any, int | None, Any]] = []
        names = (
            (compiled.positiontup or ()) if compiled.positional else compiled.bind_names.values()
        )
        self.names = [name for name in names if name != without]
        self._by_position: bool = compiled.positional
        for name in self.names:
            bind = compiled.binds[name]
            convert = compiled._bind_processors.get(name)
            self._steps.append((name, bind, index.get(bind), convert))
        unconverted = all(convert is None for *_, convert in self._steps)
        # the usual: each value is given by its key, and sent as it is
        self._all_given = [bind.key for _, bind, _, _ in self._steps] if unconverted else None

    @classmethod
    def of(cls, compiled: Any, metadata: Any) -> Kept | None:
        """What is kept of a compiled statement; None where each execution is another.

        :param metadata: of a result of the statement.
        """
        if not is_constant(compiled) or compiled._cached_metadata is not metadata:
            return None
        if compiled.insert_prefetch or compiled.update_prefetch:
            # what a CTE writes has defaults, which SQLAlchemy computes
            return None
        return cls(compiled)

    def arguments(
        self, parameters: Mapping[str, Any] | None, values: Sequence[Any]
    ) -> tuple[Any, ...] | dict[str, Any] | None:
        """The values that the statement is sent with, converted: in their order, or by name.

        :param values: in the statement in hand, as :func:`find` gives them.
        :return: None where one is missing.
        """
        found = self.in_order(parameters, values)
        if found is None or self._by_position:
            return found
        return dict(zip(self.names, found, strict=True))

    def in_order(
        self, parameters: Mapping[str, Any] | None, values: Sequence[Any]
    ) -> tuple[Any, ...] | None:
        """The same in the order of :attr:`names`."""
        if parameters and self._all_given is not None:
            try:
                return tuple(map(parameters.__getitem__, self._all_given))
            except KeyError:
                pass
        found = []
        for name, bind, index, convert in self._steps:
            if parameters and bind.key in parameters:
                value = parameters[bind.key]
            elif parameters and name in parameters:
                value = parameters[name]
            else:
                held = bind if index is None else values[index]
                if held.required or bind.required:
                    return None
                value = held.effective_value
            found.append(value if convert is None else convert(value))
        return tuple(found)


def begin(conn: Any) -> None:
    """Begin a transaction where there is none, as each execution does."""
    if conn._transaction is None:
        conn._autobegin()


def raise_as_sqlalchemy(conn: Any, error: BaseException, sql: str, arguments: Any) -> NoReturn:
    """Raise an error of the driver as SQLAlchemy does, which may throw the connection away.

    To be called while the error is being handled.
    """
    kind = conn.dialect.execution_ctx_cls
    # who reads more of it listens, and is not passed by
    context = kind.__new__(kind)
    context.dialect = conn.dialect
    conn._handle_dbapi_exception(error, sql, arguments, None, context)
    raise error
