"""A pool's connection for one statement, without the ``Connection`` that SQLAlchemy makes for it.

A Connection costs as much as a statement that goes the direct way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import QueuePool

from naked_sqla._sqlalchemy import connections
from naked_sqla._sqlalchemy.direct import is_listened_to

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ("Unopened", "is_unobserved", "opened", "opens_at_once")


class Unopened:
    """Stands for a Connection, which is made where something besides the direct way needs one.

    :ivar fairy: what the pool gave, or None.
    :ivar in_autocommit: its statement takes no transaction, though the driver would begin one.
    """

    __slots__ = ("_conn", "_is_open", "_prepare", "dialect", "engine", "fairy", "in_autocommit")

    def __init__(
        self, engine: Engine, in_autocommit: bool, prepare: Callable[[Connection], None]
    ) -> None:
        """Stand for a connection of an engine.

        :param prepare: called with a Connection before a statement runs on it.
        """
        self.engine = engine
        self.dialect: Any = engine.dialect
        self.in_autocommit = in_autocommit
        self.fairy: Any = None
        self._conn: Connection | None = None
        self._prepare = prepare
        self._is_open = False

    def get_execution_options(self) -> Mapping[str, Any]:
        """The options that a Connection has from its engine."""
        return self.engine.get_execution_options()

    @property
    def _dbapi_connection(self) -> Any:
        # by the name that it has on a Connection: one hook of a driver does for both
        return self.fairy

    def check_out(self) -> None:
        """Take a connection from the pool; errors are those of ``Engine.connect()``."""
        try:
            self.fairy = connections.check_out(self.engine.raw_connection)
        except self.dialect.loaded_dbapi.Error as error:
            private: Any = Connection
            private._handle_dbapi_exception_noconnection(error, self.dialect, self.engine)
            raise

    @property
    def connected(self) -> bool:
        """True while there is a connection of the pool's."""
        return self.fairy is not None or self._conn is not None

    @property
    def has_conn(self) -> bool:
        """True once a Connection was made."""
        return self._conn is not None

    @property
    def conn(self) -> Connection | None:
        """The Connection, bare; None where the pool has given nothing yet."""
        if self._conn is None and self.fairy is not None:
            self._conn = Connection(self.engine, self.fairy)
        return self._conn

    def open(self) -> Connection:
        """The Connection, ready for any statement."""
        conn = self.conn
        if conn is None:
            conn = self._conn = connections.check_out(self.engine.connect)
        if not self._is_open:
            self._is_open = True
            self._prepare(conn)
        return conn

    def closed(self) -> Connection:
        """A Connection as it is after the call: closed, and nothing was told of it."""
        conn = Connection.__new__(Connection)
        options: Any = self.engine._execution_options
        if self.in_autocommit:
            options = options.union({"isolation_level": "AUTOCOMMIT"})
        vars(conn).update(
            engine=self.engine,
            dialect=self.dialect,
            dispatch=conn.dispatch._join(self.engine.dispatch),
            _dbapi_connection=None,
            _transaction=None,
            _nested_transaction=None,
            _allow_autobegin=True,
            _echo=False,
            _has_events=False,
            _execution_options=options,
            _Connection__can_reconnect=False,
            _Connection__savepoint_seq=0,
            _Connection__in_begin=False,
        )
        return conn

    def give_back(self) -> None:
        """Give the connection back to its pool; it is idle, and no Connection was made of it."""
        fairy, self.fairy = self.fairy, None
        record = fairy._connection_record
        ref = record.fairy_ref
        try:
            # nothing is to be rolled back: the pool does not ask the driver to
            fairy._close_special(transaction_reset=True)
        except BaseException:
            if record.fairy_ref is ref:
                # torn on its way: its place in the pool would be taken for good
                record.invalidate()
                record.checkin()
            raise


def opened(conn: Any) -> Any:
    """The Connection that is stood for."""
    return conn.open() if type(conn) is Unopened else conn


def _is_heard(engine: Any) -> bool:
    return is_listened_to(engine) or is_listened_to(engine.dialect)


# Only a dialect of somebody's own sends a BEGIN there; the queue of a pool that is full may be
# awaited even where it has a connection.
def opens_at_once(engine: Any) -> bool:
    """True where ``connect()`` and ``begin()`` wait for nothing: no connection is made or tested,
    nobody listens, no BEGIN is sent.
    """
    pool = engine.pool
    return (
        isinstance(pool, QueuePool)
        and connections.next_is_ready(pool)
        and not -1 < pool._max_overflow <= pool._overflow
        and not (pool._pre_ping or pool.dispatch.checkout)
        and not getattr(Connection, "_has_events", False)
        and not (engine._has_events and _is_heard(engine))
        and type(engine.dialect).do_begin is DefaultDialect.do_begin
    )


def is_unobserved(engine: Any) -> bool:
    """True while nobody listens to the connections of an engine and its pool, or logs."""
    if (
        # 2.0.40 has it on the class only where somebody listens to that
        getattr(Connection, "_has_events", False)
        or ((engine._has_events or engine.dialect._has_events) and _is_heard(engine))
        or engine._should_log_info()
    ):
        return False
    told = engine.pool.dispatch
    # who listens there may look at the isolation level
    return not (told.checkout or told.checkin or told.reset)
