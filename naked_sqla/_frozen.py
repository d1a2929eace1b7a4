"""The base of values with named fields: immutable, compared by them, without generated code.

``@dataclass`` prints and compiles functions for each class, half a millisecond of every import.
"""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from typing_extensions import dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    class _WriteReplace:
        """What pyright finds where ``dataclasses.replace()`` looks for fields."""


__all__ = ("Frozen",)


class _FrozenType(type):
    """Makes the annotations of a class its fields: slots, positional and keyword arguments.

    :param unhashed: fields that are compared and not hashed.
    :param uncompared: fields that are neither compared nor hashed nor shown.
    """

    if TYPE_CHECKING:
        # pyright refuses dataclasses.replace() for it; mypy looks at classes only, and does not
        __dataclass_fields__: _WriteReplace

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        unhashed: tuple[str, ...] = (),
        uncompared: tuple[str, ...] = (),
    ) -> Any:
        fields = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in fields if field in namespace}
        namespace |= {"__slots__": fields, "__match_args__": fields}
        cls: Any = super().__new__(mcs, name, bases, namespace)
        if fields:
            shown = tuple(field for field in fields if field not in uncompared)
            cls._fields = fields
            cls._defaults = defaults
            cls._stores = tuple(cls.__dict__[field].__set__ for field in fields)
            cls._shown = shown
            # C functions: they are no methods
            cls._compared = attrgetter(*shown)
            cls._hashed = attrgetter(*(field for field in shown if field not in unhashed))
        return cls

    def __getattr__(cls, name: str) -> NoReturn:
        # replace() and asdict() ask by this function; is_dataclass() is told the truth
        frame: Any = inspect.currentframe() if name == "__dataclass_fields__" else None
        if frame is not None and frame.f_back.f_code.co_name == "_is_dataclass_instance":
            raise TypeError(
                f"{cls.__name__} is no dataclass, though type checkers take it for one. Write "
                f"value._replace(field=...), or copy.replace(value, field=...) from Python 3.13 on."
            )
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


@dataclass_transform(frozen_default=True)
class Frozen(metaclass=_FrozenType):
    """A value whose fields are the annotations of its class, those with a default at the end."""

    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]]
        _defaults: ClassVar[dict[str, Any]]
        _stores: ClassVar[tuple[Callable[[Any, Any], None], ...]]
        _shown: ClassVar[tuple[str, ...]]
        _compared: ClassVar[attrgetter[Any]]
        _hashed: ClassVar[attrgetter[Any]]

    def __init__(self, *values: Any, **named: Any) -> None:
        stores = self._stores
        if named or len(values) != len(stores):
            values = self._completed(values, named)
        for store, value in zip(stores, values, strict=True):
            store(self, value)

    @classmethod
    def _completed(cls, values: Sequence[Any], named: dict[str, Any]) -> tuple[Any, ...]:
        """The values of all fields."""
        fields = cls._fields
        given = dict(zip(fields, values, strict=False)) | named
        if len(values) + len(named) != len(given) or not given.keys() <= set(fields):
            raise TypeError(f"{cls.__name__} takes {', '.join(fields)}, not {values} and {named}")
        given = cls._defaults | given
        if len(given) != len(fields):
            missing = ", ".join(field for field in fields if field not in given)
            raise TypeError(f"{cls.__name__} lacks {missing}")
        return tuple(given[field] for field in fields)

    def _replace(self, **changed: Any) -> Self:
        """The same value with other fields."""
        fields = {field: getattr(self, field) for field in self._fields}
        return type(self)(**fields | changed)

    __replace__ = _replace

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field) for field in self._fields)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._compared(self) == self._compared(other))

    def __hash__(self) -> int:
        return hash(self._hashed(self))

    def __repr__(self) -> str:
        shown = (f"{field}={getattr(self, field)!r}" for field in self._shown)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")
