"""Statements and classes that do not fit: the message names both sides, and nothing has run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from sqlalchemy import event, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Bundle, aliased, joinedload, load_only

from naked_sqla.exception import RowMismatch

from ._models import Company, Database, Post, Typed, User, filled

if TYPE_CHECKING:
    from decimal import Decimal as Unresolvable

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


class Refusing:
    """A database whose statements are refused before they run."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.run: list[str] = []
        event.listen(
            db.conn.engine.sync_engine,
            "before_cursor_execute",
            lambda *args: self.run.append(args[2]),
        )

    async def __call__(self, cls: Any, statement: Any) -> str:
        with pytest.raises(RowMismatch) as caught:
            await self.db.into(cls, statement)
        assert self.run == []
        return str(caught.value)


@pytest.fixture
async def refused(engine: AsyncEngine) -> AsyncIterator[Refusing]:
    async with filled(engine) as db:
        yield Refusing(db)


@dataclass
class UserOut:
    id: int
    name: str


@dataclass
class Flat:
    id: int
    title: str
    name: str


async def test_an_entity_with_more_columns_than_the_class_has_fields(refused: Refusing) -> None:
    said = await refused(UserOut, select(User))
    assert "no field in UserOut for the columns User.company_id, User.boss_id" in said
    assert "UserOut has the fields id, name." in said
    assert "The statement has User (id, name, company_id, boss_id)." in said


async def test_the_primary_key_that_load_only_adds_needs_no_field(refused: Refusing) -> None:
    @dataclass
    class Name:
        name: str

    found = await refused.db.into(Name, select(User).options(load_only(User.name)))
    assert [item.name for item in found] == ["ada", "bob"]
    refused.run.clear()
    assert "for the column id" in await refused(Name, select(User.id, User.name))


async def test_two_columns_of_one_name(refused: Refusing) -> None:
    for statement in (
        select(User.id, Post.id, User.name),
        select(User.__table__.c.id, Post.__table__.c.id, User.__table__.c.user_name),
        select(User.id, literal(1).label("id"), User.name),
    ):
        said = await refused(UserOut, statement.where(User.id == Post.id))
        assert said.startswith("UserOut.id is ambiguous: the statement has id, id for it.")
    both = await refused(Flat, select(Post, User).join(Post.author))
    assert both.startswith("Flat.id is ambiguous: the statement has Post.id, User.id for it.")


async def test_the_number_that_sqlalchemy_gives_is_a_name(refused: Refusing) -> None:
    @dataclass
    class Numbered:
        id: int
        id_1: int

    statement = select(User.id, Post.id).join(Post.author)
    assert await refused.db.into(Numbered, statement) == [Numbered(1, 1)]


async def test_two_columns_of_one_name_in_text(refused: Refusing) -> None:
    with pytest.raises(RowMismatch, match=r"UserOut\.id is ambiguous"):
        await refused.db.into(UserOut, text("SELECT 1 AS id, 2 AS id, 'x' AS name"))


async def test_an_expression_without_a_label(refused: Refusing) -> None:
    @dataclass
    class Count:
        n: int

    said = await refused(Count, select(func.count(User.id)))
    assert "no column for its field 'n'" in said
    assert '.label("n")' in said


async def test_two_entities_for_one_field(refused: Refusing) -> None:
    @dataclass
    class Out:
        title: str
        user: UserOut

    one, other = aliased(User), aliased(User)
    said = await refused(Out, select(Post.title, one, other))
    assert said.startswith("Out.user is ambiguous: the entities User, User go by this name.")
    assert 'give each the name of the field that it is for: aliased(..., name="user")' in said


async def test_an_entity_that_two_relationships_lead_to_is_not_guessed(refused: Refusing) -> None:
    class Out(pydantic.BaseModel):
        title: str
        author: UserOut | None = None

    statement = select(Post, User).join(User, User.id == Post.editor_id)
    (found, *_) = await refused.db.into(Out, statement)
    assert found.author is None


async def test_a_column_and_an_entity_for_one_field(refused: Refusing) -> None:
    @dataclass
    class Out:
        user: UserOut

    statement = select(User, literal("x").label("user"))
    assert "Out.user is ambiguous: the statement has user, User" in await refused(Out, statement)


async def test_a_nested_object_that_does_not_fit(refused: Refusing) -> None:
    @dataclass
    class Out:
        title: str
        author: UserOut

    said = await refused(Out, select(Post.title, User).join(Post.author))
    assert said.startswith("UserOut can't be filled from User in the statement: no field in")
    assert "User.company_id, User.boss_id" in said
    assert "The statement has title, User (id, name, company_id, boss_id)." in said


async def test_a_class_that_is_a_choice_of_several(refused: Refusing) -> None:
    @dataclass
    class Out:
        author: UserOut | Flat

    said = await refused(Out, select(User, literal(1)).join(Post, Post.author_id == User.id))
    assert "Out" in said
    named = select(aliased(User, name="author"), literal(1).label("one"))
    said = await refused(Out, named)
    assert said.startswith("Out.author may hold objects of several classes")


async def test_rows_are_not_collected(refused: Refusing) -> None:
    @dataclass
    class Out:
        name: str
        posts: list[Flat]

    said = await refused(Out, select(User.name, Post).join(User.posts))
    assert "posts: each object is filled from one row and can't collect others" in said


async def test_an_annotation_that_can_not_be_resolved(refused: Refusing) -> None:
    @dataclass
    class Out:
        name: str
        author: Unresolvable

    said = await refused(Out, select(User.name, aliased(Company, name="author")))
    assert "its annotation 'Unresolvable' can't be resolved" in said
    # as the type of a value it does not matter
    statement = select(User.name, User.id.label("author")).where(User.id == 1)
    assert await refused.db.into(Out, statement) == [Out("ada", 1)]  # type: ignore[arg-type]


async def test_a_relationship_that_is_loaded_and_has_no_field(refused: Refusing) -> None:
    @dataclass
    class Out:
        id: int
        title: str
        author_id: int
        editor_id: int

    said = await refused(Out, select(Post).options(joinedload(Post.author)))
    assert "no field in Out for Post.author." in said


async def test_a_bundle_that_does_not_fit(refused: Refusing) -> None:
    @dataclass
    class Out:
        b: UserOut

    said = await refused(Out, select(Bundle("b", User.id)))
    assert said.startswith("UserOut can't be filled from Bundle 'b' in the statement: no column")
    assert "for its field 'name'" in said


async def test_a_composite_that_nothing_wants(refused: Refusing) -> None:
    @dataclass
    class Out:
        x: int

    said = await refused(Out, select(Typed).options(load_only(Typed.x, Typed.y)))
    assert "no field in Out for the column Typed.y" in said


@pytest.mark.parametrize("cls", [tuple, list, dict, int, object])
async def test_builtins_are_no_classes_to_fill(refused: Refusing, cls: type) -> None:
    said = await refused(cls, select(User.id, User.name))
    assert said.startswith(f"{cls.__name__} has no arguments with names of their own")
    assert "tuples() for plain rows" in said


async def test_an_entity_that_has_no_name_for_a_field(refused: Refusing) -> None:
    """The next step is the name, not a label."""

    @dataclass
    class Out:
        title: str
        author: UserOut

    statement = select(Post.title, User).join(User, User.id == Post.author_id)
    said = await refused(Out, statement.options(load_only(User.name)))
    assert 'to fill author with an entity, name the entity: aliased(User, name="author")' in said
    assert ".label(" not in said


async def test_columns_of_an_entity_are_left_out_by_load_only(refused: Refusing) -> None:
    assert "(load_only() says what an entity loads)" in await refused(UserOut, select(User))
    said = await refused(UserOut, select(User.id, User.name, User.boss_id))
    assert "leave boss_id out of the statement, or add it to UserOut." in said
