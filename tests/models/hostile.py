"""Names that generated code, SQL or a driver could mistake for something of their own."""

# ruff: noqa: E501, RUF001

from __future__ import annotations

import builtins
import itertools
import keyword
from typing import Final

_PUNCTUATION: Final = (
    "'", '"', "`", "''", '""', "\\", "\\n", "\n", "\r\n", "\t", " ", "  x", "x ", "a b", "%", "%%",
    "%s", "%(x)s", "%(a)", ":", ":x", "::int", "$1", "?", "@x", "#", "--", "-- x", "/*", "*/", ";",
    "; DROP TABLE x", "a;b", "(", ")", "()", "f()", "[", "]", "[0]", "{", "}", "{}", "{0}", "{x!r}",
    "<b>", ">", "=", "a=b", "a,b", ",", ".", "a.b", "..", "|", "||", "&", "*", "**", "+", "-", "a-b",
    "~", "!", "^", "/", "//", "0", "1", "1a", "1.5", "0x1", "1e400", "-1", "a'b", 'a"b', "a'); --",
    '"; import os; "', "'''", '"""', "\x01", "\x1b[31m", "\x7f", "a\\", "\\'", "x\ny = 1", "# type: x",
    "lambda: 0", "x if y else z", "not a name", "a" * 60, "_" * 40,
)  # fmt: skip

# The same to Python's parser, or to a reader, and not the same.
_UNICODE: Final = (
    "ﬁ", "fi", "é", "e\u0301", "K", "\u212a", "µ", "μ", "ª", "ſ", "s", "ℌ", "Å", "\u212b", "ö", "o\u0308",
    "ⅷ", "viii", "ﬀ", "ff", "Ⅳ", "１", "ａ", "𝐱", "𝒾𝒹", "𝕤𝕖𝕝𝕗", "ｃｌａｓｓ", "ß", "ẞ", "ı", "İ", "İi", "ﬂ",
    "名前", "имя", "όνομα", "ς", "σ", "שם", "اسم", "ชื่อ", "이름", "\u200b", "a\u200b", "a\u200db", "\u202eabc",
    "\ufeffx", "\u00a0", "\u2028", "\u2029", "x\u2028y", "\x85", "😀", "a😀", "👩‍👩‍👧", "·", "a·", "℘", "ಠ_ಠ", "_ª",
)  # fmt: skip

# What the library, SQLAlchemy and the classes of users call things by.
_OWN: Final = (
    "rows", "row", "result", "append", "error", "explain", "explain_0", "convert_0", "naked", "naked_0",
    "make", "make_0", "new", "new_0", "cls", "obj", "self", "o0", "e0", "c0", "c1", "c2", "c9", "_", "_0",
    "t0", "v0", "x", "n", "i", "k", "key", "keys", "value", "values", "items", "get", "pop", "update", "count",
    "index", "column", "columns", "table", "name", "type", "data", "default", "fields", "mapper", "model",
    "session", "conn", "statement", "parameters", "params", "compiled", "context", "state", "version", "eager",
    "load_0", "read", "write", "target", "into", "page", "total", "cursor", "position", "after", "before",
    "limit", "offset", "anon_1", "anon_2", "param_1", "id_1", "text_1", "lookup", "returning", "excluded",
    "_sa_instance_state", "_sa_class_manager", "_sa_registry", "sa", "__tablename__", "__mapper__",
    "__table__", "__abstract__", "__allow_unmapped__", "__clause_element__", "_fields", "_asdict", "_mapping",
    "_naked", "_naked_sqla", "_loaded", "_not_loaded", "__naked__", "_mangled", "__mangled", "___", "__",
    "_tuple", "_data", "_replace", "t", "tuple", "scalar", "scalars",
)  # fmt: skip

_SQL: Final = (
    "select", "from", "where", "order", "group", "by", "user", "all", "and", "any", "array", "as", "asc",
    "between", "case", "cast", "check", "collate", "create", "cross", "current_date", "current_user", "date",
    "desc", "distinct", "do", "drop", "end", "except", "exists", "fetch", "for", "foreign", "full", "grant",
    "having", "in", "inner", "insert", "int", "intersect", "interval", "is", "join", "left", "like", "natural",
    "null", "on", "only", "or", "outer", "over", "primary", "references", "right", "rowid", "oid", "set",
    "some", "then", "time", "timestamp", "to", "trigger", "true", "union", "unique", "using", "values",
    "when", "window", "with", "integer", "SELECT", "User", "ORDER", "Group", "sysdate", "level", "comment",
    "replace", "abort", "action", "pragma", "vacuum", "begin", "commit", "rollback", "_rowid_", "analyze",
)  # fmt: skip

_DUNDERS: Final = tuple(
    sorted({name for kind in (object, int, list, dict, type) for name in dir(kind) if "__" in name})
)

# As the name of an attribute they change what Python does with the object.
SPECIAL: Final = frozenset(_DUNDERS)

NAMES: Final[list[str]] = list(
    dict.fromkeys(
        itertools.chain(
            keyword.kwlist,
            keyword.softkwlist,
            _PUNCTUATION,
            _UNICODE,
            _OWN,
            _SQL,
            _DUNDERS,
            (name for name in dir(builtins) if name not in _DUNDERS),
        )
    )
)


# What SQLAlchemy puts in place of such characters in the name of a parameter.
_ESCAPED: Final = str.maketrans("%():.[] ", "PAZC____")


def batches(names: list[str], size: int = 24) -> list[list[str]]:
    """Divide names into tables; SQLite and SQLAlchemy can tell those of one table apart."""
    tables: list[dict[str, str]] = []
    for name in names:
        seen_as = name.translate(_ESCAPED).lower()
        for table in tables:
            if len(table) < size and seen_as not in table:
                table[seen_as] = name
                break
        else:
            tables.append({seen_as: name})
    return [list(table.values()) for table in tables]
