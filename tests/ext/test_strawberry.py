"""Loaders in resolvers of strawberry: one statement for each level of a query."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory
from naked_sqla.testing import expect_statements


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user_of_graph"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    __tablename__ = "post_of_graph"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("user_of_graph.id"))


@strawberry.interface
class Node:
    id: int


@strawberry.type
class Article:
    id: int
    title: str

    @strawberry.field
    async def author(root: Any, info: strawberry.Info) -> Author:  # noqa: N805 - the loaded Post
        return await info.context["users"].load(root.author_id)  # type: ignore[no-any-return]


@strawberry.type
class Author(Node):
    name: str

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, cls | User)

    @strawberry.field
    async def posts(self, info: strawberry.Info) -> list[Article]:
        return await info.context["posts"].load(self.id)  # type: ignore[no-any-return]


@strawberry.type
class Query:
    @strawberry.field
    async def users(self, info: strawberry.Info) -> list[Author]:
        found: Any = await info.context["db"].all(select(User).order_by(User.id))
        return found  # type: ignore[no-any-return]

    @strawberry.field
    async def nodes(self, info: strawberry.Info) -> list[Node]:
        found: Any = await info.context["db"].all(select(User).order_by(User.id))
        return found  # type: ignore[no-any-return]


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.execute(insert(User), [{"id": i, "name": f"u{i}"} for i in (1, 2, 3)])
    await db.execute(
        insert(Post), [{"id": i, "title": f"t{i}", "author_id": i % 2 + 1} for i in range(1, 5)]
    )
    return db


async def test_a_level_is_a_statement(db: AsyncSessionFactory) -> None:
    context = {
        "db": db,
        "users": db.loader(User),
        "posts": db.loader(Post, key=Post.author_id, many=True, order_by=Post.id),
    }
    graph = strawberry.Schema(query=Query, types=[Author])
    with expect_statements(db, exactly=3):
        found = await graph.execute(
            "{ users { name posts { title author { name } } } }", context_value=context
        )
    assert found.errors is None
    assert found.data == {
        "users": [
            {
                "name": "u1",
                "posts": [
                    {"title": "t2", "author": {"name": "u1"}},
                    {"title": "t4", "author": {"name": "u1"}},
                ],
            },
            {
                "name": "u2",
                "posts": [
                    {"title": "t1", "author": {"name": "u2"}},
                    {"title": "t3", "author": {"name": "u2"}},
                ],
            },
            {"name": "u3", "posts": []},
        ]
    }
    found = await graph.execute("{ nodes { id __typename } }", context_value=context)
    assert found.errors is None
    assert [node["__typename"] for node in found.data["nodes"]] == ["Author"] * 3
