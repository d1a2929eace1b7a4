"""What was written and what the writer was told, compared with what is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# "cancelled" and "unknown" claim nothing; "partial" claims it for one of two databases.
Told = Literal["open", "ok", "failed", "cancelled", "unknown", "partial"]

# How many ids a job has for itself.
ROOM = 10
# Rows that are there before, and stay as they are.
FIXED = 60


class Base(DeclarativeBase):
    pass


class Entry(Base):
    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str]


class Fixed(Base):
    __tablename__ = "fixed"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class OtherBase(DeclarativeBase):
    pass


class Other(OtherBase):
    """Lies in the second database."""

    __tablename__ = "other"
    __bind_key__ = "other"

    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str]


@dataclass
class Job:
    """One transaction: the rows that it writes, and what its task was told of them."""

    number: int
    way: str
    # Stored when all goes well, in the first and the second database; and never, however it goes.
    kept: set[int] = field(default_factory=set)
    others: set[int] = field(default_factory=set)
    never: set[int] = field(default_factory=set)
    told: Told = "open"
    error: BaseException | None = None
    # The session that it ran in, where there was one to be seen.
    session: Any = None

    @property
    def first(self) -> int:
        return self.number * ROOM

    def keep(self, *offsets: int) -> list[dict[str, Any]]:
        """Say that these rows are stored at the end; gives them."""
        ids = [self.first + offset for offset in offsets]
        self.kept.update(ids)
        return [{"id": id_, "way": self.way} for id_ in ids]

    def drop(self, *offsets: int) -> list[dict[str, Any]]:
        """Say that these rows are never stored; gives them."""
        ids = [self.first + offset for offset in offsets]
        self.never.update(ids)
        return [{"id": id_, "way": self.way} for id_ in ids]

    @property
    def outcome(self) -> str | None:
        """What the session says, where it says something."""
        outcome: str | None = getattr(self.session, "outcome", None)
        return outcome

    def verdict(self, stored: set[int], stored_others: set[int]) -> str | None:
        """Compare with what is stored: ``None``, or "lost", "phantom" or "torn", and why."""
        parts = [(self.kept, stored & (self.kept | self.never))]
        if self.others:
            parts.append((self.others, stored_others & self.others))
        if stored & self.never:
            return f"phantom: {sorted(stored & self.never)} were rolled back"
        whole = [there == written for written, there in parts]
        if any(there and there != written for written, there in parts):
            return "torn: a part of a transaction is stored"
        says_yes = self.told == "ok" or self.outcome == "committed"
        if says_yes and not all(whole) and self.told != "partial":
            return f"lost: told {self.told}, outcome {self.outcome}"
        says_no = self.told == "failed" or self.outcome == "rolled_back"
        if says_no and any(there for _, there in parts):
            return f"phantom: told {self.told}, outcome {self.outcome}, {self.error!r}"
        if self.way == "two_phase" and self.told != "partial" and len(set(whole)) == 2:
            return f"torn: one of two databases has it, told {self.told}"
        return None
