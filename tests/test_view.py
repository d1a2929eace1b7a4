"""Views as mapped classes."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import MultipleResultsFound
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    foreign,
    joinedload,
    lazyload,
    mapped_column,
    registry,
    relationship,
    selectinload,
    subqueryload,
)

from naked_sqla import AsyncSessionFactory, InvalidStatement
from naked_sqla.view import (
    CreateView,
    DropView,
    init_view_in_base,
    refresh_materialized_view,
    view_table,
)

on_postgresql = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)


class Base(DeclarativeBase):
    def __init_subclass__(cls, **kw: Any) -> None:
        init_view_in_base(cls)
        super().__init_subclass__(**kw)


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]


class Written(Base):
    """A row for each post, of which SQLAlchemy takes the author for the key."""

    __tablename__ = "Written %"
    __table__ = view_table(
        __tablename__,
        Base.metadata,
        select(User.id, User.name.label("author name"), Post.title)
        .join(Post, Post.author_id == User.id)
        .where(Post.title.like("%o%") | (Post.title == "it's: 100%")),
    )

    id: Mapped[int]
    title: Mapped[str]


class Author(Base):
    """A view of a view."""

    __table__ = view_table(
        "authors",
        Base.metadata,
        select(Written.id, func.count().label("posts")).group_by(Written.id),
    )

    id: Mapped[int]
    posts: Mapped[int]


@dataclasses.dataclass
class Title:
    title: str
    times: int


titles = view_table(
    "titles", Base.metadata, select(Post.title, func.count().label("times")).group_by(Post.title)
)
registry(metadata=Base.metadata).map_imperatively(Title, titles)


async def fill(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.insert_all([User(id=1, name="ann"), User(id=2, name="bob")])
        rows = [(1, 1, "one"), (2, 1, "two"), (3, 2, "three"), (4, 2, "it's: 100%")]
        await session.insert_all(Post(id=i, author_id=a, title=t) for i, a, t in rows)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncIterator[AsyncSessionFactory]:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await fill(db)
    yield db
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        assert await conn.run_sync(lambda c: inspect(c).get_view_names()) == []
        assert await conn.run_sync(lambda c: inspect(c).get_table_names()) == []


async def test_rows_of_a_view(db: AsyncSessionFactory) -> None:
    """Rows that share what SQLAlchemy takes for a key are several objects."""
    rows = (await db.scalars(select(Written).order_by(Written.id, Written.title))).all()
    found = [(row.id, vars(row)["author name"], row.title) for row in rows]
    assert found == [(1, "ann", "one"), (1, "ann", "two"), (2, "bob", "it's: 100%")]
    assert isinstance(rows[0], Written)
    authors = (await db.scalars(select(Author).order_by(Author.id))).all()
    assert [(author.id, author.posts) for author in authors] == [(1, 2), (2, 1)]
    found_titles = (await db.scalars(select(Title).where(titles.c.title == "one"))).all()
    assert found_titles == [Title("one", 1)]
    joined = select(User.name, Author.posts).join(Author, Author.id == User.id).order_by(User.id)
    assert [tuple(row) for row in await db.execute(joined)] == [("ann", 2), ("bob", 1)]
    assert (await db.get_one(Author, 2)).posts == 1


async def test_several_rows_of_a_view_for_one_key(db: AsyncSessionFactory) -> None:
    """An error, and never the first of them, however relationships are loaded."""

    class Views(DeclarativeBase):
        metadata = MetaData()

    class Row(Views):
        __table__ = view_table("rows of", Views.metadata, select(*Written.__table__.c))
        written: Mapped[list[Post]] = relationship(
            Post,
            primaryjoin=lambda: foreign(Post.author_id) == Row.__table__.c.id,
            order_by=Post.id,
            viewonly=True,
        )

    async with db.engine.begin() as conn:
        await conn.run_sync(Views.metadata.create_all)
    for load in (lazyload, selectinload, subqueryload, joinedload):
        options = [load(Row.written)]
        for found in (
            db.get(Row, 1, options=options),
            db.get_one(Row, 1, options=options),
            db.get_many(Row, [2, 1], options=options),
        ):
            with pytest.raises(MultipleResultsFound, match=r"2 rows .*unique in a view.*select"):
                await found
        with pytest.raises(MultipleResultsFound):
            await db.loader(Row, options=options).load(1)
        assert (await db.get_one(Row, 2, options=options)).title == "it's: 100%"
        rows = (
            await db.scalars(select(Row).order_by(Row.id, Row.title).options(*options))
        ).unique()
        assert [(row.id, row.title) for row in rows] == [
            (1, "one"),
            (1, "two"),
            (2, "it's: 100%"),
        ]
    both = select(Row).order_by(Row.id, Row.title).options(joinedload(Row.written))
    for row in (await db.scalars(both)).unique():
        assert row.title in [post.title for post in row.written]
    async with db.engine.begin() as conn:
        await conn.run_sync(Views.metadata.drop_all)


async def test_create_all_and_drop_all_look_first(engine: AsyncEngine) -> None:
    sent: list[str] = []
    event.listen(
        engine.sync_engine, "before_cursor_execute", lambda c, cur, sql, *rest: sent.append(sql)
    )

    def created() -> list[str]:
        # psycopg takes a doubled % for one
        found = [sql.split("(")[0].strip().replace("%%", "%") for sql in sent]
        sent.clear()
        return [sql for sql in found if sql.startswith(("CREATE", "DROP"))]

    async with engine.begin() as conn:
        for _ in range(2):
            await conn.run_sync(Base.metadata.create_all)
        assert created() == [
            "CREATE TABLE users",
            "CREATE TABLE posts",
            'CREATE VIEW "Written %"',
            "CREATE VIEW authors",
            "CREATE VIEW titles",
        ]
        await conn.execute(DropView(Author))
        await conn.run_sync(Base.metadata.create_all)
        assert created() == ["DROP VIEW authors", "CREATE VIEW authors"]
        for _ in range(2):
            await conn.run_sync(Base.metadata.drop_all)
        assert created() == [
            "DROP VIEW titles",
            "DROP VIEW authors",
            'DROP VIEW "Written %"',
            "DROP TABLE posts",
            "DROP TABLE users",
        ]
        await conn.run_sync(Base.metadata.create_all, tables=[User.__table__])
        assert created() == ["CREATE TABLE users"]
        await conn.run_sync(Base.metadata.drop_all, tables=[User.__table__])


async def test_without_a_look_a_view_that_is_there_is_an_error(db: AsyncSessionFactory) -> None:
    async with db.engine.connect() as conn:
        with pytest.raises(Exception, match="already exists"):
            await conn.run_sync(Base.metadata.create_all, checkfirst=False)


async def test_a_view_is_not_created_as_a_table(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        table: Any = Author.__table__
        with pytest.raises(InvalidStatement, match="authors is a view, and not created"):
            await conn.run_sync(table.create)
        with pytest.raises(InvalidStatement, match="authors is a view, and not created"):
            await conn.run_sync(Base.metadata.create_all, tables=[table])


@on_postgresql
async def test_a_schema(engine: AsyncEngine) -> None:
    metadata = MetaData(schema="other schema")
    t = Table("t", metadata, Column("id", Integer, primary_key=True))
    view = view_table("Shown", metadata, select(t).where(t.c.id > 1))
    elsewhere = view_table("elsewhere", metadata, select(view.c.id), schema="third")
    async with engine.connect() as conn:
        for schema in ("other schema", "third"):
            await conn.execute(text(f'CREATE SCHEMA "{schema}"'))
        for _ in range(2):
            await conn.run_sync(metadata.create_all)
        await conn.execute(insert(t), [{"id": 1}, {"id": 2}])
        assert (await conn.execute(select(elsewhere))).all() == [(2,)]
        assert str(view) == "other schema.Shown"
        for _ in range(2):
            await conn.run_sync(metadata.drop_all)
        names = await conn.run_sync(lambda c: inspect(c).get_view_names("other schema"))
        assert names == []
        translated = await conn.execution_options(schema_translate_map={"other schema": "third"})
        await translated.run_sync(metadata.create_all)
        names = await conn.run_sync(lambda c: inspect(c).get_view_names("third"))
        assert sorted(names) == ["Shown", "elsewhere"]
        await conn.rollback()


# ---------------------------------------------------------------- materialized views


def _materialized() -> tuple[MetaData, Table, Table]:
    metadata = MetaData()
    t = Table("t", metadata, Column("id", Integer, primary_key=True))
    view = view_table("kept", metadata, select(t.c.id), materialized=True)
    Index("kept_id", view.c.id, unique=True)
    return metadata, t, view


@on_postgresql
async def test_materialized_views(engine: AsyncEngine) -> None:
    metadata, t, view = _materialized()

    class Kept:
        id: int

    registry(metadata=metadata).map_imperatively(Kept, view)

    db = AsyncSessionFactory(engine)
    async with engine.begin() as conn:
        for _ in range(2):
            await conn.run_sync(metadata.create_all)
        await conn.execute(insert(t), [{"id": 1}])
    assert (await db.scalars(select(Kept))).all() == []
    async with db.begin() as session:
        await session.execute(refresh_materialized_view(view))
        assert [kept.id for kept in await session.scalars(select(Kept))] == [1]
        await session.execute(insert(t), [{"id": 2}])
    await db.execute(refresh_materialized_view(Kept, concurrently=True))
    assert len((await db.scalars(select(Kept))).all()) == 2
    with pytest.raises(InvalidStatement, match="Kept is mapped to a view"):
        await db.copy_in(Kept, [{"id": 3}])
    async with engine.begin() as conn:
        for _ in range(2):
            await conn.run_sync(metadata.drop_all)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_materialized_views_are_refused_where_there_are_none(engine: AsyncEngine) -> None:
    metadata, _, view = _materialized()
    async with engine.connect() as conn:
        with pytest.raises(InvalidStatement, match=r"sqlite has no materialized views.*plain view"):
            await conn.run_sync(metadata.create_all)
        with pytest.raises(InvalidStatement, match="sqlite has no materialized views"):
            await conn.execute(refresh_materialized_view(view))


def test_only_a_materialized_view_is_refreshed() -> None:
    with pytest.raises(InvalidStatement, match="authors is a view that is not materialized"):
        refresh_materialized_view(Author)
    for wrong in (User, User.__table__, "authors", None):
        with pytest.raises(InvalidStatement, match="is not a view"):
            refresh_materialized_view(wrong)


# ---------------------------------------------------------------- writing


async def test_nothing_is_written_to_a_view(db: AsyncSessionFactory) -> None:
    author = await db.get_one(Author, 1)
    row = {"id": 3, "posts": 1}
    message = r"Author is mapped to a view \(authors\).*Write to the tables"
    for write in (
        lambda: db.insert(Author(id=3, posts=1)),
        lambda: db.insert(author),
        lambda: db.insert(row, model=Author),
        lambda: db.insert_all([Author(id=3)]),
        lambda: db.update(author),
        lambda: db.update(Author, 1, posts=2),
        lambda: db.update_all([author]),
        lambda: db.update_all([author, author], Author.posts),
        lambda: db.update_all([row], model=Author),
        lambda: db.upsert(author),
        lambda: db.upsert_all([row], model=Author),
        lambda: db.delete(author),
        lambda: db.delete(Author, 1),
        lambda: db.delete_all([author]),
        lambda: db.copy_in(Author, [row]),
    ):
        with pytest.raises(InvalidStatement, match=message):
            await write()


# ---------------------------------------------------------------- wrong definitions


def test_columns_need_names() -> None:
    metadata = MetaData()

    def refused(statement: Any, message: str, **kw: Any) -> None:
        with pytest.raises(InvalidStatement, match=message):
            view_table("v", metadata, statement, **kw)

    refused(select(User.id, Post.id), "two columns of the SELECT are called 'id'")
    refused(select(User.id, User.id + 1), "column 2 of the SELECT has no name")
    refused(select(User.id, User.id.label(None)), "column 2 of the SELECT has no name")
    refused(User, "takes the SELECT")
    refused("select 1", "takes the SELECT")
    refused(select(User.id), "has no column 'x'. It has: id", primary_key=["x"])
    with pytest.raises(InvalidStatement, match="there is a table users"):
        view_table("users", Base.metadata, select(User.id))


def test_the_primary_key() -> None:
    def key(statement: Select[Any], **kw: Any) -> list[str]:
        table = view_table("v", MetaData(), statement, **kw)
        return [column.name for column in table.primary_key]

    assert key(select(User)) == ["id"]
    assert key(select(User.name, func.count().label("n"))) == ["name", "n"]
    assert key(select(User), primary_key=["name"]) == ["name"]
    assert key(select(User.id, Post.id.label("post_id"))) == ["id", "post_id"]


def test_classes_that_sqlalchemy_would_map_wrongly() -> None:
    with pytest.raises(InvalidStatement, match=r"Odd\.nobody: the view odd has no column 'nobody'"):

        class Odd(Base):
            __table__ = view_table("odd", MetaData(), select(User.id))

            id: Mapped[int]
            nobody: Mapped[int]

    class Data(MappedAsDataclass, DeclarativeBase):
        def __init_subclass__(cls, **kw: Any) -> None:
            init_view_in_base(cls)
            super().__init_subclass__(**kw)

    with pytest.raises(InvalidStatement, match="SQLAlchemy makes no dataclass"):

        class Other(Data):
            __table__ = view_table("other", Data.metadata, select(User.id))

            id: Mapped[int]


async def test_ddl_by_name(db: AsyncSessionFactory) -> None:
    """As migrations write it."""
    async with db.begin() as session:
        await session.execute(CreateView("Some Users", select(User.id).where(User.id > 1)))
        assert (await session.execute(text('SELECT * FROM "Some Users"'))).all() == [(2,)]
        await session.execute(DropView("Some Users"))
        await session.execute(DropView("Some Users", if_exists=True))
    with pytest.raises(InvalidStatement, match="pass the SELECT"):
        CreateView("Some Users")
    kept = DropView("kept", cascade=True, if_exists=True, materialized=True)
    expected = "DROP MATERIALIZED VIEW IF EXISTS kept CASCADE"
    assert str(kept.compile(dialect=postgresql.dialect())) == expected
    view = view_table("v", MetaData(), select(User.id), cascade=True)
    assert str(DropView(view).compile(dialect=postgresql.dialect())) == "DROP VIEW v CASCADE"


# ---------------------------------------------------------------- alembic


async def test_alembic_takes_no_view_for_a_table(db: AsyncSessionFactory) -> None:
    def differences(conn: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(conn), Base.metadata))

    def migrate(conn: Connection) -> None:
        op = Operations(MigrationContext.configure(conn))
        for view in (titles, Author, Written):
            op.execute(DropView(view))
        op.execute(CreateView(Written))

    async with db.engine.connect() as conn:
        assert await conn.run_sync(differences) == []
        await conn.run_sync(migrate)
        assert await conn.run_sync(differences) == []
        assert await conn.run_sync(lambda c: inspect(c).get_view_names()) == ["Written %"]
        await conn.rollback()
