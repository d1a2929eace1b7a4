"""A compiled SELECT with one list of values: each length of the list is another SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy.direct import Kept, is_usual

__all__ = ("KeptOfList",)

# Forms of one statement that are kept: lists of up to 500 values, and often of the same length.
_FORMS = 16


class _Form:
    """The SQL for one length.

    :ivar names: of the values, where the driver takes them by name.
    :ivar order: where each value is among the others and those of the list; None: as they are.
    """

    __slots__ = ("names", "order", "sql")

    def __init__(self, compiled: Any, name: str, listed: Sequence[Any], others: list[str]) -> None:
        given = dict.fromkeys(compiled.bind_names.values())
        given[name] = listed
        expanded = compiled._process_parameters_for_postcompile(given)
        known = [*others, *expanded.parameter_expansion[name]]
        self.sql: str = expanded.statement
        self.names: list[str] | None = None if compiled.positional else known
        self.order: list[int] | None = None
        if compiled.positional and list(expanded.positiontup) != known:
            index = {one: at for at, one in enumerate(known)}
            self.order = [index[one] for one in expanded.positiontup]


class KeptOfList:
    """A compiled SELECT, and how it is sent with a list of values."""

    __slots__ = ("_compiled", "_convert", "_forms", "_name", "_of_tuples", "_others")

    def __init__(self, compiled: Any, name: str, of_tuples: bool) -> None:
        self._compiled = compiled
        self._name = name
        self._of_tuples = of_tuples
        self._convert = compiled._bind_processors.get(name)
        self._others = Kept(compiled, without=name)
        self._forms: BoundedCache[int, _Form] = BoundedCache(_FORMS)

    @classmethod
    def of(cls, compiled: Any, metadata: Any, name: str) -> KeptOfList | None:
        """What is kept of a compiled statement; None unless its only list has a name.

        :param metadata: of a result of the statement.
        """
        lists = compiled.post_compile_params
        if (
            len(lists) != 1
            or compiled.literal_execute_params
            or not is_usual(compiled)
            or compiled._cached_metadata is not metadata
        ):
            return None
        (bind,) = lists
        # the type of what has none is told by the values
        if bind.key != name or compiled.bind_names[bind] != name or bind.type._isnull:
            return None
        return cls(compiled, name, bind.type._is_tuple_type)

    def arguments(
        self, parameters: Mapping[str, Any], values: Sequence[Any]
    ) -> tuple[str, tuple[Any, ...] | dict[str, Any]] | None:
        """The SQL, and what it is sent with: in order, or by name.

        :param parameters: with the list, which is not empty.
        :param values: in the statement in hand.
        :return: None where one is missing.
        """
        listed: Sequence[Any] = parameters[self._name]
        others = self._others.in_order(parameters, values)
        if others is None:
            return None
        form = self._forms.get(len(listed))
        if form is None:
            form = _Form(self._compiled, self._name, listed, self._others.names)
            self._forms[len(listed)] = form
        found = (*others, *self._converted(listed))
        if form.names is not None:
            return form.sql, dict(zip(form.names, found, strict=True))
        if form.order is not None:
            found = tuple([found[at] for at in form.order])
        return form.sql, found

    def _converted(self, listed: Sequence[Any]) -> Sequence[Any]:
        convert = self._convert
        if self._of_tuples:
            if convert is None:
                return [value for row in listed for value in row]
            return [
                value if one is None else one(value)
                for row in listed
                for one, value in zip(convert, row, strict=True)
            ]
        return listed if convert is None else [convert(value) for value in listed]
