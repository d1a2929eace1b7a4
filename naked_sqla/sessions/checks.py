"""Errors for wrong arguments, engines and connections."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
from typing import Any, NoReturn

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidBind, InvalidSessionState, UnsupportedOption
from naked_sqla.read.statement import refuse_streaming

# Methods of SQLAlchemy's session that a newcomer looks for, and what to write instead.
_INSTEAD = {
    "add": "stored = await session.insert(obj)",
    "add_all": "stored = await session.insert_all(objs)",
    "autoflush": "nothing: no statement is kept back, there is no flush",
    "begin": "one session per transaction: `async with db.begin() as session`",
    "bulk_insert_mappings": "await session.execute(insert(Model), [{...}, {...}])",
    "bulk_save_objects": "await session.insert_all(objs), or update_all(objs) for stored ones",
    "bulk_update_mappings": "await session.execute(update(Model), [{...}, {...}])",
    "close": "nothing: the end of a block closes its session",
    "deleted": "nothing: objects are not tracked",
    "dirty": "nothing: objects are not tracked; session.update(obj) stores what it holds",
    "expire": "nothing: objects do not expire; await session.get_one(Model, key) for fresh values",
    "expire_all": "nothing: objects do not expire; select again for fresh values",
    "expunge": "nothing: objects belong to no session",
    "expunge_all": "nothing: objects belong to no session",
    "flush": "nothing: insert(), update() and delete() send their statements at once",
    "merge": "stored = await session.upsert(obj), or session.update(obj) for a row that is there",
    "new": "nothing: objects are not tracked",
    "no_autoflush": "nothing: no statement is kept back, there is no flush",
    "query": "await session.scalars(select(Model).where(...))",
    "refresh": "obj = await session.get_one(Model, obj.id)",
    "run_sync": "await session.conn.run_sync(...)",
}

# Methods that a factory does not have, since each of its calls is a transaction of its own.
_IN_A_BLOCK = {
    "begin_nested": "async with session.begin_nested()",
    "commit": "await session.commit(), or nothing: the end of the block commits",
    "connection": "await session.connection()",
    "in_transaction": "session.in_transaction()",
    "rollback": "await session.rollback(), or let an exception leave the block",
    "run_sync": "await session.conn.run_sync(...)",
    "stream": "async with session.stream(statement) as result",
    "stream_into": "async with session.stream_into(Class, statement) as result",
    "stream_json": "async with session.stream_json(statement) as result",
    "stream_scalars": "async with session.stream_scalars(statement) as result",
}

# Options that SQLAlchemy sets on a connection, and ignores on a statement.
_OF_CONNECTIONS = (
    "isolation_level",
    "logging_token",
    "postgresql_deferrable",
    "postgresql_readonly",
)


def no_such_attribute(owner: object, name: str, *, of_a_factory: bool = False) -> NoReturn:
    """Raise the ``AttributeError`` for a name that a session or a factory does not have."""
    kind = type(owner).__name__
    instead = _INSTEAD.get(name)
    reason = "it sends the statements you write and tracks no objects"
    if of_a_factory:
        if name in _IN_A_BLOCK:
            reason = "each of its calls is a transaction of its own"
            instead = f"`async with db.begin() as session`, and there: {_IN_A_BLOCK[name]}"
        elif instead is not None:
            instead = instead.replace(" session.", " db.")
    if instead is None:
        raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=owner)
    if not kind.startswith("Async"):
        instead = instead.replace("await session.conn.run_sync(...)", "fn(session.conn)")
        instead = instead.replace("await ", "").replace("async with", "with")
    raise AttributeError(
        f"{kind} has no {name!r}: {reason}. Write instead: {instead}.", name=name, obj=owner
    )


def factory_arguments(
    kind: type, engine: object, wanted: type, auto_commit: object, eager: object
) -> None:
    """Raise ``TypeError`` or ``ValueError`` for wrong arguments of a session factory."""
    name, needed = kind.__name__, wanted.__name__
    if not isinstance(engine, wanted):
        how = "create_async_engine(url)" if needed == "AsyncEngine" else "create_engine(url)"
        raise TypeError(
            f"{name}() takes {article(needed)} {needed}, not {_shown(engine)}. "
            f"Pass what sqlalchemy's {how} returns."
        )
    if not isinstance(auto_commit, bool):
        raise TypeError(f"{name}(auto_commit=...) takes True or False, not {_shown(auto_commit)}.")
    if eager not in ("mapped", "explicit"):
        error = ValueError if isinstance(eager, str) else TypeError
        raise error(
            f"{name}(eager=...) takes 'mapped' (load what relationships are mapped to load) or "
            f"'explicit' (only what statements ask for), not {_shown(eager)}."
        )


def databases(
    kind: type, wanted: type, binds: object, reader: object, two_phase: object
) -> Mapping[str, Any]:
    """Raise ``TypeError`` for wrong arguments on the further databases of a factory.

    :return: the engines by bind key.
    """
    name, needed = kind.__name__, wanted.__name__
    if reader is not None and not isinstance(reader, wanted):
        raise TypeError(
            f"{name}(reader=...) takes {article(needed)} {needed}, not {_shown(reader)}."
        )
    if not isinstance(two_phase, bool):
        raise TypeError(f"{name}(two_phase=...) takes True or False, not {_shown(two_phase)}.")
    if binds is None:
        return {}
    if not isinstance(binds, Mapping):
        raise TypeError(
            f"{name}(binds=...) takes a dictionary of engines by bind key, not {_shown(binds)}. "
            f'Write binds={{"logs": engine}}.'
        )
    for key, engine in binds.items():
        if not isinstance(key, str) or not isinstance(engine, wanted):
            raise TypeError(
                f"{name}(binds=...) takes names with {article(needed)} {needed} each, not "
                f"{_shown(key)} with {_shown(engine)}."
            )
    return binds


def plan_arguments(analyze: object, format: object) -> None:
    """Raise ``TypeError`` or ``ValueError`` for wrong arguments of ``explain()``."""
    if not isinstance(analyze, bool):
        raise TypeError(f"explain(analyze=...) takes True or False, not {_shown(analyze)}.")
    if format not in ("text", "json"):
        raise ValueError(f"explain(format=...) takes 'text' or 'json', not {_shown(format)}.")


def can_prepare(name: str, dialects: Mapping[str | None, Any]) -> None:
    """Raise ``ValueError`` where a database has no prepared transactions.

    :param dialects: of the engines, by bind key.
    """
    for key, dialect in dialects.items():
        backend = backend_of(dialect)
        if backend.prepared is None:
            which = "the default database" if key is None else f"the database {key!r}"
            raise ValueError(
                f"{name}(two_phase=True) needs prepared transactions in all databases, and {which} "
                f"is {backend.name}, which has none. Leave two_phase out."
            )


def session_connection(kind: type, conn: object, wanted: type) -> None:
    """Raise ``TypeError`` when a session is built on something else than a connection."""
    name, needed = kind.__name__, wanted.__name__
    if not isinstance(conn, wanted):
        begin = "async with db.begin()" if needed == "AsyncConnection" else "with db.begin()"
        raise TypeError(
            f"{name}() takes {article(needed)} {needed}, not {_shown(conn)}. "
            f"Pass what `engine.connect()` gives, or let a factory open one: `{begin} as session`."
        )


def execution_options(options: Mapping[str, Any]) -> None:
    """Raise as :func:`stream_options`, and for an option that asks for a stream."""
    stream_options(options)
    refuse_streaming(options)


def write_options(options: Mapping[str, Any]) -> None:
    """Raise as :func:`execution_options`, and for an option that writing by object ignores."""
    execution_options(options)
    if options.get("render_nulls"):
        raise UnsupportedOption(
            "the execution option 'render_nulls' has no effect on writing by object: there None "
            "leaves a column to its default. Store null() from sqlalchemy, or write "
            "execute(insert(Model), rows, execution_options={'render_nulls': True})."
        )


def stream_options(options: object) -> None:
    """Raise ``TypeError`` unless it is a mapping, ``UnsupportedOption`` for one without effect."""
    if not isinstance(options, Mapping):
        raise TypeError(
            f"execution_options takes a dictionary, not {_shown(options)}. "
            f'Write execution_options={{"name": value}}.'
        )
    if options:
        _no_identity_token(options)
        for name in _OF_CONNECTIONS:
            if name in options:
                raise UnsupportedOption(
                    f"the execution option {name!r} belongs to a connection, and SQLAlchemy "
                    f"ignores it on a statement. Write db.begin({name}=...)."
                )


def statement_options(statement: object, options: Mapping[str, Any] | None = None) -> None:
    """Raise for options, of a statement or its call, that would be ignored.

    :raises UnsupportedOption: for an identity token among a statement's own.
    :raises InvalidBind: for a bind key, which was taken out where it was followed.
    """
    own: Any = getattr(statement, "get_execution_options", None)
    if own is not None and (of_statement := own()):
        _no_identity_token(of_statement)
        _no_bind_key(of_statement)
    if options:
        _no_bind_key(options)


def _no_bind_key(options: Mapping[str, Any]) -> None:
    key = options.get("bind_key")
    if key is not None:
        no_such_bind(key)


def no_such_bind(key: object) -> NoReturn:
    """Raise ``InvalidBind`` for a bind key where there is only one database."""
    raise InvalidBind(
        f"bind_key={key!r} names a database, and there is only one here. Give the factory its "
        f"engine: binds={{{key!r}: engine}}."
    )


def _no_identity_token(options: Mapping[str, Any]) -> None:
    if options.get("identity_token") is not None:
        raise UnsupportedOption(
            "the execution option 'identity_token' belongs to an identity map, and naked_sqla has "
            "none. Leave it out, and use one factory for each database."
        )


def refuse_autocommit(dialect: Any, options: Mapping[str, Any]) -> None:
    """Raise ``InvalidSessionState`` where each statement would be committed as it runs.

    :param dialect: of the engine, which may have been created with an isolation level.
    :param options: the execution options that will hold on the connection.
    """
    level = options.get("isolation_level") or connections.engine_isolation_level(dialect)
    if isinstance(level, str) and level.replace("_", " ").upper() in ("AUTOCOMMIT", "AUTO COMMIT"):
        raise InvalidSessionState(
            "a session is one transaction, and isolation_level='AUTOCOMMIT' stores every statement "
            "as it runs: neither an exception nor rollback() would undo it. Begin with another "
            "level, e.g. db.begin(isolation_level='READ COMMITTED'), or use engine.connect() for "
            "statements that need AUTOCOMMIT. In tests, create the engine without it, and have the "
            "fixture yield the factory, or a sandbox(): each call on it commits by itself."
        )


def article(word: str) -> str:
    """``a`` or ``an``, as a word needs it."""
    return "an" if word[0] in "AEIOU" else "a"


def _shown(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, str) and "://" in value:
        # a URL may have a password in it
        return f"the string '{value.partition('://')[0]}://...'"
    if isinstance(value, (str, int, float)):
        shown = repr(value)
        return (
            shown if len(shown) <= 60 else f"{article(type(value).__name__)} {type(value).__name__}"
        )
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{article(name)} {name}"


def open_connection(conn: Any) -> None:
    """Raise ``InvalidSessionState`` for a connection that a session can't be built on."""
    if conn is None:
        raise InvalidSessionState(
            "the connection has not been started. Write `async with engine.connect() as conn`, or "
            "`conn = await engine.connect()`, and build the session then."
        )
    if conn.closed:
        raise InvalidSessionState(
            "the connection is closed. Build the session on an open one, or let a factory open it."
        )
    refuse_autocommit(conn.dialect, conn.get_execution_options())


def is_number(given: object) -> bool:
    """True for an int or float; a bool is none."""
    return isinstance(given, int | float) and not isinstance(given, bool)


def seconds(argument: str, given: Any, *, positive: bool = False, note: str = "") -> float:
    """The seconds that a caller gives as an argument, such as ``"begin(timeout=...)"``.

    :raises TypeError: for what is no number; ``ValueError`` for one that is out of range.
    """
    number = is_number(given)
    if number and (0 < given <= sys.float_info.max or (given == 0 and not positive)):
        return float(given)
    least = "more than 0" if positive else "0 or more"
    error = ValueError if number else TypeError
    raise error(f"{argument} takes seconds, {least}{note}, not {given!r}.")


def begin_options(engine: Any, options: Mapping[str, Any]) -> None:
    """Raise for options that ``begin()`` can't be given on this engine."""
    if options:
        _no_identity_token(options)
        # a session may have a max_row_buffer, for its streams
        refuse_streaming(options, ("yield_per", "stream_results"))
        _no_bind_key(options)
        options = {**engine.get_execution_options(), **options}
    else:
        options = engine.get_execution_options()
    refuse_autocommit(engine.dialect, options)


def entered_twice(made_by: str = "begin") -> NoReturn:
    """Raise ``InvalidSessionState`` for a block that is entered again."""
    one = {
        "begin": "transaction",
        "read": "transaction",
        "begin_nested": "savepoint",
        "stream": "stream",
        "listen": "listening connection",
    }[made_by]
    raise InvalidSessionState(
        f"what {made_by}() returned was entered a second time: it is one {one}. Call {made_by}() "
        f"again for another one."
    )


def left_while_inside(kind: str, inside: str, block: str = "") -> str:
    """The message of a block that ended while another caller was inside its session.

    :param block: ``begin_nested``, for a savepoint.
    """
    me: Any = asyncio.current_task() if kind == "task" else threading.current_thread()
    name = "(no task)" if me is None else repr(me.get_name() if kind == "task" else me.name)
    return (
        f"{kind} {name} left the {block and block + '() '}block of a session while {kind} {inside} "
        f"was inside it. The {'savepoint' if block else 'transaction'} was rolled back. Let all "
        f"that uses the session end before the block does."
    )
