"""Joined, single-table and concrete inheritance, polymorphic and not."""

from __future__ import annotations

import enum

from sqlalchemy import Column, Enum, ForeignKey, Integer, String, Table, case, func
from sqlalchemy.ext.declarative import AbstractConcreteBase
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    column_property,
    mapped_column,
    relationship,
)


class Base(DeclarativeBase):
    pass


# --- joined --------------------------------------------------------------------------------------


class Person(Base):
    __tablename__ = "persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    firm_id: Mapped[int | None] = mapped_column(ForeignKey("firms.id"))
    firm: Mapped[Firm | None] = relationship(back_populates="people")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

    def title(self) -> str:
        return f"{self.name}"


class Engineer(Person):
    __tablename__ = "engineers"

    id: Mapped[int] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    language: Mapped[str | None]
    note: Mapped[str | None] = mapped_column("engineer_note", deferred=True)
    __mapper_args__ = {"polymorphic_identity": "engineer"}

    def title(self) -> str:
        return f"Ing. {super().title()}"


class Manager(Person):
    __tablename__ = "managers"

    id: Mapped[int] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    budget: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "manager", "polymorphic_load": "inline"}


class Director(Manager):
    __tablename__ = "directors"

    manager_id: Mapped[int] = mapped_column(ForeignKey("managers.id"), primary_key=True)
    car: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "director"}


class Firm(Base):
    __tablename__ = "firms"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    people: Mapped[list[Person]] = relationship(back_populates="firm", order_by="Person.id")


class Vessel(Base):
    """Joined, and always queried with all of its subclasses."""

    __tablename__ = "vessels"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    kind: Mapped[str]
    __mapper_args__ = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "vessel",
        "with_polymorphic": "*",
    }


class Ship(Vessel):
    __tablename__ = "ships"

    id: Mapped[int] = mapped_column(ForeignKey("vessels.id"), primary_key=True)
    masts: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "ship"}


class Submarine(Vessel):
    __tablename__ = "submarines"

    id: Mapped[int] = mapped_column(ForeignKey("vessels.id"), primary_key=True)
    depth: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "submarine"}


class Plant(Base):
    """Joined; a subclass asks for a second SELECT, which nobody wrote."""

    __tablename__ = "plants"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "plant"}


class Tree(Plant):
    __tablename__ = "trees"

    id: Mapped[int] = mapped_column(ForeignKey("plants.id"), primary_key=True)
    height: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "tree", "polymorphic_load": "selectin"}


class Machine(Base):
    """Joined in three levels; a subclass has other columns under its parents' names."""

    __tablename__ = "machines"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    note: Mapped[str | None]
    parts: Mapped[list[MachinePart]] = relationship(
        back_populates="machine", order_by="MachinePart.id"
    )
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "machine"}


class Motor(Machine):
    __tablename__ = "motors"

    id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    memo: Mapped[str | None]
    power: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "motor"}


class Turbine(Motor):
    __tablename__ = "turbines"

    id: Mapped[int] = mapped_column(ForeignKey("motors.id"), primary_key=True)
    memo: Mapped[str | None] = mapped_column("turbine_memo")
    note: Mapped[str | None] = mapped_column("turbine_note")
    blades: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "turbine"}


class MachinePart(Base):
    __tablename__ = "machine_parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"))
    machine: Mapped[Machine | None] = relationship(back_populates="parts")


class Letterbox(Base):
    """As the machines, where the mapping asks for further statements."""

    __tablename__ = "letterboxes"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "box"}


class Locker(Letterbox):
    __tablename__ = "lockers"

    id: Mapped[int] = mapped_column(ForeignKey("letterboxes.id"), primary_key=True)
    memo: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "locker", "polymorphic_load": "selectin"}


class Safe(Locker):
    __tablename__ = "safes"

    id: Mapped[int] = mapped_column(ForeignKey("lockers.id"), primary_key=True)
    memo: Mapped[str | None] = mapped_column("safe_memo")
    __mapper_args__ = {"polymorphic_identity": "safe", "polymorphic_load": "selectin"}


# --- joined, without a discriminator -------------------------------------------------------------


class Asset(Base):
    __tablename__ = "assets"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]


class House(Asset):
    __tablename__ = "houses"

    house_id: Mapped[int] = mapped_column("asset_id", ForeignKey("assets.id"), primary_key=True)
    rooms: Mapped[int | None]


# --- single table --------------------------------------------------------------------------------


class AnimalKind(enum.Enum):
    ANIMAL = "animal"
    CAT = "cat"
    DOG = "dog"


class Animal(Base):
    __tablename__ = "animals"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    kind: Mapped[AnimalKind] = mapped_column(Enum(AnimalKind, native_enum=False, length=20))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": AnimalKind.ANIMAL}

    def sound(self) -> str:
        return "..."


class Cat(Animal):
    lives: Mapped[int | None] = mapped_column(use_existing_column=True)
    __mapper_args__ = {"polymorphic_identity": AnimalKind.CAT, "polymorphic_load": "inline"}

    def sound(self) -> str:
        return f"meow {super().sound()}"


class Dog(Animal):
    tricks: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": AnimalKind.DOG}

    def sound(self) -> str:
        return "woof"


class Shape(Base):
    """The discriminator is an SQL expression."""

    __tablename__ = "shapes"

    id: Mapped[int] = mapped_column(primary_key=True)
    corners: Mapped[int | None] = mapped_column()
    kind = column_property(case((corners == 4, "square"), else_="shape"))
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "shape"}


class Square(Shape):
    __mapper_args__ = {"polymorphic_identity": "square"}


class Thing(Base):
    """The discriminator may be NULL."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "thing"}


class SubThing(Thing):
    __mapper_args__ = {"polymorphic_identity": "sub"}


# --- concrete ------------------------------------------------------------------------------------


class Vehicle(Base):
    __tablename__ = "vehicles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    wheels: Mapped[int | None]


class Truck(Vehicle):
    __tablename__ = "trucks"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    load: Mapped[int | None]
    __mapper_args__ = {"concrete": True}


class Document(AbstractConcreteBase, Base):
    """Queried as a polymorphic union of its concrete tables."""

    strict_attrs = True

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(String(30))


class Letter(Document):
    __tablename__ = "letters"

    recipient: Mapped[str | None] = mapped_column(String(30))
    __mapper_args__ = {"polymorphic_identity": "letter", "concrete": True}


class Invoice(Document):
    __tablename__ = "invoices"

    amount: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "invoice", "concrete": True}


# --- dataclasses in a hierarchy ------------------------------------------------------------------


class DataItem(MappedAsDataclass, Base):
    __tablename__ = "data_items"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(init=False)
    name: Mapped[str | None] = mapped_column(default=None)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "item"}


class DataBook(DataItem):
    pages: Mapped[int | None] = mapped_column(default=None)
    __mapper_args__ = {"polymorphic_identity": "book"}


# --- a class mapped to a join, and to a subquery -------------------------------------------------

left_table = Table(
    "joined_left",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(30)),
)
right_table = Table(
    "joined_right",
    Base.metadata,
    Column("id", ForeignKey("joined_left.id"), primary_key=True),
    Column("value", Integer),
)


class JoinedTables(Base):
    __table__ = left_table.join(right_table)

    id = column_property(left_table.c.id, right_table.c.id)


class NameCount(Base):
    """Mapped to an aggregate subquery."""

    __table__ = (
        Base.metadata.tables["persons"]
        .select()
        .with_only_columns(
            Base.metadata.tables["persons"].c.kind,
            func.count().label("how_many"),
        )
        .group_by(Base.metadata.tables["persons"].c.kind)
        .subquery("name_counts")
    )
    __mapper_args__ = {"primary_key": [__table__.c.kind]}
