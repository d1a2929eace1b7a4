"""Every way to declare a mapping: bases, decorators, imperative, dataclasses, mixins."""

from __future__ import annotations

import dataclasses
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeBaseNoMeta,
    Mapped,
    MappedAsDataclass,
    declarative_base,
    declared_attr,
    deferred,
    mapped_column,
    registry,
    relationship,
)

# --- MappedAsDataclass ---------------------------------------------------------------------------


class DataBase(MappedAsDataclass, DeclarativeBase):
    pass


class DataPoint(DataBase):
    """The usual dataclass: a generated key, a default, a default factory."""

    __tablename__ = "data_points"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    x: Mapped[int]
    y: Mapped[int | None] = mapped_column(default=None)
    label: Mapped[str] = mapped_column(String(20), default="none")
    note: Mapped[str | None] = mapped_column(default_factory=lambda: "made", repr=False)


class DataParent(DataBase):
    __tablename__ = "data_parents"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(compare=False)
    children: Mapped[list[DataChild]] = relationship(
        default_factory=list, back_populates="parent", repr=False, compare=False
    )


class DataChild(DataBase):
    __tablename__ = "data_children"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("data_parents.id"), default=None)
    parent: Mapped[DataParent | None] = relationship(
        default=None, back_populates="children", repr=False, compare=False
    )


class KwOnly(DataBase, kw_only=True, repr=False, order=True):
    __tablename__ = "data_kw_only"

    name: Mapped[str | None] = mapped_column(default="somebody")
    id: Mapped[int] = mapped_column(primary_key=True)


class NoInit(DataBase, init=False, eq=False):
    __tablename__ = "data_no_init"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class Hashable(DataBase, unsafe_hash=True):
    __tablename__ = "data_hashable"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(hash=False, default=None)


class PostInit(DataBase):
    """``__post_init__`` belongs to construction, not to loading."""

    __tablename__ = "data_post_init"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="x")
    secret: Mapped[str | None] = mapped_column(
        default="s", deferred=True, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self.name = f"{self.name} (constructed)"


# --- decorators ----------------------------------------------------------------------------------

decorated = registry()


@decorated.mapped
class Decorated:
    __tablename__ = "decorated"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]

    def shout(self) -> str:
        return str(self.name).upper()


@decorated.mapped_as_dataclass(kw_only=True)
class DecoratedData:
    __tablename__ = "decorated_data"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(default=None)


# --- imperative ----------------------------------------------------------------------------------

imperative = registry(metadata=MetaData())


class Imperative:
    """A plain class with a demanding constructor."""

    def __init__(self, name: str) -> None:
        self.title = name

    def shout(self) -> str:
        return f"{self.title}!"


@dataclasses.dataclass
class ImperativeData:
    id: int
    name: str | None = None
    extra: list[int] = dataclasses.field(default_factory=list, repr=False, compare=False)


imperative_table = Table(
    "imperative",
    imperative.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(30), key="nom"),
    Column("note", String(30)),
)
imperative_data_table = Table(
    "imperative_data",
    imperative.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(30)),
)
imperative.map_imperatively(
    Imperative,
    imperative_table,
    properties={
        "title": imperative_table.c.nom,
        "remark": deferred(imperative_table.c.note),
    },
)
imperative.map_imperatively(ImperativeData, imperative_data_table)


# --- the legacy base, the base without a metaclass -----------------------------------------------

LegacyBase: Any = declarative_base()


class Legacy(LegacyBase):
    __tablename__ = "legacy"

    id = Column(Integer, primary_key=True)
    name = Column(String(30))
    _private = Column("private", String(30))


class NoMetaBase(DeclarativeBaseNoMeta):
    pass


class NoMeta(NoMetaBase):
    __tablename__ = "no_meta"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


# --- mixins, abstract and generic bases ----------------------------------------------------------


class MixinBase(DeclarativeBase):
    def describe(self) -> str:
        return "base"


class Named:
    name: Mapped[str | None] = mapped_column(String(40))

    @declared_attr.directive
    def __tablename__(cls) -> str:
        return f"mixed_{cls.__name__.lower()}"

    @declared_attr
    def lowered(cls) -> Mapped[str | None]:
        return mapped_column("lowered_name", String(40))

    def describe(self) -> str:
        return f"named {self.name}, {super().describe()}"  # type: ignore[misc]


class SlottedMixin:
    __slots__ = ()

    def slotted(self) -> str:
        return "slotted"


class AbstractThing(MixinBase):
    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)

    def describe(self) -> str:
        return f"thing {self.id}, {super().describe()}"


class Mixed(Named, SlottedMixin, AbstractThing):
    extra: Mapped[str | None]

    def describe(self) -> str:
        return f"mixed, {super().describe()}"


T = TypeVar("T")


class Repository(Generic[T]):
    def kind(self) -> str:
        return "generic"


class GenericThing(Repository[int], Named, AbstractThing):
    value: Mapped[int | None]
