"""Cursors that a client made up: ``InvalidCursor`` or a page, and little work for either."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidCursor,
    InvalidStatement,
    PageNotFound,
    SessionFactory,
)
from naked_sqla.pages import cursor as cursors
from naked_sqla.pages.cursor import Gap, decode, encode
from naked_sqla.pages.keyset import _KeysetPages
from naked_sqla.pages.order import ordered

from .._examples import examples


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    CALM = "calm"
    WILD = "wild"


class Row(Base):
    __tablename__ = "hostile"

    id: Mapped[int] = mapped_column(primary_key=True)
    small: Mapped[int] = mapped_column(sa.SmallInteger)
    big: Mapped[int] = mapped_column(sa.BigInteger)
    price: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2))
    ratio: Mapped[float]
    single: Mapped[float] = mapped_column(sa.REAL)
    name: Mapped[str]
    note: Mapped[str | None]
    on: Mapped[bool]
    day: Mapped[dt.date]
    moment: Mapped[dt.datetime]
    zoned: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True))
    hour: Mapped[dt.time]
    lasts: Mapped[dt.timedelta]
    uid: Mapped[uuid.UUID]
    text_uid: Mapped[uuid.UUID] = mapped_column(sa.Uuid(native_uuid=False))
    raw: Mapped[bytes]
    mood: Mapped[Mood]


MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 250)


def row(i: int) -> dict[str, Any]:
    return {
        "small": i,
        "big": i * 10**12,
        "price": Decimal(i) / 4,
        "ratio": i / 3,
        "single": i / 2,
        "name": f"n{i}",
        "note": None if i % 2 else f"é{i}",
        "on": bool(i % 2),
        "day": MOMENT.date() + dt.timedelta(days=i),
        "moment": MOMENT + dt.timedelta(hours=i),
        "zoned": (MOMENT + dt.timedelta(hours=i)).replace(tzinfo=dt.UTC),
        "hour": dt.time(i, 2),
        "lasts": dt.timedelta(hours=i),
        "uid": uuid.UUID(int=i),
        "text_uid": uuid.UUID(int=i),
        "raw": bytes([i]),
        "mood": list(Mood)[i % 2],
    }


COLUMNS = [column.key for column in Row.__table__.columns]
# only the database knows their types
EXPRESSIONS: dict[str, Any] = {
    "sum": func.coalesce(Row.big + Row.small, 0),
    "lower": func.lower(Row.name),
    "cast": sa.cast(Row.small, sa.Numeric),
    "count": func.count(),
}

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**15,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63),
    10**4000,
    "",
    "x",
    "12",
    "CALM",
    "furious",
    "\x00",
    "a\x00b",
    "\ud800",
    "1e400000",
    "n" * 100_000,
    0.0,
    0.5,
    1e300,
    1e-300,
    5e-324,
    float("inf"),
    float("-inf"),
    float("nan"),
    Decimal("0.25"),
    Decimal("1E+400000"),
    Decimal("1E-400000"),
    Decimal("1E+131071"),
    Decimal("-1E+999999999999999999"),
    Decimal("1" * 100_000),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("-NaN"),
    Decimal("NaN123"),
    Decimal("Infinity"),
    Decimal("-Infinity"),
    dt.date(1, 1, 1),
    dt.date(2024, 1, 1),
    dt.date(9999, 12, 31),
    dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
    MOMENT,
    MOMENT.replace(tzinfo=dt.UTC),
    dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14))),
    dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-14))),
    MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=23, minutes=59))),
    MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(microseconds=1))),
    MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(seconds=1))),
    dt.time(12),
    dt.time(12, tzinfo=dt.timezone(dt.timedelta(hours=-23))),
    dt.timedelta.max,
    dt.timedelta.min,
    dt.timedelta(hours=1),
    uuid.UUID(int=1),
    b"",
    b"\xff" * 1000,
]


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.execute(insert(Row), [row(i) for i in range(1, 6)])
    return db


async def forged(db: AsyncSessionFactory, statement: Any, values: tuple[Any, ...]) -> str:
    """A cursor whose checksum is right: whoever has read this library can make one."""

    def made(conn: Any) -> str:
        return encode(
            Gap(values, True), _KeysetPages(conn, True, ordered(statement), ()).fingerprint
        )

    async with db.engine.connect() as conn:
        return await conn.run_sync(made)


def grouped() -> Any:
    return select(Row.name).group_by(Row.name)


def by(key: str) -> Any:
    if key == "count":
        return grouped().order_by(EXPRESSIONS[key])
    return select(Row).order_by(EXPRESSIONS[key] if key in EXPRESSIONS else getattr(Row, key))


async def rest_of_key(db: AsyncSessionFactory, key: str) -> list[tuple[Any, ...]]:
    """What follows the first value of a key: the key that was added."""
    return [()] if key == "id" else [("n1",)] if key == "count" else [(3,)]


@pytest.mark.parametrize("key", [*COLUMNS, *EXPRESSIONS])
async def test_a_forged_value_gives_a_page_or_invalid_cursor(
    db: AsyncSessionFactory, key: str
) -> None:
    sent: list[Any] = []

    def note(*args: Any) -> None:
        if args[2] != "BEGIN":
            sent.append(args[3])

    event.listen(db.engine.sync_engine, "before_cursor_execute", note)
    statement = by(key)
    pages = refused = 0
    for value in VALUES:
        for rest in await rest_of_key(db, key):
            try:
                cursor = await forged(db, statement, (value, *rest))
            except InvalidStatement:
                continue
            del sent[:]
            try:
                await db.keyset(statement, after=cursor, per_page=2)
            except InvalidCursor:
                refused += 1
                if key in COLUMNS:
                    assert sent == [], (key, value)
            else:
                pages += 1
            assert len(sent) <= 4
            assert all(
                _cost(parameter) <= 131_072 for parameters in sent for parameter in parameters
            )
    assert pages
    assert refused > 10


def _cost(parameter: Any) -> int:
    """The digits or letters that a driver has to write for a parameter."""
    if isinstance(parameter, Decimal) and parameter.is_finite():
        return max(abs(parameter.adjusted()), len(parameter.as_tuple().digits))
    if isinstance(parameter, int):
        return parameter.bit_length()
    return len(str(parameter))


async def test_the_exponent_that_stopped_the_event_loop(db: AsyncSessionFactory) -> None:
    sent: list[Any] = []
    event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *args: sent.append(args))
    for exponent in ("1E+400000", "1E+100000000", "-1E+999999999999999999"):
        cursor = await forged(db, by("id"), (Decimal(exponent),))
        del sent[:]
        with pytest.raises(InvalidCursor, match="begin with the first page"):
            await db.keyset(by("id"), after=cursor)
        assert sent == []


async def test_a_value_that_the_database_refuses_is_an_invalid_cursor_in_a_session_too(
    db: AsyncSessionFactory,
) -> None:
    cursor = await forged(db, by("lower"), (b"\xff", 1))
    async with db.begin() as session:
        try:
            await session.keyset(by("lower"), before=cursor)
        except InvalidCursor:
            await session.rollback()


async def test_an_error_of_the_statement_itself_stays_what_it_is(db: AsyncSessionFactory) -> None:
    page = await db.keyset(by("id"), per_page=2)
    broken = select(Row.id, sa.literal_column("no_such_column")).order_by(Row.id)
    with pytest.raises(sa.exc.DBAPIError, match="no_such_column"):
        await db.keyset(broken, after=page.next_cursor)


@pytest.mark.parametrize("key", [*COLUMNS, *EXPRESSIONS])
async def test_honest_cursors_of_every_kind(db: AsyncSessionFactory, key: str) -> None:
    statement = by(key)
    signing = AsyncSessionFactory(db.engine, secret="s" * 32)
    for factory in (db, signing):
        seen, after = 0, None
        while True:
            page = await factory.keyset(statement, after=after, per_page=2)
            seen += len(page.items)
            after = page.next_cursor
            if after is None:
                break
        assert seen == 5


async def test_an_honest_value_that_its_column_does_not_declare(db: AsyncSessionFactory) -> None:
    """The cursor could not be told from a forged one; with a secret it can."""
    metadata = sa.MetaData()
    wide = sa.Table("wide", metadata, sa.Column("id", sa.BigInteger, primary_key=True))
    narrow = sa.Table("wide", sa.MetaData(), sa.Column("id", sa.String(20), primary_key=True))
    async with db.engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
        await conn.execute(insert(wide), [{"id": i} for i in range(1, 4)])
    statement = select(narrow.c.id).order_by(narrow.c.id)
    with pytest.raises(InvalidStatement, match="secret="):
        await db.keyset(statement, per_page=1)
    signing = AsyncSessionFactory(db.engine, secret=b"s")
    page = await signing.keyset(statement, per_page=1)
    assert len((await page.next()).items) == 1


# ---------------------------------------------------------------- signatures


async def test_cursors_of_a_factory_with_a_secret(db: AsyncSessionFactory) -> None:
    signing = AsyncSessionFactory(db.engine, secret="one")
    plain = await db.keyset(by("name"), per_page=2)
    signed = await signing.keyset(by("name"), per_page=2)
    assert plain.next_cursor
    assert signed.next_cursor
    with pytest.raises(InvalidCursor):
        await signing.keyset(by("name"), after=plain.next_cursor)
    with pytest.raises(InvalidCursor):
        await db.keyset(by("name"), after=signed.next_cursor)
    with pytest.raises(InvalidCursor):
        await AsyncSessionFactory(db.engine, secret="two").keyset(
            by("name"), after=signed.next_cursor
        )
    with pytest.raises(InvalidCursor):
        await signing.keyset(by("id"), after=signed.next_cursor)
    page = await signing.keyset(by("name"), after=signed.next_cursor, per_page=2)
    assert [item.name for item in page] == ["n3", "n4"]


async def test_sessions_and_readers_have_the_secret_of_their_factory(
    db: AsyncSessionFactory,
) -> None:
    signing = AsyncSessionFactory(db.engine, secret="one", reader=db.engine)
    expected = (await signing.keyset(by("name"), per_page=2)).next_cursor
    async with signing.begin() as session:
        assert (await session.keyset(by("name"), per_page=2)).next_cursor == expected
    async with signing.read() as session:
        assert (await session.keyset(by("name"), per_page=2)).next_cursor == expected
    assert (await signing.read().keyset(by("name"), per_page=2)).next_cursor == expected
    routed = AsyncSessionFactory(db.engine, secret="one", binds={"other": db.engine})
    async with routed.begin() as session:
        assert (await session.keyset(by("name"), per_page=2)).next_cursor == expected
    async with db.engine.connect() as conn:
        by_hand = await AsyncSession(conn).keyset(by("name"), per_page=2)
        with pytest.raises(InvalidCursor):
            await signing.keyset(by("name"), after=by_hand.next_cursor)


async def test_a_new_secret_before_the_old_one(db: AsyncSessionFactory) -> None:
    old = AsyncSessionFactory(db.engine, secret="old")
    both = AsyncSessionFactory(db.engine, secret=["new", b"old"])
    new = AsyncSessionFactory(db.engine, secret="new")
    before = (await old.keyset(by("name"), per_page=2)).next_cursor
    after = (await both.keyset(by("name"), per_page=2)).next_cursor
    assert len((await both.keyset(by("name"), after=before)).items) == 3
    assert len((await new.keyset(by("name"), after=after)).items) == 3
    with pytest.raises(InvalidCursor):
        await old.keyset(by("name"), after=after)


def test_a_signature_changed_anywhere() -> None:
    order, secrets = b"an order", (b"secret",)
    cursor = encode(Gap((7, "x"), True), order, secrets)
    data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert decode(cursor, order, 2, secrets) == Gap((7, "x"), True)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(InvalidCursor):
            decode(base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), order, 2, secrets)


@pytest.mark.parametrize(
    ("secret", "error"),
    [
        ("", ValueError),
        (b"", ValueError),
        ([], ValueError),
        (["good", ""], ValueError),
        (7, TypeError),
        (["hush", 7], TypeError),
    ],
)
def test_a_wrong_secret_is_not_shown(secret: Any, error: type[Exception]) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(error, match="secret=") as caught:
        AsyncSessionFactory(engine, secret=secret)
    assert "hush" not in str(caught.value)
    assert "good" not in str(caught.value)


def test_the_synchronous_face(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine, secret=["one", "two"])
    db.execute(insert(Row), [row(i) for i in range(1, 6)])
    page = db.keyset(by("name"), per_page=2)
    with db.begin() as session:
        assert [r.name for r in session.keyset(by("name"), after=page.next_cursor)] == [
            "n3",
            "n4",
            "n5",
        ]
    with pytest.raises(InvalidCursor):
        SessionFactory(sync_engine).keyset(by("name"), after=page.next_cursor)


# ---------------------------------------------------------------- without a database

jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("fntdciub?"), inner, max_size=2)
    ),
    max_leaves=6,
)
ORDER = b"an order"


def sealed(content: Any) -> str:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return cursors._base64(cursors._checked(body, ORDER) + body)


@examples(100)
@given(st.lists(jsons, max_size=3))
@example([1, {"n": "1" * 200_000}])
@example([1, {"f": "1" * 200_000}])
@example([1, {"f": "0x1p3"}])
@example([1, {"f": " 1.0"}])
@example([1, {"n": "1_0"}])
@example([1, {"i": [1, 2.5, 3]}])
@example([1, {"i": [10**30, 0, 0]}])
@example([1, {"u": "{00000000-0000-0000-0000-000000000001}"}])
@example([1, {"b": "AA=="}])
@example([1, {"t": "20240101T00"}])
@example([2, 1])
@example([True, 1])
@example([1, {"n": 5}])
@example([1, {}])
@example([1, {"n": "1", "f": "1.0"}])
@example([1, [1]])
def test_what_was_sealed_has_one_spelling(content: list[Any]) -> None:
    cursor = sealed(content)
    try:
        gap = decode(cursor, ORDER, len(content) - 1)
    except InvalidCursor:
        return
    assert encode(gap, ORDER) == cursor


@pytest.mark.parametrize(
    "body", [b"[1,1e400]", b"[1,NaN]", b"[1, 2]", b"[1," + b"9" * 5000 + b"]", b"[" * 100_000]
)
def test_a_body_that_no_cursor_has(body: bytes) -> None:
    with pytest.raises(InvalidCursor):
        decode(sealed(body), ORDER, 1)


def test_the_longest_cursor() -> None:
    encode(Gap(("x" * 700_000,), True), ORDER)
    with pytest.raises(InvalidStatement, match="letters"):
        encode(Gap(("x" * 800_000,), True), ORDER)
    with pytest.raises(InvalidCursor):
        decode(sealed([1, "x" * 800_000]), ORDER, 1)


# ---------------------------------------------------------------- the size of a page


async def test_a_page_by_key_is_cut_to_the_largest_one(db: AsyncSessionFactory) -> None:
    await db.execute(insert(Row), [row(i) for i in range(6, 12)])
    page = await db.keyset(by("id"), per_page=10**9, max_per_page=3)
    assert len(page.items) == 3
    assert [len(p.items) for p in [await page.next()]] == [3]
    assert len((await db.keyset(by("id"), per_page=10**30, max_per_page=None)).items) == 11
    for wrong, error in ((0, ValueError), ("5", TypeError), (True, TypeError)):
        with pytest.raises(error, match=r"keyset\(max_per_page="):
            await db.keyset(by("id"), max_per_page=wrong)  # type: ignore[arg-type]
    with pytest.raises(PageNotFound):
        await db.keyset(by("id"), per_page=0)
