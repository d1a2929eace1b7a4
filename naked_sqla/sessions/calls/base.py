"""The base of all calls, and the effects that a call may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import CompoundSelect, Select

from naked_sqla.read.facts import Facts, facts_of
from naked_sqla.sessions.routing import BIND_KEY

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = (
    "SEVERAL_READS",
    "Call",
    "Effects",
    "SlotsCall",
    "effects_of",
    "effects_of_facts",
    "routed",
)


class Effects(NamedTuple):
    """The effects that a call may have.

    :ivar reads: it only reads.
    :ivar further: it may lead to further statements, which load relationships.
    :ivar writes: it may change something that has to be committed.
    :ivar steady: it may take several statements, which are to see one state of the database.
    """

    reads: bool
    further: bool
    writes: bool
    steady: bool = False


UNKNOWN = Effects(reads=False, further=False, writes=True)
SEVERAL_READS = Effects(reads=True, further=True, writes=False)


class Call:
    """One call.

    :ivar name: of the method.
    :ivar options: the execution options that the caller gave, or None.
    """

    __slots__ = ()

    @property
    def goes_directly(self) -> bool:
        """True for a call that does nothing with its connection but run SELECTs on it."""
        return False

    if TYPE_CHECKING:
        name: Any
        options: Any

    def run(self, conn: Connection, eager: bool) -> Any:
        """Run the call.

        :param eager: honour the eager loads of mappings.
        """
        raise TypeError(f"{type(self).__name__} can't be run")

    def effects(self, eager: bool) -> Effects:
        """The effects that the call may have, known before it runs."""
        return UNKNOWN

    def sent(self) -> Any:
        """The statement that the caller wrote, or None."""
        return None

    def is_write(self) -> bool:
        """True for a method that writes; a statement is looked at besides."""
        return False

    def database(self, routes: Routes, eager: bool) -> Key:
        """The bind key of the call's database, where the caller names none.

        :raises InvalidBind: for a call that spans several databases.
        """
        return None

    def named_database(self) -> tuple[Key, Any]:
        """The bind key that the caller named, or None, and the call without it."""
        if not self.options or self.options.get(BIND_KEY) is None:
            return None, self
        rest = {name: value for name, value in self.options.items() if name != BIND_KEY}
        fields: Any = self
        return self.options[BIND_KEY], fields._replace(options=rest or None)


class CallAround(Call):
    """A call that runs another one, and does something before and after it."""

    __slots__ = ("call", "name", "options")

    name: str

    def __init__(self, call: Call) -> None:
        self.call = call
        self.name = call.name
        self.options = call.options

    def effects(self, eager: bool) -> Effects:
        return self.call.effects(eager)

    def sent(self) -> Any:
        return self.call.sent()

    def is_write(self) -> bool:
        return self.call.is_write()


class SlotsCall(Call):
    """A call with its fields in slots, which is made faster than a named tuple."""

    __slots__ = ()

    def _fields_of(self) -> dict[str, Any]:
        kinds = type(self).__mro__
        return {
            name: getattr(self, name) for k in kinds for name in k.__dict__.get("__slots__", ())
        }

    def _replace(self, **changed: Any) -> Self:
        """The same call with other fields, as a named tuple has it."""
        return type(self)(**self._fields_of() | changed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SlotsCall):
            return NotImplemented
        return type(other) is type(self) and self._fields_of() == other._fields_of()

    __hash__ = None  # type: ignore[assignment]


def routed(routes: Routes, call: Call, eager: bool) -> tuple[Key, Call]:
    """Find the database of a call.

    :return: its bind key, and the call as it is to be run.
    :raises InvalidBind: for a call that spans two databases, or has an unknown bind key.
    """
    key, call = call.named_database()
    if key is not None:
        return routes.known(key, "the execution option"), call
    return call.database(routes, eager), call


def effects_of(statement: Any, eager: bool) -> Effects:
    """The effects that a statement may have; all of them unless it is a SELECT."""
    if not isinstance(statement, Select | CompoundSelect):
        return UNKNOWN
    return effects_of_facts(facts_of(statement), eager)


def effects_of_facts(facts: Facts, eager: bool) -> Effects:
    """The effects that a statement with these facts may have."""
    return Effects(facts.only_reads, facts.loads_further(eager), facts.may_write)
