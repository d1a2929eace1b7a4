"""The generated code: golden sources, tracebacks, and what stays behind of it."""

from __future__ import annotations

import gc
import linecache
import textwrap
import traceback
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pydantic
import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import TypedDict

from naked_sqla.exception import ConversionError
from naked_sqla.into.emitting import filler, source_of
from naked_sqla.into.fields import Style
from naked_sqla.into.filling import Record
from naked_sqla.into.matching import match
from naked_sqla.into.row_shape import Column, Computed, EntityName, RowShape, Structure
from naked_sqla.objects.naked import naked_class
from naked_sqla.read.plan import Attribute, Cell, Entity


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def upper(value: Any) -> Any:
    return value.upper()


def column(name: str, index: int, convert: Any = None) -> Column:
    return Column((name,), name, Cell(index, convert))


def thing(start: int, *names: str, convert: Any = None) -> Structure:
    columns = tuple(column(name, start + i, convert) for i, name in enumerate(names))
    cells = [item.cell or Cell(0) for item in columns]
    entity = Entity(
        naked=naked_class(inspect(Thing), names),
        identity=(cells[0],),
        attributes=tuple(Attribute(name, cell) for name, cell in zip(names, cells, strict=True)),
    )
    return Structure(
        "Thing", (EntityName("thing"),), entity, Thing, None, columns, identity=entity.identity
    )


def source(record: Record, width: int) -> str:
    return "\n" + source_of(record, width)


def golden(text: str) -> str:
    return "\n" + textwrap.dedent(text).lstrip("\n")


@dataclass
class Item:
    id: int
    name: str


@dataclass
class Holder:
    title: str
    thing: Item | None


class Model(pydantic.BaseModel):
    id: int
    name: str = "x"
    rest: list[int] = []


class Outer(pydantic.BaseModel):
    title: str
    thing: Model


class Pair(NamedTuple):
    id: int
    name: str = "x"


class Entry(TypedDict):
    id: int
    name: str


TWO = RowShape(3, (column("name", 2, upper), column("id", 0)))


def test_golden_dataclass() -> None:
    record = replace(match(Item, TWO), style=Style.STORE)
    assert source(record, 3) == golden(
        """
        def fill(rows):
            result = []
            append = result.append
            try:
                for c0, _, c2, in rows:
                    e0 = make_1()
                    e0.id = c0
                    e0.name = convert_0(c2)
                    append(e0)
            except Exception as error:
                explain_2(error, locals())
                raise
            return result
        """
    )


@pytest.mark.parametrize(
    ("cls", "style", "made"),
    [
        (Item, Style.CALL, "cls_1(c0, convert_0(c2))"),
        (Pair, Style.TUPLE, "new_1(cls_2, (c0, convert_0(c2),))"),
        (Entry, Style.DICT, "{'id': c0, 'name': convert_0(c2)}"),
        (Model, Style.VALIDATE, "validate_cls_1({'id': c0, 'name': convert_0(c2)})"),
        (Model, Style.MODEL_CONSTRUCT, "cls_1.model_construct(id=c0, name=convert_0(c2))"),
    ],
)
def test_golden_ways_to_make_an_object(cls: Any, style: Style, made: str) -> None:
    record = replace(match(cls, TWO), style=style)
    assert f"append({made})\n" in source(record, 3)


def test_golden_model_without_validation() -> None:
    assert source(match(Model, RowShape(1, (column("id", 0),)), False), 1) == golden(
        """
        def fill(rows):
            result = []
            append = result.append
            try:
                for c0, in rows:
                    e0 = make_0()
                    d1 = e0.__dict__
                    d1['id'] = c0
                    d1['name'] = default_1
                    d1['rest'] = default_2()
                    set_4(e0, filled_3.copy())
                    set_5(e0, None)
                    set_6(e0, None)
                    append(e0)
            except Exception as error:
                explain_7(error, locals())
                raise
            return result
        """
    )


def test_golden_nested() -> None:
    row_shape = RowShape(3, (column("title", 0), thing(1, "id", "name", convert=upper)))
    record = match(Holder, row_shape)
    (title, nested) = record.fillings
    inner = replace(nested.source, style=Style.CALL)  # type: ignore[type-var]
    record = replace(record, style=Style.CALL, fillings=(title, replace(nested, source=inner)))
    assert source(record, 3) == golden(
        """
        def fill(rows):
            result = []
            append = result.append
            try:
                for c0, c1, c2, in rows:
                    k0 = convert_0(c1)
                    if k0 is None:
                        n1 = None
                    else:
                        n1 = cls_1(k0, convert_0(c2))
                    append(cls_2(c0, n1))
            except Exception as error:
                explain_3(error, locals())
                raise
            return result
        """
    )


def test_golden_nested_models_are_validated_at_once() -> None:
    row_shape = RowShape(3, (column("title", 0), thing(1, "id", "name")))
    assert source(match(Outer, row_shape), 3) == golden(
        """
        def fill(rows):
            result = []
            append = result.append
            validate_cls_1 = cls_1.__pydantic_validator__.validate_python
            try:
                for c0, c1, c2, in rows:
                    if c1 is None:
                        absent_0()
                    else:
                        n0 = {'id': c1, 'name': c2}
                    append(validate_cls_1({'title': c0, 'thing': n0}))
            except Exception as error:
                explain_2(error, locals())
                raise
            return result
        """
    )
    with pytest.raises(pydantic.ValidationError, match=r"thing\.id"):
        filler(match(Outer, row_shape), 3)([("x", "no number", "y")])


def test_golden_naked_object() -> None:
    @dataclass
    class Naked:
        title: str
        thing: Any

    row_shape = RowShape(3, (column("title", 0), thing(1, "id", "name")))
    record = replace(match(Naked, row_shape), style=Style.CALL)
    said = source(record, 3)
    assert "    rows = [*rows]\n" in said
    assert "for (c0, _, _,), w0 in zip(rows, hydrate_0(rows)):" in said
    assert "append(cls_1(c0, w0))" in said
    (one,) = filler(record, 3)(iter([("x", 1, "y")]))
    assert isinstance(one.thing, Thing)
    assert one.thing.name == "y"


def test_several_naked_objects() -> None:
    @dataclass
    class Naked:
        thing: Any
        other: Any

    other = replace(thing(2, "id", "name"), names=(EntityName("other"),))
    record = match(Naked, RowShape(4, (thing(0, "id", "name"), other)))
    one, two = filler(record, 4)([(1, "a", 2, "b"), (None, None, 3, "c")])
    assert (one.thing.name, one.other.name, two.thing, two.other.name) == ("a", "b", None, "c")


def test_composites() -> None:
    @dataclass
    class Out:
        both: Any

    columns = (column("x", 0, upper), column("y", 1))
    cells = tuple(item.cell for item in columns if item.cell)
    whole = replace(
        thing(0, "id", "name"),
        columns=columns,
        computed=(Computed("both", complex, ("x", "y"), cells),),
    )
    record = replace(match(Out, RowShape(2, (whole,))), style=Style.CALL)
    assert "append(cls_2(composite_1(convert_0(c0), c1)))" in source(record, 2)


def test_a_value_that_can_not_be_converted_is_named_and_its_line_is_shown() -> None:
    load = filler(match(Item, TWO), 3)
    with pytest.raises(ConversionError) as caught:
        load([(1, None, "fine"), (2, None, 5)])
    error = caught.value
    assert (error.target, error.attribute, error.value) == ("Item", "name", 5)
    shown = "".join(traceback.format_exception(error))
    assert "convert_0(c2)" in shown
    assert "<naked_sqla into" in shown


def test_a_value_in_a_nested_object_is_named_by_its_class() -> None:
    row_shape = RowShape(3, (column("title", 0), thing(1, "id", "name", convert=upper)))
    with pytest.raises(ConversionError) as caught:
        filler(match(Holder, row_shape), 3)([("x", "1", 7)])
    assert (caught.value.target, caught.value.attribute) == ("Item", "name")


def test_the_source_goes_with_the_function() -> None:
    load = filler(match(Item, TWO), 3)
    name = load.__code__.co_filename  # type: ignore[attr-defined]
    assert name in linecache.cache
    del load
    gc.collect()
    assert name not in linecache.cache
