"""The words of the two faces."""

from __future__ import annotations

import re
from collections.abc import Set

# Words that the synchronous face must not have.
FOREIGN = re.compile(
    r"\b(async|asyncio|asyncpg|await\w*|\w*[Aa]synchronous\w*|coroutines?|greenlets?|run_in_greenlet|"
    r"run_sync|tasks?|\w*Async\w*)\b"
)

# In this order, each as a regular expression of whole words.
WORDS = {
    r"(?<!\w)await\s+": "",
    r"\basync (?=def|with|for)": "",
    r"\b__a(enter|exit|iter|next)__": r"__\1__",
    r"\bStopAsyncIteration\b": "StopIteration",
    r"\benter_async_context\b": "enter_context",
    r"\bsqlalchemy\.ext\.asyncio\b": "sqlalchemy",
    r"\bcreate_async_engine\b": "create_engine",
    r"\.sync_(engine|connection)\b": "",
    r"\basyncio\.current_task\b": "threading.current_thread",
    r"\basyncio(?=$|\.Lock\b)": "threading",
    r"\bsessions\._async\b": "sessions._sync",
    r"\bom\.asession\b": "om.session",
    r"\basyncpg and psycopg\b": "psycopg",
    r"\b(open_in|take_in|in)_task\b": r"\1_thread",
    r"\bTaskGuard\b": "ThreadGuard",
    r"\btask(s?)\b": r"thread\1",
    r"\b(Pagination|KeysetPage)\b": r"Sync\1",
    r"\b(_?)Async(?=Calls|Inserts|Lookups|Pages|Writes)": r"\1Sync",
    r"\b(_?)Async(?=[A-Z])": r"\1",
    r"\basynchronous\b": "synchronous",
    r"\basync ": "",
}

_WORDS = [(re.compile(pattern, re.MULTILINE), new) for pattern, new in WORDS.items()]
_ARTICLE = re.compile(r"\b([Aa])n?(\s+(?:``|:\w+:`~?\.?)?)$")


class CannotPrint(Exception):
    """The tool can't print a module; the message says which line, and why."""


def words(text: str) -> str:
    """A text with the words of the synchronous face."""
    for pattern, new in _WORDS:
        text = _with_articles(text, pattern, new)
    return text


def _with_articles(text: str, pattern: re.Pattern[str], new: str) -> str:
    """Replace a word, and the article before it where the new word needs another one."""
    parts: list[str] = []
    at = 0
    for found in pattern.finditer(text):
        before = text[at : found.start()]
        instead = found.expand(new)
        follows = instead or text[found.end() : found.end() + 1]
        article = _ARTICLE.search(before)
        if article is not None and follows:
            n = "n" if follows[0] in "aeiouAEIOU" else ""
            before = before[: article.start()] + article[1] + n + article[2]
        parts += (before, instead)
        at = found.end()
    return "".join((*parts, text[at:]))


def refuse_foreign(source: str, but: Set[int] = frozenset()) -> None:
    """Raise for a word that the synchronous face must not have.

    :param but: the numbers of lines that are skipped.
    """
    for number, line in enumerate(source.splitlines(), 1):
        found = FOREIGN.search(line)
        if found is not None and number not in but:
            raise CannotPrint(
                f"{found[0]!r} has no synchronous counterpart, line {number} of the print:\n"
                f"    {line.strip()}\n"
                f"Mark what only the asynchronous face has with `# ASYNC`, word it otherwise, or "
                f"add it to WORDS."
            )
