"""The shapes: what is asked of every contender, as a Core statement and as one of the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.sql.base import Executable

from benchmarks import data
from benchmarks.models import Entry, Item, Post, User, Wide

Call = tuple[Executable, Any]
"""A statement and its parameters."""

ENTRIES = data.entries()
LISTS = [ENTRIES[i : i + data.LIST] for i in range(0, data.ROWS, data.LIST)]

USER = ("id", "name", "email", "age")
POST = ("id", "user_id", "title", "score")
STOCK = ("id", "name", "quantity", "price")


@dataclass(frozen=True)
class Shape:
    """One thing to do, and how its result is read."""

    name: str
    title: str
    core: Callable[[int], Call]
    """The call of the n-th operation, on tables."""
    model: Callable[[int], Call]
    """The call of the n-th operation, on mapped classes."""
    returns: Literal["row", "rows", "nothing"]
    names: tuple[str, ...] = ()
    """The names of a Core row's columns."""
    attributes: tuple[str, ...] = ()
    """What is read of the loaded objects, as expressions on ``target``."""
    target: str = "obj"
    repeats: int = 1
    """Operations in one measured sample, so that a sample takes about a millisecond or more."""
    writes: str | None = None
    """The table that is changed, if any."""

    @property
    def single_entity(self) -> bool:
        """Whether a session reads it with ``scalars()``."""
        return "," not in self.target


def key_of(n: int) -> int:
    """The primary key that the n-th operation asks for: all of them in turn, scattered."""
    return n * 37 % data.ROWS + 1


def _fixed(statement: Executable) -> Callable[[int], Call]:
    return lambda n: (statement, None)


def _keyed(statement: Executable) -> Callable[[int], Call]:
    return lambda n: (statement, {"key": key_of(n)})


def _built(source: Any, column: Any) -> Callable[[int], Call]:
    return lambda n: (select(source).where(column == key_of(n)), None)


def _one_entry(statement: Executable) -> Callable[[int], Call]:
    return lambda n: (statement, ENTRIES[n % data.ROWS])


def _entry_list(statement: Executable) -> Callable[[int], Call]:
    return lambda n: (statement, LISTS[n % len(LISTS)])


def _rename(statement: Executable) -> Callable[[int], Call]:
    return lambda n: (statement, {"key": key_of(n), "new_name": f"name {n}"})


def objects(names: tuple[str, ...], target: str = "obj") -> tuple[str, ...]:
    """The expressions that read the named attributes of ``target``."""
    return tuple(f"{target}.{name}" for name in names)


def _reads() -> list[Shape]:
    users, posts, wides = User.__table__, Post.__table__, Wide.__table__
    four = {"names": USER, "attributes": objects(USER)}
    wide = tuple(column.name for column in wides.columns)
    joined = select(users, *(c.label(f"post_{c.name}") for c in posts.c)).join(
        posts, posts.c.user_id == users.c.id
    )
    return [
        Shape(
            "one",
            "1 row",
            _keyed(select(users).where(users.c.id == bindparam("key"))),
            _keyed(select(User).where(User.id == bindparam("key"))),
            "row",
            repeats=10,
            **four,
        ),
        Shape(
            "one_built",
            "1 row, the statement built for each call",
            _built(users, users.c.id),
            _built(User, User.id),
            "row",
            repeats=10,
            **four,
        ),
        Shape(
            "thousand",
            "1000 rows of 4 columns",
            _fixed(select(users)),
            _fixed(select(User)),
            "rows",
            **four,
        ),
        Shape(
            "wide",
            "1000 rows of a wide table (13 columns)",
            _fixed(select(wides)),
            _fixed(select(Wide)),
            "rows",
            names=wide,
            attributes=objects(wide),
        ),
        Shape(
            "join",
            "1000 rows of a two-entity join (4 and 4 columns)",
            _fixed(joined),
            _fixed(select(User, Post).join(Post, Post.user_id == User.id)),
            "rows",
            names=USER + tuple(f"post_{name}" for name in POST),
            attributes=objects(USER, "user") + objects(POST, "post"),
            target="user, post",
        ),
    ]


def _writes() -> list[Shape]:
    entries, stock = Entry.__table__, Item.__table__
    four = {"names": STOCK, "attributes": objects(STOCK)}

    def renamed(source: Any, column: Any) -> Any:
        return update(source).where(column == bindparam("key")).values(name=bindparam("new_name"))

    core_update, model_update = renamed(stock, stock.c.id), renamed(Item, Item.id)
    return [
        Shape(
            "insert",
            "insert of 1 row",
            _one_entry(insert(entries)),
            _one_entry(insert(Entry)),
            "nothing",
            repeats=5,
            writes="entries",
        ),
        Shape(
            "insert_returning",
            "insert of 1 row, RETURNING the entity",
            _one_entry(insert(entries).returning(entries)),
            _one_entry(insert(Entry).returning(Entry)),
            "row",
            repeats=5,
            writes="entries",
            **four,
        ),
        Shape(
            "insert_list",
            f"insert of a list of {data.LIST}",
            _entry_list(insert(entries)),
            _entry_list(insert(Entry)),
            "nothing",
            writes="entries",
        ),
        Shape(
            "insert_list_returning",
            f"insert of a list of {data.LIST}, RETURNING the entities",
            _entry_list(insert(entries).returning(entries)),
            _entry_list(insert(Entry).returning(Entry)),
            "rows",
            writes="entries",
            **four,
        ),
        Shape(
            "update",
            "update by key",
            _rename(core_update),
            _rename(model_update),
            "nothing",
            repeats=5,
            writes="items",
        ),
        Shape(
            "update_returning",
            "update by key, RETURNING the entity",
            _rename(core_update.returning(stock)),
            _rename(model_update.returning(Item)),
            "row",
            repeats=5,
            writes="items",
            **four,
        ),
    ]


def all_shapes() -> list[Shape]:
    """Every shape, reads first."""
    return [*_reads(), *_writes()]
