"""The foreign keys that the relationships of an object give its row.

A many-to-one fills the foreign keys that are not set.  A relationship that a row can't hold raises:
a related object without its key, or with another key than the one that is set, and related objects
that would have to be stored themselves.

Nothing tells whether a relationship of a loaded object was changed.  It raises if it can't have
been loaded: its key differs from the foreign key, or it holds an object that was never loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NoReturn

from sqlalchemy.orm import RelationshipProperty

from naked_sqla._sqlalchemy import mappings, relationships
from naked_sqla.exception import InvalidStatement, NotLoadedError
from naked_sqla.hiding import shown
from naked_sqla.objects.classes import mapper_of, model_of
from naked_sqla.objects.foreign_keys import Foreign, foreign_of
from naked_sqla.write.rows import has_expressions
from naked_sqla.write.tables import Written

__all__ = (
    "UNKNOWN",
    "Origin",
    "Related",
    "is_loaded",
    "objects_in",
    "related_of",
    "value_of",
)

_Values = Mapping[str, Any]

# Where an object comes from: it is an instance of the mapped class that the caller has constructed,
# a statement has loaded it, or it is of another class.
Origin = Literal["made", "loaded", "other"]

# a part of a key that a statement has not loaded
UNKNOWN: Any = object()

# calls that store rows that are not there yet
_INSERTS = frozenset({"insert", "insert_all", "copy_in"})


class Related:
    """The relationships of a mapped class that decide what is stored.

    :ivar keys: their attributes; a relationship that is ``viewonly`` decides nothing.
    :ivar unread: those whose objects are not in the ``__dict__`` of an instance.
    """

    __slots__ = ("_is_dataclass", "_relationships", "_written", "keys", "unread")

    def __init__(self, written: Written) -> None:
        found: Iterable[RelationshipProperty[Any]] = written.mapper.relationships
        self._relationships = {str(p.key): foreign_of(p) for p in found if not p.viewonly}
        self._written = written
        self._is_dataclass = hasattr(written.mapper.class_, "__dataclass_fields__")
        self.keys = frozenset(self._relationships)
        self.unread = frozenset(p.key for p in found if p.lazy in ("dynamic", "write_only"))

    def completed(
        self,
        what: str,
        row: _Values,
        values: _Values,
        origin: Origin,
        named: bool = False,
        loaded: Collection[str] = (),
    ) -> _Values:
        """A row with the foreign keys that the relationships of its object give.

        :param what: the call, for messages.
        :param row: the column attributes that the object has.
        :param values: all attributes that it has.
        :param named: the caller has named what is stored; then nothing raises.
        :param loaded: the attributes that may hold what was loaded; all others were set.
        :return: ``row`` itself where there is nothing to add.
        :raises InvalidStatement: for a relationship that the row can't hold.
        """
        if self.keys.isdisjoint(values):
            return row
        call = _Storing(what, f"{what}({self._written.name})", origin, named)
        given = [(key, f, values[key]) for key, f in self._relationships.items() if key in values]
        for _, foreign, value in given:
            if foreign.side == "here" and value is not None:
                row = self._filled(call, row, foreign, value)
        if named:
            return row
        for key, foreign, value in given:
            if foreign.side != "here":
                _check_objects(call, row, foreign, value)
            elif value is None and foreign.plain and self._says_nothing(origin):
                _check_none(call, row, foreign, key in loaded)
        return row

    def _says_nothing(self, origin: Origin) -> bool:
        """True when None in a many-to-one was set or loaded, and is not a default of the class."""
        return origin == "loaded" or (origin == "made" and not self._is_dataclass)

    def _filled(self, call: _Storing, row: _Values, foreign: Foreign, target: Any) -> _Values:
        if call.named and not foreign.plain:
            return row
        _check_class(call, foreign, target)
        fills = foreign.plain and self._written.columns.keys() >= {key for key, _ in foreign.pairs}
        added: dict[str, Any] = {}
        for key, referred in foreign.pairs:
            value = value_of(target, referred)
            given = row.get(key, UNKNOWN)
            unset = given is UNKNOWN or (given is None and call.origin != "loaded")
            if value is None or (value is UNKNOWN and unset):
                if not call.named:
                    _refuse_without_key(call, foreign, target, referred)
            elif unset:
                added[key] = value
            elif not call.named and value is not UNKNOWN and self._differ(call, key, given, value):
                raise InvalidStatement(
                    f"{call.shown}: {foreign.name} has {referred} {shown(value)}, and {key} is "
                    f"{shown(given)}. Set both alike, or {_by_name(call, foreign, key)}."
                )
        if (
            call.origin != "loaded"
            and not call.named
            and not fills
            and (added or not foreign.pairs)
        ):
            raise InvalidStatement(
                f"{call.shown}: {foreign.name} is joined by more than its foreign key, which is "
                f"not taken from it. {foreign.advice}"
            )
        return {**row, **added} if added and fills else row

    def _differ(self, call: _Storing, key: str, given: Any, value: Any) -> bool:
        """True when a foreign key is not the key of an object."""
        if has_expressions((type(given), type(value))):
            return given is not value
        if call.origin != "loaded" or not isinstance(given, str):
            return bool(given != value)
        # the database has found them equal; Python may not
        column = self._written.columns.get(key)
        if getattr(getattr(column, "type", None), "collation", None) is not None:
            return False
        return given.strip().casefold() != str(value).strip().casefold()


class _Storing:
    """The call that reads the relationships of one object."""

    __slots__ = ("named", "origin", "shown", "what")

    def __init__(self, what: str, shown: str, origin: Origin, named: bool) -> None:
        self.what = what
        self.shown = shown
        self.origin = origin
        self.named = named


def related_of(written: Written) -> Related | None:
    """The relationships of a mapped class; None where there are none."""
    if written.related is None:
        written.related = Related(written)
    found: Related = written.related
    return found if found.keys else None


def _check_none(call: _Storing, row: _Values, foreign: Foreign, may_be_loaded: bool) -> None:
    """Refuse None where the foreign key is set."""
    given = [key for key, _ in foreign.pairs if row.get(key) is not None]
    # a stored key that is NULL in part refers to nothing; where None was set, the ORM clears it all
    if len(given) == len(foreign.pairs) or (given and not may_be_loaded):
        key = given[0]
        raise InvalidStatement(
            f"{call.shown}: {foreign.name} is None, and {key} is {shown(row[key])}. Set {key} to "
            f"None too, or {_by_name(call, foreign, key)}."
        )


def _by_name(call: _Storing, foreign: Foreign, key: str) -> str:
    """The advice for a foreign key that is right."""
    if call.what in ("update", "update_all"):
        return f"name what is stored: {call.what}(..., {foreign.model}.{key})"
    relationship = foreign.name.rpartition(".")[2]
    if call.origin == "loaded":
        return f"leave {relationship} out: del obj.{relationship}"
    return f"leave {relationship} out"


def _check_class(call: _Storing, foreign: Foreign, target: Any) -> None:
    kind, wanted = model_of(type(target)), foreign.target.class_
    if mapper_of(kind) is not None and not issubclass(kind, wanted) and not call.named:
        raise InvalidStatement(
            f"{call.shown}: {foreign.name} is a {wanted.__name__}, and was set to a "
            f"{kind.__name__}. {foreign.advice}"
        )


def _refuse_without_key(call: _Storing, foreign: Foreign, target: Any, referred: str) -> NoReturn:
    name = foreign.target.class_.__name__
    raise InvalidStatement(
        f"{call.shown}: {foreign.name} is a {type(target).__name__} without {referred}, which the "
        f"foreign key refers to. Store the {name} first, and go on with what insert() gives back. "
        f"{foreign.advice}"
    )


def _check_objects(call: _Storing, row: _Values, foreign: Foreign, value: Any) -> None:
    """Refuse related objects that the call does not store, or whose foreign keys are not set."""
    objects = objects_in(value)
    if not objects:
        return
    is_new = call.what in _INSERTS or call.origin != "loaded"
    for obj in objects:
        if not is_loaded(obj) or (is_new and not foreign.plain):
            break
        pairs = foreign.pairs if foreign.plain else ()
        if any(_misses(value_of(obj, key), row.get(own), is_new) for key, own in pairs):
            break
    else:
        return
    many = f"{len(objects)} objects" if len(objects) > 1 else "an object"
    raise InvalidStatement(
        f"{call.shown}: {foreign.name} has {many} that {call.what}() does not store with the "
        f"{foreign.model}: an object is stored by itself. {foreign.advice}{_hint(call, foreign)}"
    )


def _hint(call: _Storing, foreign: Foreign) -> str:
    if call.what in ("update", "update_all"):
        return f" To store the columns alone, name them: {call.what}(..., {foreign.model}.name)."
    if call.what in ("insert", "insert_all") and call.origin == "made":
        return (
            f" Or name it, to store both: {call.what}(..., {foreign.name}). A relationship fills "
            f"the one that it is the other side of: what was constructed with a {foreign.model} "
            f"is in {foreign.name}."
        )
    if call.origin == "made":
        return (
            f" A relationship fills the one that it is the other side of: what was constructed "
            f"with a {foreign.model} is in {foreign.name}."
        )
    return ""


def _misses(found: Any, own: Any, is_new: bool) -> bool:
    """True when the foreign key of a related object does not say that it belongs to the row."""
    if is_new or found is None:
        return found is UNKNOWN or found is None or own is None or bool(found != own)
    if found is UNKNOWN or own is None or isinstance(found, str) or isinstance(own, str):
        return False
    return bool(found != own)


def objects_in(value: Any) -> list[Any]:
    """The objects of a relationship: of a collection of any class, or the single one."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return list(value.values())
    adapter = relationships.collection_adapter(value)
    if adapter is not None:
        return list(adapter)
    if isinstance(value, Iterable) and not hasattr(type(value), "__naked__"):
        return list(value)
    return [value]


def is_loaded(obj: Any) -> bool:
    """True for an object of a stored row: this library has loaded it, or an ORM session has it."""
    if hasattr(type(obj), "__naked__"):
        return True
    state = getattr(obj, mappings.INSTANCE_STATE, None)
    return state is not None and bool(state.has_identity)


def value_of(obj: Any, key: str) -> Any:
    """The value of an attribute; None if it has none, ``UNKNOWN`` if it is not loaded."""
    if isinstance(obj, Mapping):
        return obj.get(key)
    if hasattr(type(obj), "__naked__"):
        try:
            return getattr(obj, key)
        except (NotLoadedError, AttributeError):
            return UNKNOWN
    if hasattr(obj, mappings.INSTANCE_STATE):
        # not by the attribute, which an ORM session would load
        return obj.__dict__.get(key, UNKNOWN if is_loaded(obj) else None)
    return getattr(obj, key, None)
