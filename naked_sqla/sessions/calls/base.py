"""What every call is, and may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import CompoundSelect, Select

from naked_sqla.read.facts import Facts, facts_of
from naked_sqla.sessions.routing.tables import BIND_KEY

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("SEVERAL_READS", "Call", "Effects", "effects_of", "effects_of_facts")


class Effects(NamedTuple):
    """What a call may do.

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

    if TYPE_CHECKING:
        # fields of the named tuple that each call is besides
        name: Any
        options: Any

    def run(self, conn: Connection, eager: bool) -> Any:
        """Do it.

        :param eager: honour the eager loads of mappings.
        """
        raise TypeError(f"{type(self).__name__} can't be run")

    def effects(self, eager: bool) -> Effects:
        """What it may do, as far as can be told before it is run."""
        return UNKNOWN

    def sent(self) -> Any:
        """The statement that the caller wrote, or None."""
        return None

    def is_write(self) -> bool:
        """True for a method that writes; a statement is looked at besides."""
        return False

    def database(self, routes: Routes, eager: bool) -> Key:
        """The bind key of the database that it goes to, unless the caller names one.

        :raises InvalidBind: it is about several.
        """
        return None

    def named_database(self) -> tuple[Key, Any]:
        """The bind key that the caller named, or None, and the call without it."""
        if not self.options or self.options.get(BIND_KEY) is None:
            return None, self
        rest = {name: value for name, value in self.options.items() if name != BIND_KEY}
        fields: Any = self
        return self.options[BIND_KEY], fields._replace(options=rest or None)


def effects_of(statement: Any, eager: bool) -> Effects:
    """What a statement may do; of one that is not a SELECT, all is expected."""
    if not isinstance(statement, Select | CompoundSelect):
        return UNKNOWN
    return effects_of_facts(facts_of(statement), eager)


def effects_of_facts(facts: Facts, eager: bool) -> Effects:
    """What a statement with some facts may do."""
    return Effects(facts.only_reads, facts.loads_further(eager), facts.may_write)
