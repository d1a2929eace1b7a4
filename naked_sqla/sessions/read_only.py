"""Sessions that read only: writes are refused before they are sent, and by the database itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import CompoundSelect, Select, TextClause
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TextualSelect

from naked_sqla._sqlalchemy import statements
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidSessionState
from naked_sqla.read.facts import facts_of
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from naked_sqla.sessions.calls.base import Call

# Parts of SQL text that hold no keywords: comments, strings, quoted names.
_NO_WORDS = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$""",
    re.VERBOSE | re.DOTALL,
)
_READING_WORDS = frozenset({"select", "with", "values", "table", "show", "explain", "pragma"})
_WRITING = re.compile(
    r"\b(insert\s+into|update\s+(?:only\s+)?\S+(?:\s+(?:as\s+)?\w+)?\s+set|delete\s+from"
    r"|merge\s+into|query_only)\b",
    re.IGNORECASE,
)


class ReadOnlyTransaction(Transaction):
    """A transaction that refuses writes before they are sent; the database refuses the rest."""

    __slots__ = ()

    def before_begin(self) -> None:
        options = backend_of(self.conn.dialect).before_read_only(self.conn)
        if options:
            self.set_options(options)

    def call(self, call: Call) -> Any:
        refuse_writes(call)
        return super().call(call)


def refuse_writes(call: Call) -> None:
    """Raise ``InvalidSessionState`` for a call that would write."""
    if call.is_write():
        _refuse(f"{call.name}()")
    statement = call.sent()
    if writes(statement):
        _refuse(_shown(statement))


def writes(statement: Any) -> bool:
    """True for a statement that can be seen to write; functions are left to the database."""
    if isinstance(statement, Select | CompoundSelect):
        return facts_of(statement).has_dml
    if isinstance(statement, UpdateBase | ExecutableDDLElement | DatabaseSequence):
        return True
    if isinstance(statement, TextClause):
        return _text_writes(statement.text)
    if isinstance(statement, TextualSelect):
        return writes(statement.element)
    inner = statements.inner_statement(statement)
    return inner is not None and writes(inner)


def _text_writes(sql: str) -> bool:
    words = _NO_WORDS.sub(" ", sql)
    for part in words.split(";"):
        first = re.match(r"[\s(]*(\w+)", part)
        if first is not None and first[1].lower() not in _READING_WORDS:
            return True
    return _WRITING.search(words) is not None


def _refuse(what: str) -> NoReturn:
    raise InvalidSessionState(
        f"{what} in a session that only reads: nothing was sent. Write in a block of "
        f"`begin()`, or with a call on the factory itself."
    )


def _shown(statement: Any) -> str:
    shown = " ".join(str(getattr(statement, "text", type(statement).__name__)).split())
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
