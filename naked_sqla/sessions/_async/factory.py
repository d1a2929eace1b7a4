"""Sessions on an asynchronous engine: the factory that opens them."""

from __future__ import annotations

import copy
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla.read.criteria import check_criteria, criteria_of, derived
from naked_sqla.read.criteria import without as lifted
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock, run_single_call
from naked_sqla.sessions._async.calls import AsyncCalls
from naked_sqla.sessions._async.monitoring import AsyncMonitoring
from naked_sqla.sessions._async.notifying import AsyncListening
from naked_sqla.sessions._async.pages import AsyncPages
from naked_sqla.sessions._async.runner import AsyncRunner
from naked_sqla.sessions._async.session import AsyncSession
from naked_sqla.sessions._async.telling import AsyncWriteHooks
from naked_sqla.sessions._async.writes import AsyncWrites
from naked_sqla.sessions.calls.base import Call, routed
from naked_sqla.sessions.current import Current, in_task
from naked_sqla.sessions.misuse import NotCallable
from naked_sqla.sessions.observable import Observable
from naked_sqla.sessions.secrets import secrets
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy.sql.base import ExecutableOption

    from naked_sqla.sessions._async.reader import AsyncReader
    from naked_sqla.sessions.routing.databases import Databases
    from naked_sqla.sessions.terms import Terms


_NO_LIMITS = (None, None, None)


class AsyncSessionFactory(
    AsyncCalls,
    AsyncPages,
    AsyncWrites,
    AsyncRunner,
    AsyncListening,
    AsyncMonitoring,
    AsyncWriteHooks,
    Observable,
    NotCallable,
):
    """Open sessions on an engine. Make one factory for an application; it holds no connection.

    A call such as ``await db.scalars(select(User))`` runs one statement, without a block.

    :param engine: an engine of ``sqlalchemy.ext.asyncio.create_async_engine()``.
    :param auto_commit: commit at the end of a block that no exception leaves.
    :param eager: ``"mapped"`` loads relationships as the mapping says (``lazy="selectin"`` and
        similar); ``"explicit"`` loads only those that a statement names.
    :param binds: the engines of further databases, by the bind keys of the models.
    :param two_phase: commit in several databases with prepared transactions (PostgreSQL).
    :param reader: the engine that :meth:`read` uses, such as the engine of a replica.
    :param secret: signs the cursors of :meth:`keyset` (HMAC-SHA256), so that no client can make
        one. Of several secrets, the first one signs, and all are accepted: put a new one first.
    :param options: ``with_loader_criteria()`` for every statement, see :meth:`with_options`.
    :param timeout: seconds that a transaction may take, if :meth:`begin` names no other time. The
        same holds for ``statement_timeout``, ``lock_timeout`` and ``settings``.
    :raises TypeError: ``engine`` is not an asynchronous engine, or ``auto_commit`` is not a bool.
    :raises ValueError: another word as ``eager``; ``two_phase`` with a database that has no
        prepared transactions; an empty ``secret``.
    """

    _CALLED = (
        "db",
        "`async with db.begin() as session:` for a transaction, or `await db.scalars(statement)` "
        "for one statement",
    )

    __slots__ = (
        "__weakref__",
        "_auto_commit",
        "_current",
        "_databases",
        "_eager",
        "_engine",
        "_reader",
        "_terms",
    )

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        auto_commit: bool = True,
        eager: Literal["mapped", "explicit"] = "mapped",
        binds: Mapping[str, AsyncEngine] | None = None,
        two_phase: bool = False,
        reader: AsyncEngine | None = None,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        options: Sequence[ExecutableOption] = (),
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        checks.factory_arguments(type(self), engine, AsyncEngine, auto_commit, eager)
        self._engine = engine
        self._auto_commit = auto_commit
        self._eager = eager == "mapped"
        self._secrets = secrets(type(self), secret)
        self._current = Current(self._secrets)
        others = checks.databases(type(self), AsyncEngine, binds, reader, two_phase)
        self._reader = reader
        self._databases: Databases | None = None
        if others:
            # imported where it is needed: with one database nobody pays for it
            from naked_sqla.sessions.routing.databases import databases

            self._databases = databases(type(self).__name__, engine, others, two_phase)
        if options:
            self._derive(check_criteria(options), {})
        self._terms: Terms | None = None
        self._terms = self._terms_of(timeout, statement_timeout, lock_timeout, settings)

    @property
    def engine(self) -> AsyncEngine:
        """The engine that sessions are opened on."""
        return self._engine

    @property
    def auto_commit(self) -> bool:
        """True when a block that is left without an exception commits."""
        return self._auto_commit

    @property
    def eager(self) -> Literal["mapped", "explicit"]:
        """``"explicit"`` when the eager loads of the mapping are switched off."""
        return "mapped" if self._eager else "explicit"

    def begin(
        self,
        *,
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        settings: Mapping[str, str] | None = None,
        resolve_commit: bool = False,
        **execution_options: Any,
    ) -> AsyncSessionBlock:
        """Return a block for ``async with``: one transaction in one session.

        If the block ends without an error, it commits (with ``auto_commit``), unless you committed
        or rolled back yourself. An exception rolls back, and leaves the block. Then the session is
        closed.

        :param timeout: seconds that the block may take, from here to the end of COMMIT.
        :param statement_timeout: seconds that each statement may take.
        :param lock_timeout: seconds that a statement may wait for a lock.
        :param settings: settings of the database for this transaction (``SET LOCAL``), by name.
        :param resolve_commit: on PostgreSQL, ask the server on another connection what became of a
            COMMIT whose answer was lost. It costs one round trip before each COMMIT.
        :param execution_options: options of the connection during this block, such as
            ``isolation_level="SERIALIZABLE"``.
        :raises InvalidSessionState: AUTOCOMMIT mode; or you enter the block a second time.
        :raises TypeError: ``resolve_commit`` is not a bool.
        :raises UnsupportedOption: ``yield_per`` or ``stream_results``; ``resolve_commit``, a limit
            or settings that the database does not have.
        :raises TransactionTimeout: from the block, or from a call in it: a limit was reached.

        The end of the block raises ``CommitOutcomeUnknown`` if COMMIT was sent and no answer came.
        """
        checks.begin_options(self._engine.sync_engine, execution_options)
        kind = Transaction
        if resolve_commit is not False:
            from naked_sqla.sessions.resolving import ResolvingTransaction, check_resolving

            databases = self._databases
            engines = [self._engine] if databases is None else databases.engines.values()
            check_resolving(resolve_commit, [engine.dialect for engine in engines])
            kind = ResolvingTransaction
        terms = self._terms_of(timeout, statement_timeout, lock_timeout, settings)
        make: Any = AsyncSessionBlock
        given: Any = self._engine
        if self._databases is not None:
            from naked_sqla.sessions._async.routed import AsyncRoutedBlock

            make, given = AsyncRoutedBlock, self._databases
        arguments = given, self._auto_commit, execution_options, self._eager
        block: AsyncSessionBlock
        if terms is None:
            block = make(*arguments, current=self._current, kind=kind)
        else:
            from naked_sqla.sessions._async.limited import on_terms

            block = on_terms(make, terms, kind, *arguments, current=self._current)
        return block

    def read(
        self,
        *,
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        settings: Mapping[str, str] | None = None,
        **execution_options: Any,
    ) -> AsyncReader:
        """Read from the ``reader``, or from the engine if there is none, and write nothing.

        ``async with db.read() as session:`` is one read-only transaction. ``await
        db.read().scalars(...)`` runs one statement. With ``binds``, the reader replaces the default
        database.

        A write is refused before it is sent. PostgreSQL and SQLite also refuse a write that the
        statement does not show, such as that of a function.

        Arguments as in :meth:`begin`.

        :raises InvalidSessionState: a write; AUTOCOMMIT mode; or you enter the block a second time.
        """
        from naked_sqla.sessions._async.reader import AsyncReader

        engine = self._reader or self._engine
        databases = self._databases and self._databases.reading(engine)
        terms = self._terms_of(timeout, statement_timeout, lock_timeout, settings)
        return AsyncReader(engine, self._eager, execution_options, self._current, databases, terms)

    def with_options(
        self,
        *options: ExecutableOption,
        without: type | str | Iterable[type | str] = (),
        execution_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a factory on the same engine, with filters or options for all statements.

        ``with_loader_criteria()`` applies to each SELECT, what it loads eagerly, ``get()``,
        ``preload()``, pages and counts, to ``update()`` and ``delete()`` statements, and to writes
        by key. It opens no connection: make one for each request, if you like.

        :param options: further ``with_loader_criteria()``, in addition to those of this factory.
        :param without: a class whose criteria are removed, its name, or several of them.
        :param execution_options: options of all its connections, such as ``schema_translate_map``.
            ``bind_key`` sends everything to one of the ``binds``.
        :raises UnsupportedOption: another option; or ``without`` a class that has no criteria.
        :raises InvalidBind: the bind key is not configured.
        """
        own = execution_options or {}
        checks.execution_options(own)
        found: Self = copy.copy(self)
        key = own.get("bind_key")
        if key is not None:
            if self._databases is None:
                checks.no_such_bind(key)
            found._engine = self._databases.engines[self._databases.routes.known(key, "bind_key")]
            found._reader = found._databases = None
        criteria = lifted(criteria_of(found._engine.sync_engine), without)
        rest = {name: value for name, value in own.items() if name != "bind_key"}
        found._derive((*criteria, *check_criteria(options)), rest)
        return found

    def _derive(self, criteria: Sequence[Any], options: Mapping[str, Any]) -> None:
        self._engine = derived(self._engine, criteria, options)
        if self._reader is not None:
            self._reader = derived(self._reader, criteria, options)
        if self._databases is not None:
            self._databases = self._databases.derived(
                self._engine, lambda engine: derived(engine, criteria, options)
            )

    def get_bind(self, mapper: Any = None, clause: Any = None) -> AsyncEngine:
        """Return the engine to which the statements for a model, a table or a column go.

        :param mapper: a mapped class or its mapper; without it and ``clause``, the default.
        :raises InvalidBind: for a subject in two databases, or with an unknown bind key.
        """
        if self._databases is None:
            return self._engine
        engine: AsyncEngine = self._databases.engines[self._databases.routes.of(mapper, clause)]
        return engine

    def current_session(self) -> AsyncSession:
        """Return the innermost session that this task has opened, if you can't pass it on.

        A child task does not have the session of the task that started it.

        :raises InvalidSessionState: outside of a block of this factory.
        """
        session: AsyncSession = in_task(self._current)
        return session

    def _call(self, call: Call) -> Coroutine[Any, Any, Any]:
        engine = self._engine
        if self._databases is not None:
            key, call = routed(self._databases.routes, call, self._eager)
            engine = self._databases.engines[key]
        observers = self._current.observers
        observed = None if observers is None else observers.session()
        seen = {"observed": observed, "writers": self._current.writers}
        if self._terms is not None:
            from naked_sqla.sessions._async.limited import run_on_terms

            return run_on_terms(self._terms, engine, self._auto_commit, self._eager, call, **seen)
        return run_single_call(engine, self._auto_commit, self._eager, call, **seen)

    def _terms_of(
        self,
        timeout: float | None,
        statement_timeout: float | None,
        lock_timeout: float | None,
        settings: Mapping[str, str] | None,
    ) -> Terms | None:
        limits = timeout, statement_timeout, lock_timeout
        if limits == _NO_LIMITS and settings is None:
            return self._terms
        # imported where it is needed: without limits nobody pays for it
        from naked_sqla.sessions.terms import terms_of

        engines = [self._engine] if self._databases is None else self._databases.engines.values()
        return terms_of(
            [engine.dialect for engine in engines],
            self._terms,
            timeout=timeout,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            settings=settings,
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            checks.no_such_attribute(self, name, of_a_factory=True)
