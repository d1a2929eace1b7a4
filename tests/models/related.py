"""Relationships that are not simply "a foreign key to a primary key"."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table, and_
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    attribute_keyed_dict,
    foreign,
    keyfunc_mapping,
    mapped_column,
    relationship,
    remote,
)


class Base(DeclarativeBase):
    pass


class Shelf(list[Any]):
    """A collection of the application's own."""

    def labels(self) -> list[str]:
        return [item.name for item in self]


class Country(Base):
    """Its natural key is what others refer to, its primary key is not."""

    __tablename__ = "countries"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(String(2), unique=True)

    cities: Mapped[list[City]] = relationship(back_populates="country", order_by="City.name.desc()")
    capital: Mapped[City | None] = relationship(
        primaryjoin=lambda: and_(
            Country.code == foreign(remote(City.country_code)), City.is_capital == 1
        ),
        viewonly=True,
        uselist=False,
    )
    by_name: Mapped[dict[str, City]] = relationship(
        collection_class=attribute_keyed_dict("name"), viewonly=True, order_by="City.id"
    )
    by_shout: Mapped[dict[str, City]] = relationship(
        collection_class=keyfunc_mapping(lambda city: city.name.upper()),
        viewonly=True,
        order_by="City.id",
    )
    shelf: Mapped[Shelf] = relationship(
        "City", collection_class=Shelf, viewonly=True, order_by="City.id"
    )
    as_set: Mapped[set[City]] = relationship(viewonly=True)
    city_names: AssociationProxy[list[str]] = association_proxy("cities", "name")
    languages: Mapped[list[Language]] = relationship(
        secondary=lambda: spoken,
        primaryjoin=lambda: Country.code == spoken.c.country,
        secondaryjoin=lambda: and_(spoken.c.language == Language.id, spoken.c.official == 1),
        order_by=lambda: spoken.c.rank,
        viewonly=True,
    )


class City(Base):
    __tablename__ = "cities"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_code: Mapped[str | None] = mapped_column(ForeignKey("countries.code"))
    is_capital: Mapped[int] = mapped_column(default=0)

    country: Mapped[Country | None] = relationship(back_populates="cities")


class Language(Base):
    __tablename__ = "languages"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


spoken = Table(
    "spoken",
    Base.metadata,
    Column("country", ForeignKey("countries.code"), primary_key=True),
    Column("language", ForeignKey("languages.id"), primary_key=True),
    Column("official", Integer),
    Column("rank", Integer),
)


class Order(Base):
    """A composite primary key, referred to by a composite foreign key."""

    __tablename__ = "orders"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str | None]

    lines: Mapped[list[Line]] = relationship(
        back_populates="order", order_by="Line.position", collection_class=ordering_list("position")
    )


class Line(Base):
    __tablename__ = "order_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_year: Mapped[int | None]
    order_number: Mapped[int | None]
    position: Mapped[int]
    article: Mapped[str | None]
    order: Mapped[Order | None] = relationship(back_populates="lines")
    __table_args__ = (
        ForeignKeyConstraint(["order_year", "order_number"], ["orders.year", "orders.number"]),
    )


friends = Table(
    "friends",
    Base.metadata,
    Column("one", ForeignKey("members.id"), primary_key=True),
    Column("other", ForeignKey("members.id"), primary_key=True),
)


class Member(Base):
    """Refers to itself, through a table and without."""

    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))

    friends: Mapped[list[Member]] = relationship(
        secondary=friends,
        primaryjoin=id == friends.c.one,
        secondaryjoin=id == friends.c.other,
        order_by=id,
    )
    children: Mapped[list[Member]] = relationship(back_populates="parent", order_by=id)
    parent: Mapped[Member | None] = relationship(back_populates="children", remote_side=[id])


class Team(Base):
    """What it has is of several classes, one of which has more to load."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    workers: Mapped[list[Worker]] = relationship(back_populates="team", order_by="Worker.id")


class Worker(Base):
    __tablename__ = "workers"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    team: Mapped[Team | None] = relationship(back_populates="workers")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "worker"}


class Driver(Worker):
    __tablename__ = "drivers"

    id: Mapped[int] = mapped_column(ForeignKey("workers.id"), primary_key=True)
    licence: Mapped[str | None]
    cars: Mapped[list[Car]] = relationship(back_populates="driver", order_by="Car.id")
    __mapper_args__ = {"polymorphic_identity": "driver"}


class Cook(Worker):
    __tablename__ = "cooks"

    id: Mapped[int] = mapped_column(ForeignKey("workers.id"), primary_key=True)
    stars: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "cook"}


class Car(Base):
    __tablename__ = "cars"

    id: Mapped[int] = mapped_column(primary_key=True)
    driver_id: Mapped[int | None] = mapped_column(ForeignKey("drivers.id"))
    plate: Mapped[str]
    driver: Mapped[Driver | None] = relationship(back_populates="cars")


class DataBase(MappedAsDataclass, DeclarativeBase):
    pass


class Album(DataBase):
    """A dataclass whose relationships are part of its comparison and its repr."""

    __tablename__ = "albums"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    songs: Mapped[list[Song]] = relationship(default_factory=list, order_by="Song.id")


class Song(DataBase):
    __tablename__ = "songs"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    album_id: Mapped[int | None] = mapped_column(ForeignKey("albums.id"), default=None)
