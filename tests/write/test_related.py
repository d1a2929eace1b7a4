"""Relationships that are set on an object that is written: foreign keys, or an error."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Table,
    and_,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    WriteOnlyMapped,
    foreign,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    remote,
    selectinload,
)

from naked_sqla import InvalidStatement, UnknownAttribute
from naked_sqla.read import statement as statements
from naked_sqla.write import objects as writing

from .._examples import examples


class Base(DeclarativeBase):
    pass


tagged = Table(
    "tagged",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(unique=True)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    boss: Mapped[User | None] = relationship(remote_side=[id])
    posts: Mapped[list[Post]] = relationship(
        back_populates="author", foreign_keys="Post.author_id", order_by="Post.id"
    )
    profile: Mapped[Profile | None] = relationship(back_populates="user")
    seen: Mapped[list[Post]] = relationship(foreign_keys="Post.author_id", viewonly=True)
    drafts: WriteOnlyMapped[Draft] = relationship(back_populates="owner")


class Admin(User):
    __tablename__ = "admins"

    id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    level: Mapped[int] = mapped_column(default=1)


class Profile(Base):
    """Its foreign key is its primary key."""

    __tablename__ = "profiles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    website: Mapped[str | None]
    user: Mapped[User] = relationship(back_populates="profile")


class Draft(Base):
    __tablename__ = "drafts"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    owner: Mapped[User | None] = relationship(back_populates="drafts")


class Post(Base):
    """Foreign keys to a primary key, to a unique column, to a subclass; and one of two columns."""

    __tablename__ = "posts"
    __table_args__ = (
        ForeignKeyConstraint(["room_house", "room_number"], ["rooms.house", "rooms.number"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    editor_name: Mapped[str | None] = mapped_column(ForeignKey("users.name"))
    admin_id: Mapped[int | None] = mapped_column(ForeignKey("admins.id"))
    room_house: Mapped[int | None]
    room_number: Mapped[int | None]

    author: Mapped[User | None] = relationship(back_populates="posts", foreign_keys=author_id)
    writer: Mapped[User | None] = relationship(foreign_keys=author_id, overlaps="author,posts")
    editor: Mapped[User | None] = relationship(foreign_keys=editor_name)
    admin: Mapped[Admin | None] = relationship(foreign_keys=admin_id)
    room: Mapped[Room | None] = relationship()
    tags: Mapped[set[Tag]] = relationship(secondary=tagged)
    shown: Mapped[User | None] = relationship(foreign_keys=author_id, viewonly=True)
    boss: Mapped[User | None] = relationship(
        primaryjoin=lambda: and_(
            remote(User.id) == foreign(Post.author_id), remote(User.boss_id).is_(None)
        ),
        overlaps="author,posts,writer",
    )


class Room(Base):
    __tablename__ = "rooms"

    house: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]


class DataBase(MappedAsDataclass, DeclarativeBase):
    metadata = Base.metadata


class Comment(DataBase):
    __tablename__ = "comments"

    id: Mapped[int | None] = mapped_column(primary_key=True, default=None)
    text: Mapped[str | None] = mapped_column(default=None)
    thread_id: Mapped[int | None] = mapped_column(ForeignKey("threads.id"), default=None)
    thread: Mapped[Thread | None] = relationship(back_populates="comments", default=None)


class Thread(DataBase):
    __tablename__ = "threads"

    id: Mapped[int | None] = mapped_column(primary_key=True, default=None)
    title: Mapped[str | None] = mapped_column(default=None)
    comments: Mapped[list[Comment]] = relationship(back_populates="thread", default_factory=list)


@pytest.fixture
def conn(sync_engine: Engine) -> Iterator[Connection]:
    """A transaction with users 1 to 3, posts 1 to 3 of them, rooms and tags; rolled back."""
    with sync_engine.connect() as conn:
        Base.metadata.create_all(conn)
        users = [{"name": f"n{i}"} for i in (1, 2, 3)]
        conn.execute(insert(User.__table__), users)
        conn.execute(insert(Admin.__table__), [{"id": 3, "level": 1}])
        conn.execute(insert(Room), [{"house": 1, "number": n} for n in (1, 2)])
        posts = [{"title": f"t{i}", "author_id": i} for i in (1, 2, 3)]
        conn.execute(insert(Post), posts)
        conn.execute(insert(Tag), [{"id": 1}, {"id": 2}])
        conn.execute(insert(tagged), [{"post_id": 1, "tag_id": 1}])
        conn.execute(insert(Thread.__table__), [{"title": "t"}])
        yield conn
        conn.rollback()


def loaded(conn: Connection, model: Any, key: Any, *options: Any) -> Any:
    statement = select(model).options(*options)
    for column, value in zip(model.__table__.primary_key, key, strict=True):
        statement = statement.where(column == value)
    return statements.execute(conn, statement).unique().scalar_one()


def stored_post(conn: Connection, key: int) -> tuple[Any, ...]:
    table = Post.__table__.c
    columns = (table.author_id, table.editor_name, table.admin_id, table.room_house)
    return tuple(conn.execute(select(*columns, table.room_number).where(table.id == key)).one())


# ---------------------------------------------------------------- many to one


FILLED = {
    "a primary key": (lambda: Post(id=9, author=User(id=2)), (2, None, None, None, None)),
    "None is not set": (
        lambda: Post(id=9, author_id=None, author=User(id=2)),
        (2, None, None, None, None),
    ),
    "both, alike": (
        lambda: Post(id=9, author_id=2, author=User(id=2)),
        (2, None, None, None, None),
    ),
    "two relationships, alike": (
        lambda: Post(id=9, author=User(id=2), writer=User(id=2)),
        (2, None, None, None, None),
    ),
    "a unique column": (lambda: Post(id=9, editor=User(name="n2")), (None, "n2", None, None, None)),
    "a subclass": (lambda: Post(id=9, author=Admin(id=3)), (3, None, None, None, None)),
    "a joined subclass": (lambda: Post(id=9, admin=Admin(id=3)), (None, None, 3, None, None)),
    "two columns": (
        lambda: Post(id=9, room=Room(house=1, number=2)),
        (None, None, None, 1, 2),
    ),
    "two columns, one of them set": (
        lambda: Post(id=9, room_house=1, room=Room(house=1, number=2)),
        (None, None, None, 1, 2),
    ),
    "nobody": (lambda: Post(id=9, author=None, room=None), (None,) * 5),
    "viewonly": (lambda: Post(id=9, shown=User(id=2)), (None,) * 5),
    "joined by more, and the key": (
        lambda: Post(id=9, author_id=2, boss=User(id=2)),
        (2, None, None, None, None),
    ),
}


def written(conn: Connection, way: str, *objs: Any) -> list[Any]:
    """What a call gives back, the plural ones given all of the objects."""
    write = getattr(writing, way)
    found: list[Any] = write(conn, objs) if way.endswith("_all") else [write(conn, objs[0])]
    return found


@pytest.mark.parametrize("case", list(FILLED))
def test_foreign_keys_are_taken_from_the_related_object(conn: Connection, case: str) -> None:
    make, expected = FILLED[case]
    for way in ("insert", "insert_all", "upsert", "upsert_all"):
        given = make()
        before = dict(vars(given))
        (stored,) = written(conn, way, given)
        assert stored_post(conn, 9) == expected
        assert stored.author_id == expected[0]
        assert vars(given) == before
        writing.delete(conn, Post, 9)


@pytest.mark.parametrize("case", list(FILLED))
def test_an_update_takes_foreign_keys_too(conn: Connection, case: str) -> None:
    make, expected = FILLED[case]
    for way in ("update", "update_all"):
        writing.insert(conn, Post(id=9))
        post = make()
        post.title = "new"
        written(conn, way, post)
        assert stored_post(conn, 9) == expected
        writing.delete(conn, Post, 9)


def test_a_named_foreign_key_is_taken_from_the_related_object(conn: Connection) -> None:
    stored = writing.update(conn, Post(id=1, title="x", author=User(id=2)), "author_id")
    assert (stored.author_id, stored.title) == (2, "t1")
    with pytest.raises(UnknownAttribute, match="no value for author_id"):
        writing.update(conn, Post(id=1, author=User()), Post.author_id)


def test_a_foreign_key_that_is_the_primary_key(conn: Connection) -> None:
    writing.insert(conn, Profile(user=User(id=2), website="a"))
    assert writing.update(conn, Profile(user=User(id=2), website="b")).website == "b"
    assert writing.upsert(conn, Profile(user=User(id=2), website="c")).user_id == 2
    with pytest.raises(InvalidStatement, match=r"Profile\.user has id 1, and user_id is 2"):
        writing.update(conn, Profile(user_id=2, user=User(id=1), website="d"))


def test_self_referential(conn: Connection) -> None:
    assert writing.insert(conn, User(id=9, boss=User(id=1))).boss_id == 1
    assert writing.insert(conn, Admin(id=10, boss=User(id=1))).boss_id == 1


def test_a_loaded_object_is_a_target_where_sqlalchemy_lets_it(conn: Connection) -> None:
    ann = loaded(conn, User, [1])
    assert writing.insert(conn, Post(editor=ann)).editor_name == "n1"
    assert writing.insert(conn, User(id=9, boss=ann)).boss_id == 1
    post = loaded(conn, Post, [2], load_only(Post.title))
    post.author = ann
    assert writing.update(conn, post).author_id == 1
    assert writing.update_all(conn, [post, loaded(conn, Post, [3])])[0].author_id == 1


def test_an_instance_of_the_orm_is_a_target(conn: Connection) -> None:
    with Session(conn) as session:
        ann, post = (
            session.get_one(User, 1),
            session.get_one(Post, 1, options=[joinedload(Post.author)]),
        )
        session.expunge_all()
    assert writing.insert(conn, Post(author=ann)).author_id == 1
    assert writing.update(conn, post).author_id == 1
    post.author_id = 2
    with pytest.raises(InvalidStatement, match=r"Post\.author has id 1, and author_id is 2"):
        writing.update(conn, post)


def test_rows_without_relationships_among_those_that_have_one(conn: Connection) -> None:
    posts = [Post(id=10, author=User(id=1)), Post(id=11), Post(id=12, author_id=3)]
    stored = writing.insert_all(conn, posts)
    assert [post.author_id for post in stored] == [1, None, 3]


def test_an_expression_is_a_key(conn: Connection) -> None:
    key = select(func.max(User.__table__.c.id)).scalar_subquery()
    assert writing.insert(conn, Post(editor=User(name=func.lower("N2")))).editor_name == "n2"
    with pytest.raises(InvalidStatement, match=r"Post\.author has id 3, and author_id is"):
        writing.insert(conn, Post(author_id=key, author=User(id=3)))


# ---------------------------------------------------------------- other classes


@dataclasses.dataclass
class NewPost:
    title: str
    author: Any = None
    author_id: int | None = None
    tags: list[Any] = dataclasses.field(default_factory=list)


class UserModel(BaseModel):
    id: int | None = None
    name: str | None = None


class PostModel(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: int | None = None
    title: str | None = None
    author_id: int | None = None
    author: UserModel | None = None
    tags: list[str] = []


def test_other_classes_say_it_too(conn: Connection) -> None:
    given = [
        NewPost("a", User(id=2)),
        NewPost("b", loaded(conn, User, [1])),
        NewPost("c", {"id": 3}),
        NewPost("d", None, 2),
    ]
    stored = writing.insert_all(conn, given, model=Post)
    assert [post.author_id for post in stored] == [2, 1, 3, 2]
    model = PostModel(id=1, author=UserModel(id=3))
    assert writing.insert(conn, model.model_copy(update={"id": 20}), model=Post).author_id == 3
    stored = writing.update(conn, model, model=Post)
    assert (stored.author_id, stored.title) == (3, "t1")
    # a default that nobody has set is no value of an UPDATE
    assert writing.update(conn, PostModel(id=1, title="x"), model=Post).author_id == 3


def test_other_classes_are_refused(conn: Connection) -> None:
    with pytest.raises(InvalidStatement, match=r"Post\.author is a UserModel without id"):
        writing.insert(conn, PostModel(author=UserModel(name="x")), model=Post)
    with pytest.raises(InvalidStatement, match=r"Post\.author is a int without id"):
        writing.insert(conn, NewPost("x", 5), model=Post)
    with pytest.raises(InvalidStatement, match=r"Post\.tags has 2 objects.*link\(post, Post\.tags"):
        writing.insert(conn, PostModel(tags=["a", "b"]), model=Post)
    with pytest.raises(InvalidStatement, match=r"Post\.tags has an object"):
        writing.update(conn, PostModel(id=1, tags=["a"]), model=Post)
    with pytest.raises(InvalidStatement, match=r"Post\.author has id 1, and author_id is 2"):
        writing.upsert_all(conn, [NewPost("x", User(id=1), 2)], model=Post)


@pytest.mark.parametrize("key", ["author", "tags"])
def test_a_dictionary_has_no_relationships(conn: Connection, key: str) -> None:
    with pytest.raises(UnknownAttribute, match=rf"{key!r}.*relationship"):
        writing.insert(conn, {"title": "x", key: None}, model=Post)
    with pytest.raises(UnknownAttribute, match=rf"{key!r}.*relationship"):
        writing.update(conn, Post, 1, **{key: None})
    with pytest.raises(UnknownAttribute, match=rf"{key!r}.*relationship"):
        writing.update(conn, loaded(conn, Post, [1]), key)


def test_defaults_of_a_mapped_dataclass_are_not_set(conn: Connection) -> None:
    comment = writing.insert(conn, Comment(thread_id=1))
    assert comment.thread_id == 1
    assert writing.insert(conn, Comment(thread=Thread(id=1))).thread_id == 1
    assert writing.update(conn, Comment(id=comment.id, thread_id=1, text="x")).text == "x"
    assert writing.insert(conn, Thread(id=2)).id == 2


# ---------------------------------------------------------------- refused


REFUSED = {
    "without a key": (
        lambda: Post(author=User(name="x")),
        r"Post\.author is a User without id.*Store the User first.*Post\(author_id=user\.id\)",
    ),
    "without a key, the foreign key set": (
        lambda: Post(author_id=1, author=User(name="x")),
        r"Post\.author is a User without id",
    ),
    "a part of a key": (
        lambda: Post(room=Room(house=1)),
        r"without number.*Post\(room_house=room\.house, room_number=room\.number\)",
    ),
    "a unique column that is None": (lambda: Post(editor=User(id=1)), "User without name"),
    "another key": (
        lambda: Post(author_id=1, author=User(id=2)),
        r"Post\.author has id 2, and author_id is 1\. Set both alike, or",
    ),
    "another part of a key": (
        lambda: Post(room_house=2, room=Room(house=1, number=1)),
        "room has house 1, and room_house is 2",
    ),
    "two relationships": (
        lambda: Post(author=User(id=1), writer=User(id=2)),
        r"Post\.writer has id 2, and author_id is 1",
    ),
    "None": (
        lambda: Post(author_id=1, author=None),
        r"Post\.author is None, and author_id is 1\. Set author_id to None too, or",
    ),
    "another class": (
        lambda: Post(writer=Tag(id=1)),
        r"Post\.writer is a User, and was set to a Tag",
    ),
    "joined by more": (
        lambda: Post(boss=User(id=1)),
        r"Post\.boss is joined by more than its foreign key.*Post\(author_id=user\.id\)",
    ),
    "a collection": (
        lambda: User(posts=[Post(), Post()]),
        r"User\.posts has 2 objects.*Store the User first.*Post\(author_id=user\.id\)",
    ),
    "a collection that a backref has filled": (
        lambda: Post(author=User(id=5)).author,
        r"User\.posts has an object.*what was constructed with a User is in User\.posts|name them",
    ),
    "a one-to-one": (
        lambda: User(profile=Profile()),
        r"User\.profile has an object.*Profile\(user_id=user\.id\)",
    ),
    "many-to-many": (
        lambda: Post(tags={Tag(id=1)}),
        r"Post\.tags has an object.*link\(post, Post\.tags, \[tag\]\)",
    ),
    "write-only": (lambda: User(drafts=[Draft()]), r"User\.drafts has an object"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_a_row_can_not_hold_is_refused(conn: Connection, case: str) -> None:
    make, message = REFUSED[case]
    obj = make()
    for name, value in {"id": 1, "title": "x"}.items():
        if hasattr(type(obj), name) and name not in vars(obj):
            setattr(obj, name, value)
    executed: list[Any] = []
    event.listen(conn, "before_execute", lambda c, s, *rest: executed.append(s))
    for way in ("insert", "insert_all", "upsert", "upsert_all", "update", "update_all"):
        with pytest.raises(InvalidStatement, match=message) as caught:
            written(conn, way, obj)
        assert str(caught.value).startswith(f"{way}({type(obj).__name__}): ")
    assert not executed


def test_an_empty_collection_says_nothing(conn: Connection) -> None:
    user = User(id=9, posts=[], profile=None, drafts=[])
    assert writing.insert(conn, user).id == 9
    user.name = "x"
    assert writing.update(conn, user).name == "x"
    assert writing.insert(conn, Post(id=9, tags=set())).id == 9


def test_a_relationship_is_no_matter_where_what_is_stored_is_named(conn: Connection) -> None:
    user = User(id=1, name="x", posts=[Post()])
    assert writing.update(conn, user, "name").name == "x"
    post = Post(id=1, title="x", author_id=1, author=User(id=2), tags={Tag()}, boss=User())
    assert writing.update(conn, post, Post.title).title == "x"
    assert writing.update(conn, post, Post.author_id).author_id == 1


def test_delete_does_not_look_at_relationships(conn: Connection) -> None:
    post = Post(id=2, author_id=5, author=User(), tags={Tag()})
    assert writing.delete(conn, post)
    user = User(id=2, posts=[Post()], profile=Profile())
    assert writing.delete_all(conn, [user]) == 1


# ---------------------------------------------------------------- loaded objects


WHOLE = (joinedload(Post.author), selectinload(Post.tags), joinedload(Post.room))


@pytest.mark.parametrize("way", ["update", "update_all", "upsert"])
def test_loaded_relationships_do_not_matter(conn: Connection, way: str) -> None:
    def write(*objs: Any) -> Any:
        return written(conn, way, *objs)[0]

    post, other = (loaded(conn, Post, [key], *WHOLE) for key in (1, 2))
    assert post.author.id == 1
    assert len(post.tags) == 1
    post.title = "new"
    stored = write(post, other)
    assert (stored.title, stored.author_id) == ("new", 1)
    user = loaded(conn, User, [1], selectinload(User.posts), joinedload(User.profile))
    user.name = "new"
    assert write(user).name == "new"
    # nobody can tell that this one was taken out
    user.posts.clear()
    assert write(user).name == "new"


def test_a_loaded_object_is_inserted_again_where_its_row_is_all_there_is(conn: Connection) -> None:
    post = loaded(conn, Post, [2], *WHOLE)
    user = loaded(conn, User, [1], selectinload(User.posts))
    conn.execute(tagged.delete())
    conn.execute(Post.__table__.delete())
    conn.execute(User.__table__.delete().where(User.__table__.c.id == 1))
    assert writing.insert(conn, user).id == 1
    assert writing.insert(conn, post).author_id == 2


CHANGED = {
    "another author": (
        lambda post: setattr(post, "author", User(id=2)),
        r"Post\.author has id 2, and author_id is 1",
    ),
    "another key": (
        lambda post: setattr(post, "author_id", 2),
        r"Post\.author has id 1, and author_id is 2\. Set both alike, or",
    ),
    "no key": (
        lambda post: setattr(post, "author_id", None),
        r"Post\.author has id 1, and author_id is None",
    ),
    "no author": (
        lambda post: setattr(post, "author", None),
        r"Post\.author is None, and author_id is 1",
    ),
    "an author without a key": (
        lambda post: setattr(post, "author", User(name="x")),
        r"Post\.author is a User without id",
    ),
    "a room": (
        lambda post: setattr(post, "room", Room(house=1, number=1)),
        r"Post\.room has house 1, and room_house is None",
    ),
    "a tag": (lambda post: post.tags.add(Tag(id=2)), r"Post\.tags has 2 objects"),
    "what was not loaded": (
        lambda post: setattr(post, "editor", User(name="n2")),
        r"Post\.editor has name 'n2', and editor_name is None",
    ),
}


@pytest.mark.parametrize("case", list(CHANGED))
def test_a_changed_relationship_of_a_loaded_object_is_refused(conn: Connection, case: str) -> None:
    change, message = CHANGED[case]
    post, other = (loaded(conn, Post, [key], *WHOLE) for key in (1, 2))
    change(post)
    for way in ("update", "update_all", "upsert"):
        with pytest.raises(InvalidStatement, match=message):
            written(conn, way, post, other)


def test_objects_in_a_loaded_collection_are_refused(conn: Connection) -> None:
    user = loaded(conn, User, [1], selectinload(User.posts))
    user.posts.append(loaded(conn, Post, [2]))
    with pytest.raises(InvalidStatement, match=r"User\.posts has 2 objects"):
        writing.update_all(conn, [user])
    user.posts[1:] = [Post(author_id=1)]
    with pytest.raises(InvalidStatement, match=r"User\.posts has 2 objects"):
        writing.update(conn, user)
    user = loaded(conn, User, [1])
    user.profile = Profile(user_id=1)
    with pytest.raises(InvalidStatement, match=r"User\.profile has an object"):
        writing.update_all(conn, [user, loaded(conn, User, [2])])


TAKEN = {
    "a many-to-one": (lambda ann: Post(author=ann), r"Post\.author.*Post\(author_id=user\.id\)\."),
    "set afterwards": (
        lambda ann: setattr(Post(), "author", ann),
        r"Post\.author.*Post\(author_id=user\.id\)\.",
    ),
    "a primary key": (lambda ann: Profile(user=ann), r"Profile\(user_id=user\.id\)\."),
    "a dataclass": (
        lambda ann: Comment(thread=ann),
        r"Comment\.thread.*Comment\(thread_id=thread\.id\)\.",
    ),
    "a collection": (
        lambda ann: Thread(comments=[ann]),
        r"Thread\.comments.*Store the Thread first.*Comment\(thread_id=thread\.id\)\.",
    ),
    "appended": (
        lambda ann: operator.iadd(Thread().comments, [ann]),
        r"Thread\.comments.*Store the Thread first",
    ),
}


@pytest.mark.parametrize("case", list(TAKEN))
def test_a_loaded_object_in_a_constructor(conn: Connection, case: str) -> None:
    make, message = TAKEN[case]
    ann = loaded(conn, User, [1])
    with pytest.raises(Exception, match=message) as caught:
        make(ann)
    error: BaseException | None = caught.value
    assert isinstance(error, AttributeError) or isinstance(error.__cause__, AttributeError)


# ---------------------------------------------------------------- as the ORM session does it


def test_none_that_was_set_next_to_a_part_of_a_key(conn: Connection) -> None:
    """The ORM clears both columns where None was set, and stores a key as it was loaded."""
    row = {"id": 9, "room_house": 1, "room_number": 1}
    conn.execute(insert(Post), row)
    with Session(conn) as session:
        own = session.get_one(Post, 9)
    for post in (loaded(conn, Post, [9]), own):
        post.room = post.room_house = None
        for call in (writing.update, lambda c, obj: writing.update_all(c, [obj])):
            with pytest.raises(InvalidStatement, match="room is None, and room_number is 1"):
                call(conn, post)
    conn.execute(update(Post.__table__).where(Post.id == 9).values(room_house=None))
    with Session(conn) as session:
        own = session.get_one(Post, 9, options=[joinedload(Post.room)])
    for post in (loaded(conn, Post, [9], joinedload(Post.room)), own):
        assert post.room is None
        assert writing.update(conn, post).room_number == 1
        assert writing.update_all(conn, [post], returning=False) == 1


COLUMNS = ("author_id", "editor_name", "admin_id", "room_house", "room_number")
# relationship -> its class, its foreign keys, and what they refer to
RELATED: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
    "author": (User, ("author_id",), ("id",)),
    "writer": (User, ("author_id",), ("id",)),
    "editor": (User, ("editor_name",), ("name",)),
    "admin": (Admin, ("admin_id",), ("id",)),
    "room": (Room, ("room_house", "room_number"), ("house", "number")),
}
KEYS: dict[str, Any] = {
    "author": st.sampled_from([1, 2]),
    "writer": st.sampled_from([1, 2]),
    "editor": st.sampled_from([1, 2]),
    "admin": st.just(3),
    "room": st.sampled_from([(1, 1), (1, 2)]),
}
VALUES: dict[str, Any] = {
    "author_id": st.sampled_from([None, 1, 2]),
    "editor_name": st.sampled_from([None, "n1", "n2"]),
    "admin_id": st.sampled_from([None, 3]),
    "room_house": st.sampled_from([None, 1]),
    "room_number": st.sampled_from([None, 1, 2]),
}

many = examples(60)
said = st.tuples(
    st.fixed_dictionaries({}, optional={key: st.none() | keys for key, keys in KEYS.items()}),
    st.fixed_dictionaries({}, optional=VALUES),
)


def contradicts(objects: dict[str, Any], values: dict[str, Any]) -> bool:
    """True when two of a post's attributes say different things of one foreign key."""
    found: dict[str, set[Any]] = {key: {value} - {None} for key, value in values.items()}
    for name, obj in objects.items():
        _, keys, referred = RELATED[name]
        for key, of in zip(keys, referred, strict=True):
            found.setdefault(key, set()).add(None if obj is None else getattr(obj, of))
    return any(len(said) > 1 for said in found.values())


@many
@given(drawn=said)
def test_constructed_objects_as_the_orm_stores_them(conn: Connection, drawn: Any) -> None:
    related, values = drawn

    def made(target: Any) -> tuple[dict[str, Any], Post]:
        objects = {
            name: None if key is None else target(RELATED[name][0], key)
            for name, key in related.items()
        }
        return objects, Post(id=9, **values, **objects)

    def plain(model: Any, key: Any) -> Any:
        return Room(house=key[0], number=key[1]) if model is Room else model(id=key, name=f"n{key}")

    objects, post = made(plain)
    with conn.begin_nested() as savepoint:
        if contradicts(objects, values):
            with pytest.raises(InvalidStatement, match=r"Set .* to None too|Set both alike"):
                writing.insert(conn, post)
            return
        writing.insert(conn, post)
        ours = stored_post(conn, 9)
        savepoint.rollback()
    with conn.begin_nested() as savepoint:
        with Session(conn, join_transaction_mode="create_savepoint") as session:
            with session.no_autoflush:
                session.add(made(session.get_one)[1])
            session.flush()
            theirs = stored_post(conn, 9)
        savepoint.rollback()
    assert ours == theirs


@many
@given(before=said, after=said)
def test_loaded_objects_as_the_orm_stores_them(conn: Connection, before: Any, after: Any) -> None:
    """Load a post with some of its relationships, change it, store it."""
    names = list(before[0])
    options = [joinedload(getattr(Post, name)) for name in names]
    row = {key: value for key, value in before[1].items() if value is not None}
    if len({"room_house", "room_number"} & row.keys()) == 1:
        row = {key: value for key, value in row.items() if not key.startswith("room")}

    def changed(post: Any, target: Any) -> Any:
        for name, key in after[0].items():
            setattr(post, name, None if key is None else target(RELATED[name][0], key))
        for key, value in after[1].items():
            setattr(post, key, value)
        return post

    def naked(model: Any, key: Any) -> Any:
        table = model.__table__.primary_key
        return loaded(conn, model, key if len(table) > 1 else (key,))

    with conn.begin_nested() as savepoint:
        conn.execute(insert(Post), {"id": 9, **row})
        post = changed(loaded(conn, Post, [9], *options), naked)
        objects = {n: getattr(post, n) for n in RELATED if n in vars(post)}
        try:
            writing.update(conn, post)
            ours = stored_post(conn, 9)
        except InvalidStatement:
            said = {key: getattr(post, key) for key in COLUMNS}
            assert any(
                tuple(said[key] for key in RELATED[name][1])
                != tuple(getattr(obj, key, None) for key in RELATED[name][2])
                for name, obj in objects.items()
            )
            return
        finally:
            savepoint.rollback()
    with conn.begin_nested() as savepoint:
        conn.execute(insert(Post), {"id": 9, **row})
        with Session(conn, join_transaction_mode="create_savepoint") as session:
            with session.no_autoflush:
                changed(session.get_one(Post, 9, options=options), session.get_one)
            session.flush()
            theirs = stored_post(conn, 9)
        savepoint.rollback()
    assert ours == theirs
