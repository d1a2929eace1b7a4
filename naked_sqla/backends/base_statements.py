"""Facts and hooks of a database that concern statements, their values and their rows.

``base.py`` says what a default is.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Dialect, Index, UniqueConstraint
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

    from naked_sqla._sqlalchemy.unopened import Unopened
    from naked_sqla.backends.contracts import Copied, Fetched
    from naked_sqla.backends.documents import Documents
    from naked_sqla.backends.trees import Trees

__all__ = ("ForStatements",)


class ForStatements:
    """What a database does for statements."""

    name: str

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

    def fetch_told(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Fetched:
        """The same, with what a cursor that has been read and closed tells besides."""
        rows: Any = self.fetch(conn, sql, arguments, alone)
        return rows, -1, None

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
