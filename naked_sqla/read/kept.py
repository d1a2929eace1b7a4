"""Loaders that serve further executions of a statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy.engine import CursorResult

    from naked_sqla.read.loader import Loader
    from naked_sqla.read.loading import Loading

__all__ = ("KeptLoader", "KeptMaker")


class KeptLoader(Protocol):
    """What is known of the loader of a compiled statement, before a further execution of it."""

    def of(self, statement: Any, loading: Callable[[], Loading]) -> Loader | None:
        """The loader of an execution that is to come; it takes rows as the driver gives them.

        :param loading: makes what says how further statements are run.
        :return: None when classes were mapped since then, which the loader does not know.
        """
        ...


class KeptMaker(ABC):
    """Makes loaders that serve further executions of the same statement.

    :ivar key: of equal ones.
    """

    __slots__ = ()

    key: Any

    @abstractmethod
    def __call__(self, result: CursorResult[Any]) -> Loader: ...

    @abstractmethod
    def known(self, result: CursorResult[Any]) -> KeptLoader | None:
        """What the next execution need not find out; None where it is not the same.

        :param result: of the statement, after its loader was made.
        """
