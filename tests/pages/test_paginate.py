"""Pages by number, next to the whole statement."""

from __future__ import annotations

import math
from typing import Any

import pytest
import sqlmodel
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Engine,
    bindparam,
    distinct,
    event,
    func,
    insert,
    lambda_stmt,
    literal_column,
    select,
    text,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    aliased,
    contains_eager,
    joinedload,
    selectinload,
    with_loader_criteria,
)
from sqlalchemy.util import await_only

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidSessionState,
    InvalidStatement,
    PageNotFound,
    Pagination,
    Session,
    SessionFactory,
    SyncPagination,
    UnsupportedOption,
)

from .._notes import Base, Note
from ..conftest import ASYNC_BACKENDS
from ..models.blog import Hub, Post, Tag, User, post_tags
from ..models.inheritance import Animal, Person
from ..models.sqlmodels import Hero
from ..oracle import Oracle
from ._walking import all_shown, whole_of

boss = aliased(User)

CASES: dict[str, Any] = {
    "entity": select(User).order_by(User.id),
    "by a place": select(User).order_by(text("2 DESC"), text("1")),
    "by a place, limited": select(User).order_by(text("2, 1")).limit(3),
    "by a label in text": select(User, (0 - User.id).label("minus")).order_by(text("minus")),
    "column": select(User.name).order_by(User.id),
    "rows": select(User, User.name).order_by(User.id),
    "alias and column": select(boss, boss.id).order_by(boss.id),
    "where": select(User).where(User.age > 21).order_by(User.id),
    "join": select(User).join(User.posts).order_by(Post.id),
    "outer join": select(User, Post).outerjoin(User.posts).order_by(User.id, Post.id),
    "distinct": select(User).join(User.posts).distinct().order_by(User.id),
    "distinct column": select(Post.title).distinct().order_by(Post.title),
    "group": select(Post.title, func.count()).group_by(Post.title).order_by(Post.title),
    "having": select(Post.title).group_by(Post.title).having(func.count() > 1).order_by(Post.title),
    "aggregate": select(func.count(distinct(Post.title))),
    "limit": select(User).order_by(User.id).limit(3),
    "offset": select(User).order_by(User.id).offset(2),
    "both": select(User).order_by(User.id.desc()).limit(3).offset(1),
    "limit 0": select(User).limit(0),
    "fetch": select(User).order_by(User.id).fetch(3),
    "literal limit": select(User).order_by(User.id).limit(bindparam("n", 3)),
    "union": union(select(User.id), select(Post.id)).order_by("id"),
    "union all": union_all(select(User.id), select(Post.id)).order_by("id"),
    "limited union": union(select(User.id), select(Post.id)).order_by("id").limit(3),
    "same names": select(User.id, Post.id).join(User.posts).order_by(User.id, Post.id),
    "joined collection": select(User).options(joinedload(User.posts)).order_by(User.id),
    "joined and rows": select(User, User.name)
    .options(joinedload(User.posts))
    .order_by(User.id.desc()),
    "joined one": select(Post).options(joinedload(Post.author)).order_by(Post.id),
    "selectin": select(User).options(selectinload(User.posts)).order_by(User.id),
    "mapped loads": select(Hub).order_by(Hub.id),
    "contains one": select(Post)
    .join(Post.author)
    .options(contains_eager(Post.author))
    .order_by(Post.id),
    "criteria": select(User).options(with_loader_criteria(User, User.id != 2)).order_by(User.id),
    "criteria of a join": select(User)
    .join(User.posts)
    .options(with_loader_criteria(Post, Post.stars > 3))
    .order_by(Post.id),
    "polymorphic": select(Person).order_by(Person.id),
    "single table": select(Animal).order_by(Animal.id),
    "nobody": select(User).where(User.id < 0),
    "core": select(User.__table__).order_by(User.__table__.c.id),
    "secondary": select(Post, Tag).join(Post.tags).order_by(Post.id, Tag.id),
    "table": select(post_tags).order_by(*post_tags.primary_key),
    "bind": select(User).where(User.age > bindparam("age")).order_by(User.id).params(age=1),
    "sqlmodel": sqlmodel.select(Hero).order_by(Hero.id),
    "for update": select(User).order_by(User.id).with_for_update(),
}


# SQLite has no FETCH
ON_BACKENDS = [
    (b, name) for b in ASYNC_BACKENDS for name in CASES if (b, name) != ("sqlite", "fetch")
]


@pytest.mark.parametrize(("oracle", "name"), ON_BACKENDS, indirect=["oracle"])
def test_pages_are_the_statement(oracle: Oracle, name: str) -> None:
    statement = CASES[name]

    async def work(session: AsyncSession) -> None:
        whole = await whole_of(session, statement)
        for per_page in (1, 2, 3, 50):
            pages = max(1, math.ceil(len(whole) / per_page))
            found: list[Any] = []
            for number in range(1, pages + 1):
                for count in (True, False):
                    page = await session.paginate(
                        statement, page=number, per_page=per_page, count=count
                    )
                    assert (page.page, page.per_page) == (number, per_page)
                    assert page.total == (len(whole) if count else None)
                    assert page.has_next is (number < pages)
                    assert page.has_prev is (number > 1)
                    assert all_shown(page) == whole[(number - 1) * per_page :][:per_page]
                found += all_shown(page.items)
                first = (number - 1) * per_page + 1 if whole else 0
                assert (page.first, page.last) == (first, len(found))
            assert found == whole
            for count in (True, False):
                with pytest.raises(PageNotFound, match="after the last page"):
                    await session.paginate(
                        statement, page=pages + 1, per_page=per_page, count=count
                    )
                last = await session.paginate(
                    statement, page=pages + 7, per_page=per_page, count=count, error_out=False
                )
                assert last.page == pages
                assert all_shown(last) == whole[(pages - 1) * per_page :]

    oracle.naked(work)


def test_rows_that_come_twice_with_a_joined_collection(oracle: Oracle) -> None:
    statement = select(User).join(User.posts).options(joinedload(User.posts)).order_by(Post.id)

    async def work(session: AsyncSession) -> None:
        # posts 1 and 2 are ann's, 3 is bob's, 5 dan's: four rows, of which two are one object
        page = await session.paginate(statement, per_page=3, count=False)
        assert [user.name for user in page] == ["ann", "bob"]
        assert page.has_next
        page = await session.paginate(statement, per_page=3)
        assert (page.total, page.pages, page.has_next) == (4, 2, True)
        assert [user.name for user in await page.next()] == ["dan"]
        page = await session.paginate(statement, per_page=4, count=False)
        assert [user.name for user in page] == ["ann", "bob", "dan"]
        assert not page.has_next

    oracle.naked(work)


def test_the_count_is_small(oracle: Oracle) -> None:
    statement = (
        select(User).options(joinedload(User.posts), selectinload(User.staff)).order_by(User.name)
    )

    async def work(session: AsyncSession) -> list[str]:
        with oracle.recorded() as executed:
            await session.paginate(statement, per_page=2)
        return executed

    executed = oracle.naked(work)
    (counting,) = [sql for sql in executed if "count(*)" in sql]
    assert "ORDER BY" not in counting
    assert "JOIN" not in counting
    assert len(executed) == 3


def test_a_page_with_room_left_needs_no_count(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        for page, per_page, statements in ((1, 6, 1), (2, 3, 1), (1, 5, 2), (1, 2, 2)):
            with oracle.recorded() as executed:
                found = await session.paginate(select(User), page=page, per_page=per_page)
            assert found.total == 5
            assert len(executed) == statements

    oracle.naked(work)


def test_the_count_locks_nothing(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> list[str]:
        with oracle.recorded() as executed:
            await session.paginate(select(User).with_for_update(), per_page=2)
        return executed

    items, counting = oracle.naked(work)
    assert ("FOR UPDATE" in items) is oracle.postgresql
    assert "FOR UPDATE" not in counting


# --- what was asked for ---


@pytest.mark.parametrize("page", [0, -1, -(10**30), True, False, None, 1.0, "1", "x", "", [1]])
def test_no_page_number(oracle: Oracle, page: Any) -> None:
    async def work(session: AsyncSession) -> None:
        with oracle.recorded() as executed, pytest.raises(PageNotFound) as caught:
            await session.paginate(select(User), page=page)
        assert executed == []
        assert f"page={page!r} is not a positive whole number" in str(caught.value)
        with pytest.raises(PageNotFound, match="per_page="):
            await session.paginate(select(User), per_page=page)
        found = await session.paginate(
            select(User), page=page, per_page=page, error_out=False, max_per_page=3
        )
        assert found.page == 1
        one = isinstance(page, int) and not isinstance(page, bool)
        assert found.per_page == (1 if one or page == "1" else 3)

    oracle.naked(work)


def test_sizes(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        statement = select(User).order_by(User.id)
        assert (await session.paginate(statement)).per_page == 20
        assert (await session.paginate(statement, per_page=500)).per_page == 100
        assert (await session.paginate(statement, max_per_page=2)).per_page == 2
        page = await session.paginate(statement, per_page=500, max_per_page=None)
        assert page.per_page == 500
        page = await session.paginate(statement, per_page=10**30, max_per_page=None)
        assert (len(page.items), page.pages) == (5, 1)
        page = await session.paginate(statement, page="2", per_page="2", error_out=False)
        assert [user.id for user in page] == [3, 4]
        for far in (2**31, 2**40, 2**63, 10**30):
            for count in (True, False):
                with pytest.raises(PageNotFound):
                    await session.paginate(statement, page=far, count=count)
                page = await session.paginate(
                    statement, page=far, per_page=2, error_out=False, count=count
                )
                assert [user.id for user in page] == [5]
        page = await session.paginate(statement, page="9" * 5000, error_out=False)
        assert page.page == 1
        for wrong in (0, -1):
            with pytest.raises(ValueError, match="no page could hold an item"):
                await session.paginate(statement, max_per_page=wrong)
        for strange in ("5", True, 1.5):
            with pytest.raises(TypeError, match="a whole number or None"):
                await session.paginate(statement, max_per_page=strange)  # type: ignore[arg-type]

    oracle.naked(work)


@pytest.mark.parametrize(
    ("statement", "error", "says"),
    [
        (text("SELECT 1"), InvalidStatement, "not TextClause"),
        (text("SELECT id FROM users").columns(User.id), InvalidStatement, "not TextualSelect"),
        (select(User).from_statement(text("SELECT 1")), InvalidStatement, "not FromStatement"),
        (insert(User).returning(User), InvalidStatement, "not Insert"),
        ("SELECT 1", InvalidStatement, "not 'SELECT 1'"),
        (None, InvalidStatement, "not NoneType"),
        (User, InvalidStatement, "not the class User"),
        (select(), InvalidStatement, "takes a select"),
        (select(User).limit(func.abs(2)), InvalidStatement, "that is an expression"),
        (select(User).offset(literal_column("2")), InvalidStatement, "that is an expression"),
        (select(User).fetch(2, with_ties=True), InvalidStatement, "has ties"),
        (
            select(User).join(User.posts).options(contains_eager(User.posts)),
            UnsupportedOption,
            "tear it",
        ),
    ],
)
def test_statements_that_have_no_pages(
    oracle: Oracle, statement: Any, error: type[Exception], says: str
) -> None:
    async def work(session: AsyncSession) -> None:
        with pytest.raises(error, match=says):
            await session.paginate(statement)

    oracle.naked(work)


def test_lambda_statement(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        page = await session.paginate(lambda_stmt(lambda: select(User).order_by(User.id)))
        assert page.total == 5

    oracle.naked(work)


# --- the page itself ---


def numbers(page: int, total: int | None, per_page: int = 1, **edges: int) -> list[int | None]:
    has_next = True if total is None else page * per_page < total
    made: Pagination[None] = Pagination([], page, per_page, total, has_next, lambda _: None)
    return list(made.iter_pages(**edges))


def test_iter_pages() -> None:
    assert numbers(1, 20) == [1, 2, 3, 4, 5, None, 19, 20]
    assert numbers(10, 20) == [1, 2, None, 8, 9, 10, 11, 12, 13, 14, None, 19, 20]
    assert numbers(20, 20) == [1, 2, None, 18, 19, 20]
    assert numbers(3, 5) == [1, 2, 3, 4, 5]
    assert numbers(1, 0) == []
    assert numbers(1, 1) == [1]
    assert numbers(5, 9, left_edge=0, left_current=0, right_current=0, right_edge=0) == [
        None,
        5,
        None,
    ]
    assert numbers(3, None) == [1, 2, 3, 4]
    assert numbers(3, 21, per_page=5) == [1, 2, 3, 4, 5]


@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.fixed_dictionaries(
        dict.fromkeys(
            ["left_edge", "left_current", "right_current", "right_edge"], st.integers(0, 5)
        )
    ),
)
def test_iter_pages_shows_what_it_says(page: int, pages: int, edges: dict[str, int]) -> None:
    page = min(page, pages)
    found = numbers(page, pages, **edges)
    expected: list[int | None] = []
    for number in range(1, pages + 1):
        near = page - edges["left_current"] <= number <= page + edges["right_current"]
        if near or number <= edges["left_edge"] or number > pages - edges["right_edge"]:
            expected.append(number)
        elif expected[-1:] != [None]:
            expected.append(None)
    assert found == expected


def test_repr() -> None:
    page: Pagination[int] = Pagination([1, 2], 2, 2, 9, True, lambda _: None)
    assert repr(page) == "<Pagination page 2 of 5, 2 items>"
    assert repr(Pagination([], 1, 2, None, False, lambda _: None)) == "<Pagination page 1, 0 items>"
    assert (page.prev_num, page.next_num, page.first, page.last) == (1, 3, 3, 4)


# --- sessions and factories ---


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Note), [{"id": i, "text": f"note {i}"} for i in range(1, 8)])
    return AsyncSessionFactory(engine)


ordered = select(Note).order_by(Note.id)


async def test_prev_and_next(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        page = await session.paginate(ordered, page=2, per_page=3)
        following = await page.next()
        assert [note.id for note in following] == [7]
        assert [note.id for note in await (await following.prev()).prev()] == [1, 2, 3]
        with pytest.raises(PageNotFound, match="no page after page 3"):
            await following.next()
    with pytest.raises(InvalidSessionState, match="closed session"):
        await page.next()
    page = await db.paginate(ordered, page=2, per_page=3)
    assert [note.id for note in await page.prev()] == [1, 2, 3]
    with pytest.raises(PageNotFound, match="no page before page 1"):
        await (await page.prev()).prev()
    page = await db.paginate(ordered, per_page=200, max_per_page=None)
    assert page.per_page == 200


@pytest.mark.parametrize(
    "statement",
    [ordered, select(Note).where(func.length(Note.text) > 3).order_by(Note.id)],
    ids=["reads", "calls a function"],
)
@pytest.mark.parametrize("backend", ["asyncpg", "psycopg", "sqlite"], indirect=True)
async def test_count_and_items_see_one_state(
    db: AsyncSessionFactory, backend: str, statement: Any
) -> None:
    """A row that another transaction commits between the two statements is in neither."""
    engine = db.engine.sync_engine
    done = False
    other = AsyncSessionFactory(db.engine)

    def before(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        nonlocal done
        if "count(*)" in sql and not done:
            done = True
            # one on SQLite would wait for this reader to end
            if backend != "sqlite":
                await_only(other.execute(insert(Note), {"id": 100, "text": "brand new"}))

    event.listen(engine, "before_cursor_execute", before)
    try:
        page = await db.paginate(statement, per_page=3)
    finally:
        event.remove(engine, "before_cursor_execute", before)
    assert done
    assert page.total == 7
    if backend != "sqlite":
        assert (await db.paginate(statement, per_page=3)).total == 8
        async with db.begin() as session:
            assert await session.conn.get_isolation_level() == "READ COMMITTED"


async def test_auto_commit_off(db: AsyncSessionFactory) -> None:
    careful = AsyncSessionFactory(db.engine, auto_commit=False)
    assert (await careful.paginate(ordered)).total == 7


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.execute(insert(Note), [{"id": i, "text": f"note {i}"} for i in range(1, 8)])
    page = db.paginate(ordered, page=2, per_page=3)
    assert isinstance(page, SyncPagination)
    assert [note.id for note in page.next()] == [7]
    assert [note.id for note in page.prev()] == [1, 2, 3]
    with db.begin() as session:
        assert isinstance(session, Session)
        page = session.paginate(ordered, page=3, per_page=3, count=False)
        assert (page.has_next, page.total, page.pages) == (False, None, None)
        with pytest.raises(PageNotFound):
            page.next()
    with pytest.raises(InvalidSessionState):
        page.prev()
