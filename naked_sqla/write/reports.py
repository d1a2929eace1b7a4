"""What calls that write tell of what they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from naked_sqla.write.tables import Written

__all__ = ("Relinked", "Write", "writes_of")

Action = Literal["insert", "update", "upsert", "delete", "link", "unlink", "relink"]


class Relinked(NamedTuple):
    """The result of ``relink()``.

    :ivar added: the number of new links.
    :ivar removed: the number of removed links.
    """

    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Write:
    """What one call has written of one class, for the functions of ``db.on_write()``.

    :ivar action: ``"insert"``, ``"update"``, ``"upsert"``, ``"delete"``, ``"link"``, ``"unlink"``
        or ``"relink"``.
    :ivar model: the mapped class.
    :ivar objects: the stored rows that the call returned. For ``delete()``, and with
        ``returning=False``, the objects that were passed; empty if only a key was passed.
    :ivar keys: the primary keys of the rows: values, or tuples for a composite key.
    :ivar relationship: for links, the name of the relationship.
    :ivar related: for links, the objects or keys that were passed.
    """

    action: Action
    model: type[Any]
    objects: tuple[Any, ...]
    keys: tuple[Any, ...]
    relationship: str | None = None
    related: tuple[Any, ...] = ()


def writes_of(call: Any, result: Any, noted: Sequence[Sequence[Any]]) -> Iterator[Write]:
    """What a call that writes by object has written.

    :param call: the call, whose objects are in lists.
    :param result: what it gave back.
    :param noted: the stored objects of a call that stores relationships, class by class.
    """
    action: Any = call.name.removesuffix("_all")
    if action in ("link", "unlink", "relink"):
        if any(result) if isinstance(result, tuple) else result:
            yield _links(action, call)
    elif action in ("insert", "update", "upsert", "delete") and result is not False and result != 0:
        if noted:
            for objs in noted:
                yield from _of_objects(action, objs, None)
        elif isinstance(call.subject, type):
            yield _of_key(action, call, result)
        elif isinstance(result, int):
            objs = call.subject if call.name.endswith("_all") else [call.subject]
            yield from _of_objects(action, objs, call.named.get("model"))
        else:
            yield from _of_objects(action, result if isinstance(result, list) else [result], None)


def _of_objects(action: Action, objs: Iterable[Any], model: Any) -> Iterator[Write]:
    from naked_sqla.objects.classes import model_of
    from naked_sqla.write.values import reader_of

    for kind, same in groupby(objs, key=lambda obj: model_of(type(obj))):
        group, keys = tuple(same), []
        for obj in group:
            reader = reader_of(type(obj), model, action)
            keys.append(_plain(reader.written, reader.written.identity(reader.key(obj))))
        yield Write(action, model or kind, group, tuple(keys))


def _of_key(action: Action, call: Any, result: Any) -> Write:
    """The write of ``update(User, 1, ...)``."""
    from naked_sqla.objects.classes import mapper_of
    from naked_sqla.write.tables import written_of

    written, ident = written_of(mapper_of(call.subject)), call.arguments[0]
    if isinstance(ident, dict):
        ident = written.identity(written.translate(ident))
    key = _plain(written, tuple(ident) if isinstance(ident, tuple | list) else (ident,))
    objects = () if isinstance(result, int) else (result,)
    return Write(action, call.subject, objects, (key,))


def _links(action: Action, call: Any) -> Write:
    between, related = call.arguments
    obj, model = call.subject, between.own.model
    key = between.own.key(action, obj)
    objects = (obj,) if isinstance(obj, model) else ()
    name = between.name.rpartition(".")[2]
    plain = key[0] if len(key) == 1 else key
    return Write(action, model, objects, (plain,), name, tuple(related))


def _plain(written: Written, key: tuple[Any, ...]) -> Any:
    return key[0] if len(written.keys) == 1 else key
