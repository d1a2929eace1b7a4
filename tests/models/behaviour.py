"""Models with behaviour of their own: dunder methods, caches, validators, hooks."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from sqlalchemy import event
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeMeta,
    Mapped,
    declarative_base,
    mapped_column,
    reconstructor,
    registry,
    validates,
)


class Base(DeclarativeBase):
    pass


class Reconstructed(Base):
    """Has a constructor with required arguments and a loading hook."""

    __tablename__ = "reconstructed"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]

    def __init__(self, id: int, name: str) -> None:
        self.id = id
        self.name = name
        self.cache: list[str] = ["constructed"]

    @reconstructor
    def _on_load(self) -> None:
        self.cache = ["loaded"]


class Talkative(Base):
    """Overrides attribute access; counts what it sees."""

    __tablename__ = "talkative"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    secret: Mapped[str | None] = mapped_column(deferred=True)
    seen: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("dynamic_"):
            return f"made up {name}"
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        type(self).seen.append(name)
        super().__setattr__(name, value)


class Validated(Base):
    __tablename__ = "validated"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    calls: ClassVar[list[Any]] = []

    @validates("name")
    def _check(self, key: str, value: Any) -> Any:
        self.calls.append((key, value))
        return value


class Rich(Base):
    """Methods of every kind, a cached property, equality and hash of its own."""

    __tablename__ = "rich"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    detail: Mapped[str | None] = mapped_column(deferred=True)
    computed: ClassVar[int] = 0
    constant: ClassVar[str] = "constant"

    @functools.cached_property
    def expensive(self) -> list[str]:
        Rich.computed += 1
        return [str(self.name)]

    @property
    def loud(self) -> str:
        return f"{self.name}!"

    @loud.setter
    def loud(self, value: str) -> None:
        self.name = value.rstrip("!")

    @classmethod
    def make(cls, name: str) -> Rich:
        return cls(name=name)

    @classmethod
    def who(cls) -> str:
        return cls.__name__

    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b

    def sibling(self) -> Rich:
        return type(self)(name="sibling")

    def by_dunder_class(self) -> type:
        return __class__  # type: ignore[name-defined]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rich) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __lt__(self, other: Rich) -> bool:
        return self.id < other.id

    def __len__(self) -> int:
        return len(self.name or "")

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Any:
        return iter((self.id, self.name))

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __contains__(self, item: object) -> bool:
        return item == self.name

    def __call__(self, suffix: str) -> str:
        return f"{self.name}{suffix}"

    def __enter__(self) -> Rich:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def __str__(self) -> str:
        return f"rich {self.name}"

    def __format__(self, spec: str) -> str:
        return f"<{spec}{self.name}>"

    __match_args__ = ("id", "name")


# --- bases that want something of each subclass ---------------------------------------------------


class StrictBase(DeclarativeBase):
    """Each subclass has to say what it is called; each one is counted."""

    registered: ClassVar[dict[str, type]] = {}

    def __init_subclass__(cls, *, label: str, **kw: Any) -> None:
        StrictBase.registered[label] = cls
        super().__init_subclass__(**kw)


class Strict(StrictBase, label="strict"):
    __tablename__ = "strict"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    detail: Mapped[str | None] = mapped_column(deferred=True)

    def shout(self) -> str:
        return str(self.name).upper()


class RegisteringMeta(DeclarativeMeta):
    registered: ClassVar[list[str]] = []

    def __new__(mcs, name: str, bases: Any, namespace: Any, **kw: Any) -> Any:
        RegisteringMeta.registered.append(name)
        return super().__new__(mcs, name, bases, namespace, **kw)


MetaBase: Any = declarative_base(metaclass=RegisteringMeta)


class MetaMade(MetaBase):
    __tablename__ = "meta_made"
    __allow_unmapped__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


slotted = registry()


class Slots:
    __slots__ = ("__weakref__", "__dict__")


@slotted.mapped
class Slotted(Slots):
    __tablename__ = "slotted"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class Listened(Base):
    """Instance and mapper events are listened to."""

    __tablename__ = "listened"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    events: ClassVar[list[str]] = []


@event.listens_for(Listened, "init")
def _on_init(target: Any, args: Any, kwargs: Any) -> None:
    Listened.events.append("init")


class Enumerated(Base):
    """An ``__init_subclass__`` without requirements, that keeps a list."""

    __tablename__ = "enumerated"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    subclasses: ClassVar[list[str]] = []

    def __init_subclass__(cls, **kw: Any) -> None:
        Enumerated.subclasses.append(cls.__name__)
        super().__init_subclass__(**kw)


class Stateful(Base):
    """Says itself what pickle and copy take."""

    __tablename__ = "stateful"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]

    def __getstate__(self) -> dict[str, Any]:
        return {"saved_id": self.id, "saved_name": self.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.id = state["saved_id"]
        self.name = f"{state['saved_name']} (restored)"


class Newly(Base):
    """Makes its instances itself."""

    __tablename__ = "newly"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    made: ClassVar[int] = 0

    def __new__(cls, *args: Any, **kwargs: Any) -> Newly:
        Newly.made += 1
        return super().__new__(cls)
