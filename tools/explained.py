"""Docstrings as the reference shows them: each parameter explained, each error listed.

A docstring may say "arguments and errors as in :meth:`execute`", which is short to read in the
code.  In the reference the explanations of ``execute`` stand there in full.  Names that mean the
same everywhere are explained here, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

# Written here, since dozens of methods take them.
SHARED = {
    "session": "a session, or the factory.",
    "statement": "the statement to run.",
    "parameters": "values for the bound parameters of the statement, by name.",
    "execution_options": "options of this one call, such as ``schema_translate_map`` or "
    "``bind_key``.",
    "model": "the mapped class.",
    "ident": "the primary key of the row; a tuple in the order of the columns for a composite one.",
    "obj": "the object whose attributes are stored.",
    "objs": "the objects, of one class or of several.",
    "options": "loader options, such as ``selectinload(User.posts)``.",
    "with_for_update": "``True``, or the arguments of ``Select.with_for_update()``: lock the row.",
    "cls": "a dataclass, pydantic model, msgspec Struct, attrs class, named tuple, or a class with "
    "keyword arguments.",
    "columns": "values by the names of attributes.",
    "validate": "``False`` skips the validation of a pydantic model.",
    "per_page": "the number of items on a page.",
    "clause": "a table, or a statement.",
    "db": "the factory.",
    "app": "the application.",
    "request": "the request to answer; the links have its address.",
    "error": "an error of a call or a block.",
    "conn": "an open connection.",
    "settings": "settings of the database for this transaction: ``{'app.tenant': '7'}``.",
    "timeout": "seconds that the whole transaction may take.",
    "statement_timeout": "seconds that each statement may take.",
    "lock_timeout": "seconds that a statement may wait for a lock.",
}

_FIELD = re.compile(r"^:(?P<kind>param|raises|return|ivar) ?(?P<name>[^:]*):", re.MULTILINE)
_AS_IN = re.compile(
    r"(?P<before>[;,]|(?<=[.])|^)\s*(?:and )?"
    r"(?P<what>(?:[Aa]rguments|[Uu]se|(?:[Aa]nd the |[Ff]urther |further )?[Ee]rrors|, | and )+)\s+"
    r"(?:as in|of)\s+:meth:`~?\.?(?P<name>\w+)`\.?",
    re.MULTILINE,
)


class Explained(NamedTuple):
    """A docstring in its parts, without indentation."""

    text: str
    parameters: dict[str, str]
    raises: list[tuple[str, str]]
    rest: list[str]

    def printed(self) -> str:
        """The docstring again."""
        fields = [f":param {name}: {said}" for name, said in self.parameters.items()]
        fields += [f":raises {name}: {said}" for name, said in self.raises]
        return "\n\n".join(filter(None, (self.text, "\n".join([*fields, *self.rest]))))


def explained(
    doc: str, names: Iterable[str], docstring_of: Callable[[str], str | None]
) -> Explained:
    """Explain a function in full.

    :param doc: its docstring, without indentation.
    :param names: of its parameters, those of all overloads.
    :param docstring_of: gives the docstring of another method, by its name.
    """
    own = _parts(doc)
    given, raises = dict(own.parameters), list(own.raises)
    for found in _AS_IN.finditer(own.text):
        other = docstring_of(found["name"])
        if other is None:
            raise LookupError(f"{found[0].strip()!r}: there is no such method")
        there = explained(other, (), docstring_of)
        if "rgument" in found["what"]:
            given = {**there.parameters, **given}
        if "rror" in found["what"]:
            known = {name for name, _ in raises}
            raises += [field for field in there.raises if field[0] not in known]
    text = _AS_IN.sub(lambda found: "." if found["before"] in (";", ",") else "", own.text).strip()
    wanted = list(names) or list(given)
    parameters = {
        name: given.get(name) or SHARED[name] for name in wanted if name in given or name in SHARED
    }
    parameters |= {name: said for name, said in own.parameters.items() if name not in parameters}
    return Explained(text, parameters, raises, own.rest)


def _parts(doc: str) -> Explained:
    """Take a docstring apart: its text, and its fields."""
    text: list[str] = []
    fields: list[list[str]] = []
    inside = False
    for line in doc.splitlines():
        if _FIELD.match(line):
            fields.append([line])
            inside = True
        elif inside and line.startswith(" "):
            fields[-1].append(line.strip())
        else:
            inside = False
            text.append(line)
    parts = Explained("\n".join(text).strip(), {}, [], [])
    for lines in fields:
        whole = " ".join(lines)
        field = _FIELD.match(whole)
        if field is None:
            continue
        said = whole[field.end() :].strip()
        if field["kind"] == "param":
            parts.parameters[field["name"].strip().lstrip("*")] = said
        elif field["kind"] == "raises":
            parts.raises.append((field["name"].strip(), said))
        else:
            parts.rest.append(whole)
    return parts
