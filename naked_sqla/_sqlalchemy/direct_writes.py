"""An INSERT, UPDATE or DELETE that ran before, without what SQLAlchemy does around it.

Its parameters, defaults of the client, cursor and result are SQLAlchemy's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from naked_sqla._sqlalchemy import direct

__all__ = ("KeptWrite",)

_Given = Mapping[str, Any] | None

# What the execution contexts of one compiled statement have in common.
_OF_COMPILED = (
    "_is_explicit_returning",
    "_is_implicit_returning",
    "cache_hit",
    "compiled",
    "dialect",
    "is_crud",
    "is_text",
    "isdelete",
    "isinsert",
    "isupdate",
    "result_column_struct",
    "statement",
    "unicode_statement",
)


class KeptWrite:
    """A compiled INSERT, UPDATE or DELETE, for one set of parameters.

    :ivar sql: as it is sent.
    :ivar has_defaults: the client makes values for it (``default``, ``onupdate``).
    """

    __slots__ = (
        "_by_name",
        "_compiled",
        "_context",
        "_converted",
        "_names",
        "_order",
        "has_defaults",
        "sql",
    )

    def __init__(self, context: Any, given: Collection[str]) -> None:
        compiled = self._compiled = context.compiled
        self.sql: str = compiled.string
        self.has_defaults = bool(compiled.insert_prefetch or compiled.update_prefetch)
        self._context = {name: getattr(context, name) for name in _OF_COMPILED}
        self._context["cache_hit"] = context.dialect.CACHE_HIT
        keys = [(name, bind.key) for bind, name in compiled.bind_names.items()]
        # None where a value comes from elsewhere than the parameters
        self._names = keys if all(key in given for _, key in keys) else None
        self._by_name = not compiled.positional
        names = [name for name, _ in keys] if self._by_name else compiled.positiontup
        self._order = [(name, compiled._bind_processors.get(name)) for name in names or ()]
        self._converted = any(convert for _, convert in self._order)

    @classmethod
    def of(cls, result: Any, given: Collection[str], own: bool = False) -> KeptWrite | None:
        """What is kept of the statement of a result; None where each execution is another.

        :param given: the names of its parameters, the same each time.
        :param own: it is always the same statement, and needs no cache key.
        """
        context = result.context
        return cls(context, given) if cls._is_constant(context, own) else None

    @staticmethod
    def _is_constant(context: Any, own: bool = False, for_executemany: bool = False) -> bool:
        compiled = context.compiled
        made = [
            *(column.default for column in compiled.insert_prefetch),
            *(column.onupdate for column in compiled.update_prefetch),
        ]
        asks = compiled.compile_state.statement
        return (
            direct.is_constant(compiled, own)
            and bool(compiled.for_executemany) is for_executemany
            and not compiled.has_out_parameters
            and not asks._return_defaults
            and not asks._supplemental_returning
            # SQL as a default is a statement of its own
            and all(default.is_scalar or default.is_callable for default in made)
        )

    def result(
        self, conn: Any, statement: Any, given: _Given, values: Sequence[Any], options: Any
    ) -> Any:
        """Send it, and give SQLAlchemy's ``CursorResult``.

        :param statement: the one in hand.
        :param values: in the statement in hand.
        """
        context, arguments = self._bound(conn, statement, given, values, options)
        self._execute(conn, context, arguments)
        try:
            return context._setup_result_proxy()
        except BaseException as error:  # noqa: BLE001 - it comes out again
            conn._handle_dbapi_exception(error, self.sql, arguments, context.cursor, context)

    def matched(
        self, conn: Any, statement: Any, given: _Given, values: Sequence[Any], options: Any
    ) -> int:
        """Send it, and give how many rows it has matched, or -1."""
        context, arguments = self._bound(conn, statement, given, values, options)
        self._execute(conn, context, arguments)
        count: int = context.cursor.rowcount
        context.cursor.close()
        return count

    def rows(
        self, conn: Any, statement: Any, given: _Given, values: Sequence[Any], options: Any
    ) -> Iterable[Any]:
        """Send it, where the client makes values for it, and give what it returns."""
        context, arguments = self._bound(conn, statement, given, values, options)
        self._execute(conn, context, arguments)
        rows: Iterable[Any] = context.cursor.fetchall()
        context.cursor.close()
        return rows

    def arguments(self, conn: Any, given: _Given, values: Sequence[Any]) -> Any:
        """The values that it is sent with, where the client makes none."""
        try:
            return self._arguments(self._parameters(given, values))
        except BaseException as error:  # noqa: BLE001 - it comes out again
            self._refuse(conn, error, given)

    def _bound(
        self, conn: Any, statement: Any, given: _Given, values: Sequence[Any], options: Any
    ) -> tuple[Any, Any]:
        """The execution context, and the values that it is sent with."""
        try:
            context = self._new_context(conn, statement, values, options)
            parameters = self._parameters(given, values)
            context.compiled_parameters = [parameters]
            context.cursor = context.create_cursor()
            if self.has_defaults:
                context._process_execute_defaults()
            arguments = self._arguments(parameters)
            context.parameters = [arguments]
        except BaseException as error:  # noqa: BLE001 - it comes out again
            self._refuse(conn, error, given)
        return context, arguments

    def _new_context(self, conn: Any, statement: Any, values: Sequence[Any], options: Any) -> Any:
        kind = conn.dialect.execution_ctx_cls
        context = kind.__new__(kind)
        vars(context).update(self._context)
        context.root_connection = conn
        context._dbapi_connection = conn._dbapi_connection
        context.execution_options = statement._execution_options.merge_with(
            conn._execution_options, options
        )
        context.invoked_statement = statement
        context.extracted_parameters = values
        return context

    def _refuse(self, conn: Any, error: BaseException, given: Any) -> NoReturn:
        """Raise an error of a value as SQLAlchemy does, before anything is sent."""
        listed = given if isinstance(given, list) else [given] if given else []
        conn._handle_dbapi_exception(error, self.sql, listed, None, None)
        raise error

    def _parameters(self, given: _Given, values: Sequence[Any]) -> dict[str, Any]:
        if self._names is not None and given:
            return {name: given[key] for name, key in self._names}
        found: dict[str, Any] = self._compiled.construct_params(
            given, extracted_parameters=values, escape_names=False
        )
        return found

    def _arguments(self, parameters: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        if not self._converted:
            found = [parameters[name] for name, _ in self._order]
        else:
            found = [
                parameters[name] if convert is None else convert(parameters[name])
                for name, convert in self._order
            ]
        if self._by_name:
            return {name: value for (name, _), value in zip(self._order, found, strict=True)}
        return tuple(found)

    def _execute(self, conn: Any, context: Any, arguments: Any) -> None:
        direct.begin(conn)
        try:
            context.pre_exec()
            conn.dialect.do_execute(context.cursor, self.sql, arguments, context)
            context.post_exec()
        except BaseException as error:  # noqa: BLE001 - it comes out again
            conn._handle_dbapi_exception(error, self.sql, arguments, context.cursor, context)
