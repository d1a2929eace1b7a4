"""A blog: relationships of every kind, a self-referential tree, and eager loading set on models."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Column, ForeignKey, Integer, String, Table, func
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    nickname: Mapped[str | None] = mapped_column(String(50))
    age: Mapped[int | None]
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    boss: Mapped[User | None] = relationship(remote_side=[id], back_populates="staff")
    staff: Mapped[list[User]] = relationship(back_populates="boss", order_by=id)
    posts: Mapped[list[Post]] = relationship(back_populates="author", order_by="Post.id")
    profile: Mapped[Profile | None] = relationship(back_populates="user", uselist=False)
    post_titles: AssociationProxy[list[str]] = association_proxy("posts", "title")

    def greeting(self) -> str:
        return f"Hello {self.name}"

    def __repr__(self) -> str:
        return f"<User {self.id} {self.name}>"


class Profile(Base):
    __tablename__ = "profiles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    website: Mapped[str | None]
    user: Mapped[User] = relationship(back_populates="profile")


post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
    Column("weight", Integer),
)


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    body: Mapped[str | None]
    written: Mapped[dt.datetime | None]
    stars: Mapped[int] = mapped_column(default=3, server_default="1")

    author: Mapped[User | None] = relationship(back_populates="posts")
    tags: Mapped[list[Tag]] = relationship(
        secondary=post_tags, back_populates="posts", order_by="Tag.id"
    )
    comments: Mapped[dict[str, Comment]] = relationship(
        collection_class=attribute_keyed_dict("slug"), back_populates="post", order_by="Comment.id"
    )


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)
    posts: Mapped[set[Post]] = relationship(secondary=post_tags, back_populates="tags")


class Comment(Base):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    slug: Mapped[str]
    text: Mapped[str | None]
    post: Mapped[Post] = relationship(back_populates="comments")


class Stamped(Base):
    """Columns that the database or the client fills in."""

    __tablename__ = "stamped"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]
    by_client: Mapped[str] = mapped_column(default="client")
    by_callable: Mapped[int] = mapped_column(default=lambda: 7)
    by_context: Mapped[str] = mapped_column(
        default=lambda context: f"from {context.get_current_parameters().get('label')}"
    )
    by_server: Mapped[str] = mapped_column(server_default="server")
    by_expression: Mapped[int] = mapped_column(default=func.length("four"))
    changed: Mapped[str] = mapped_column(default="new", onupdate="changed")


class Versioned(Base):
    __tablename__ = "versioned"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Hub(Base):
    """Each loading strategy that a model can be configured with."""

    __tablename__ = "hubs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    owner: Mapped[User | None] = relationship(lazy="joined")
    owner_raising: Mapped[User | None] = relationship(lazy="raise", viewonly=True)
    owner_raising_on_sql: Mapped[User | None] = relationship(lazy="raise_on_sql", viewonly=True)
    owner_immediate: Mapped[User | None] = relationship(lazy="immediate", viewonly=True)
    joined: Mapped[list[Spoke]] = relationship(order_by="Spoke.id", lazy="joined")
    selectin: Mapped[list[Spoke]] = relationship(
        order_by="Spoke.id", lazy="selectin", viewonly=True
    )
    subquery: Mapped[list[Spoke]] = relationship(
        order_by="Spoke.id", lazy="subquery", viewonly=True
    )
    immediate: Mapped[list[Spoke]] = relationship(
        order_by="Spoke.id", lazy="immediate", viewonly=True
    )
    dynamic: DynamicMapped[Spoke] = relationship(viewonly=True)
    write_only: WriteOnlyMapped[Spoke] = relationship(viewonly=True)


class Spoke(Base):
    __tablename__ = "spokes"

    id: Mapped[int] = mapped_column(primary_key=True)
    hub_id: Mapped[int | None] = mapped_column(ForeignKey("hubs.id"))
    label: Mapped[str | None]
    hub: Mapped[Hub | None] = relationship(viewonly=True)


class Node(Base):
    __tablename__ = "nodes"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    name: Mapped[str]
    parent: Mapped[Node | None] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list[Node]] = relationship(
        back_populates="parent", lazy="joined", join_depth=2, order_by="Node.id"
    )
