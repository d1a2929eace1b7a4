"""What a database is, reached through a driver: every fact and hook, with its cautious default.

A default holds for any dialect of SQLAlchemy: it refuses a feature before anything is sent, or does
as plain SQLAlchemy does.  A database overrides what it does differently, and a driver is a subclass
of its database.  Nothing outside this package asks for a dialect's name.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sqlalchemy.exc import DBAPIError

from naked_sqla.backends import own
from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Dialect, Engine, Index, UniqueConstraint
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

    from naked_sqla._sqlalchemy.unopened import Unopened
    from naked_sqla.backends.contracts import Copied, Prepared, Stop, Stoppable
    from naked_sqla.backends.documents import Documents
    from naked_sqla.backends.terms import Terms
    from naked_sqla.backends.trees import Trees

__all__ = ("Backend",)

_NO_OPTIONS: Mapping[str, Any] = {}


class Backend:
    """The facts and hooks of one database behind one driver.

    :param name: of the database, as ``dialect.name`` has it.
    :param driver: as ``dialect.driver`` has it.
    """

    # ------------------------------------------------------------ facts: transactions

    #: What is asked of prepared transactions, for ``two_phase=True``; ``None``: it has none.
    prepared: ClassVar[Prepared | None] = None

    #: Execution options of a connection on which several SELECTs see one state of the database;
    #: ``None``: any transaction does.
    snapshot_options: ClassVar[Mapping[str, Any] | None] = None

    #: Has :meth:`transaction_id` and :meth:`outcome_of`: what became of a transaction.
    resolves_commits: ClassVar[bool] = False

    #: BEGIN and COMMIT cost a round trip each, which a single SELECT does without in AUTOCOMMIT.
    pays_for_transactions: ClassVar[bool] = False

    #: Closes its socket when a task is cancelled that connects: an attempt that hangs is given up,
    #: rather than take a place in the pool until it has ended by itself.
    gives_up_connecting: ClassVar[bool] = False

    #: What ``begin()`` may ask for: time limits and settings, by their names.
    terms: ClassVar[frozenset[str]] = frozenset()

    #: Ends a statement by itself when it has had its time, or has waited for a lock too long.
    server_has_limits: ClassVar[bool] = False

    #: SQLSTATEs of errors after which the same transaction may succeed when it is run again.
    transient_states: ClassVar[frozenset[str]] = frozenset({"40001"})

    # ------------------------------------------------------------ facts: statements

    #: Compares tuples: ``(a, b) > (1, 2)``.
    has_row_values: ClassVar[bool] = False

    #: Where ORDER BY puts NULLs without NULLS FIRST or NULLS LAST; ``None``: unknown.
    nulls_sort: ClassVar[Literal["as_largest", "as_smallest"] | None] = None

    #: Returns the rows of a batch of INSERTs faster when their order is free.
    returns_in_any_order: ClassVar[bool] = False

    #: Takes the values of a bulk UPDATE as one array for each column.
    updates_from_arrays: ClassVar[bool] = False

    #: Has COPY: :meth:`copy`, and on an asynchronous driver :meth:`copy_async`.
    has_copy: ClassVar[bool] = False

    #: SQL that sends a notification (``:channel``, ``:payload``) at COMMIT; ``None``: has none.
    notify: ClassVar[str | None] = None

    #: Has :meth:`listener`, see ``notifications.py``.
    can_listen: ClassVar[bool] = False

    #: Has INSERT ... ON CONFLICT: :meth:`insert`.
    has_on_conflict: ClassVar[bool] = False

    #: Writes in the WITH of a SELECT: ``WITH gone AS (DELETE ... RETURNING ...)``.
    writes_in_with: ClassVar[bool] = False

    #: Has materialized views.
    has_materialized_views: ClassVar[bool] = False

    #: Writes rows as JSON, as Python would; ``None``: it does not.
    documents: ClassVar[Documents | None] = None

    #: Writes rows, and the rows below them, as JSON; ``None``: it does not.
    trees: ClassVar[Trees | None] = None

    #: How many keys one statement names, each in a parameter of its own.
    keys_per_statement: ClassVar[int] = 500

    #: How many keys :meth:`with_keys` is given.
    keys_per_array: ClassVar[int] = 10_000

    def __init__(self, name: str, driver: str) -> None:
        self.name = name
        self.driver = driver

    def __str__(self) -> str:
        return f"{self.name} through {self.driver}"

    # ------------------------------------------------------------ hooks: transactions

    def checked_out(self, conn: Connection) -> None:
        """Prepare a connection that a session has just been given by its pool.

        The pool, and others who use it, are to see nothing of it.
        """

    def begin_now(self, conn: Connection, to_write: bool = False) -> None:
        """Send the BEGIN that the driver keeps back until the first write.

        :param to_write: take the lock of the one writer with it, where the database has one.
        """

    def begin_on(self, conn: Connection, terms: Terms, snapshot: bool) -> None:
        """Begin a transaction on terms; :attr:`terms` says which there may be.

        :param snapshot: send BEGIN, where the driver keeps it back.
        """
        if snapshot or terms.to_write:
            self.begin_now(conn, terms.to_write)

    def settings_of(self, terms: Terms) -> Mapping[str, str]:
        """The settings of the transaction that the terms are to the database."""
        return {}

    def set_local(self, conn: Connection, settings: Mapping[str, str]) -> None:
        """Set settings for the transaction that is open."""

    def current_settings(self, conn: Connection, names: Iterable[str]) -> dict[str, str]:
        """What some settings are now."""
        return {}

    def limit_behind(self, error: BaseException) -> str | None:
        """The name of the limit that an error may come from; the time it took decides."""
        return None

    def interrupt(self, raw: Any, times: int) -> None:
        """End what the driver waits for; called in another thread, again until it has ended.

        :param raw: the driver's connection.
        :param times: how often it was called before.
        """

    def before_read_only(self, conn: Connection) -> Mapping[str, Any]:
        """Have the database refuse writes in the transaction that begins next.

        A setting of the driver's connection must be undone when that returns to its pool.

        :return: further execution options for the connection.
        """
        return _NO_OPTIONS

    def has_lost_transaction(self, conn: Connection, failure: BaseException | None) -> bool:
        """True when the database would "commit" the open transaction and store nothing of it.

        :param failure: the error of a statement that ran in it, if the session knows one.
        """
        if failure is None:
            return False
        try:
            own.send(conn, "SELECT 1")
        except DBAPIError:
            return True
        return False

    def watch(self, conn: Connection) -> Callable[[], bool] | None:
        """What tells whether the driver's connection is in a transaction, without asking anybody.

        :return: ``None`` where the database ends no transaction by itself under a statement that
            fails, and goes on without one.
        """
        return None

    def is_cut(self, conn: Connection) -> bool:
        """True when the driver can tell that the server is gone; asked before COMMIT is sent."""
        return False

    def answers_commit(self, error: BaseException) -> bool:
        """True for an error that is the database's answer to COMMIT: nothing was stored.

        False where the answer was lost: then nobody knows.
        """
        return isinstance(error, DBAPIError) and not error.connection_invalidated

    def transaction_id(self, conn: Connection) -> Any:
        """What the open transaction is called on the server; ``None``: it has written nothing."""
        raise InvalidStatement(f"{self} gives transactions no names that can be asked for.")

    def outcome_of(
        self, engine: Engine, transaction: Any
    ) -> Literal["committed", "rolled_back", "unknown"]:
        """What became of a transaction, asked on a connection of its own.

        :param transaction: as :meth:`transaction_id` gave it.
        """
        return "unknown"

    def is_idle(self, raw: Any) -> bool:
        """False for a connection that is in a transaction, or in the middle of an exchange.

        Such a connection must not return to the pool.

        :param raw: the driver's connection, after everything else was reset.
        """
        return True

    def torn(self, conn: Connection, error: BaseException) -> BaseException | None:
        """The error to raise for one that left the driver in the middle of an exchange, or None."""
        return None

    def after_refusal(self, conn: Connection) -> None:
        """Clean up after a statement in AUTOCOMMIT that the driver refused."""

    def listener(self, raw: Any, is_async: bool) -> Any:
        """What listens on a driver's connection; called where :attr:`can_listen` says so."""
        raise NotImplementedError

    def is_transient(self, error: BaseException) -> bool:
        """True for the driver's error after which the same transaction may succeed when run again.

        A lost connection is one; SQLAlchemy's wrapping knows of it too.

        :param error: of the driver or of SQLAlchemy's adapter to it; or any other one.
        """
        return getattr(error, "sqlstate", None) in self.transient_states

    def is_connect_error(self, error: BaseException) -> bool:
        """True for the driver's error when a connection could not be made."""
        return isinstance(error, OSError)

    def stop(self, transaction: Stoppable) -> Stop | None:
        """Stops the statement of a cancelled task; ``None``: a ``CancelledError`` does it."""
        return None

    # ------------------------------------------------------------ hooks: statements

    def can_fetch(self, conn: Connection | Unopened) -> bool:
        """True when :meth:`fetch` does on this connection what SQLAlchemy would do."""
        return False

    def fetch(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Iterable[Any]:
        """All rows of a statement as the driver gives them; called where :meth:`can_fetch` says so.

        A transaction begins where SQLAlchemy's adapter begins one, and errors are the adapter's.

        :param arguments: a tuple or a dictionary, as the dialect's ``paramstyle`` has it.
        :param alone: no transaction begins, as in AUTOCOMMIT, unless there has to be one; asked
            for where :attr:`pays_for_transactions` says so, and none is open.
        """
        raise NotImplementedError

    def insert(self, entity: Any) -> Any:
        """The INSERT that has ``on_conflict_do_update()``.

        :raises InvalidStatement: the database has none.
        """
        raise InvalidStatement(
            f"{self.name} has no INSERT ... ON CONFLICT, which upsert() is. Use execute() with "
            f"what it has (on_duplicate_key_update(), MERGE)."
        )

    def nulls_meet(self, unique: UniqueConstraint | Index) -> bool:
        """True when NULL equals NULL in a unique constraint or index."""
        return False

    def as_stored(self, bind: BindParameter[Any]) -> ColumnElement[Any]:
        """A parameter in the form in which a column of its type stores it."""
        return bind

    def explain(self, analyze: bool, as_json: bool) -> str:
        """The words before a statement that ask for its plan.

        :raises InvalidStatement: the database's are not known.
        :raises UnsupportedOption: it can't analyze.
        """
        raise InvalidStatement(
            f"explain(): the plans of {self.name} are not known here. Send what it has: "
            f"execute(text('EXPLAIN ...'))."
        )

    def plan(self, rows: Sequence[Any], as_json: bool) -> Any:
        """The plan in the rows that came: a text, or a list of dictionaries."""
        return "\n".join(str(row[0]) for row in rows)

    def with_keys(
        self, column: ColumnElement[Any], keys: Sequence[Any], version: tuple[Any, ...] | None
    ) -> ColumnElement[bool] | None:
        """The condition that finds the rows with some keys, all of them in one parameter.

        :param version: of the server.
        :return: ``None`` where each key has to be a parameter of its own.
        """
        return None

    def refuses_position(self, value: Any) -> str | None:
        """The reason why a page can't go on from a value; None if it can."""
        return None

    def takes_position(self, value: Any, of: TypeEngine[Any] | None) -> bool:
        """False for a value of a client's cursor that no row can have given.

        :param of: the type of the column, as the dialect implements it; ``None`` for an expression.
        """
        return True

    def refuses_values(self, error: DBAPIError) -> bool:
        """True for an error that says that values are not of the kind they are compared with."""
        return False

    def position(self, value: Any) -> Any:
        """A value of a row as the parameter that equals it in a comparison."""
        return value

    def can_copy(self, of: TypeEngine[Any], dialect: Dialect) -> bool:
        """False for a type whose values the driver can't send with COPY."""
        return True

    def copy(self, conn: Connection, records: Copied, rows: Iterator[Any]) -> int:
        """Send rows with COPY; on an asynchronous driver from within SQLAlchemy's greenlet.

        Called only where :attr:`has_copy` is true.

        :return: the number of stored rows.
        """
        raise InvalidStatement(f"{self} has no COPY. Use insert_all().")

    async def copy_async(
        self, conn: Connection, records: Copied, rows: Iterable[Any] | AsyncIterable[Any]
    ) -> int:
        """The same in the event loop, on an asynchronous driver."""
        raise InvalidStatement(f"{self} has no COPY. Use insert_all().")
