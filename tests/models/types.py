"""Column types: whatever a result processor can do to a value, NULL included."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.mutable import MutableComposite, MutableDict, MutableList, MutableSet
from sqlalchemy.orm import DeclarativeBase, Mapped, composite, mapped_column
from sqlalchemy.types import TypeDecorator, UserDefinedType


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return type(other) is Money and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)

    def __repr__(self) -> str:
        return f"Money({self.cents})"


class MoneyType(TypeDecorator[Money]):
    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: Money | None, dialect: Any) -> int | None:
        return None if value is None else value.cents

    def process_result_value(self, value: int | None, dialect: Any) -> Money | None:
        return None if value is None else Money(value)


class EmptyForNull(TypeDecorator[str]):
    """NULL is read as the empty string, which is stored as NULL."""

    impl = sa.String(40)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value or None

    def process_result_value(self, value: str | None, dialect: Any) -> str:
        return value or ""


class LevelType(TypeDecorator[Level]):
    impl = sa.SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Level | None, dialect: Any) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Any) -> Level | None:
        return None if value is None else Level(value)


class TagKey(UserDefinedType[tuple[str, int]]):
    """A type of its own, with processors made by hand, used as a primary key."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "VARCHAR(40)"

    def bind_processor(self, dialect: Any) -> Any:
        return lambda value: None if value is None else f"{value[0]}:{value[1]}"

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        def process(value: str | None) -> tuple[str, int] | None:
            if value is None:
                return None
            name, _, number = value.partition(":")
            return name, int(number)

        return process


class Upper(sa.types.TypeDecorator[str]):
    """An SQL expression on the way in and on the way out."""

    impl = sa.String(40)
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:
        return sa.func.lower(bindparam, type_=sa.String)

    def column_expression(self, column: Any) -> Any:
        return sa.func.upper(column, type_=sa.String)


class MutablePoint(MutableComposite):
    def __init__(self, x: int | None, y: int | None) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int | None, int | None]:
        return self.x, self.y

    def __eq__(self, other: object) -> bool:
        return type(other) is MutablePoint and (other.x, other.y) == (self.x, self.y)

    def __hash__(self) -> int:
        return hash((self.x, self.y))

    def __repr__(self) -> str:
        return f"MutablePoint({self.x}, {self.y})"


class Base(DeclarativeBase):
    pass


class Sample(Base):
    __tablename__ = "samples"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None] = mapped_column(sa.Text)
    unicode: Mapped[str | None] = mapped_column(sa.Unicode(60))
    integer: Mapped[int | None]
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    real: Mapped[float | None]
    double: Mapped[float | None] = mapped_column(sa.Double)
    boolean: Mapped[bool | None]
    number: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(20, 6))
    number_float: Mapped[float | None] = mapped_column(sa.Numeric(12, 4, asdecimal=False))
    float_decimal: Mapped[decimal.Decimal | None] = mapped_column(
        sa.Float(asdecimal=True, decimal_return_scale=4)
    )
    date: Mapped[dt.date | None]
    time: Mapped[dt.time | None]
    moment: Mapped[dt.datetime | None]
    moment_tz: Mapped[dt.datetime | None] = mapped_column(sa.DateTime(timezone=True))
    interval: Mapped[dt.timedelta | None]
    uid: Mapped[uuid.UUID | None]
    uid_text: Mapped[str | None] = mapped_column(sa.Uuid(as_uuid=False))
    colour: Mapped[Colour | None]
    colour_value: Mapped[Colour | None] = mapped_column(
        sa.Enum(
            Colour,
            native_enum=False,
            length=10,
            values_callable=lambda kind: [member.value for member in kind],
        )
    )
    word: Mapped[str | None] = mapped_column(sa.Enum("yes", "no", name="word_enum"))
    level: Mapped[Level | None] = mapped_column(LevelType)
    blob: Mapped[bytes | None]
    pickled: Mapped[Any] = mapped_column(sa.PickleType, nullable=True)
    json: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    json_sql_null: Mapped[Any] = mapped_column(sa.JSON(none_as_null=True), nullable=True)
    money: Mapped[Money | None] = mapped_column(MoneyType)
    never_null: Mapped[str] = mapped_column(EmptyForNull, nullable=True)
    upper: Mapped[str | None] = mapped_column(Upper)


class Mutables(Base):
    """Types that wrap what they load so that the ORM can see changes inside."""

    __tablename__ = "mutables"

    id: Mapped[int] = mapped_column(primary_key=True)
    mapping: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(sa.JSON()))
    sequence: Mapped[list[Any] | None] = mapped_column(MutableList.as_mutable(sa.JSON()))
    collection: Mapped[set[Any] | None] = mapped_column(MutableSet.as_mutable(sa.PickleType()))
    px: Mapped[int | None]
    py: Mapped[int | None]
    point: Mapped[MutablePoint] = composite("px", "py")


class Keyed(Base):
    """The primary key goes through a type of its own."""

    __tablename__ = "keyed"

    key: Mapped[tuple[str, int]] = mapped_column(TagKey, primary_key=True)
    name: Mapped[str | None]


class UuidKeyed(Base):
    __tablename__ = "uuid_keyed"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    other: Mapped[uuid.UUID | None]
