"""Hydrators: the source that a plan prints, and what the function does with rows in memory."""

from __future__ import annotations

import gc
import linecache
import textwrap
import traceback
from enum import Enum
from operator import attrgetter
from typing import Any

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Mapped, composite, mapped_column, reconstructor

from naked_sqla.exception import ConversionError, NotLoadedError
from naked_sqla.objects.collections import Collection
from naked_sqla.objects.naked import naked_class
from naked_sqla.read.hydrator import hydrator, source_of
from naked_sqla.read.plan import (
    Attribute,
    Cell,
    Composite,
    Constant,
    Entity,
    Group,
    Joined,
    Plan,
    Polymorphic,
    Value,
    Variant,
)


class Base(DeclarativeBase):
    pass


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int, int]:
        return self.x, self.y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None  # type: ignore[assignment]


class User(Base):
    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    x: Mapped[int]
    y: Mapped[int]
    at: Mapped[Point] = composite("x", "y")


class Mood(Enum):
    FINE = 1
    SAD = 2


def mood(value: Any) -> Mood | None:
    return None if value is None else Mood(value)


def user(*keys: str, convert: dict[str, Any] | None = None, **more: Any) -> Entity:
    attributes = tuple(
        Attribute(key, Cell(i, (convert or {}).get(key)), more.get(f"coerce_{key}"))
        for i, key in enumerate(keys)
    )
    composites = more.get("composites", ())
    loaded = (*keys, *(c.key for c in composites))
    return Entity(
        naked_class(inspect(User), loaded),
        identity=(attributes[0].cell,),
        attributes=attributes,
        composites=composites,
        partial=more.get("partial", True),
        reconstructor=more.get("reconstructor"),
    )


def golden(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_golden_one_entity() -> None:
    assert source_of(Plan(2, (user("id", "name"),), scalar=True)) == golden(
        """
        def hydrate(rows):
            result = []
            append = result.append
            try:
                for c0, c1, in rows:
                    if c0 is None:
                        e0 = None
                    else:
                        e0 = make_0()
                        e0.id = c0
                        e0.name = c1
                    append(e0)
            except Exception as error:
                explain_1(error, locals())
                raise
            return result
        """
    )


def test_golden_columns_and_conversions() -> None:
    plan = Plan(3, (Value("id", Cell(0)), Value("mood", Cell(2, mood))), scalar=False)
    assert source_of(plan) == golden(
        """
        def hydrate(rows):
            result = []
            append = result.append
            try:
                for c0, _, c2, in rows:
                    append((c0, convert_0(c2),))
            except Exception as error:
                explain_1(error, locals())
                raise
            return result
        """
    )


def test_golden_composite_and_group() -> None:
    entity = user("id", "x", "y", composites=(Composite("at", ("x", "y"), Point),))
    plan = Plan(3, (entity, Group("pair", (Value("x", Cell(1)),), tuple)), scalar=False)
    assert source_of(plan) == golden(
        """
        def hydrate(rows):
            result = []
            append = result.append
            try:
                for c0, c1, c2, in rows:
                    if c0 is None:
                        e0 = None
                    else:
                        e0 = make_0()
                        e0.id = c0
                        e0.x = c1
                        e0.y = c2
                        set_2(e0, composite_1(c1, c2))
                    append((e0, bundle_3((c1,)),))
            except Exception as error:
                explain_4(error, locals())
                raise
            return result
        """
    )


def test_golden_polymorphic() -> None:
    plan = Plan(2, (_polymorphic(),), scalar=True)
    assert source_of(plan) == golden(
        """
        def hydrate(rows):
            result = []
            append = result.append
            try:
                for c0, c1, in rows:
                    d1 = c1
                    n2 = variants_0.get(d1, -1)
                    if n2 == 0:
                        if c0 is None:
                            e0 = None
                        else:
                            e0 = make_1()
                            e0.id = c0
                            e0.name = c1
                    elif c0 is None:
                        e0 = None
                    else:
                        refuse_2(d1, (c0,))
                    append(e0)
            except Exception as error:
                explain_3(error, locals())
                raise
            return result
        """
    )


def _with_friends() -> Entity:
    friend = Entity(
        naked_class(inspect(User), ("id",)), (Cell(1),), (Attribute("id", Cell(1)),), (), True, None
    )
    return Entity(
        naked_class(inspect(User), ("id", "friends")),
        (Cell(0),),
        (Attribute("id", Cell(0)),),
        joined=(Joined("friends", friend, Collection(list, attrgetter("append"), list)),),
    )


def test_golden_joined_collection() -> None:
    plan = Plan(2, (_with_friends(),), scalar=True, unify=True)
    assert source_of(plan) == golden(
        """
        def hydrate(rows):
            result = []
            append = result.append
            seen1 = {}
            adders5 = {}
            seen7 = {}
            pairs10 = set()
            first11 = {}
            last12 = None
            try:
                for c0, c1, in rows:
                    if c0 is None:
                        e0 = None
                    else:
                        i2 = c0
                        e0 = seen1.get(i2)
                        f3 = e0 is None
                        if f3:
                            e0 = make_0()
                            e0.id = c0
                            seen1[i2] = e0
                            l4 = collection_1()
                            e0.friends = l4
                            adders5[i2] = appender_2(l4)
                        if c1 is None:
                            e6 = None
                        else:
                            i8 = c1
                            e6 = seen7.get(i8)
                            f9 = e6 is None
                            if f9:
                                e6 = make_3()
                                e6.id = c1
                                seen7[i8] = e6
                        if e6 is not None:
                            if f9:
                                first11[i8] = i2
                                adders5[i2](e6)
                            elif first11[i8] != i2 and (i2, i8) not in pairs10:
                                pairs10.add((i2, i8))
                                adders5[i2](e6)
                    if e0 is not last12 or e0 is None:
                        append(e0)
                        last12 = e0
            except Exception as error:
                explain_4(error, locals())
                raise
            return result
        """
    )


def test_a_joined_collection_whose_rows_lie_apart() -> None:
    hydrate = hydrator(Plan(2, (_with_friends(),), scalar=True, unify=True))
    rows = [(1, 7), (2, 8), (2, 7), (1, 8), (1, 7), (1, 8), (2, 8), (None, 9), (None, 9), (3, None)]
    found = hydrate(rows)
    # what unique() leaves of them
    one, two, nobody, three = {id(obj): obj for obj in found}.values()
    assert [friend.id for friend in one.friends] == [7, 8]
    assert [friend.id for friend in two.friends] == [8, 7]
    assert one.friends[0] is two.friends[1]
    assert (nobody, three.friends) == (None, [])


def _polymorphic() -> Polymorphic:
    return Polymorphic(
        name="User",
        column="user_account.name",
        discriminator=Cell(1),
        identity=(Cell(0),),
        variants=(
            Variant("user", user("id", "name"), "Mapper[User]"),
            Variant("other", None, "Mapper[Other]"),
        ),
    )


def test_entities() -> None:
    hydrate = hydrator(Plan(2, (user("id", "name"),), scalar=True))
    ann, missing = hydrate([(1, "ann"), (None, None)])
    assert (ann.id, ann.name, ann.__class__) == (1, "ann", User)
    assert missing is None
    assert hydrate([]) == []


@pytest.mark.parametrize(("partial", "expected"), [(True, False), (False, True)])
def test_an_entity_is_none_when_its_key_is_null(partial: bool, expected: bool) -> None:
    entity = user("id", "name", partial=partial)
    key = Entity(entity.naked, (Cell(0), Cell(1)), entity.attributes, (), entity.partial, None)
    (result,) = hydrator(Plan(2, (key,), scalar=True))([(1, None)])
    assert (result is None) is expected
    (result,) = hydrator(Plan(2, (key,), scalar=True))([(None, None)])
    assert result is None


def test_the_same_entity_twice_in_a_row_is_one_object() -> None:
    item = user("id", "name")
    ((left, right),) = hydrator(Plan(2, (item, item), scalar=False))([(1, "ann")])
    assert left is right


def test_each_row_is_a_new_object() -> None:
    first, second = hydrator(Plan(2, (user("id", "name"),), scalar=True))([(1, "a"), (1, "a")])
    assert first is not second


def test_a_composite_is_built_from_converted_values() -> None:
    entity = user(
        "id", "x", "y", convert={"x": int}, composites=(Composite("at", ("x", "y"), Point),)
    )
    (loaded,) = hydrator(Plan(3, (entity,), scalar=True))([(1, "3", 4)])
    assert loaded.at == Point(3, 4)
    loaded.at = Point(5, 6)
    assert (loaded.x, loaded.y) == (5, 6)


def test_a_coercion_is_not_called_with_none() -> None:
    seen: list[tuple[str, Any]] = []

    def coerce(key: str, value: Any) -> Any:
        seen.append((key, value))
        return [value]

    entity = user("id", "name", coerce_name=coerce)
    first, second = hydrator(Plan(2, (entity,), scalar=True))([(1, "a"), (2, None)])
    assert (first.name, second.name) == (["a"], None)
    assert seen == [("name", "a")]


def test_a_reconstructor_sees_the_loaded_object() -> None:
    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)

        @reconstructor
        def wake(self) -> None:
            self.awake = self.id * 10

    naked = naked_class(inspect(Thing), ("id",))
    entity = Entity(naked, (Cell(0),), (Attribute("id", Cell(0)),), (), True, Thing.wake)
    (thing,) = hydrator(Plan(1, (entity,), scalar=True))([(4,)])
    assert thing.awake == 40


def test_constants_and_polymorphic_rows() -> None:
    hydrate = hydrator(Plan(2, (_polymorphic(), Constant("token")), scalar=False))
    ((loaded, token), (missing, _)) = hydrate([(1, "user"), (None, None)])
    assert (loaded.name, token, missing) == ("user", None, None)


@pytest.mark.parametrize(
    ("row", "error", "text"),
    [
        ((1, None), InvalidRequestError, "is NULL"),
        ((1, "other"), InvalidRequestError, "not a sub-mapper"),
        ((1, "martian"), ConversionError, "no mapped class has this polymorphic identity"),
    ],
)
def test_a_row_of_no_class_is_refused(row: Any, error: type[Exception], text: str) -> None:
    hydrate = hydrator(Plan(2, (_polymorphic(),), scalar=True))
    with pytest.raises(error, match=text):
        hydrate([row])


def test_a_conversion_failure_names_entity_attribute_value_and_the_generated_line() -> None:
    hydrate = hydrator(Plan(2, (user("id", "name", convert={"name": mood}),), scalar=True))
    with pytest.raises(ConversionError) as caught:
        hydrate([(1, 1), (2, 7)])
    error = caught.value
    assert (error.target, error.attribute, error.value) == ("User", "name", 7)
    assert "User.name" in str(error)
    assert "7 is not a valid Mood" in str(error)
    assert isinstance(error, ValueError)
    shown = "".join(traceback.format_exception(error))
    assert "e0.name = convert_" in shown
    assert "7 is not a valid Mood" in repr(error.__cause__)


def test_a_long_value_is_cut_in_the_message() -> None:
    hydrate = hydrator(Plan(2, (user("id", "name", convert={"name": mood}),), scalar=True))
    with pytest.raises(ConversionError, match=r"\.\.\. \(10002 characters\)"):
        hydrate([(1, "x" * 10_000)])


def test_an_error_that_is_no_conversion_comes_out_as_it_is() -> None:
    def broken(obj: Any) -> None:
        raise ZeroDivisionError("in the reconstructor")

    hydrate = hydrator(Plan(1, (user("id", reconstructor=broken),), scalar=True))
    with pytest.raises(ZeroDivisionError, match="in the reconstructor"):
        hydrate([(1,)])


def test_the_source_leaves_linecache_with_the_function() -> None:
    hydrate: Any = hydrator(Plan(1, (Value("only", Cell(0)),), scalar=False))
    filename = hydrate.__code__.co_filename
    assert filename.startswith("<naked_sqla hydrator")
    assert linecache.getline(filename, 1) == "def hydrate(rows):\n"
    linecache.checkcache()
    assert linecache.getline(filename, 1) == "def hydrate(rows):\n"
    del hydrate
    gc.collect()
    assert filename not in linecache.cache


def test_attribute_names_that_are_python_keywords() -> None:
    class Odd(Base):
        __tablename__ = "odd"
        id: Mapped[int] = mapped_column(primary_key=True)

    Odd.__mapper__.add_property("class", Odd.__table__.c.id)
    naked = naked_class(inspect(Odd), ("class",))
    entity = Entity(naked, (Cell(0),), (Attribute("class", Cell(0)),))
    (loaded,) = hydrator(Plan(1, (entity,), scalar=True))([(3,)])
    assert getattr(loaded, "class") == 3
    with pytest.raises(NotLoadedError):
        loaded.id  # noqa: B018


def test_wide_rows() -> None:
    plan = Plan(400, tuple(Value(f"v{i}", Cell(i)) for i in range(400)), scalar=False)
    ((*values,),) = hydrator(plan)([range(400)])
    assert values == list(range(400))
