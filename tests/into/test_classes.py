"""What each kind of class may say about its fields: aliases, defaults, extras, and what it refuses.

Rows are given as the driver gives them, so that no database is needed.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import namedtuple
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Annotated, Any, Generic, NamedTuple, NotRequired, Required, TypeVar

import attrs
import msgspec
import pydantic
import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import ReadOnly, TypedDict

from naked_sqla.exception import RowMismatch
from naked_sqla.into.emitting import filler
from naked_sqla.into.fields import Style
from naked_sqla.into.matching import match
from naked_sqla.into.row_shape import Column, EntityName, RowShape, Structure
from naked_sqla.into.targets import target_of
from naked_sqla.read.plan import Cell, Value


def row_shape(*names: str) -> RowShape:
    """Rows with these columns, in this order."""
    columns = (Column((name,), name, Cell(i)) for i, name in enumerate(names))
    return RowShape(len(names), tuple(columns))


def made(cls: Any, validate: bool = True, /, **row: Any) -> Any:
    """An object of a class, from one row."""
    record = match(cls, row_shape(*row), validate)
    (one,) = filler(record, len(row))([tuple(row.values())])
    return one


def style(cls: Any, *names: str, validate: bool = True) -> Style:
    return match(cls, row_shape(*names), validate).style


def refused(cls: Any, *names: str) -> str:
    """What is said when a class can't be filled from these columns: it names both sides."""
    with pytest.raises(RowMismatch) as caught:
        match(cls, row_shape(*names))
    said = str(caught.value)
    assert isinstance(caught.value, TypeError)
    assert cls.__name__ in said
    return said


# ---------------------------------------------------------------- dataclasses


@dataclass
class Simple:
    a: int
    b: str = "b"


@dataclass(slots=True)
class Slotted:
    a: int
    b: str = "b"


@dataclass(frozen=True)
class Frozen:
    a: int
    b: str = "b"


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    a: int
    b: str = "b"


@dataclass(kw_only=True)
class KeywordOnly:
    a: int
    b: str = "b"


@dataclass
class Inherited(Simple):
    c: list[int] = field(default_factory=list)
    d: int = field(default=4, kw_only=True)


@dataclass(frozen=True)
class FrozenInherited(Frozen):
    c: int = 3


class WithProperty:
    @property
    def a(self) -> int:
        return vars(self)["kept"]

    @a.setter
    def a(self, value: int) -> None:
        vars(self)["kept"] = value


@dataclass
class OverProperty(WithProperty):
    a: int
    b: str = "b"


@dataclass(frozen=True)
class FrozenOverProperty(WithProperty):
    a: int
    b: str = "b"


@pytest.mark.parametrize(
    "cls",
    [
        Simple,
        Slotted,
        Frozen,
        FrozenSlots,
        KeywordOnly,
        Inherited,
        FrozenInherited,
        OverProperty,
        FrozenOverProperty,
    ],
)
def test_dataclasses_are_as_when_they_are_called(cls: Any) -> None:
    for row in ({"a": 1}, {"a": 1, "b": "x"}, {"b": "x", "a": 1}):
        got, wanted = made(cls, **row), cls(**row)
        assert got == wanted
        assert repr(got) == repr(wanted)
        assert type(got) is cls
        if hasattr(wanted, "__dict__"):
            assert vars(got) == vars(wanted)
    full = {item.name: 9 for item in dataclasses.fields(cls)}
    assert made(cls, **full) == cls(**full)


def test_dataclasses_are_made_the_fastest_way() -> None:
    assert style(Frozen, "a", "b") is Style.VARIABLES
    assert style(FrozenSlots, "a", "b") is Style.SLOTS
    assert style(Frozen, "a") is Style.CALL
    assert style(Simple, "a", "b") in (Style.STORE, Style.CALL)


def test_a_default_factory_makes_one_for_each_object() -> None:
    record = match(Inherited, row_shape("a"))
    one, other = filler(record, 1)([(1,), (2,)])
    assert one.c == []
    assert one.c is not other.c


@dataclass
class Computing:
    a: int
    factor: InitVar[int]
    total: int = field(init=False)

    def __post_init__(self, factor: int) -> None:
        self.total = self.a * factor


def test_init_variables_and_post_init() -> None:
    assert made(Computing, a=2, factor=3).total == 6
    assert "total is set by Computing itself" in refused(Computing, "a", "factor", "total")
    assert "no column for its field 'factor'" in refused(Computing, "a")


@dataclass(init=False)
class OwnInit:
    a: int

    def __init__(self, b: int) -> None:
        self.a = b + 1


def test_a_dataclass_with_its_own_init_is_called() -> None:
    assert made(OwnInit, b=1).a == 2


class Counting(type):
    calls = 0

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        Counting.calls += 1
        return super().__call__(*args, **kwargs)


@dataclass
class Counted(metaclass=Counting):
    a: int


@dataclass
class Shouting:
    a: str

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value.upper())


def test_nothing_of_a_class_is_passed_by() -> None:
    before = Counting.calls
    assert made(Counted, a=1).a == 1
    assert Counting.calls == before + 1
    assert made(Shouting, a="x").a == "X"


T = TypeVar("T")


@dataclass
class Box(Generic[T]):
    a: T


def test_a_parametrised_class() -> None:
    assert made(Box[int], a=1) == Box(1)


# ---------------------------------------------------------------- pydantic


class Aliased(pydantic.BaseModel):
    a: int = pydantic.Field(alias="theA")
    b: int = pydantic.Field(validation_alias="theB")
    c: int = pydantic.Field(default=3, serialization_alias="theC")
    d: int = pydantic.Field(4, validation_alias=pydantic.AliasChoices("d1", "d2"))


class ByName(Aliased):
    model_config = pydantic.ConfigDict(populate_by_name=True)


class NeverByAlias(Aliased):
    model_config = pydantic.ConfigDict(validate_by_alias=False, validate_by_name=True)


class Camel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=lambda name: name.title().replace("_", ""))

    first_name: str
    last_name: str = "x"


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("cls", [Aliased, ByName])
def test_fields_of_models_go_by_their_names_and_by_their_aliases(cls: Any, validate: bool) -> None:
    wanted = cls(theA=1, theB=2, d1=5)
    assert made(cls, validate, a=1, b=2, d=5) == wanted
    assert made(cls, validate, theA=1, theB=2, d2=5) == wanted
    assert made(cls, validate, theA=1, b=2, d1=5).model_fields_set == {"a", "b", "d"}
    with pytest.raises(RowMismatch, match=r"ambiguous: the statement has a, theA"):
        match(cls, row_shape("a", "theA", "b"), validate)


@pytest.mark.parametrize("validate", [True, False])
def test_a_model_that_is_validated_by_name_only(validate: bool) -> None:
    got = made(NeverByAlias, validate, a=1, b=2, c=5, d=6)
    assert (got.a, got.b, got.c, got.d) == (1, 2, 5, 6)


@pytest.mark.parametrize("validate", [True, False])
def test_generated_aliases(validate: bool) -> None:
    assert made(Camel, validate, first_name="a", LastName="b").model_dump() == {
        "first_name": "a",
        "last_name": "b",
    }


class Only(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    a: int


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: int


@pytest.mark.parametrize("validate", [True, False])
def test_extra_columns_of_models(validate: bool) -> None:
    class Ignoring(pydantic.BaseModel):
        a: int

    assert made(Ignoring, validate, a=1, more=2) == Ignoring(a=1)
    assert made(Open, validate, a=1, more=2) == Open(a=1, more=2)
    assert made(Open, validate, a=1, more=2).model_extra == {"more": 2}
    assert made(Open, validate, a=1).model_extra == {}
    said = refused(Only, "a", "more")
    assert "no field in Only for the column more" in said
    assert "The statement has a, more." in said


class Defaults(pydantic.BaseModel):
    a: int
    b: list[int] = [1]
    c: list[int] = pydantic.Field(default_factory=list)
    d: int = pydantic.Field(default_factory=lambda data: data["a"] + 1)
    e: str | None = None


def test_defaults_of_models_that_are_not_validated() -> None:
    for row in ({"a": 1}, {"a": 1, "c": [5]}):
        got, wanted = made(Defaults, False, **row), Defaults.model_construct(**row)
        assert got == wanted
        assert list(vars(got)) == list(vars(wanted))
        assert got.model_fields_set == wanted.model_fields_set
        assert got.__pydantic_extra__ == wanted.__pydantic_extra__
        assert got.__pydantic_private__ == wanted.__pydantic_private__
    one, other = filler(match(Defaults, row_shape("a"), False), 1)([(1,), (2,)])
    assert one.b is not other.b
    assert one.c is not other.c
    assert other.d == 3
    one.e = "set"
    assert (one.model_fields_set, other.model_fields_set) == ({"a", "e"}, {"a"})
    assert one.model_copy(deep=True) == one


class Private(pydantic.BaseModel):
    a: int
    _seen: list[int] = pydantic.PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any) -> None:
        self._seen.append(self.a)


class OwnConstruct(pydantic.BaseModel):
    a: int

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Any:
        return super().model_construct(_fields_set, **{k: v * 10 for k, v in values.items()})


class ModelWithNew(pydantic.BaseModel):
    a: int

    def __new__(cls, **values: Any) -> Any:
        made_by_new.append(cls)
        return super().__new__(cls)


made_by_new: list[type] = []


@pytest.mark.parametrize("validate", [True, False])
def test_a_model_with_its_own_new(validate: bool) -> None:
    made_by_new.clear()
    assert made(ModelWithNew, validate, a=1).a == 1
    assert made_by_new == [ModelWithNew]


@pytest.mark.parametrize("validate", [True, False])
def test_what_models_do_after_they_are_made(validate: bool) -> None:
    assert made(Private, validate, a=1)._seen == [1]
    assert made(OwnConstruct, validate, a=1).a == (1 if validate else 10)


def test_models_are_validated() -> None:
    assert made(Simple2, a="1").a == 1
    with pytest.raises(pydantic.ValidationError):
        made(Simple2, a="x")
    assert made(Simple2, False, a="x").a == "x"


class Simple2(pydantic.BaseModel):
    a: int


class InPath(pydantic.BaseModel):
    a: int = pydantic.Field(validation_alias=pydantic.AliasPath("data", 0))


class InPathOrByName(InPath):
    model_config = pydantic.ConfigDict(populate_by_name=True)


def test_an_alias_path_needs_the_column_it_starts_with() -> None:
    assert made(InPath, data=[7, 8]).a == 7
    assert made(InPathOrByName, a=7).a == 7
    assert "'a'" in refused(InPath, "a")


class Root(pydantic.RootModel[int]):
    pass


def test_a_root_model_has_no_fields() -> None:
    assert "RootModel" in refused(Root, "root")


@pydantic.dataclasses.dataclass
class Checked:
    a: int
    b: int = pydantic.Field(default=2, alias="theB")
    c: int = pydantic.Field(default=3, validation_alias=pydantic.AliasChoices("c1", "c2"))


def test_pydantic_dataclasses() -> None:
    assert made(Checked, a="1", b="3") == Checked(a=1, theB=3)
    assert made(Checked, a="1", theB="3") == Checked(a=1, theB=3)
    with pytest.raises(pydantic.ValidationError):
        made(Checked, a="x")


# ---------------------------------------------------------------- msgspec


class Struct(msgspec.Struct, rename="camel"):
    user_id: int
    full_name: str = "x"
    tags: list[str] = []


class StrictStruct(Struct, forbid_unknown_fields=True, kw_only=True, tag="cat", tag_field="kind"):
    age: int


class FrozenStruct(msgspec.Struct, frozen=True):
    a: int

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("negative")


def test_structs() -> None:
    assert made(Struct, user_id=1, fullName="y", other=3) == Struct(1, "y")
    assert made(StrictStruct, age=2, userId=1) == StrictStruct(1, age=2)
    assert made(StrictStruct, kind="cat", age=2, user_id=1, tags=["x"]) == StrictStruct(
        1, tags=["x"], age=2
    )
    assert "no field in StrictStruct for the column other" in refused(
        StrictStruct, "userId", "age", "other"
    )
    assert "no column for its field 'age'" in refused(StrictStruct, "userId")
    assert made(FrozenStruct, a=1) == FrozenStruct(1)
    with pytest.raises(ValueError, match="negative"):
        made(FrozenStruct, a=-1)


# ---------------------------------------------------------------- attrs


@attrs.define
class Attrs:
    _secret: int
    count: int = attrs.field(converter=int, validator=attrs.validators.ge(0))
    rest: list[int] = attrs.field(factory=list, kw_only=True)
    total: int = attrs.field(init=False, default=0)
    other: str = attrs.field(default="x", alias="another", kw_only=True)


def test_attrs_classes() -> None:
    wanted = Attrs(1, 2, another="y")
    assert made(Attrs, secret=1, count="2", other="y") == wanted
    assert made(Attrs, _secret=1, count="2", another="y") == wanted
    with pytest.raises(ValueError, match="must be >= 0"):
        made(Attrs, secret=1, count=-1)
    assert "total is set by Attrs itself" in refused(Attrs, "secret", "count", "total")
    assert "no column for its fields '_secret', 'count'" in refused(Attrs, "rest")


# ---------------------------------------------------------------- tuples and dictionaries


class Pair(NamedTuple):
    a: int
    b: int = 2
    c: None = None


class OwnNew(Pair):
    def __new__(cls, a: int) -> OwnNew:
        return super().__new__(cls, a, a)


Old = namedtuple("Old", ["a", "b"])


def test_named_tuples() -> None:
    assert made(Pair, a=1) == Pair(1)
    assert made(Pair, c=None, b=5, a=1) == Pair(1, 5)
    assert type(made(Pair, a=1)) is Pair
    assert made(OwnNew, a=4) == (4, 4, None)
    assert made(Old, b=1, a=2) == Old(2, 1)
    assert "no column for its field 'b'" in refused(Old, "a")
    assert "no field in Pair for the column d" in refused(Pair, "a", "d")


class Partial(TypedDict, total=False):
    a: Required[int]
    b: int


class Total(Partial):
    c: ReadOnly[int]
    d: NotRequired[Annotated[int, "x"]]


Loose = TypedDict("Loose", {"with space": int})


def test_typed_dicts() -> None:
    assert made(Total, c=1, a=2) == {"a": 2, "c": 1}
    assert made(Total, c=1, a=2, b=3, d=4) == {"a": 2, "b": 3, "c": 1, "d": 4}
    assert made(Loose, **{"with space": 1}) == {"with space": 1}
    assert "no column for its field 'a'" in refused(Total, "c")
    assert "no field in Partial for the column z" in refused(Partial, "a", "z")


# ---------------------------------------------------------------- any other class


@dataclass(init=False)
class NoInit:
    a: int


class Plain:
    def __init__(self, a: int, /, b: int = 2, *rest: int, c: int, **more: Any) -> None:
        self.values = (a, b, rest, c, more)


class Gap:
    def __init__(self, a: int, b: int = 2, c: int = 3, /, *, d: int = 4) -> None:
        self.values = (a, b, c, d)


def test_a_dataclass_without_init_takes_no_column() -> None:
    assert "no field in NoInit for the column a" in refused(NoInit, "a")


def test_plain_classes() -> None:
    assert made(Plain, a=1, c=3).values == (1, 2, (), 3, {})
    assert made(Plain, c=3, x=9, b=5, a=1).values == (1, 5, (), 3, {"x": 9})
    assert made(Plain, **{"a": 1, "c": 3, "not a name": 4}).values[-1] == {"not a name": 4}
    assert made(Gap, a=1, c=5).values == (1, 2, 5, 4)
    assert "no column for its field 'c'" in refused(Plain, "a")
    assert "no field in Gap for the column e" in refused(Gap, "a", "e")


@pytest.mark.parametrize("name", ["class", "rows", "result", "append", "c0", "cls_0", "é", "ﬁ"])
@pytest.mark.parametrize("make", ["dataclass", "plain", "model"])
def test_no_field_name_collides_with_the_generated_code(name: str, make: str) -> None:
    classes: dict[str, Callable[[], Any]] = {
        "dataclass": lambda: dataclasses.make_dataclass("Made", [("a", int), (name, int)]),
        "plain": lambda: Plain,
        "model": lambda: Open,
    }
    if make == "dataclass" and not (name.isidentifier() and name != "class" and name != "ﬁ"):
        return
    cls = classes[make]()
    got = made(cls, False, **{"a": 1, "c": 2, name: 3} if make == "plain" else {"a": 1, name: 3})
    if make == "dataclass":
        assert getattr(got, name) == 3
    elif make == "plain":
        assert got.values[-1] == {name: 3}
    else:
        assert got.model_extra == {name: 3}


# ---------------------------------------------------------------- what can't be filled


class MappedBase(DeclarativeBase):
    pass


class MappedClass(MappedBase):
    __tablename__ = "mapped"
    id: Mapped[int] = mapped_column(primary_key=True)


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize("wrong", ["Simple", Simple(1), None, 3, made])
def test_what_is_no_class(wrong: Any) -> None:
    with pytest.raises(RowMismatch, match="is not a class that rows can fill"):
        target_of(wrong)


@pytest.mark.parametrize("wrong", [int, str, dict, list, tuple])
def test_classes_without_fields_of_their_own(wrong: Any) -> None:
    with pytest.raises(RowMismatch, match=rf"{wrong.__name__}"):
        match(wrong, row_shape("a"))


def test_a_mapped_class_is_for_scalars() -> None:
    with pytest.raises(RowMismatch, match=r"scalars\(select\(MappedClass\)\)"):
        target_of(MappedClass)


def test_both_sides_are_named() -> None:
    said = refused(Simple, "b", "x", "y")
    assert said == (
        "Simple can't be filled from the statement: no column for its field 'a'; no field in "
        "Simple for the columns x, y. Simple has the fields a, b (optional). The statement has b, "
        "x, y. Next: select 'a' (a label names any expression: .label(\"a\")), or give it a "
        "default; leave x, y out of the statement, or add them to Simple. "
        "(docs: errors#rowmismatch)"
    )


# ---------------------------------------------------------------- classes that are completed late


class LateModel(pydantic.BaseModel):
    a: int
    inner: LateInner | None = None


class LateStrict(pydantic.BaseModel, extra="forbid"):
    inner: LateInner


class LateStruct(msgspec.Struct):
    a: int
    inner: LateInnerStruct | None = None


@dataclass
class LateData:
    a: int
    inner: LateInnerData


# complete only from here on
assert not LateModel.__pydantic_complete__
assert not LateStrict.__pydantic_complete__


class LateInner(pydantic.BaseModel):
    b: int
    again: LateModel | None = None


class LateInnerStruct(msgspec.Struct):
    b: int


@dataclass
class LateInnerData:
    b: int


def entity(name: str, *keys: str, at: int = 0) -> Structure:
    """What an entity that goes by a name row_shape; its first column is its primary key."""
    cells = [Cell(at + n) for n, _ in enumerate(keys)]
    return Structure(
        shown=name,
        names=(EntityName(name),),
        item=Value(name, cells[0]),
        model=None,
        entity=name,
        columns=tuple(Column((k,), f"{name}.{k}", c) for k, c in zip(keys, cells, strict=True)),
        identity=(cells[0],),
    )


A_AND_INNER = RowShape(2, (Column(("a",), "a", Cell(0)), entity("inner", "b", at=1)))


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize(
    ("cls", "inner"),
    [(LateModel, LateInner), (LateStruct, LateInnerStruct), (LateData, LateInnerData)],
)
def test_a_class_that_is_completed_late(cls: Any, inner: Any, validate: bool) -> None:
    """A forward reference is resolved when the class is first filled."""
    one, none = filler(match(cls, A_AND_INNER, validate), 2)([(1, 2), (3, 4)])
    assert (one, none) == (cls(a=1, inner=inner(b=2)), cls(a=3, inner=inner(b=4)))
    assert type(one.inner) is inner


def test_a_nested_class_that_is_completed_late() -> None:
    row = RowShape(1, (entity("inner", "b"),))
    (one,) = filler(match(LateStrict, row), 1)([(5,)])
    assert one == LateStrict(inner=LateInner(b=5))
    assert type(one.inner) is LateInner


@pytest.mark.parametrize("validate", [True, False])
def test_a_class_that_is_completed_by_hand(validate: bool) -> None:
    """What pydantic can't find by itself is named, with what to do."""

    class Outer(pydantic.BaseModel):
        a: int
        inner: LocalInner | None = None  # type: ignore[name-defined]  # noqa: F821

    class OuterStruct(msgspec.Struct):
        inner: LocalInner  # type: ignore[name-defined]  # noqa: F821

    class Local(pydantic.BaseModel):
        b: int

    for cls in (Outer, OuterStruct):
        with pytest.raises(RowMismatch) as caught:
            match(cls, A_AND_INNER, validate)
        said = str(caught.value)
        assert f"{cls.__name__} can't be filled yet: its annotations name 'LocalInner'" in said
        assert f"define it there{', or call' if cls is Outer else '.'}" in said
    Outer.model_rebuild(_types_namespace={"LocalInner": Local})
    (one,) = filler(match(Outer, A_AND_INNER, validate), 2)([(1, 2)])
    assert one == Outer(a=1, inner=Local(b=2))
    assert type(one.inner) is Local


def test_a_model_that_is_rebuilt() -> None:
    """A function that was made before takes the new validator."""

    class Rebuilt(pydantic.BaseModel):
        a: int

    fill = filler(match(Rebuilt, row_shape("a")), 1)
    assert fill([("1",)]) == [Rebuilt(a=1)]
    Rebuilt.model_fields["a"].annotation = str  # type: ignore[assignment]
    Rebuilt.model_rebuild(force=True)
    assert fill([("1",)])[0].a == "1"


def test_an_annotation_that_hides_a_class_behind_an_ambiguous_column() -> None:
    @dataclass
    class Hidden:
        a: int
        inner: Nowhere | None = None  # type: ignore[name-defined]  # noqa: F821

    both = RowShape(2, (Column(("a",), "a", Cell(0)), entity("inner", "a", at=1)))
    with pytest.raises(RowMismatch, match=r"Hidden\.a is ambiguous") as caught:
        match(Hidden, both)
    assert "inner: its annotation 'Nowhere | None' can't be resolved" in str(caught.value)


# ---------------------------------------------------------------- what no other test would notice


class Inner(NamedTuple):
    b: int


class WithInner(NamedTuple):
    a: int
    inner: Inner
    rest: str = "x"


class WithInnerDict(TypedDict):
    a: int
    inner: Inner


@attrs.define
class WithInnerAttrs:
    a: int
    _inner: Inner


class WithInnerPlain:
    def __init__(self, a: int, inner: Inner) -> None:
        self.values = (a, inner)


class WithInnerStruct(msgspec.Struct, rename="upper"):
    a: int
    inner: Inner


class WithInnerModel(pydantic.BaseModel):
    a: int
    inner: Inner


def test_annotations_say_what_is_nested_in_each_kind_of_class() -> None:
    def one(cls: Any) -> Any:
        return filler(match(cls, A_AND_INNER), 2)([(1, 2)])[0]

    inner = Inner(2)
    assert one(WithInner) == (1, inner, "x")
    assert one(WithInnerDict) == {"a": 1, "inner": inner}
    assert one(WithInnerAttrs) == WithInnerAttrs(1, inner)
    assert one(WithInnerPlain).values == (1, inner)
    assert one(WithInnerStruct) == WithInnerStruct(1, inner)
    assert one(WithInnerModel) == WithInnerModel(a=1, inner=inner)
    for cls in (WithInner, WithInnerDict, WithInnerAttrs, WithInnerStruct, WithInnerModel):
        made = one(cls)
        held = made["inner"] if isinstance(made, dict) else getattr(made, "inner", None)
        assert type(held or made._inner) is Inner


def test_named_tuples_are_made_without_a_call() -> None:
    assert style(Pair, "a") is Style.TUPLE
    assert style(Old, "a", "b") is Style.TUPLE
    assert style(OwnNew, "a") is Style.CALL


def test_a_key_that_is_read_only_is_required() -> None:
    assert "no column for its field 'c'" in refused(Total, "a")
    assert "c, d (optional)" in refused(Total, "a")


def test_validate_is_the_default() -> None:
    assert target_of(Simple2).style is Style.VALIDATE
    assert target_of(Simple2, False).style is Style.CONSTRUCT
    assert target_of(OwnConstruct, False).style is Style.MODEL_CONSTRUCT
