"""Keys that the database finds equal, though Python does not.

Collations ignore case, CHAR(n) pads, SQLite compares ``"5"`` with a number.  So a further statement
may give rows whose key is spelled otherwise than the key that was asked for.  Where that can be,
the database is asked which is which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from sqlalchemy import CHAR, String, bindparam, literal_column, select, union_all

from naked_sqla._sqlalchemy import mappings

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "are_lenient",
    "compares_columns",
    "may_differ",
    "same_keys",
    "spelled_otherwise",
    "types_of_keys",
)

# SQLite takes 500 selects in a row at most
_CHUNK = 100


def compares_columns(prop: Any) -> bool:
    """True where the two sides of a relationship compare otherwise than either does with a value.

    A ``subqueryload()`` is a join: the collation, or the affinity, of one side decides for both.
    """
    return any(_way(here.type) != _way(there.type) for here, there in prop.local_remote_pairs)


def _way(type_: Any) -> Any:
    """How values of a type are compared, as far as the mapping tells."""
    return mappings.affinity(type_), isinstance(type_, CHAR), getattr(type_, "collation", None)


def types_of_keys(prop: Any, info: Any) -> list[Any]:
    """The types of the keys that a further statement is given, as ``lazyload()`` has them."""
    if info.load_only_child or info.load_with_join:
        return [column.type for column in info.pk_cols]
    local = {there: here for here, there in prop.local_remote_pairs}
    return [local[column].type if column in local else column.type for column in info.pk_cols]


def may_differ(prop: Any, wanted: Set[Any], found: Set[Any], to_child: bool) -> bool:
    """True where a key that was found may belong to one that is spelled otherwise.

    :param wanted: the keys that were asked for.
    :param found: the keys of the rows.
    :param to_child: True for keys of the related rows, False for keys of the parents.
    """
    types = [column.type for pair in prop.local_remote_pairs for column in pair]
    return spelled_otherwise(
        wanted, found, lambda: (to_child and are_lenient(types)) or compares_columns(prop)
    )


def spelled_otherwise(wanted: Set[Any], found: Set[Any], lenient: Callable[[], bool]) -> bool:
    """True where a key that was found may belong to one that is spelled otherwise.

    :param lenient: whether the types of the keys compare otherwise than Python.
    """
    if not found <= wanted:
        return True
    missing = wanted - found
    if not missing:
        return False
    if lenient():
        return True
    # no type tells: two keys may differ only in case, accents or blanks, which collations ignore
    folded = {_folded(key) for key in wanted}
    return len(folded) < len(wanted)


def are_lenient(types: Iterable[Any]) -> bool:
    """True where a type says that the database finds texts equal that are spelled otherwise."""
    return any(
        isinstance(type_, String) and (isinstance(type_, CHAR) or type_.collation is not None)
        for type_ in types
    )


def _folded(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(map(_folded, key))
    if not isinstance(key, str | int):
        return key
    # imported when it is first used: it is large, and keys are mostly found as they are
    import unicodedata

    letters = unicodedata.normalize("NFKD", str(key).casefold().strip())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def same_keys(
    conn: Connection,
    options: Mapping[str, Any] | None,
    columns: Sequence[Any],
    types: Sequence[Any],
    wanted: Sequence[Any],
) -> dict[Any, list[Any]]:
    """For each key that is stored, those of the wanted keys that the database finds equal to it.

    :param options: the execution options of the statement that all this is for.
    :param columns: that hold the key.
    :param types: of the wanted keys.
    """
    same: dict[Any, dict[Any, None]] = {}
    single = len(columns) == 1
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        parts = [
            select(literal_column(str(number)), *columns).where(
                *(
                    column == bindparam(None, value, type_)
                    for column, type_, value in zip(
                        columns, types, (key,) if single else key, strict=True
                    )
                )
            )
            for number, key in enumerate(chunk)
        ]
        asked = union_all(*parts) if len(parts) > 1 else parts[0]
        # its form differs with the number of keys: it would fill the cache
        found = conn.execute(asked, execution_options={**(options or {}), "compiled_cache": None})
        for number, *stored in found:
            key = stored[0] if single else tuple(stored)
            # not DISTINCT: it drops spellings
            same.setdefault(key, {})[chunk[number]] = None
    return {stored: list(keys) for stored, keys in same.items()}
