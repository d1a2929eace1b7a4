"""Whatever a statement selects, and whatever class it is read into: the values are those that Core
and the ORM read, and what does not fit is refused.
"""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any, NamedTuple, NotRequired

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, text, union_all
from sqlalchemy.orm import (
    Bundle,
    Session,
    aliased,
    joinedload,
    lazyload,
    load_only,
    with_polymorphic,
)
from typing_extensions import TypedDict

from naked_sqla import into
from naked_sqla.exception import RowMismatch

from .._examples import examples
from ._models import Base, Circle, Mood, Post, Shape, Typed, User, fill

table: Any = Typed.__table__
NAMES = ("id", "mood", "price", "day", "extra", "x", "y")
NUMBERS = st.integers(-(2**31), 2**31 - 1)

rows_of_typed = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 2**31 - 1),
            "mood": st.sampled_from([None, *Mood]),
            "price": st.decimals(-1000, 1000, places=2),
            "day": st.dates(datetime.date(1, 1, 1)),
            "extra": st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2),
            "x": NUMBERS,
            "y": NUMBERS,
        }
    ),
    unique_by=lambda row: row["id"],
    max_size=4,
)
columns_of_typed = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)


def of_entity(names: list[str]) -> Any:
    return select(*(getattr(Typed, name) for name in names)).order_by(Typed.id)


def of_alias(names: list[str]) -> Any:
    alias = aliased(Typed)
    return select(*(getattr(alias, name) for name in names)).order_by(alias.id)


def of_table(names: list[str]) -> Any:
    return select(*(table.c[name] for name in names)).order_by(table.c.id)


def of_subquery(names: list[str]) -> Any:
    inner = select(Typed).subquery()
    return select(*(inner.c[name] for name in names)).order_by(inner.c.id)


def of_union(names: list[str]) -> Any:
    return union_all(
        of_table(names).order_by(None), of_table(names).order_by(None).where(text("1=0"))
    )


def of_text(names: list[str]) -> Any:
    typed = text(f"SELECT {', '.join(names)} FROM typed ORDER BY typed.id")
    return typed.columns(*(table.c[name] for name in names))


def target(names: list[str], shuffled: list[str], **options: Any) -> Any:
    """A dataclass with a field for each column, in another order, and one that has a default."""
    own = [name for name in shuffled if name in names]
    fields: list[Any] = [(name, Any) for name in own]
    fields.append(("spare", Any, dataclasses.field(default="spare")))
    return dataclasses.make_dataclass("Out", fields, **options)


def check(conn: Connection, rows: list[dict[str, Any]], cls: Any, statement: Any) -> None:
    conn.execute(table.delete())
    if rows:
        conn.execute(insert(table), rows)
    wanted = [dict(row._mapping) for row in conn.execute(statement)]
    found = into.execute(conn, cls, statement).all()
    assert [dict(vars_of(item), spare=None) for item in found] == [
        dict(row, spare=None) for row in wanted
    ]
    for item, row in zip(found, wanted, strict=True):
        assert item.spare == "spare"
        assert {key: type(value) for key, value in row.items()} == {
            key: type(getattr(item, key)) for key in row
        }


def vars_of(item: Any) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}


@pytest.mark.parametrize(
    "write",
    [of_entity, of_alias, of_table, of_subquery, of_union, of_text],
    ids=lambda f: f.__name__,
)
def test_into_reads_what_core_reads(sync_engine: Engine, write: Any) -> None:
    with sync_engine.connect() as conn:
        Base.metadata.create_all(conn)

        @examples(25)
        @given(
            rows=rows_of_typed,
            names=columns_of_typed,
            shuffled=st.permutations(NAMES),
            frozen=st.booleans(),
            slots=st.booleans(),
        )
        def read(
            rows: list[dict[str, Any]],
            names: list[str],
            shuffled: list[str],
            frozen: bool,
            slots: bool,
        ) -> None:
            cls = target(names, shuffled, frozen=frozen, slots=slots)
            check(conn, rows, cls, write(names))

        read()


def test_the_check_sees_a_difference(sync_engine: Engine) -> None:
    row = {
        "id": 1,
        "mood": None,
        "price": Decimal(1),
        "day": datetime.date(2026, 1, 1),
        "extra": {},
        "x": 1,
        "y": 2,
    }

    class Wrong:
        def __init__(self, x: int) -> None:
            self.x, self.spare = x + 1, "spare"

    with sync_engine.connect() as conn:
        Base.metadata.create_all(conn)
        cls = dataclasses.dataclass(init=False)(
            type("Wrong", (Wrong,), {"__annotations__": {"x": int}})
        )
        with pytest.raises(AssertionError):
            check(conn, [row], cls, of_entity(["x"]))


# --- classes of every kind ---


class Taking:
    """Takes whatever there is."""

    def __init__(self, **values: Any) -> None:
        self.values = values


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A class to be filled.

    :ivar extras: what it does with columns that have no field.
    :ivar fields: its fields without a default, and those with one.
    """

    cls: Any
    extras: str
    required: list[str]
    optional: list[str]

    @property
    def names(self) -> list[str]:
        return [*self.required, *self.optional]

    def values(self, obj: Any) -> dict[str, Any]:
        """What an object of the class has, without the defaults of fields that nothing filled."""
        if isinstance(obj, dict):
            found = dict(obj)
        elif isinstance(obj, Taking):
            found = dict(obj.values)
        else:
            found = {name: getattr(obj, name) for name in self.names}
            found |= getattr(obj, "model_extra", None) or {}
        return {name: value for name, value in found.items() if value != "default"}


def make(kind: str, types: dict[str, Any], optional: list[str]) -> Any:
    """A class of a kind with these fields, those without a default first."""
    base, _, option = kind.partition(" ")
    with_default = dict.fromkeys(optional, "default")
    if base == "dataclass":
        fields: list[Any] = [
            (name, hint, dataclasses.field(default="default")) if name in optional else (name, hint)
            for name, hint in types.items()
        ]
        options = {
            "plain": {},
            "frozen": {"frozen": True},
            "slots": {"frozen": True, "slots": True},
        }
        return dataclasses.make_dataclass("Out", fields, **options[option])
    if base == "model":
        definitions: Any = {
            name: (hint, "default" if name in optional else ...) for name, hint in types.items()
        }
        config: Any = {"extra": option, "arbitrary_types_allowed": True}
        return pydantic.create_model("Out", __config__=config, **definitions)
    if base == "struct":
        parts: list[Any] = [
            (name, hint, "default") if name in optional else (name, hint)
            for name, hint in types.items()
        ]
        return msgspec.defstruct("Out", parts, forbid_unknown_fields=option == "forbid")
    if base == "attrs":
        attributes = {
            name: attrs.field(type=hint, **({"default": "default"} if name in optional else {}))
            for name, hint in types.items()
        }
        return attrs.make_class("Out", attributes)
    if base == "tuple":
        made: Any = NamedTuple("Out", list(types.items()))
        made.__new__.__defaults__ = tuple(with_default.values())
        made._field_defaults = with_default
        return made
    hints = {n: NotRequired[hint] if n in optional else hint for n, hint in types.items()}
    return TypedDict("Out", hints)  # type: ignore[operator]


EXTRAS = {
    "dataclass plain": "refuse",
    "dataclass frozen": "refuse",
    "dataclass slots": "refuse",
    "model ignore": "ignore",
    "model forbid": "refuse",
    "model allow": "take",
    "struct ignore": "ignore",
    "struct forbid": "refuse",
    "attrs": "refuse",
    "tuple": "refuse",
    "dictionary": "refuse",
    "taking": "take",
}


@st.composite
def classes(draw: Any, names: list[str], types: dict[str, Any] | None = None) -> Wanted:
    """A class with fields for most of some names, and perhaps for one more."""
    kind = draw(st.sampled_from(sorted(EXTRAS)))
    if kind == "taking":
        return Wanted(Taking, "take", [], [])
    wanted = draw(st.permutations([*names, "spare"]))
    left_out = draw(st.sets(st.sampled_from(names), max_size=2) | st.just(set()))
    wanted = [name for name in wanted if name not in left_out]
    # most often it is not "spare" that is missing
    optional = [name for name in wanted if draw(st.integers(0, 9)) < (8 if name == "spare" else 2)]
    required = [name for name in wanted if name not in optional]
    hints = {name: (types or {}).get(name, Any) for name in (*required, *optional)}
    return Wanted(make(kind, hints, optional), EXTRAS[kind], required, optional)


def expected(wanted: Wanted, values: dict[str, Any], implied: set[str]) -> dict[str, Any] | None:
    """What an object has that is filled from these values; None where it can't be."""
    if not set(wanted.required) <= values.keys():
        return None
    extra = values.keys() - set(wanted.names) - implied
    if extra and wanted.extras == "refuse":
        return None
    taken = set(wanted.names) | (extra if wanted.extras == "take" else set())
    return {name: value for name, value in values.items() if name in taken}


# --- statements about one entity ---

everybody = with_polymorphic(Shape, [Circle])
ENTITIES: dict[str, tuple[Any, dict[str, Any], set[str]]] = {
    "user": (User, {n: getattr(User, n) for n in ("id", "name", "company_id", "boss_id")}, {"id"}),
    "alias": (someone := aliased(User), {n: getattr(someone, n) for n in ("id", "name")}, {"id"}),
    "shape": (Shape, {n: getattr(Shape, n) for n in ("id", "kind", "colour")}, {"id", "kind"}),
    "circle": (
        Circle,
        {n: getattr(Circle, n) for n in ("id", "kind", "colour", "radius")},
        {"id", "kind"},
    ),
    "polymorphic": (
        everybody,
        {
            **{n: getattr(everybody, n) for n in ("id", "kind", "colour")},
            "radius": everybody.Circle.radius,
        },
        {"id", "kind"},
    ),
    "typed": (Typed, {n: getattr(Typed, n) for n in ("id", "mood", "price", "day")}, {"id"}),
}
FORMS = ["columns", "load_only", "union", "subquery", "bundle"]


def statement_of(entity: Any, columns: list[Any], form: str) -> Any:
    if form == "load_only":
        return select(entity).options(load_only(*columns), lazyload("*")).order_by(entity.id)
    if form == "bundle":
        return select(Bundle("b", *columns)).order_by(entity.id)
    one = select(*columns).order_by(entity.id)
    if form == "union":
        return union_all(
            one.order_by(None).where(entity.id < 2), one.order_by(None).where(entity.id >= 2)
        )
    return select(one.order_by(None).subquery()) if form == "subquery" else one


def outcome(conn: Connection, cls: Any, statement: Any, validate: bool) -> list[Any] | None:
    """The objects of a statement; None where it is refused."""
    try:
        return into.execute(conn, cls, statement, validate=validate).all()
    except RowMismatch:
        return None


def test_any_class_and_any_form_of_an_entity(sync_engine: Engine) -> None:
    with sync_engine.connect() as conn:
        fill(conn)

        @examples(60)
        @given(data=st.data(), name=st.sampled_from(sorted(ENTITIES)), validate=st.booleans())
        def read(data: Any, name: str, validate: bool) -> None:
            entity, attributes, always = ENTITIES[name]
            form = data.draw(st.sampled_from(FORMS), label="form")
            chosen = data.draw(
                st.lists(st.sampled_from(sorted(attributes)), min_size=1, unique=True),
                label="chosen",
            )
            # SQLAlchemy can't take load_only() of a subclass's attribute before one of its parent's
            chosen.sort(key=lambda key: key == "radius")
            statement = statement_of(entity, [attributes[key] for key in chosen], form)
            implied = always if form == "load_only" else set()
            names = [*chosen, *sorted(implied - set(chosen))]
            wanted = data.draw(classes(sorted(attributes)), label="class")
            # plain columns, as Core reads them
            columns = select(*(attributes[key] for key in names)).order_by(entity.id)
            rows = [dict(zip(names, row, strict=True)) for row in conn.execute(columns)]
            found = outcome(conn, wanted.cls, statement, validate)
            fits = [expected(wanted, row, implied) for row in rows]
            if fits and fits[0] is None:
                assert found is None
                return
            assert found is not None
            got = [wanted.values(item) for item in found]
            assert sorted(map(repr, map(ordered, got))) == sorted(map(repr, map(ordered, fits)))

        read()


def ordered(values: Any) -> Any:
    return sorted(values.items())


# --- nested objects ---

author = aliased(User, name="author")
NESTED: dict[str, Any] = {
    "joined by": select(Post, User).outerjoin(Post.author),
    "alias": select(Post, author).outerjoin(author, Post.author_id == author.id),
    "joinedload": select(Post),
}


def nested_statement(form: str, of_post: list[str], of_user: list[str]) -> Any:
    few = load_only(*(getattr(Post, key) for key in of_post))
    user = author if form == "alias" else User
    few_of_user = [getattr(user, key) for key in of_user]
    statement = NESTED[form].order_by(Post.id)
    if form == "joinedload":
        return statement.options(few, joinedload(Post.author).load_only(*few_of_user))
    return statement.options(few, load_only(*few_of_user))


def test_any_nested_class(sync_engine: Engine) -> None:
    with sync_engine.connect() as conn:
        fill(conn)
        with Session(conn) as session:
            posts = session.scalars(select(Post).options(joinedload(Post.author)).order_by(Post.id))
            rows = [
                (
                    {key: getattr(post, key) for key in ("id", "title", "author_id", "editor_id")},
                    None
                    if post.author is None
                    else {key: getattr(post.author, key) for key in ("id", "name", "boss_id")},
                )
                for post in posts
            ]

        @examples(60)
        @given(
            data=st.data(),
            form=st.sampled_from(sorted(NESTED)),
            of_post=st.lists(
                st.sampled_from(["title", "author_id", "editor_id"]), min_size=1, unique=True
            ),
            of_user=st.lists(st.sampled_from(["name", "boss_id"]), min_size=1, unique=True),
            optional=st.booleans(),
            validate=st.booleans(),
        )
        def read(
            data: Any,
            form: str,
            of_post: list[str],
            of_user: list[str],
            optional: bool,
            validate: bool,
        ) -> None:
            inner = data.draw(classes(["id", *of_user]), label="inner")
            if inner.cls is Taking:
                # not known to be filled by columns
                return
            hint = inner.cls | None if optional else inner.cls
            outer = data.draw(classes(["id", *of_post, "author"], {"author": hint}), label="outer")
            statement = nested_statement(form, of_post, of_user)
            found = outcome(conn, outer.cls, statement, validate)
            if "author" not in outer.names:
                # its columns fill fields one by one, which is another test's
                return
            wanted = []
            for post, user in rows:
                values = {key: post[key] for key in ("id", *of_post)}
                of_author = {"id": None, **dict.fromkeys(of_user)}
                if user is not None:
                    of_author = {key: user[key] for key in ("id", *of_user)}
                below = expected(inner, of_author, {"id"})
                if below is None or (user is None and not optional):
                    assert found is None
                    return
                whole = expected(outer, {**values, "author": None}, {"id"})
                if whole is None:
                    assert found is None
                    return
                wanted.append((whole, None if user is None else below))
            assert found is not None
            for item, (whole, below) in zip(found, wanted, strict=True):
                got = outer.values(item)
                nested = got.pop("author")
                assert got | {"author": None} == whole
                assert (None if nested is None else inner.values(nested)) == below

        read()
