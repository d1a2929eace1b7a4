"""Which database a statement belongs to: decided without one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    union,
    update,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    column_property,
    defaultload,
    joinedload,
    lazyload,
    load_only,
    mapped_column,
    raiseload,
    relationship,
    selectin_polymorphic,
    selectinload,
)

from naked_sqla import InvalidBind
from naked_sqla.sessions.calls.base import routed
from naked_sqla.sessions.calls.lookup import LookupCall
from naked_sqla.sessions.calls.many import PreloadCall
from naked_sqla.sessions.calls.statement import IntoCall, StatementCall
from naked_sqla.sessions.calls.write import WriteCall
from naked_sqla.sessions.routing.routes import Routes
from naked_sqla.sessions.routing.tables import key_of_table


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    posts: Mapped[list[Post]] = relationship(lazy="selectin")
    entries: Mapped[list[Entry]] = relationship(
        primaryjoin="User.id == foreign(Entry.user_id)", viewonly=True
    )


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


class Logs(Base):
    __abstract__ = True
    __bind_key__ = "logs"


class Entry(Logs):
    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    tags: Mapped[list[Tag]] = relationship(secondary=lambda: entry_tags)


class Tag(Logs):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)


# in the metadata of the classes, with no info of its own: it is where the classes are
entry_tags = Table(
    "entry_tags",
    Base.metadata,
    Column("entry_id", ForeignKey("entry.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Item(Logs):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "item"}


class Book(Item):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    pages: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "book"}


class Torn(Item):
    """A class in two databases, which nobody can load."""

    __tablename__ = "torn"
    __bind_key__ = "other"

    id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "torn"}


class Eager(Base):
    """A class that is mapped to load what is in another database."""

    __tablename__ = "eager"

    id: Mapped[int] = mapped_column(primary_key=True)
    entries: Mapped[list[Entry]] = relationship(
        primaryjoin="Eager.id == foreign(Entry.user_id)", viewonly=True, lazy="selectin"
    )


class Above(Base):
    """A class that leads to one of those."""

    __tablename__ = "above"

    id: Mapped[int] = mapped_column(primary_key=True)
    eager_id: Mapped[int] = mapped_column(ForeignKey("eager.id"))
    eager: Mapped[Eager] = relationship(lazy="joined")


class Strange(Base):
    __tablename__ = "strange"
    __bind_key__ = "unknown"

    id: Mapped[int] = mapped_column(primary_key=True)


audit = Table("audit", MetaData(info={"bind_key": "logs"}), Column("id", Integer))
moved = Table("moved", audit.metadata, Column("id", Integer), info={"bind_key": "other"})
plain = Table("plain", MetaData(), Column("id", Integer))

ROUTES = Routes(["logs", "other"])


def executing(statement: Any, parameters: Any = None, options: Any = None) -> StatementCall:
    return StatementCall("execute", statement, parameters, options)


def key_of(statement: Any, eager: bool = True) -> str | None:
    call = executing(statement)
    found = routed(ROUTES, call, eager)[0]
    # from what is remembered, too
    assert routed(ROUTES, call, eager)[0] == found
    return found


tree = select(Entry.id).where(Entry.id == 1).cte("tree", recursive=True)
tree = tree.union_all(select(Entry.id).join(tree, Entry.user_id == tree.c.id))
alias = aliased(Entry)
new = insert(Entry).values(user_id=1).returning(Entry.id).cte()

LOGS: list[Any] = [
    select(Entry),
    select(Entry.id),
    select(func.count()).select_from(Entry),
    select(func.max(Entry.id)),
    select(alias),
    select(alias.user_id),
    select(literal(1)).where(Entry.id == 1),
    select(literal(1)).where(exists().where(Entry.id == 1)),
    select(select(Entry.id).subquery()),
    select(select(Entry.id).scalar_subquery()),
    select(tree.c.id),
    select(new),
    select(Entry).join(Entry.tags),
    select(Entry).options(selectinload(Entry.tags), load_only(Entry.id)),
    select(Entry).options(joinedload(Entry.tags)),
    select(Entry).from_statement(text("select * from entry")),
    union(select(Entry.id), select(Tag.id)),
    insert(Entry),
    insert(Entry).values(user_id=bindparam("x")),
    insert(Entry).from_select(["id"], select(Tag.id)),
    update(Entry).values(user_id=1),
    update(Entry).where(Entry.id == select(Tag.id).scalar_subquery()).values(user_id=1),
    delete(Entry).returning(Entry),
    delete(Entry).where(Entry.id.in_(select(Tag.id))),
    Entry.__table__.insert(),  # type: ignore[attr-defined]
    select(Entry.__table__),
    select(entry_tags),
    select(audit),
    audit.insert(),
    select(Book),
    select(Book.pages),
    select(Item).options(selectin_polymorphic(Item, [Book])),
    select(User).execution_options(bind_key="logs"),
    text("select 1").execution_options(bind_key="logs"),
]

DEFAULT: list[Any] = [
    select(User),
    select(User).join(User.posts),
    select(plain),
    select(literal(1)),
    text("select 1"),
    select(User).options(lazyload(User.entries)),
    select(User).options(raiseload(User.entries)),
    select(Eager).options(lazyload(Eager.entries)),
    select(Eager).options(lazyload("*")),
    select(Eager).options(raiseload("*")),
    select(Eager.id),
    select(Above).options(defaultload(Above.eager).raiseload(Eager.entries)),
    select(User).execution_options(bind_key=None),
    "no statement",
    None,
    User(),
]

SPANNING: list[Any] = [
    select(User).join(Entry, Entry.user_id == User.id),
    select(User).join(User.entries),
    select(User, Entry),
    select(User.id).where(User.id == Entry.user_id),
    select(User).where(User.entries.any()),
    select(User).where(User.id.in_(select(Entry.user_id))),
    select(User.id, select(Entry.id).scalar_subquery()),
    select(select(User.id).cte(), select(Entry.id).cte()),
    union(select(User.id), select(Entry.id)),
    insert(User).from_select(["id"], select(Entry.user_id)),
    update(User).where(User.id == Entry.user_id).values(name="x"),
    update(User).values(name=select(Entry.id).scalar_subquery()),
    delete(User).where(User.id.in_(select(Entry.user_id))),
    select(User).options(selectinload(User.entries)),
    select(User).options(joinedload(User.entries)),
    select(User).options(selectinload(User.entries).selectinload(Entry.tags)),
    select(Eager),
    select(Above),
    select(Torn),
    select(audit, moved),
    select(audit, plain),
]


@pytest.mark.parametrize("statement", LOGS)
def test_what_belongs_to_another_database(statement: Any) -> None:
    assert key_of(statement) == "logs"


@pytest.mark.parametrize("statement", DEFAULT)
def test_what_belongs_to_the_default_one(statement: Any) -> None:
    assert key_of(statement) is None


@pytest.mark.parametrize("statement", SPANNING)
def test_what_spans_two(statement: Any) -> None:
    for _ in range(2):
        with pytest.raises(InvalidBind, match=r"spans several databases: .* in .*, .* in "):
            key_of(statement)


def test_without_mapped_eager_loads() -> None:
    assert key_of(select(Eager), eager=False) is None
    into = IntoCall("into", dict, select(Eager), None, True, None)
    assert routed(ROUTES, into, eager=True)[0] is None


def test_a_key_that_nobody_configured() -> None:
    with pytest.raises(InvalidBind, match=r"'strange' has the bind key 'unknown'.*'logs', 'other'"):
        key_of(select(Strange))
    with pytest.raises(InvalidBind, match="bind key 'nowhere'"):
        key_of(text("select 1").execution_options(bind_key="nowhere"))
    with pytest.raises(InvalidBind, match="bind key 'nowhere'"):
        routed(ROUTES, executing(select(User), None, {"bind_key": "nowhere"}), eager=True)
    with pytest.raises(InvalidBind, match="bind key 'nowhere'"):
        ROUTES.known("nowhere", "connection()")


def test_the_option_of_a_call_is_followed_and_taken_out() -> None:
    statement = select(User, Entry)
    options = {"bind_key": "other", "logging_token": "x"}
    key, call = routed(ROUTES, executing(statement, {"a": 1}, options), eager=True)
    assert key == "other"
    assert call.sent() is statement
    assert call == executing(statement, {"a": 1}, {"logging_token": "x"})
    of_statement = text("select 1").execution_options(bind_key="logs", logging_token="x")
    key, call = routed(ROUTES, executing(of_statement), eager=True)
    assert key == "logs"
    assert call.sent().get_execution_options() == {"bind_key": None, "logging_token": "x"}
    assert of_statement.get_execution_options()["bind_key"] == "logs"
    # a column of this name is no option
    key, _ = routed(ROUTES, executing(insert(User), {"bind_key": "logs"}), True)
    assert key is None


def looking_up(model: Any, loads: Any = None, options: Any = None) -> LookupCall:
    return LookupCall("get", model, 1, loads, options, None)


def test_get() -> None:
    def of(model: Any, *options: Any) -> str | None:
        return routed(ROUTES, looking_up(model, list(options)), eager=True)[0]

    assert of(Entry) == "logs"
    assert of(User) is None
    assert of(Eager, raiseload(Eager.entries)) is None
    assert of(Eager, lazyload("*")) is None
    for model, options in ((User, [selectinload(User.entries)]), (Eager, []), (Torn, [])):
        with pytest.raises(InvalidBind):
            of(model, *options)
    named = looking_up(User, None, {"bind_key": "logs"})
    assert routed(ROUTES, named, eager=True) == ("logs", looking_up(User))


def test_preload() -> None:
    def of(*paths: Any) -> str | None:
        return routed(ROUTES, PreloadCall("preload", iter(()), paths, False), eager=True)[0]

    assert of(Entry.tags) == "logs"
    assert of((User.posts,)) is None
    assert of(User.id, "nothing") is None
    for paths in ([User.entries], [(User.entries, Entry.tags)], [User.posts, Entry.tags]):
        with pytest.raises(InvalidBind):
            of(*paths)


def test_what_writes_by_object() -> None:
    def never(*_: Any) -> None:
        raise AssertionError("it ran")

    def writing(subject: Any, *arguments: Any, **named: Any) -> WriteCall:
        return WriteCall("insert", never, subject, arguments, named, None)

    def of(*args: Any, **named: Any) -> str | None:
        return routed(ROUTES, writing(*args, **named), eager=True)[0]

    assert of(Entry()) == "logs"
    assert of(User()) is None
    assert of(Eager()) is None
    assert of(Entry, 1) == "logs"
    assert of([Entry(), Tag()]) == "logs"
    assert of(object(), model=Entry) == "logs"
    assert of({"user_id": 1}, model=Entry) == "logs"
    more = Entry.__table__.c.user_id + 1
    assert of(Entry, 1, {"user_id": more}) == of(Entry, 1, user_id=more) == "logs"
    other = select(User.id).scalar_subquery()
    for arguments, named in ((({"user_id": other},), {}), ((), {"user_id": other})):
        with pytest.raises(InvalidBind, match="spans"):
            of(Entry, 1, *arguments, **named)
    assert of([]) is None
    assert of("text") is None
    with pytest.raises(InvalidBind, match="spans"):
        of([Entry(), User()])
    # an iterator is read once, and handed on as a list
    one = Entry()
    assert routed(ROUTES, writing(iter([one])), eager=True) == ("logs", writing([one]))
    key, call = routed(
        ROUTES,
        WriteCall("insert", never, User(), (), {}, {"bind_key": "other", "x": 1}),
        eager=True,
    )
    assert (key, call.options) == ("other", {"x": 1})


def test_the_table_says_it_where_no_class_does() -> None:
    assert key_of_table(audit) == "logs"
    assert key_of_table(moved) == "other"
    assert key_of_table(plain) is None
    assert key_of_table(entry_tags) == "logs"
    assert key_of_table(Entry.__table__) == "logs"


def test_classes_that_do_not_agree() -> None:
    class Own(DeclarativeBase):
        pass

    class Parent(Own):
        __tablename__ = "shared"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "parent"}

    class Child(Parent):
        __bind_key__ = "logs"
        __mapper_args__ = {"polymorphic_identity": "child"}

    with pytest.raises(InvalidBind, match="classes of table 'shared' have several bind keys"):
        key_of(select(Child))


def test_a_column_property_brings_its_tables() -> None:
    class Own(DeclarativeBase):
        pass

    class Counted(Own):
        __tablename__ = "counted"
        id: Mapped[int] = mapped_column(primary_key=True)
        entries = column_property(select(func.count(Entry.id)).scalar_subquery())

    with pytest.raises(InvalidBind, match="spans"):
        key_of(select(Counted))


def test_what_is_remembered_is_bounded() -> None:
    routes = Routes(["logs"])
    for n in range(1100):
        routed(routes, executing(select(literal(n).label(f"n{n}"))), eager=True)
    assert len(routes._remembered) <= 1000
