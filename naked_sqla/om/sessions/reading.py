"""Sessions that read only: writes are refused before they are sent, and by the database itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from sqlalchemy import CompoundSelect, Select, TextClause
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TextualSelect

from naked_sqla import _compat
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidSessionState
from naked_sqla.om.facts import facts_of
from naked_sqla.om.sessions import calls, page_calls
from naked_sqla.om.sessions.work import Work

# Functions of these modules read, as far as their statement does; all others write.
_READERS = frozenset({calls.__name__, page_calls.__name__})

# What stands in text and is no word of SQL: comments, strings, quoted names.
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


class ReadingWork(Work):
    """A transaction in which the database refuses writes, and this before it."""

    __slots__ = ()

    def before_begin(self) -> None:
        options = backend_of(self.conn.dialect).before_read_only(self.conn)
        if options:
            self.set_options(options)

    def call(self, fn: Callable[..., Any], *args: Any) -> Any:
        refuse_writes(fn, args)
        return super().call(fn, *args)


def refuse_writes(fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Raise ``InvalidSessionState`` for a function of ``_calls`` and its kin that would write."""
    if fn.__module__ not in _READERS:
        _refuse(f"{fn.__name__.strip('_')}()")
    for arg in args[:2]:
        if writes(arg):
            _refuse(_shown(arg))


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
    inner = _compat.inner_statement(statement)
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
        f"{what} in a session that only reads: nothing of it was sent. Write in a block of "
        f"`begin()`, or with a call on the factory itself."
    )


def _shown(statement: Any) -> str:
    shown = " ".join(str(getattr(statement, "text", type(statement).__name__)).split())
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
