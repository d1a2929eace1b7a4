"""All pages of a statement, one after the other, next to the whole statement."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    PickleType,
    and_,
    case,
    delete,
    distinct,
    exists,
    func,
    insert,
    literal,
    not_,
    null,
    nulls_first,
    nulls_last,
    select,
    text,
    true,
    union,
    union_all,
)
from sqlalchemy.orm import (
    Bundle,
    aliased,
    contains_eager,
    joinedload,
    load_only,
    selectinload,
    with_loader_criteria,
    with_polymorphic,
)

from naked_sqla import AsyncSession, InvalidStatement, KeysetPage

from .._examples import examples
from ..models.blog import Comment, Hub, Node, Post, Profile, Tag, User, post_tags
from ..models.columns import Pair, Renamed, Segment
from ..models.inheritance import Animal, Cat, Document, Engineer, Manager, Person
from ..models.types import Sample
from ..oracle import Oracle
from ._walking import all_shown, walk, whole_of

boss = aliased(User)
written = func.count(Post.id).label("written")
per_author = (
    select(Post.author_id, func.count().label("number"))
    .where(Post.author_id.is_not(None))
    .group_by(Post.author_id)
    .subquery()
)
upper_title = func.upper(Post.title).label("upper_title")
lonely = aliased(User, select(User).where(User.boss_id.is_(None)).subquery())
anybody = with_polymorphic(Person, "*")
tree = select(Node).where(Node.parent_id.is_(None)).cte("tree", recursive=True)
tree = tree.union_all(select(Node).join(tree, Node.parent_id == tree.c.id))
branch = aliased(Node, tree)
recent = select(Post).order_by(Post.id.desc()).limit(3).subquery()
recent_post = aliased(Post, recent)

# A statement, and what is added to its order to make it an order of all rows.
CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "no order": (select(User), (User.id,)),
    "name": (select(User).order_by(User.name), (User.id,)),
    "the key itself": (select(User).order_by(User.id.desc()), ()),
    "null": (select(User).order_by(User.age), (User.id,)),
    "null desc": (select(User).order_by(User.age.desc()), (User.id.desc(),)),
    "nulls first": (select(User).order_by(User.age.asc().nulls_first()), (User.id,)),
    "nulls last": (select(User).order_by(User.age.desc().nulls_last()), (User.id.desc(),)),
    "nulls between": (select(User).order_by(User.id > 3, User.nickname, User.age), (User.id,)),
    "mixed": (select(Post).order_by(Post.stars.desc(), Post.title), (Post.id,)),
    "mixed nulls": (
        select(Post).order_by(Post.author_id.desc(), nulls_last(Post.body), Post.stars.desc()),
        (Post.id.desc(),),
    ),
    "function": (select(User).order_by(func.lower(User.name).desc()), (User.id.desc(),)),
    "nullable function": (select(User).order_by(func.lower(User.nickname)), (User.id,)),
    "coalesce": (select(User).order_by(func.coalesce(User.nickname, User.name)), (User.id,)),
    "sum": (select(User).order_by(User.id + User.boss_id), (User.id,)),
    "bind": (select(User).order_by(User.id % 2, -User.id), ()),
    "case": (select(User).order_by(case((User.age > 30, 1), else_=0)), (User.id,)),
    "is null": (select(User).order_by(User.age.is_(None), User.age.desc()), (User.id.desc(),)),
    "not": (select(Sample).order_by(not_(Sample.boolean), not_(Sample.boolean)), (Sample.id,)),
    "not desc": (select(Sample).order_by(not_(Sample.boolean).desc()), (Sample.id.desc(),)),
    "constant": (select(literal(1).label("one"), User.id).order_by("one", User.name), (User.id,)),
    "distinct constant": (select(literal(1), User.age).distinct().order_by(User.age), ()),
    "one row": (select(User).where(User.id == 2), ()),
    "no such row": (select(User).where(User.id == 99), ()),
    "one row of an order": (
        select(User, Profile).outerjoin(User.profile).where(User.id == 1).order_by(User.name),
        (),
    ),
    "label": (select(User, func.length(User.name).label("n")).order_by("n"), (User.id,)),
    "desc label": (
        select(User.id, func.length(User.name).label("n")).order_by(func.length(User.name).desc()),
        (User.id.desc(),),
    ),
    "subquery": (
        select(User).order_by(
            select(func.count()).where(Post.author_id == User.id).scalar_subquery().desc()
        ),
        (User.id.desc(),),
    ),
    "columns": (select(User.name, User.age).order_by(User.age.desc()), (User.id.desc(),)),
    "one column": (select(User.age).order_by(User.age), (User.id,)),
    "bundle": (select(Bundle("b", User.name, User.id)).order_by(User.name), (User.id,)),
    "core": (select(User.__table__).order_by(User.__table__.c.name), (User.__table__.c.id,)),
    "composite key": (select(post_tags).order_by(post_tags.c.weight), tuple(post_tags.primary_key)),
    "renamed": (select(Renamed), tuple(Renamed.__table__.primary_key)),
    "pair": (
        select(Pair).order_by(list(Pair.__table__.primary_key)[1].desc()),
        (next(iter(Pair.__table__.primary_key)).desc(),),
    ),
    "alias": (select(boss).order_by(boss.name.desc()), (boss.id.desc(),)),
    "two aliases": (
        select(User, boss).join(boss, User.boss_id == boss.id).order_by(boss.name),
        (User.id,),
    ),
    "to many": (select(User).join(User.posts).order_by(User.name), (User.id, Post.id)),
    "to many, rows": (
        select(User, Post).join(User.posts).order_by(User.name.desc()),
        (User.id.desc(), Post.id.desc()),
    ),
    "to one": (select(Post).join(Post.author).order_by(User.name), (Post.id,)),
    "outer": (
        select(User, Post).outerjoin(User.posts).order_by(Post.title),
        (User.id, Post.id),
    ),
    "outer to one": (
        select(Post, User).outerjoin(Post.author).order_by(User.name.desc()),
        (Post.id.desc(),),
    ),
    "ordered by the outer key": (
        select(User.id, Profile.user_id).outerjoin(User.profile).order_by(Profile.user_id),
        (User.id,),
    ),
    "a condition of an outer join": (
        select(User.id, Post.id, Profile.user_id)
        .select_from(User)
        .join(Post, true())
        .outerjoin(Profile, and_(Profile.user_id == User.id, Post.id == User.id))
        .order_by(User.name),
        (User.id, Post.id),
    ),
    "from the other": (
        select(User).select_from(Post).join(Post.author).order_by(User.name),
        (Post.id,),
    ),
    "full": (
        select(User.id, Profile.user_id).join(Profile, isouter=True, full=True).order_by(User.name),
        (User.id, Profile.user_id),
    ),
    "secondary": (
        select(Post, Tag).join(Post.tags).order_by(Tag.label.desc()),
        (Post.id.desc(), Tag.id.desc()),
    ),
    "outer secondary": (
        select(Post.title, Tag.label).outerjoin(Post.tags).order_by(Tag.label),
        (Post.id, Tag.id),
    ),
    "secondary, one side": (select(Post).join(Post.tags).order_by(Post.title), (Post.id, Tag.id)),
    "cartesian": (select(User.id, Tag).order_by(Tag.label), (User.id, Tag.id)),
    "where joins": (
        select(User.name, Post.title).where(Post.author_id == User.id).order_by(Post.title),
        (Post.id,),
    ),
    "semi join": (
        select(User).where(exists().where(Post.author_id == User.id)).order_by(User.name),
        (User.id,),
    ),
    "derived": (
        select(User, per_author.c.number)
        .join(per_author, per_author.c.author_id == User.id)
        .order_by(per_author.c.number.desc()),
        (User.id.desc(),),
    ),
    "derived outer": (
        select(User, per_author.c.number)
        .outerjoin(per_author, per_author.c.author_id == User.id)
        .order_by(per_author.c.number),
        (User.id,),
    ),
    "entity of a subquery": (select(lonely).order_by(lonely.name), (lonely.id,)),
    "limit inside": (select(recent_post).order_by(recent_post.title), (recent_post.id,)),
    "distinct": (select(User.age).distinct().order_by(User.age), ()),
    "distinct entity": (
        select(User).join(User.posts).distinct().order_by(User.name),
        (User.id,),
    ),
    "distinct expression": (
        select(upper_title, Post.title, Post.stars).distinct().order_by(upper_title),
        (Post.title, Post.stars),
    ),
    "group": (
        select(User.age, func.count().label("n")).group_by(User.age).order_by(func.count().desc()),
        (User.age.desc(),),
    ),
    "group entity": (
        select(User, written).outerjoin(User.posts).group_by(User.id).order_by(written.desc()),
        (User.id.desc(),),
    ),
    "group by name": (
        select(func.length(User.name).label("n"), func.min(User.id)).group_by("n").order_by("n"),
        (),
    ),
    "having": (
        select(Post.title, func.sum(Post.stars))
        .group_by(Post.title)
        .having(func.count() > 0)
        .order_by(func.sum(Post.stars)),
        (Post.title,),
    ),
    "aggregate of distinct": (
        select(User.age, func.count(distinct(User.name))).group_by(User.age).order_by(User.age),
        (),
    ),
    "joined collection": (
        select(User).options(joinedload(User.posts)).order_by(User.age.desc(), User.name),
        (User.id,),
    ),
    "joined collection and rows": (
        select(User, User.name).options(joinedload(User.posts)).order_by(User.name.desc()),
        (User.id.desc(),),
    ),
    "joined one": (
        select(Post).options(joinedload(Post.author)).order_by(Post.title),
        (Post.id,),
    ),
    "contains one": (
        select(Post)
        .outerjoin(Post.author)
        .options(contains_eager(Post.author))
        .order_by(User.name, Post.stars),
        (Post.id,),
    ),
    "selectin": (select(User).options(selectinload(User.posts)).order_by(User.name), (User.id,)),
    "mapped loads": (select(Hub).order_by(Hub.name.desc()), (Hub.id.desc(),)),
    "load only": (select(User).options(load_only(User.name)).order_by(User.age), (User.id,)),
    "criteria": (
        select(User).options(with_loader_criteria(User, User.id != 2)).order_by(User.name),
        (User.id,),
    ),
    "polymorphic": (select(Person).order_by(Person.name), (Person.id,)),
    "subclass": (select(Engineer).order_by(Engineer.name.desc()), (Person.id.desc(),)),
    "with polymorphic": (
        select(anybody).order_by(anybody.name),
        (anybody.id,),
    ),
    "single table": (select(Animal).order_by(Animal.kind, Animal.name), (Animal.id,)),
    "single table subclass": (select(Cat).order_by(Cat.name), (Cat.id,)),
    "concrete": (select(Document).order_by(Document.title), (Document.id, Document.type)),
    "recursive": (select(branch).order_by(branch.name.desc()), (branch.id.desc(),)),
    "manager": (select(Manager), (Person.id,)),
    "composite": (select(Segment), tuple(Segment.__table__.primary_key)),
    "composite order": (
        select(Segment).order_by(Segment.start),
        tuple(Segment.__table__.primary_key),
    ),
    "hidden columns": (select(Comment.slug).order_by(Comment.text), (Comment.id,)),
}


UNIONS: dict[str, Any] = {
    "union": union(select(User.name, User.id), select(Post.title, Post.id)).order_by("name"),
    "union desc": union(select(User.name, User.id), select(Post.title, Post.id)).order_by(
        User.name.desc(), User.id
    ),
    "union all": union_all(
        select(literal("user").label("kind"), User.id, User.age),
        select(literal("post"), Post.id, null()),
    ).order_by(nulls_first("age"), "kind"),
    "limit": union(select(User.id), select(Post.id)).order_by("id").limit(3),
    "entities": union(select(User), select(User).where(User.id > 2)).order_by("age"),
}


async def check(session: AsyncSession, statement: Any, whole: Any, per_page: int) -> None:
    expected = await whole_of(session, whole)
    pages = await walk(session, statement, per_page)
    assert [item for page in pages for item in all_shown(page.items)] == expected


@pytest.mark.parametrize("name", CASES)
def test_pages_are_the_statement(oracle: Oracle, name: str) -> None:
    statement, ties = CASES[name]

    async def work(session: AsyncSession) -> None:
        await check(session, statement, statement.order_by(*ties), 1)

    oracle.naked(work)


@pytest.mark.parametrize("name", UNIONS)
def test_pages_are_the_union(oracle: Oracle, name: str) -> None:
    statement = UNIONS[name]

    async def work(session: AsyncSession) -> None:
        expected = await whole_of(session, statement)
        for per_page in (1, 3):
            pages = await walk(session, statement, per_page)
            found = [item for page in pages for item in all_shown(page.items)]
            assert sorted(map(repr, found)) == sorted(map(repr, expected))

    oracle.naked(work)


# --- orders that Hypothesis draws ---

TERMS = {
    "id": User.id,
    "name": User.name,
    "nickname": User.nickname,
    "age": User.age,
    "boss": User.boss_id,
    "lower": func.lower(User.nickname),
    "length": func.length(User.name),
    "odd": User.id % 2,
    "known": User.age.is_(None),
    "title": Post.title,
    "stars": Post.stars,
    "post": Post.id,
    "written": Post.written,
}
directions = st.sampled_from(["asc", "desc"])
nulls = st.sampled_from([None, nulls_first, nulls_last])
orders = st.lists(st.tuples(st.sampled_from(sorted(TERMS)), directions, nulls), max_size=4)
sources = st.sampled_from(["join", "outerjoin"])


@examples(40)
@given(order=orders, source=sources, per_page=st.integers(1, 4), rows=st.booleans())
def test_any_order(oracle: Oracle, order: Any, source: str, per_page: int, rows: bool) -> None:
    elements = []
    # holds the first timestamp of Python, which asyncpg gives for -infinity too
    order = [part for part in order if part[0] != "written" or oracle.backend != "asyncpg"]
    for name, direction, place in order:
        element = getattr(TERMS[name], direction)()
        elements.append(element if place is None else place(element))
    statement = getattr(select(User, Post) if rows else select(User.name), source)(User.posts)
    statement = statement.order_by(*elements)
    last = order[-1][1] if order else "asc"
    ties = [getattr(key, last)() for key in (User.id, Post.id)]
    oracle.naked(lambda session: check(session, statement, statement.order_by(*ties), per_page))


# --- values of every type ---

ORDERABLE = [
    attribute.key
    for attribute in Sample.__mapper__.column_attrs
    if not isinstance(attribute.columns[0].type, JSON | PickleType)
]


@pytest.mark.parametrize("key", ORDERABLE)
def test_any_type(oracle: Oracle, key: str) -> None:
    column = Sample.__table__.c[key]

    async def work(session: AsyncSession) -> None:
        for direction in ("asc", "desc"):
            statement = select(Sample).order_by(getattr(column, direction)())
            whole = statement.order_by(getattr(Sample.id, direction)())
            if oracle.backend == "asyncpg" and key == "date":
                # the first date of Python is -infinity too
                with pytest.raises(InvalidStatement, match="infinity"):
                    await check(session, statement, whole, 1)
                continue
            await check(session, statement, whole, 1)

    oracle.naked(work)


# --- rows that come and go between two pages ---

steps = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "prev", "insert", "insert", "delete", "clear"]),
        st.integers(0, 12),
        st.none() | st.integers(0, 3),
    ),
    max_size=20,
)


class Table:
    """A table of rows, a page of it, and a dictionary that holds the same rows."""

    def __init__(self, session: AsyncSession, per_page: int, down: bool, first: bool) -> None:
        order = Post.author_id.desc() if down else Post.author_id.asc()
        self.statement = select(Post).order_by(nulls_first(order) if first else nulls_last(order))
        self.session = session
        self.per_page = per_page
        self.down = down
        self.first = first
        self.rows: dict[int, int | None] = {}
        self.page: KeysetPage[Post]

    def key(self, number: int, author: int | None) -> Any:
        """Where a row stands."""
        place = (author is None) is not self.first
        value = author or 0
        return (place, -value, -number) if self.down else (place, value, number)

    def whole(self) -> list[Any]:
        """The keys of all rows, in order."""
        return sorted(self.key(*row) for row in self.rows.items())

    def shown(self) -> list[Any]:
        """The keys of the rows on the page."""
        return [self.key(post.id, post.author_id) for post in self.page]

    async def insert(self, number: int, author: int | None) -> None:
        if number not in self.rows:
            self.rows[number] = author
            values = {"id": number, "author_id": author, "title": "t", "stars": 0}
            await self.session.execute(insert(Post), values)

    async def delete(self, number: int, author: int | None) -> None:
        self.rows.pop(number, None)
        await self.session.execute(delete(Post).where(Post.id == number))

    async def clear(self, number: int, author: int | None) -> None:
        """Delete the rows of the page, and all before them, or all after them."""
        for key, row in [(self.key(*row), row[0]) for row in self.rows.items()]:
            shown = self.shown()
            if shown and (key <= shown[-1] if number % 2 else key >= shown[0]):
                del self.rows[row]
        await self.session.execute(delete(Post).where(Post.id.not_in(list(self.rows))))

    async def next(self, number: int, author: int | None) -> None:
        if self.page.has_next and self.page.items:
            high = self.shown()[-1]
            self.page = await self.session.keyset(
                self.statement, after=self.page.next_cursor, per_page=self.per_page
            )
            there = [key for key in self.whole() if key > high]
            assert self.shown() == there[: self.per_page]
            assert self.page.has_next == (len(there) > self.per_page)
            assert self.page.has_prev == (len(there) < len(self.rows))

    async def prev(self, number: int, author: int | None) -> None:
        if self.page.has_prev and self.page.items:
            low = self.shown()[0]
            self.page = await self.session.keyset(
                self.statement, before=self.page.prev_cursor, per_page=self.per_page
            )
            there = [key for key in self.whole() if key < low]
            assert self.shown() == there[-self.per_page :]
            assert self.page.has_prev == (len(there) > self.per_page)
            assert self.page.has_next == (len(there) < len(self.rows))


@examples(40)
@given(
    start=st.lists(st.none() | st.integers(0, 3), max_size=8),
    steps=steps,
    per_page=st.integers(1, 3),
    down=st.booleans(),
    first=st.booleans(),
)
def test_rows_come_and_go(
    oracle: Oracle, start: Any, steps: Any, per_page: int, down: bool, first: bool
) -> None:
    async def work(session: AsyncSession) -> None:
        for model in (post_tags, Comment, Post, Profile):
            await session.execute(delete(model))
        if oracle.postgresql:
            # the authors of this test are in no table
            await session.execute(text("SET session_replication_role = replica"))
        table = Table(session, per_page, down, first)
        for number, author in enumerate(start):
            await table.insert(2 * number, author)
        table.page = await session.keyset(table.statement, per_page=per_page)
        assert table.shown() == table.whole()[:per_page]
        for step, number, author in steps:
            await getattr(table, step)(number, author)

    oracle.naked(work)
