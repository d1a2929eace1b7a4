"""A list of parameters for an INSERT, UPDATE or DELETE that ran before, as one executemany.

SQLAlchemy makes the parameters of each row one by one.  Here they are made column by column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from naked_sqla._sqlalchemy import direct
from naked_sqla._sqlalchemy.direct_writes import KeptWrite

__all__ = ("KeptBatch",)

_Rows = Sequence[Mapping[str, Any]]


class KeptBatch(KeptWrite):
    """A compiled INSERT, UPDATE or DELETE without RETURNING, for lists with one set of keys."""

    __slots__ = ("_keys", "_made", "_pairs")

    def __init__(self, context: Any, given: Collection[str]) -> None:
        super().__init__(context, given)
        self._context["execute_style"] = context.execute_style
        pairs = [(name, bind.key) for bind, name in context.compiled.bind_names.items()]
        # in SQLAlchemy's order; None: a default makes it
        self._pairs = [(name, key if key in given else None) for name, key in pairs]
        self._made = [name for name, key in self._pairs if key is None]
        same = not self._made and all(name == key for name, key in pairs)
        self._keys = [key for _, key in pairs] if same and len(pairs) == len(given) else None

    @classmethod
    def of_list(cls, result: Any, given: Collection[str]) -> KeptBatch | None:
        """What is kept of the statement of a result; None where each execution is another.

        :param given: the names of its parameters, the same in each row.
        """
        context, compiled = result.context, result.context.compiled
        if compiled._insertmanyvalues or not cls._is_constant(context, for_executemany=True):
            return None
        found = cls(context, given)
        return found if found._is_given_or_made() else None

    def _is_given_or_made(self) -> bool:
        """False for a value in the statement: SQLAlchemy gives it another name for each row."""
        compiled = self._compiled
        defaults = {column.key for column in (*compiled.insert_prefetch, *compiled.update_prefetch)}
        return defaults.issuperset(self._made)

    def result(self, conn: Any, statement: Any, given: Any, values: Any, options: Any) -> Any:
        """Send it for a list, and give SQLAlchemy's ``CursorResult``."""
        try:
            context = self._new_context(conn, statement, values, options)
            rows = self._rows(given)
            context.compiled_parameters = rows
            context.cursor = context.create_cursor()
            if self.has_defaults:
                context._process_execute_defaults()
            arguments = context.parameters = self._all_arguments(rows)
        except BaseException as error:  # noqa: BLE001 - it comes out again
            self._refuse(conn, error, given)
        direct.begin(conn)
        try:
            context.pre_exec()
            conn.dialect.do_executemany(context.cursor, self.sql, arguments, context)
            context.post_exec()
            return context._setup_result_proxy()
        except BaseException as error:  # noqa: BLE001 - it comes out again
            conn._handle_dbapi_exception(error, self.sql, arguments, context.cursor, context)

    def _rows(self, given: _Rows) -> list[dict[str, Any]]:
        if self._keys is not None and list(given[0]) == self._keys:
            return list(map(dict, given))
        pairs: Any = self._pairs
        return [{name: None if key is None else row[key] for name, key in pairs} for row in given]

    def _all_arguments(self, rows: list[dict[str, Any]]) -> Sequence[Any]:
        if self._by_name:
            return list(map(self._arguments, rows)) if self._converted else rows
        names = [name for name, _ in self._order]
        if len(names) < 2 or self._converted:
            return list(map(self._arguments, rows))
        return list(map(itemgetter(*names), rows))
