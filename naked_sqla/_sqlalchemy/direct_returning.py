"""A list of parameters for an INSERT with RETURNING that ran before: SQLAlchemy's insertmanyvalues.

SQLAlchemy writes the SQL of each batch anew.  Here it writes it once for each number of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NoReturn

from sqlalchemy.sql import util as _util

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import direct
from naked_sqla._sqlalchemy.direct_batches import KeptBatch

__all__ = ("KeptReturning", "raise_for_batch")

_Rows = Sequence[Mapping[str, Any]]

# Forms of one statement that are kept, and the length of the SQL from which none is.
_FORMS = 4
_LONG = 100_000


class _Form:
    """The SQL of one batch.

    :ivar names: of its parameters, where the driver takes them by name; None: in their order.
    :ivar rows: their number.
    """

    __slots__ = ("names", "rows", "sql")

    def __init__(self, sql: str, rows: int, names: list[str] | None) -> None:
        self.sql = sql
        self.rows = rows
        self.names = names


class KeptReturning(KeptBatch):
    """A compiled INSERT with RETURNING, for lists with one set of keys.

    :ivar keys: those by which the parameters of a row are found, in the order of their values.
    """

    __slots__ = ("_converts", "_forms", "_full", "_sent", "_sorts", "keys")

    def __init__(self, context: Any, given: Collection[str]) -> None:
        super().__init__(context, given)
        compiled = self._compiled
        # rows whose order was asked for come back with a number at their end
        self._sorts = bool(context._num_sentinel_cols)
        self._forms: BoundedCache[int, _Form] = BoundedCache(_FORMS)
        # the rows of a full batch: SQLAlchemy tells them when it has more than that to send
        self._full: int = compiled.dialect.insertmanyvalues_page_size + 1
        # the names of the parameters of a row, in the order in which they are sent
        self._sent: list[str] = [name for name, _ in self._order]
        if self._by_name:
            self._sent = list(self._written(2).replaced_parameters.values())[: len(self._sent)]
        keys: Any = dict(self._pairs)
        self.keys: list[str] = [n if self.has_defaults else keys[n] for n in self._sent]
        self._converts = [compiled._bind_processors.get(name) for name in self._sent]

    @classmethod
    def of_list(
        cls, result: Any, given: Collection[str], own: bool = False
    ) -> KeptReturning | None:
        """What is kept of the statement of a result; None where each execution is another.

        :param given: the names of its parameters, the same in each row.
        :param own: it is always the same statement, and needs no cache key.
        """
        context, many = result.context, result.context.compiled._insertmanyvalues
        if not many or not cls._is_constant(context, own, for_executemany=True):
            return None
        if many.num_sentinel_columns and not many.implicit_sentinel:
            # SQLAlchemy matches the rows by what was given
            return None
        found = cls(context, given)
        return found if found._is_given_or_made() and found._is_plain() else None

    def _is_plain(self) -> bool:
        """True when two rows are one batch, and the values of rows are all that is sent."""
        batch = self._written(2)
        sent = self._names_of(2) if self._by_name else [*self._sent, *self._sent]
        return batch.current_batch_size == 2 and list(batch.replaced_parameters) == sent

    def values(
        self, conn: Any, statement: Any, given: Any, values: Any, options: Any
    ) -> tuple[_Rows, list[tuple[Any, ...]]]:
        """The parameters of each row with its defaults, and as they are sent, in their order."""
        try:
            rows: _Rows = given
            if self.has_defaults:
                rows = self._with_defaults(conn, statement, given, values, options)
            if not self._converted and len(self.keys) > 1:
                return rows, list(map(itemgetter(*self.keys), rows))
            steps = list(zip(self.keys, self._converts, strict=True))
            return rows, [
                tuple([row[key] if one is None else one(row[key]) for key, one in steps])
                for row in rows
            ]
        except BaseException as error:  # noqa: BLE001 - it comes out again
            self._refuse(conn, error, given)

    def _with_defaults(
        self, conn: Any, statement: Any, given: Any, values: Any, options: Any
    ) -> _Rows:
        context = self._new_context(conn, statement, values, options)
        rows = context.compiled_parameters = self._rows(given)
        context.cursor = context.create_cursor()
        try:
            context._process_execute_defaults()
        finally:
            context.cursor.close()
        return rows

    def batches(self, values: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
        """The SQL and the arguments of each batch.

        :param values: the ones of :meth:`values` that are sent.
        """
        start, end = 0, len(values)
        while start < end:
            form = self._form(end - start)
            found = tuple(chain.from_iterable(values[start : start + form.rows]))
            start += form.rows
            names = form.names
            yield form.sql, found if names is None else dict(zip(names, found, strict=True))

    def in_order(self, rows: Iterable[Any]) -> Iterable[Any]:
        """The rows of one batch in the order that was asked for."""
        return sorted(rows, key=itemgetter(-1)) if self._sorts else rows

    def _form(self, rows: int) -> _Form:
        """The SQL for so many rows, or for a full batch of them."""
        asked = min(rows, self._full)
        form = self._forms.get(asked)
        if form is None:
            batch = self._written(asked)
            rows = batch.current_batch_size
            if rows < asked:
                self._full = rows
            names = self._names_of(rows) if self._by_name else None
            form = _Form(batch.replaced_statement, rows, names)
            if len(form.sql) < _LONG:
                self._forms[rows] = form
        return form

    def _names_of(self, rows: int) -> list[str]:
        return [f"{name}__{i}" for i in range(rows) for name in self._sent]

    def _written(self, rows: int) -> Any:
        """The first batch of some rows as SQLAlchemy writes it; each value is its name."""
        compiled = self._compiled
        sent: Any = {name: name for name in self._sent} if self._by_name else tuple(self._sent)
        return next(
            compiled._deliver_insertmanyvalues_batches(
                self.sql,
                [sent] * rows,
                [dict.fromkeys(compiled.bind_names.values())] * rows,
                None,
                compiled.dialect.insertmanyvalues_page_size,
                compiled._insertmanyvalues.sort_by_parameter_order,
                None,
            )
        )


def raise_for_batch(conn: Any, error: BaseException, sql: str, arguments: Any) -> NoReturn:
    """Raise an error of one batch as SQLAlchemy does; to be called while it is being handled."""
    direct.raise_as_sqlalchemy(conn, error, _util._long_statement(sql), arguments)
