"""The rows of the zoo: NULLs, extremes, unicode, orphans; enough for every join to miss once."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import uuid
from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, Connection, Table, inspect, null
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Mapper, configure_mappers

from . import behaviour, blog, columns, inheritance, pg, related, styles, types

Rows = list[dict[str, Any]]

_UTC = dt.UTC
_ZONE = dt.timezone(dt.timedelta(hours=5, minutes=30))
_UID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def table_of(model: Any) -> Table:
    """Give the table that rows of ``model`` are put into."""
    table: Table = model.__table__ if hasattr(model, "__table__") else model.__mapper__.local_table
    return table


def _rows(names: str, *values: tuple[Any, ...]) -> Rows:
    keys = names.split()
    return [dict(zip(keys, row, strict=True)) for row in values]


def _blog() -> Iterator[tuple[Any, Rows]]:
    yield (
        blog.User,
        _rows(
            "id name nickname age boss_id",
            (1, "ann", "annie", 40, None),
            (2, "bob", None, None, 1),
            (3, "Zoë ☃ 𝄞", "", 0, 1),
            (4, "dan", "dd", 22, 2),
            (5, "eve", "e'\"%s", 40, None),
        ),
    )
    yield blog.Profile, _rows("user_id website", (1, "https://ann.example"), (3, None))
    yield (
        blog.Post,
        _rows(
            "id author_id title body written stars",
            (1, 1, "first", "text", dt.datetime(2024, 2, 29, 12, 0, 0, 123456), 5),
            (2, 1, "second", None, None, 3),
            (3, 2, "third", "", dt.datetime(1, 1, 1), 0),
            (4, None, "orphan", "nobody's", dt.datetime(9999, 12, 31, 23, 59, 59, 999999), -1),
            (5, 4, "first", "again", dt.datetime(2024, 2, 29), 5),
        ),
    )
    yield blog.Tag, _rows("id label", (1, "red"), (2, "green"), (3, "unused"))
    yield blog.post_tags, _rows("post_id tag_id weight", (1, 1, 10), (1, 2, None), (3, 1, 5))
    yield blog.Comment, _rows("id post_id slug text", (1, 1, "a", "hi"), (2, 1, "b", None))
    yield blog.Hub, _rows("id name owner_id", (1, "hub", 1), (2, None, None), (3, "third", 2))
    yield (
        blog.Spoke,
        _rows(
            "id hub_id label", (1, 1, "x"), (2, 1, "y"), (3, 1, None), (4, 3, "z"), (5, None, "w")
        ),
    )
    yield (
        blog.Node,
        _rows(
            "id parent_id name", (1, None, "root"), (2, 1, "left"), (3, 1, "right"), (4, 2, "leaf")
        ),
    )
    yield blog.Versioned, _rows("id name version", (1, "v", 1), (2, None, 7))
    yield (
        blog.Stamped,
        _rows(
            "id label by_client by_callable by_context by_server by_expression changed",
            (1, "one", "c", 1, "x", "s", 1, "new"),
        ),
    )


def _styles() -> Iterator[tuple[Any, Rows]]:
    yield (
        styles.DataPoint,
        _rows("id x y label note", (1, 10, 20, "p", "n"), (2, -1, None, "none", None)),
    )
    yield styles.DataParent, _rows("id name", (1, "parent"), (2, "childless"))
    yield styles.DataChild, _rows("id parent_id", (1, 1), (2, None))
    yield styles.KwOnly, _rows("id name", (1, "kw"), (2, None))
    yield styles.NoInit, _rows("id name", (1, "ni"), (2, None))
    yield styles.Hashable, _rows("id name", (1, "h"), (2, None))
    yield styles.PostInit, _rows("id name secret", (1, "loaded", "hush"))
    yield styles.Decorated, _rows("id name", (1, "deco"), (2, None))
    yield styles.DecoratedData, _rows("id name", (1, "deco data"), (2, None))
    yield styles.imperative_table, _rows("id nom note", (1, "imp", "n"), (2, None, None))
    yield styles.imperative_data_table, _rows("id name", (1, "imp data"), (2, None))
    yield styles.Legacy, _rows("id name private", (1, "old", "p"), (2, None, None))
    yield styles.NoMeta, _rows("id name", (1, "no meta"))
    yield styles.Mixed, _rows("id name lowered_name extra", (1, "mix", "m", None))
    yield styles.GenericThing, _rows("id name lowered_name value", (1, "gen", "g", 3))


def _inheritance() -> Iterator[tuple[Any, Rows]]:
    zoo = inheritance
    yield zoo.Firm, _rows("id name", (1, "acme"), (2, None))
    yield (
        zoo.Person,
        _rows(
            "id name kind firm_id",
            (1, "pat", "person", 1),
            (2, "eng", "engineer", 1),
            (3, "man", "manager", None),
            (4, "dir", "director", 1),
            (5, "eng2", "engineer", None),
        ),
    )
    yield zoo.Engineer, _rows("id language engineer_note", (2, "python", "good"), (5, None, None))
    yield zoo.Manager, _rows("id budget", (3, 100), (4, None))
    yield zoo.Director, _rows("id manager_id car", (4, 4, "fast"))
    yield (
        zoo.Vessel,
        _rows("id name kind", (1, "raft", "vessel"), (2, "ship", "ship"), (3, None, "submarine")),
    )
    yield zoo.Ship, _rows("id masts", (2, 3))
    yield zoo.Submarine, _rows("id depth", (3, None))
    yield zoo.Plant, _rows("id name kind", (1, "moss", "plant"), (2, "oak", "tree"))
    yield zoo.Tree, _rows("id height", (2, 30))
    yield (
        zoo.Machine,
        _rows("id kind note", (1, "machine", "m1"), (2, "motor", "m2"), (3, "turbine", "m3")),
    )
    yield zoo.Motor, _rows("id memo power", (2, "o2", 20), (3, "o3", None))
    yield (
        zoo.Turbine,
        _rows("id turbine_memo turbine_note blades", (3, "t3", "n3", 7)),
    )
    yield zoo.MachinePart, _rows("id machine_id", (1, 3), (2, 2), (3, 1), (4, 3), (5, None))
    yield zoo.Letterbox, _rows("id kind", (1, "box"), (2, "locker"), (3, "safe"))
    yield zoo.Locker, _rows("id memo", (2, "l2"), (3, "l3"))
    yield zoo.Safe, _rows("id safe_memo", (3, "s3"))
    yield zoo.Asset, _rows("id label", (1, "plain"), (2, "a house"))
    yield zoo.House, _rows("asset_id rooms", (2, 4))
    kind = zoo.AnimalKind
    yield (
        zoo.Animal,
        _rows(
            "id name kind lives tricks",
            (1, "thing", kind.ANIMAL, None, None),
            (2, "tom", kind.CAT, 9, None),
            (3, "rex", kind.DOG, None, "sit"),
            (4, None, kind.CAT, None, None),
        ),
    )
    yield zoo.Thing, _rows("id kind", (1, "thing"), (2, "sub"))
    yield zoo.Shape, _rows("id corners", (1, 4), (2, 3), (3, None))
    yield zoo.Vehicle, _rows("id name wheels", (1, "cart", 2))
    yield zoo.Truck, _rows("id name load", (1, "lorry", 900), (2, None, None))
    yield zoo.Letter, _rows("id title recipient", (1, "dear", "ann"), (2, None, None))
    yield zoo.Invoice, _rows("id title amount", (1, "pay", 5))
    yield (
        zoo.DataItem,
        _rows("id kind name pages", (1, "item", "thing", None), (2, "book", "novel", 300)),
    )
    yield zoo.left_table, _rows("id name", (1, "l"), (2, None))
    yield zoo.right_table, _rows("id value", (1, 10), (2, None))


def _columns() -> Iterator[tuple[Any, Rows]]:
    names = [column.key for column in columns.Renamed.__table__.c]
    yield (
        columns.Renamed,
        [
            dict(zip(names, (1, "full", "in b", "in a", "k", 5, "t"), strict=True)),
            dict(zip(names, (2, None, None, None, None, None, None), strict=True)),
        ],
    )
    reserved = columns.Reserved.__table__.c
    yield (
        columns.Reserved,
        [{c.key: n if c.type.python_type is int else f"v{n}" for n, c in enumerate(reserved, 1)}],
    )
    yield (
        columns.Base.metadata.tables["spaced"],
        [dict(zip(("id", "klass", "two words", "quote'\"{}"), (1, "c", "t", "q"), strict=True))],
    )
    yield columns.Pair, _rows("left right value", (1, "a", "1a"), (1, "b", None), (0, "", "0"))
    yield (
        columns.PairChild,
        _rows("id pair_left pair_right", (1, 1, "a"), (2, None, None), (3, 0, ""), (4, 1, None)),
    )
    yield (
        columns.Segment,
        _rows("id x1 y1 x2 y2 low high", (1, 1, 2, 3, 4, 5, 6), (2, None, 7, None, None, None, 1)),
    )
    yield (
        columns.Invoice,
        _rows(
            "id net vat_amount memo scan scan_file forbidden",
            (1, 100, 20, "m", b"\x00\xff", "s.pdf", "f"),
            (2, 200, None, None, None, None, None),
        ),
    )
    yield (
        columns.InvoiceLine,
        _rows("id invoice_id article amount", (1, 1, "nail", 3), (2, 1, None, None)),
    )
    yield columns.Doubled, _rows("id name hidden_col", (1, "n", "h"), (2, None, None))
    yield columns.PrefixedColumns, _rows("id name", (1, "pre"))
    yield columns.DeferredKey, _rows("id one two", (1, "1", "2"), (2, None, None))


def full_sample() -> dict[str, Any]:
    """Give a row of ``types.Sample`` without a NULL, all but the key."""
    return {
        "text": "line\nline\ttab",
        "unicode": "Ünïcödé ☃ 𝄞 עברית",
        "integer": -(2**31),
        "big": 2**63 - 1,
        "real": 0.1,
        "double": 1e308,
        "boolean": False,
        "number": decimal.Decimal("12345678901.123456"),
        "number_float": 0.25,
        "float_decimal": decimal.Decimal("1.5"),
        "date": dt.date(1, 1, 1),
        "time": dt.time(23, 59, 59, 999999),
        "moment": dt.datetime(2000, 2, 29, 0, 0, 0, 1),
        "moment_tz": dt.datetime(2024, 6, 1, 12, 30, tzinfo=_ZONE),
        "interval": dt.timedelta(days=3, microseconds=1),
        "uid": _UID,
        "uid_text": str(_UID),
        "colour": types.Colour.RED,
        "colour_value": types.Colour.GREEN,
        "word": "yes",
        "level": types.Level.HIGH,
        "blob": bytes(range(256)),
        "pickled": {"a": [1, None, _UID]},
        "json": {"b": [1, 2.5, None, {"ü": True}], "a": "x"},
        "json_sql_null": [],
        "money": types.Money(1234),
        "never_null": "full",
        "upper": "MiXed",
    }


def _types() -> Iterator[tuple[Any, Rows]]:
    full = full_sample()
    empty = dict.fromkeys(full) | {"json": null()}
    odd = empty | {
        "text": "",
        "blob": b"",
        "json": JSON.NULL,
        "json_sql_null": None,
        "number": decimal.Decimal("-0.000001"),
        "moment_tz": dt.datetime(1970, 1, 1, tzinfo=_UTC),
        "real": float("inf"),
        "boolean": True,
    }
    yield types.Sample, [{"id": 1, **full}]
    yield types.Sample, [{"id": 2, **empty}]
    yield types.Sample, [{"id": 3, **odd}]
    yield (
        types.Mutables,
        _rows(
            "id mapping sequence collection px py",
            (1, {"a": 1}, [1, 2], {1, 2}, 3, 4),
            (2, None, None, None, None, None),
        ),
    )
    yield types.Keyed, _rows("key name", (("a", 1), "one"), (("b", 2), None))
    yield types.UuidKeyed, _rows("id other", (_UID, _UID), (uuid.UUID(int=0), None))


def _behaviour() -> Iterator[tuple[Any, Rows]]:
    for model in (
        behaviour.Reconstructed,
        behaviour.Validated,
        behaviour.Listened,
        behaviour.MetaMade,
        behaviour.Slotted,
        behaviour.Enumerated,
        behaviour.Stateful,
        behaviour.Newly,
    ):
        yield model, _rows("id name", (1, "one"), (2, None))
    yield behaviour.Talkative, _rows("id name secret", (1, "one", "s"), (2, None, None))
    yield behaviour.Rich, _rows("id name detail", (1, "one", "d"), (2, "two", None))
    yield behaviour.Strict, _rows("id name detail", (1, "one", "d"), (2, None, None))


def _related() -> Iterator[tuple[Any, Rows]]:
    yield related.Country, _rows("id code", (1, "AA"), (2, "BB"), (3, None), (4, "DD"))
    yield (
        related.City,
        _rows(
            "id name country_code is_capital",
            (1, "a1", "AA", 0),
            (2, "a2", "AA", 1),
            (3, "b1", "BB", 0),
            (4, "free", None, 1),
            (5, "a0", "AA", 0),
        ),
    )
    yield related.Language, _rows("id name", (1, "one"), (2, "two"), (3, "three"))
    yield (
        related.spoken,
        _rows(
            "country language official rank",
            ("AA", 1, 1, 2),
            ("AA", 2, 1, 1),
            ("AA", 3, 0, 0),
            ("BB", 1, 1, 1),
        ),
    )
    yield (
        related.Order,
        _rows(
            "year number note", (2024, 1, "x"), (2024, 2, None), (2025, 1, "y"), (2025, 9, "empty")
        ),
    )
    yield (
        related.Line,
        _rows(
            "id order_year order_number position article",
            (1, 2024, 1, 1, "b"),
            (2, 2024, 1, 0, "a"),
            (3, 2025, 1, 0, None),
            (4, None, None, 0, "lost"),
            (5, 2024, None, 0, "half"),
        ),
    )
    yield (
        related.Member,
        _rows(
            "id name parent_id",
            (1, "top", None),
            (2, "mid", 1),
            (3, "mid2", 1),
            (4, "leaf", 2),
            (5, "deep", 4),
            (6, "alone", None),
        ),
    )
    yield related.friends, _rows("one other", (1, 2), (2, 1), (1, 3), (3, 3))
    yield related.Team, _rows("id name", (1, "red"), (2, "blue"), (3, "nobody"))
    yield (
        related.Worker,
        _rows(
            "id kind name team_id",
            (1, "worker", "w", 1),
            (2, "driver", "d", 1),
            (3, "cook", "c", 1),
            (4, "driver", "d2", 2),
            (5, "cook", "c2", None),
        ),
    )
    yield related.Driver, _rows("id licence", (2, "B"), (4, None))
    yield related.Cook, _rows("id stars", (3, 2), (5, None))
    yield related.Car, _rows("id driver_id plate", (1, 2, "x"), (2, 2, "y"), (3, None, "z"))
    yield related.Album, _rows("id title", (1, "first"), (2, "silence"))
    yield related.Song, _rows("id title album_id", (1, "s1", 1), (2, "s2", 1), (3, "stray", None))


def _sqlmodels() -> Iterator[tuple[Any, Rows]]:
    from . import sqlmodels

    yield sqlmodels.Team, _rows("id name", (1, "team"))
    yield (
        sqlmodels.Hero,
        _rows(
            "id name age born token extra_json team_id",
            (1, "deadpond", 30, dt.date(1990, 1, 2), _UID, {"a": [1]}, 1),
            (2, "rusty", None, None, None, None, None),
        ),
    )


def _postgres() -> Iterator[tuple[Any, Rows]]:
    day = dt.date(2024, 1, 1)
    noon = dt.datetime(2024, 1, 1, 12, tzinfo=_UTC)
    full = {
        "ints": [1, None, 3],
        "matrix": [[1, 2], [3, 4]],
        "texts": ("a", "ü,{}\"'", ""),
        "numbers": [decimal.Decimal("1.50"), None],
        "colours": [types.Colour.RED, types.Colour.GREEN],
        "moneys": [types.Money(5), types.Money(0)],
        "uids": [_UID],
        "mutable": [1, 2],
        "int_range": Range(1, 5),
        "num_range": Range(decimal.Decimal("1.5"), None, bounds="(]"),
        "date_range": Range(day, day + dt.timedelta(days=3)),
        "tz_range": Range(noon, None),
        "multi_range": [Range(1, 3), Range(5, 9)],
        "jsonb": {"k": [1, None]},
        "inet": ipaddress.ip_address("10.0.0.1"),
        "interval": dt.timedelta(days=400, seconds=1),
        "hstore_like": ["x"],
        "bits": b"\x00\x01",
        "search": "cat fat",
    }
    yield pg.PgSample, [{"id": 1, **full}]
    yield (
        pg.PgSample,
        [{"id": 2, **dict.fromkeys(full), "ints": [], "int_range": Range(empty=True)}],
    )


def rows(dialect: str) -> Iterator[tuple[Any, Rows]]:
    """Give each table (or model) with the rows that go into it, parents first."""
    for part in (_blog, _styles, _inheritance, _columns, _types, _related, _behaviour, _sqlmodels):
        yield from part()
    if dialect == "postgresql":
        yield from _postgres()


def metadatas(dialect: str) -> Iterator[Any]:
    """Give each MetaData of the zoo."""
    from . import sqlmodels

    bases: list[Any] = [
        blog.Base,
        styles.DataBase,
        styles.decorated,
        styles.imperative,
        styles.LegacyBase,
        styles.NoMetaBase,
        styles.MixinBase,
        inheritance.Base,
        columns.Base,
        types.Base,
        related.Base,
        related.DataBase,
        behaviour.Base,
        behaviour.StrictBase,
        behaviour.MetaBase,
        behaviour.slotted,
        sqlmodels.SQLModelBase._sa_registry,
    ]
    if dialect == "postgresql":
        bases.append(pg.Base)
    yield from {id(base.metadata): base.metadata for base in bases}.values()


def create(conn: Connection) -> None:
    """Create every table of the zoo."""
    for metadata in metadatas(conn.dialect.name):
        metadata.create_all(conn)


def fill(conn: Connection) -> None:
    """Put the zoo's rows into its tables."""
    for target, values in rows(conn.dialect.name):
        table = target if isinstance(target, Table) else table_of(target)
        conn.execute(table.insert(), values)


def models(dialect: str) -> dict[str, Any]:
    """Give each mapped class of the zoo by its name, and by its module where two share one."""
    from . import sqlmodels

    configure_mappers()
    modules = [blog, styles, inheritance, columns, types, related, behaviour, sqlmodels]
    if dialect == "postgresql":
        modules.append(pg)
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and isinstance(inspect(value, raiseerr=False), Mapper)
    }
