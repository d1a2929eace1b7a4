"""Rows into classes of every kind, from statements of every kind, on every driver."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import attrs
import msgspec
import pydantic
import pytest
from sqlalchemy import (
    URL,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    event,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    text,
    union,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import (
    Bundle,
    DeclarativeBase,
    Mapped,
    aliased,
    joinedload,
    load_only,
    mapped_column,
    query_expression,
    relationship,
    selectinload,
    with_polymorphic,
)
from typing_extensions import TypedDict

from naked_sqla.exception import (
    ConversionError,
    InvalidStatement,
    NotLoadedError,
    RowMismatch,
    UnknownAttribute,
    UnsupportedOption,
)

from ..models.columns import Renamed
from ._models import Circle, Company, Database, Mood, Owner, Point, Post, Shape, Typed, User, filled


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncIterator[Database]:
    async with filled(engine) as database:
        yield database


@dataclass
class AsDataclass:
    id: int
    name: str


class AsModel(pydantic.BaseModel):
    id: int
    name: str


class AsStruct(msgspec.Struct):
    id: int
    name: str


@attrs.frozen
class AsAttrs:
    id: int
    name: str


class AsTuple(NamedTuple):
    id: int
    name: str


class AsDict(TypedDict):
    id: int
    name: str


class AsPlain:
    def __init__(self, id: int, *, name: str) -> None:
        self.id, self.name = id, name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsPlain) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


KINDS = [AsDataclass, AsModel, AsStruct, AsAttrs, AsTuple, AsDict, AsPlain]
BY_ID = select(User.id, User.name).order_by(User.id)


@pytest.mark.parametrize("cls", KINDS)
@pytest.mark.parametrize("validate", [True, False])
async def test_each_kind_of_class(db: Database, cls: Any, validate: bool) -> None:
    found = await db.into(cls, BY_ID, validate=validate)
    assert found == [cls(id=1, name="ada"), cls(id=2, name="bob")]
    assert [type(item) for item in found] == [dict if cls is AsDict else cls] * 2


@pytest.mark.parametrize("cls", KINDS)
async def test_each_kind_of_class_in_chunks(db: Database, cls: Any) -> None:
    chunks = await db.stream_into(cls, BY_ID, 1)
    assert chunks == [[cls(id=1, name="ada")], [cls(id=2, name="bob")]]


plain = Table(
    "user_account", MetaData(), Column("id", Integer), Column("user_name", String, key="name")
)
users = User.__table__
expected = [AsDataclass(1, "ada"), AsDataclass(2, "bob")]

someone = aliased(User)
STATEMENTS = {
    "columns": select(User.name, User.id),
    "options": select(User).options(load_only(User.name)),
    "label": select(User.id, func.lower(User.name).label("name")),
    "alias": select(someone).options(load_only(someone.name)),
    "core": select(plain),
    "core columns": select(users.c.id, users.c.user_name.label("name")),
    "text": text("SELECT id, user_name AS name FROM user_account"),
    "text with columns": text("SELECT id, user_name FROM user_account").columns(User.id, User.name),
    "text with types": text("SELECT id, user_name AS name FROM user_account").columns(
        id=Integer, name=String
    ),
    "from_statement": select(User)
    .options(load_only(User.name))
    .from_statement(text("SELECT id, user_name FROM user_account")),
    "union": union_all(
        select(User.id, User.name).where(User.id == 1),
        select(User.id, User.name).where(User.id == 2),
    ),
    "subquery": select(select(User.id, User.name).subquery()),
    "cte": select(select(User.id, User.name).cte("u")),
    "bundle": select(Bundle("b", User.id, User.name)),
    "update": update(User).values(boss_id=None).returning(User.id, User.name),
    "update core": update(plain).values(name=plain.c.name).returning(plain),
    "lambda": lambda_stmt(lambda: select(User.id, User.name)),
}


@pytest.mark.parametrize("kind", STATEMENTS)
async def test_each_kind_of_statement(db: Database, kind: str) -> None:
    for _ in range(2):
        found = await db.into(AsDataclass, STATEMENTS[kind])
        assert sorted(found, key=lambda item: item.id) == expected


class WithAllColumns(pydantic.BaseModel):
    id: int
    name: str
    company_id: int | None
    boss_id: int | None


async def test_whole_entities(db: Database) -> None:
    for statement in (
        select(User).order_by(User.id),
        union_all(select(User).where(User.id == 1), select(User).where(User.id == 2)),
    ):
        assert [item.name for item in await db.into(WithAllColumns, statement)] == ["ada", "bob"]


async def test_what_insert_returns(db: Database) -> None:
    statement = insert(User).returning(User.id, User.name)
    assert await db.into(AsModel, statement, {"id": 7, "name": "eve"}) == [
        AsModel(id=7, name="eve")
    ]
    rows = [{"id": 8, "name": "dan"}, {"id": 9, "name": "fay", "boss_id": 1}]
    found = await db.into(AsDataclass, insert(User).returning(User.id, User.name), rows)
    assert found == [AsDataclass(8, "dan"), AsDataclass(9, "fay")]
    assert await db.into(AsDataclass, insert(User).returning(User.id, User.name), []) == []
    gone = delete(User).where(User.id > 6).returning(User.id, User.name)
    assert len(await db.into(AsDataclass, gone)) == 3


async def test_insert_returns_sorted_rows(db: Database) -> None:
    statement = insert(Company).returning(Company.title, sort_by_parameter_order=True)

    class Title(NamedTuple):
        title: str

    rows = [{"title": f"c{i}"} for i in range(20)]
    assert [item.title for item in await db.into(Title, statement, rows)] == [
        row["title"] for row in rows
    ]


async def test_parameters(db: Database) -> None:
    statement = select(User.id, User.name).where(User.id == bindparam("key"))
    assert await db.into(AsDataclass, statement, {"key": 2}) == [AsDataclass(2, "bob")]
    with pytest.raises(UnknownAttribute, match="wrong"):
        await db.into(AsDataclass, statement, {"wrong": 2})


async def test_it_is_a_scalar_result(engine: AsyncEngine) -> None:
    from naked_sqla import into

    async with filled(engine) as db:
        one = await db.conn.run_sync(lambda conn: into.execute(conn, AsTuple, BY_ID).first())
        assert one == AsTuple(1, "ada")
        unique = await db.conn.run_sync(
            lambda conn: (
                into.execute(
                    conn,
                    AsTuple,
                    select(literal(1).label("id"), literal("x").label("name"), User)
                    .with_only_columns(literal(1).label("id"), literal("x").label("name"))
                    .select_from(User),
                )
                .unique()
                .all()
            )
        )
        assert unique == [AsTuple(1, "x")]


@dataclass
class TypedOut:
    id: int
    mood: Mood | None
    price: Decimal
    day: datetime.date
    extra: dict[str, Any]
    at: Point


async def test_values_are_converted_and_composites_are_values(db: Database) -> None:
    assert await db.into(TypedOut, select(Typed)) == [
        TypedOut(1, Mood.SAD, Decimal("1.50"), datetime.date(2026, 1, 2), {"a": [1]}, Point(3, 4))
    ]


async def test_a_composite_and_its_columns(db: Database) -> None:
    @dataclass
    class Both:
        x: int
        y: int
        at: Any

    statement = select(Typed).options(load_only(Typed.x, Typed.y))
    assert await db.into(Both, statement) == [Both(3, 4, Point(3, 4))]

    @dataclass
    class Parts:
        x: int
        y: int

    assert await db.into(Parts, statement) == [Parts(3, 4)]


async def test_a_value_that_can_not_be_converted(db: Database) -> None:
    await db.conn.execute(text("UPDATE typed SET mood = 'GLAD'"))

    @dataclass
    class Out:
        mood: Mood

    with pytest.raises(ConversionError) as caught:
        await db.into(Out, select(Typed.mood))
    assert (caught.value.target, caught.value.attribute, caught.value.value) == (
        "Out",
        "mood",
        "GLAD",
    )
    assert str(caught.value).startswith("Out.mood: the stored value 'GLAD'")


async def test_what_pydantic_says_comes_out(db: Database) -> None:
    class Out(pydantic.BaseModel):
        id: int
        name: int

    with pytest.raises(pydantic.ValidationError, match="name"):
        await db.into(Out, BY_ID)
    assert [item.name for item in await db.into(Out, BY_ID, validate=False)] == ["ada", "bob"]


async def test_what_a_class_raises_comes_out(db: Database) -> None:
    @dataclass
    class Picky:
        id: int
        name: str

        def __post_init__(self) -> None:
            if self.name == "bob":
                raise LookupError(self.name)

    with pytest.raises(LookupError, match="bob"):
        await db.into(Picky, BY_ID)


# ---------------------------------------------------------------- several entities


class CompanyStruct(msgspec.Struct):
    id: int
    title: str


class UserOut(pydantic.BaseModel):
    id: int
    name: str


@dataclass
class UserRecord:
    id: int
    name: str
    company_id: int | None
    boss_id: int | None


class PostOut(pydantic.BaseModel):
    title: str
    author: UserOut | None


@dataclass
class PostRecord:
    id: int
    title: str
    author_id: int | None
    editor_id: int | None
    author: UserRecord | None
    editor: UserRecord | None = None


@pytest.mark.parametrize("validate", [True, False])
async def test_an_entity_fills_the_field_of_its_relationship(db: Database, validate: bool) -> None:
    statement = select(Post, User).outerjoin(Post.author).order_by(Post.id)
    assert await db.into(PostOut, statement, validate=validate) == [
        PostOut(title="one", author=UserOut(id=1, name="ada")),
        PostOut(title="two", author=None),
    ]
    assert await db.into(PostRecord, statement) == [
        PostRecord(1, "one", 1, 2, UserRecord(1, "ada", 100, None)),
        PostRecord(2, "two", None, 1, None),
    ]


async def test_aliases_fill_the_fields_of_their_names(db: Database) -> None:
    author, editor = aliased(User, name="author"), aliased(User, name="editor")
    statement = (
        select(Post, editor, author)
        .outerjoin(author, author.id == Post.author_id)
        .join(editor, editor.id == Post.editor_id)
        .order_by(Post.id)
    )
    found = await db.into(PostRecord, statement)
    assert [(p.author and p.author.name, p.editor and p.editor.name) for p in found] == [
        ("ada", "bob"),
        (None, "ada"),
    ]


async def test_aliases_without_a_name_go_by_the_relationship_they_are_joined_by(
    db: Database,
) -> None:
    one, other = aliased(User), aliased(User)
    for statement in (
        select(Post, one, other).outerjoin(Post.author.of_type(one)).join(other, Post.editor),
        select(Post, other, one).join(Post.editor.of_type(other)).outerjoin(one, Post.author),
    ):
        found = await db.into(PostRecord, statement.order_by(Post.id))
        assert [(p.author and p.author.name, p.editor and p.editor.name) for p in found] == [
            ("ada", "bob"),
            (None, "ada"),
        ]


async def test_an_entity_fills_the_field_of_its_class_name(db: Database) -> None:
    @dataclass
    class Snake:
        title: str
        user: Any
        post: object = None

    found = await db.into(Snake, select(Post.title, User).join(Post.editor).where(Post.id == 1))
    assert isinstance(found[0].user, User)
    assert found[0].user.name == "bob"

    @dataclass
    class AsWritten:
        User: UserRecord

    found = await db.into(AsWritten, select(User).where(User.id == 1))
    assert found == [AsWritten(UserRecord(1, "ada", 100, None))]


async def test_a_field_of_the_mapped_class_takes_a_naked_object(db: Database) -> None:
    @dataclass
    class Pair:
        title: str
        author: User | None

    statement = select(Post.title, User).outerjoin(Post.author).order_by(Post.id)
    first, second = await db.into(Pair, statement)
    assert isinstance(first.author, User)
    assert (first.author.name, second.author) == ("ada", None)
    with pytest.raises(NotLoadedError):
        _ = first.author.company


class Named(Protocol):
    name: str


async def test_a_field_of_a_protocol_takes_a_naked_object(db: Database) -> None:
    @dataclass
    class Out:
        user: Named

    (found,) = await db.into(Out, select(User).where(User.id == 1))
    assert isinstance(found.user, User)


async def test_the_only_relationship_that_leads_to_an_entity_names_it(db: Database) -> None:
    @dataclass
    class Out:
        name: str
        company: CompanyStruct | None

    statement = (
        select(User.name, Company)
        .outerjoin(Company, Company.id == User.company_id)
        .order_by(User.id)
    )
    assert await db.into(Out, statement) == [
        Out("ada", CompanyStruct(100, "Acme")),
        Out("bob", None),
    ]


async def test_a_relationship_to_another_class_does_not_make_it_ambiguous(db: Database) -> None:
    class OtherBase(DeclarativeBase):
        pass

    class Firm(OtherBase):
        __tablename__ = "company"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]

    class Person(OtherBase):
        __tablename__ = "user_account"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column("user_name")
        company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
        boss_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
        employer = relationship(Firm)
        boss = relationship("Person", remote_side=id)

    class Employed(pydantic.BaseModel):
        name: str
        employer: CompanyOut

    statement = select(Person, Firm).join(Firm, Firm.id == Person.company_id)
    wanted = Employed(name="ada", employer=CompanyOut(title="Acme"))
    assert await db.into(Employed, statement) == [wanted]


async def test_a_collection_does_not_name_an_entity(db: Database) -> None:
    class WithPost(pydantic.BaseModel):
        name: str
        posts: CompanyOut

    statement = select(User, Post).join(Post, Post.author_id == User.id)
    with pytest.raises(RowMismatch, match="no column for its field 'posts'"):
        await db.into(WithPost, statement)


class CompanyOut(pydantic.BaseModel):
    title: str


class WithCompany(pydantic.BaseModel):
    name: str
    company: CompanyOut | None = None


class Deep(pydantic.BaseModel):
    title: str
    author: WithCompany
    editor: WithCompany


async def test_nested_objects_take_what_is_joined_to_their_entity(db: Database) -> None:
    author, editor = aliased(User, name="author"), aliased(User, name="editor")
    statement = (
        select(Post, author, editor, Company)
        .join(Post.author.of_type(author))
        .join(Post.editor.of_type(editor))
        .join(author.company)
    )
    assert await db.into(Deep, statement) == [
        Deep(
            title="one",
            author=WithCompany(name="ada", company=CompanyOut(title="Acme")),
            editor=WithCompany(name="bob"),
        )
    ]


async def test_an_entity_without_a_field_spreads_its_columns(db: Database) -> None:
    @dataclass
    class Flat:
        title: str
        name: str

    statement = (
        select(Post, User)
        .join(Post.author)
        .options(load_only(Post.title, raiseload=True), load_only(User.name, raiseload=True))
    )
    assert await db.into(Flat, statement) == [Flat("one", "ada")]


async def test_bundles_fill_the_fields_of_their_names(db: Database) -> None:
    @dataclass
    class Out:
        id: int
        author: UserOut
        rest: tuple[Any, ...]

    statement = (
        select(Post.id, Bundle("author", User.id, User.name), Bundle("rest", User.boss_id))
        .join(Post.editor)
        .order_by(Post.id)
    )
    found = await db.into(Out, statement)
    assert [item.author for item in found] == [
        UserOut(id=2, name="bob"),
        UserOut(id=1, name="ada"),
    ]
    assert [tuple(item.rest) for item in found] == [(1,), (None,)]


async def test_a_joined_relationship_fills_its_field(db: Database) -> None:
    statement = select(Post).options(joinedload(Post.author)).order_by(Post.id)
    assert await db.into(PostOut, statement) == [
        PostOut(title="one", author=UserOut(id=1, name="ada")),
        PostOut(title="two", author=None),
    ]


async def test_a_relationship_without_a_field_is_refused(db: Database) -> None:
    for load in (selectinload, joinedload):
        with pytest.raises(RowMismatch, match=r"no field in AsDataclass for .*User\.posts"):
            await db.into(AsDataclass, select(User).options(load(User.posts), load_only(User.name)))


async def test_relationships_that_the_mapping_loads_are_left_out(db: Database) -> None:
    statements: list[str] = []
    engine = db.conn.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    found = await db.into(WithAllColumns, select(User))
    assert len(found) == 2
    assert len(statements) == 1


async def test_a_missed_outer_join_where_none_is_not_allowed(db: Database) -> None:
    @dataclass
    class Out:
        title: str
        author: UserOut

    statement = select(Post.title, User).outerjoin(Post.author).order_by(Post.id)
    with pytest.raises(RowMismatch) as caught:
        await db.into(Out, statement)
    said = str(caught.value)
    assert "Out.author is a UserOut" in said
    assert "a row has no User" in said
    assert "UserOut | None" in said

    @dataclass
    class Naked:
        title: str
        author: User

    with pytest.raises(RowMismatch, match=r"Naked\.author is a User, and a row has no User"):
        await db.into(Naked, statement)


async def test_polymorphic_rows(db: Database) -> None:
    class ShapeOut(pydantic.BaseModel):
        id: int
        colour: str
        radius: int | None = None

    assert await db.into(ShapeOut, select(Shape).order_by(Shape.id)) == [
        ShapeOut(id=1, colour="red"),
        ShapeOut(id=2, colour="blue"),
    ]
    every = with_polymorphic(Shape, [Circle])
    assert await db.into(ShapeOut, select(every).order_by(every.id)) == [
        ShapeOut(id=1, colour="red"),
        ShapeOut(id=2, colour="blue", radius=5),
    ]
    assert await db.into(ShapeOut, select(Circle)) == [ShapeOut(id=2, colour="blue", radius=5)]


async def test_a_joined_polymorphic_object_is_of_the_class_that_was_asked_for(
    db: Database,
) -> None:
    class WithShape(msgspec.Struct):
        id: int
        shape_id: int
        shape: Shape

    class WithCircle(msgspec.Struct):
        id: int
        shape_id: int
        shape: Circle

    every = with_polymorphic(Shape, [Circle], flat=True)
    statement = select(Owner).options(joinedload(Owner.shape.of_type(every)))
    (found,) = await db.into(WithShape, statement)
    assert (type(found.shape).__name__, found.shape.radius) == ("Circle", 5)
    with pytest.raises(RowMismatch):
        await db.into(WithCircle, statement)


async def test_a_query_expression_without_an_expression_needs_no_field(db: Database) -> None:
    class OtherBase(DeclarativeBase):
        pass

    class Rated(OtherBase):
        __tablename__ = "company"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        rating: Mapped[int | None] = query_expression()

    class WithRating(msgspec.Struct):
        id: int
        title: str
        rating: int | None

    @dataclass
    class IdAndTitle:
        id: int
        title: str

    assert await db.into(IdAndTitle, select(Rated)) == [IdAndTitle(100, "Acme")]
    for statement in (select(Rated), select(Rated.id, Rated.title, Rated.rating)):
        assert await db.into(WithRating, statement) == [WithRating(100, "Acme", None)]


# ---------------------------------------------------------------- before the first row


async def test_a_mismatch_is_found_before_the_statement_runs(db: Database) -> None:
    statements: list[str] = []
    engine = db.conn.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for statement in (
        select(User),
        select(plain.c.id),
        insert(User).values(name="x").returning(User),
        insert(plain).values(id=1).returning(plain.c.id),
        update(User).values(name="x").returning(User.id),
        insert(User).values(name="x"),
        delete(User),
        union_all(select(User.id), select(User.id)),
        text("SELECT 1 AS id").columns(id=Integer),
    ):
        for _ in range(2):
            with pytest.raises(RowMismatch, match="AsDataclass"):
                await db.into(AsDataclass, statement)
    assert statements == []


async def test_a_mismatch_of_text_is_found_before_a_row_is_read(db: Database) -> None:
    with pytest.raises(RowMismatch, match="no column for its field 'name'"):
        await db.into(AsDataclass, text("SELECT id FROM user_account WHERE id < 0"))
    with pytest.raises(RowMismatch, match="returns no rows"):
        await db.into(AsDataclass, text("UPDATE user_account SET boss_id = NULL"))
    assert len(await db.into(AsDataclass, BY_ID)) == 2


async def test_what_is_no_statement(db: Database) -> None:
    for wrong in ("SELECT 1", None, User, select()):
        with pytest.raises(InvalidStatement):
            await db.into(AsDataclass, wrong)
    with pytest.raises(TypeError, match="execution_options"):
        await db.into(AsDataclass, BY_ID, execution_options="x")
    with pytest.raises(UnsupportedOption, match="stream"):
        await db.into(AsDataclass, BY_ID, execution_options={"yield_per": 5})


async def test_one_statement_into_many_classes(db: Database) -> None:
    for number in range(40):

        @dataclass
        class Out:
            id: int
            name: str

        assert [type(item) for item in await db.into(Out, BY_ID)] == [Out, Out], number


class Priced(NamedTuple):
    mood: Mood
    price: Decimal


async def test_rows_that_sqlalchemy_wants_to_see_itself(database_url: URL) -> None:
    engine = create_async_engine(database_url, echo="debug")
    try:
        async with filled(engine) as db:
            assert len(await db.into(TypedOut, select(Typed))) == 1
            assert await db.stream_into(AsDataclass, BY_ID, 5) == [expected]
            table = Typed.__table__
            plain = await db.into(Priced, select(table.c.mood, table.c.price))
            assert plain == [Priced(Mood.SAD, Decimal("1.50"))]
    finally:
        await engine.dispose()


async def test_values_are_not_part_of_what_is_cached(db: Database) -> None:
    for number in range(5):
        assert len(await db.into(AsDataclass, select(User.id, User.name).limit(number))) == min(
            number, 2
        )
    statement = select(User.id, User.name).where(User.id.in_([1, 2])).order_by(User.id)
    assert await db.into(AsDataclass, statement) == expected
    assert await db.into(AsDataclass, statement.where(User.id.in_([2]))) == expected[1:]


# ---------------------------------------------------------------- names of columns that cross


class Crossed(NamedTuple):
    a: Any
    b: Any


@pytest.mark.parametrize("kind", ["select", "entity", "union", "union of entities", "subquery"])
async def test_names_that_cross(db: Database, kind: str) -> None:
    """What an attribute is called counts, and not that another one's column has that name."""
    await db.conn.run_sync(Renamed.__table__.create)
    await db.conn.execute(insert(Renamed.__table__), {"id": 1, "b": "in a", "a": "in b"})
    columns = select(Renamed.a, Renamed.b)
    few = select(Renamed).options(load_only(Renamed.a, Renamed.b))
    statement = {
        "select": columns,
        "entity": few,
        "union": union(columns, columns),
        "union of entities": union(select(Renamed), select(Renamed)),
        "subquery": select(union(columns, columns).subquery()),
    }[kind]
    if kind != "union of entities":
        assert await db.into(Crossed, statement) == [Crossed("in a", "in b")]
    for name in ("a", "b"):
        one = pydantic.create_model("One", **{name: (str, ...)})
        (found,) = await db.into(one, statement)
        assert getattr(found, name) == f"in {name}"


async def test_a_union_goes_by_attributes(db: Database) -> None:
    """And by the database's names for what no attribute is called."""
    columns = select(User.id, User.name)
    users = union(columns, columns).order_by("id")
    assert await db.into(AsDataclass, users) == expected

    @dataclass
    class ByColumn:
        id: int
        user_name: str

    assert await db.into(ByColumn, users) == [ByColumn(1, "ada"), ByColumn(2, "bob")]

    class Taking(pydantic.BaseModel, extra="allow"):
        pass

    assert (await db.into(Taking, users))[0].model_extra == {"id": 1, "name": "ada"}

    @dataclass
    class Both(ByColumn):
        name: str

    with pytest.raises(RowMismatch) as caught:
        await db.into(Both, users)
    said = str(caught.value)
    assert "no column for its field 'user_name'." in said
    assert "The statement has id, name." in said


# ---------------------------------------------------------------- what comes along with an entity


class Radius(pydantic.BaseModel, extra="forbid"):
    radius: int | None = None


class Colour(pydantic.BaseModel, extra="forbid"):
    colour: str


class NameOnly(pydantic.BaseModel, extra="forbid"):
    name: str


class Titled(pydantic.BaseModel, extra="forbid"):
    title: str
    author: NameOnly | None


async def test_a_class_that_forbids_extras_and_load_only(db: Database) -> None:
    """The primary key and the discriminator, which nobody asked for, need no field."""
    everything = with_polymorphic(Shape, [Circle])
    by_id = select(Shape).order_by(Shape.id)
    for statement in (
        by_id.options(load_only(Shape.colour)),
        select(everything).options(load_only(everything.colour)).order_by(everything.id),
    ):
        assert await db.into(Colour, statement) == [Colour(colour="red"), Colour(colour="blue")]
        with pytest.raises(RowMismatch, match=r"no field in Radius for the column Shape\.colour"):
            await db.into(Radius, statement)
    circles = select(Circle).options(load_only(Circle.radius))
    assert await db.into(Radius, circles) == [Radius(radius=5)]
    more = select(everything).options(load_only(everything.Circle.radius)).order_by(everything.id)
    assert [item.radius for item in await db.into(Radius, more)] == [None, 5]
    wanted = r"no field in Colour for the columns Shape\.id, Shape\.kind"
    with pytest.raises(RowMismatch, match=wanted):
        await db.into(Colour, by_id)


async def test_a_nested_class_that_forbids_extras_and_load_only(db: Database) -> None:
    wanted = [Titled(title="one", author=NameOnly(name="ada")), Titled(title="two", author=None)]
    of_options = (load_only(Post.title), joinedload(Post.author).load_only(User.name))
    assert await db.into(Titled, select(Post).order_by(Post.id).options(*of_options)) == wanted
    joined = select(Post, User).outerjoin(Post.author).order_by(Post.id)
    both = (load_only(Post.title), load_only(User.name))
    assert await db.into(Titled, joined.options(*both)) == wanted


class NamedUser(TypedDict):
    name: str


@dataclass
class WithDictionary:
    title: str
    author: NamedUser | None


async def test_a_nested_dictionary(db: Database) -> None:
    statement = select(Post, User).outerjoin(Post.author).order_by(Post.id)
    statement = statement.options(load_only(Post.title), load_only(User.name))
    assert await db.into(WithDictionary, statement) == [
        WithDictionary("one", {"name": "ada"}),
        WithDictionary("two", None),
    ]


# ---------------------------------------------------------------- subclasses that share a name


class Kinds(DeclarativeBase):
    pass


class Staff(Kinds):
    """Abstract: each row is one of the subclasses."""

    __tablename__ = "staff"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_abstract": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Coder(Staff):
    __tablename__ = "coders"
    __mapper_args__ = {"polymorphic_identity": "coder"}

    id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    title: Mapped[str]


class Boss(Staff):
    __tablename__ = "bosses"
    __mapper_args__ = {"polymorphic_identity": "boss"}

    id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    title: Mapped[str]
    budget: Mapped[int]


class StaffOut(pydantic.BaseModel):
    id: int
    kind: str
    budget: int | None


class TitledStaff(pydantic.BaseModel):
    id: int
    title: str | None = None


async def test_subclasses_with_an_attribute_of_one_name(db: Database) -> None:
    """Each has it in a column of its own: one of them would be read for the rows of the other."""
    await db.conn.run_sync(Kinds.metadata.create_all)
    staff = [{"id": 1, "kind": "coder"}, {"id": 2, "kind": "boss"}]
    await db.conn.execute(insert(Staff.__table__), staff)
    await db.conn.execute(insert(Coder.__table__), {"id": 1, "title": "c"})
    await db.conn.execute(insert(Boss.__table__), {"id": 2, "title": "b", "budget": 5})
    everybody = with_polymorphic(Staff, "*")
    statement = select(everybody).order_by(everybody.id)
    # the primary key is that of the table that all rows are in
    assert await db.into(StaffOut, statement) == [
        StaffOut(id=1, kind="coder", budget=None),
        StaffOut(id=2, kind="boss", budget=5),
    ]
    with pytest.raises(RowMismatch, match=r"TitledStaff\.title is ambiguous: .*Boss\.title"):
        await db.into(TitledStaff, statement)
    title = func.coalesce(everybody.Coder.title, everybody.Boss.title).label("title")
    columns = select(everybody.id, title).order_by(everybody.id)
    assert [item.title for item in await db.into(TitledStaff, columns)] == ["c", "b"]
    assert await db.into(TitledStaff, select(Boss)) == [TitledStaff(id=2, title="b")]


async def test_the_surer_name_of_an_entity_wins(db: Database) -> None:
    """An alias's own name before the relationship that another is joined by."""
    author, joined = aliased(User, name="author"), aliased(User)

    class Out(pydantic.BaseModel):
        title: str
        author: UserOut

    for order in ((author, joined), (joined, author)):
        statement = (
            select(Post.title, *order)
            .join(Post.author.of_type(joined))
            .join(author, author.id == Post.editor_id)
        )
        assert [item.author.name for item in await db.into(Out, statement)] == ["bob"]
