"""The floor: the drivers without SQLAlchemy, and hand-written objects.

One connection, held open; the SQL is a string; the transaction is what the driver calls one. What
the driver does not convert is converted by hand, which is the point: this is what the least code
that gives the same values costs.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import URL

from benchmarks import data
from benchmarks.byhand import Build, Wide, pairs, stock, users
from benchmarks.contenders import Contender, Operation, by_attribute
from benchmarks.models import Status
from benchmarks.readers import Read
from benchmarks.shapes import ENTRIES, LISTS, Shape, key_of


def _wide_sqlite(rows: Sequence[Any]) -> list[Any]:
    moment, day = datetime.fromisoformat, date.fromisoformat
    return [
        Wide(
            a,
            UUID(b),
            day(c),
            moment(d),
            None if e is None else moment(e),
            Decimal(f"{f:.2f}"),
            Decimal(f"{g:.4f}"),
            h,
            bool(i),
            Status[j],
            json.loads(k),
            m,
            n,
        )
        for a, b, c, d, e, f, g, h, i, j, k, m, n in rows
    ]


def _wide_asyncpg(rows: Sequence[Any]) -> list[Any]:
    return [
        Wide(a, b, c, d, e, f, g, h, i, Status[j], json.loads(k), m, n)
        for a, b, c, d, e, f, g, h, i, j, k, m, n in rows
    ]


def _wide_psycopg(rows: Sequence[Any]) -> list[Any]:
    return [
        Wide(a, b, c, d, e, f, g, h, i, Status[j], k, m, n)
        for a, b, c, d, e, f, g, h, i, j, k, m, n in rows
    ]


class Driver(Protocol):
    """What the operations need of a driver."""

    wide: Build

    async def open(self, url: URL) -> None: ...
    async def close(self) -> None: ...
    def sql(self, text: str) -> str: ...
    async def fetch(self, sql: str, args: tuple[Any, ...]) -> list[Any]: ...
    async def run(self, sql: str, args: tuple[Any, ...]) -> None: ...
    async def run_many(self, sql: str, args: list[tuple[Any, ...]]) -> None: ...


class Aiosqlite:
    """The aiosqlite driver."""

    wide = staticmethod(_wide_sqlite)

    async def open(self, url: URL) -> None:
        import aiosqlite

        self.conn = await aiosqlite.connect(url.database or "")
        await self.conn.execute("PRAGMA synchronous=OFF")

    async def close(self) -> None:
        await self.conn.close()

    def sql(self, text: str) -> str:
        return text

    async def fetch(self, sql: str, args: tuple[Any, ...]) -> list[Any]:
        rows = await self.conn.execute_fetchall(sql, args)
        await self.conn.commit()
        return list(rows)

    async def run(self, sql: str, args: tuple[Any, ...]) -> None:
        cursor = await self.conn.execute(sql, args)
        await cursor.close()
        await self.conn.commit()

    async def run_many(self, sql: str, args: list[tuple[Any, ...]]) -> None:
        cursor = await self.conn.executemany(sql, args)
        await cursor.close()
        await self.conn.commit()


class Asyncpg:
    """The asyncpg driver."""

    wide = staticmethod(_wide_asyncpg)

    async def open(self, url: URL) -> None:
        import asyncpg

        self.conn = await asyncpg.connect(
            user=url.username,
            password=url.password,
            database=url.database,
            host=url.query.get("host") or url.host,
            port=url.port,
        )

    async def close(self) -> None:
        await self.conn.close()

    def sql(self, text: str) -> str:
        counter = itertools.count(1)
        return "".join(f"${next(counter)}" if char == "?" else char for char in text)

    async def fetch(self, sql: str, args: tuple[Any, ...]) -> list[Any]:
        async with self.conn.transaction():
            return list(await self.conn.fetch(sql, *args))

    async def run(self, sql: str, args: tuple[Any, ...]) -> None:
        async with self.conn.transaction():
            await self.conn.execute(sql, *args)

    async def run_many(self, sql: str, args: list[tuple[Any, ...]]) -> None:
        async with self.conn.transaction():
            await self.conn.executemany(sql, args)


class Psycopg:
    """The psycopg driver, its asynchronous connection."""

    wide = staticmethod(_wide_psycopg)

    async def open(self, url: URL) -> None:
        import psycopg

        libpq = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.conn = await psycopg.AsyncConnection.connect(libpq)

    async def close(self) -> None:
        await self.conn.close()

    def sql(self, text: str) -> str:
        return text.replace("?", "%s")

    async def fetch(self, sql: str, args: tuple[Any, ...]) -> list[Any]:
        cursor = await self.conn.execute(sql, args)
        rows = await cursor.fetchall()
        await self.conn.commit()
        return rows

    async def run(self, sql: str, args: tuple[Any, ...]) -> None:
        await self.conn.execute(sql, args)
        await self.conn.commit()

    async def run_many(self, sql: str, args: list[tuple[Any, ...]]) -> None:
        async with self.conn.cursor() as cursor:
            await cursor.executemany(sql, args)
        await self.conn.commit()


DRIVERS: dict[str, Callable[[], Driver]] = {
    "sqlite": Aiosqlite,
    "asyncpg": Asyncpg,
    "psycopg": Psycopg,
}

_USERS = "SELECT id, name, email, age FROM users"
_WIDES = (
    "SELECT id, token, day, created_at, updated_at, price, tax, ratio, active, status, payload,"
    " label, note FROM wides"
)
_JOIN = (
    "SELECT u.id, u.name, u.email, u.age, p.id, p.user_id, p.title, p.score"
    " FROM users u JOIN posts p ON p.user_id = u.id"
)
_INSERT = "INSERT INTO entries (name, quantity, price) VALUES "
_UPDATE = "UPDATE items SET name = ? WHERE id = ?"
_RETURNING = " RETURNING id, name, quantity, price"


def _entry(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["name"], row["quantity"], row["price"])


def _flat(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    return tuple(itertools.chain.from_iterable(map(_entry, rows)))


def bare(driver: Driver) -> Contender:
    """Return the contender that uses nothing but the driver."""

    def operation(shape: Shape) -> Operation:
        if shape.name == "insert_list":
            return _many(driver)
        text, args, build = _plan(driver, shape)
        sql = driver.sql(text)
        if build is None:

            async def nothing(read: Read, n: int) -> Any:
                await driver.run(sql, args(n))

            return nothing

        async def rows(read: Read, n: int) -> Any:
            return read(build(await driver.fetch(sql, args(n))))

        return rows

    return Contender("bare", "bare driver", operation, by_attribute)


def _many(driver: Driver) -> Operation:
    sql = driver.sql(_INSERT + "(?, ?, ?)")

    async def nothing(read: Read, n: int) -> Any:
        await driver.run_many(sql, [_entry(row) for row in LISTS[n % len(LISTS)]])

    return nothing


def _plan(
    driver: Driver, shape: Shape
) -> tuple[str, Callable[[int], tuple[Any, ...]], Build | None]:
    """Return the SQL of a shape, its arguments, and what builds the objects."""

    def none(n: int) -> tuple[Any, ...]:
        return ()

    def key(n: int) -> tuple[Any, ...]:
        return (key_of(n),)

    def rename(n: int) -> tuple[Any, ...]:
        return (f"name {n}", key_of(n))

    def entry(n: int) -> tuple[Any, ...]:
        return _entry(ENTRIES[n % data.ROWS])

    def entry_list(n: int) -> tuple[Any, ...]:
        return _flat(LISTS[n % len(LISTS)])

    one, listed = "(?, ?, ?)", ", ".join(["(?, ?, ?)"] * data.LIST)
    return {
        "one": (_USERS + " WHERE id = ?", key, users),
        "one_built": (_USERS + " WHERE id = ?", key, users),
        "thousand": (_USERS, none, users),
        "wide": (_WIDES, none, driver.wide),
        "join": (_JOIN, none, pairs),
        "insert": (_INSERT + one, entry, None),
        "insert_returning": (_INSERT + one + _RETURNING, entry, stock),
        "insert_list_returning": (_INSERT + listed + _RETURNING, entry_list, stock),
        "update": (_UPDATE, rename, None),
        "update_returning": (_UPDATE + _RETURNING, rename, stock),
    }[shape.name]
